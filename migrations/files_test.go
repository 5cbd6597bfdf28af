package migrations_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

// The names of the shared lineage are in ledgers everywhere: they never change.
func TestFilesOfTheSharedLineage(t *testing.T) {
	t.Parallel()
	want := []migrations.File{
		{Version: 1, Name: "0001_initial_schema.sql"},
		{Version: 2, Name: "0002_add_deletion_and_pruning_support.sql"},
		{Version: 3, Name: "0003_add_capability_filtering.sql"},
		{Version: 4, Name: "0004_add_session_support.sql"},
		{Version: 5, Name: "0005_add_custom_status.sql"},
		{Version: 6, Name: "0006_add_activity_tags.sql"},
		{Version: 7, Name: "0007_retry_orchestration_fetch_on_contention.sql"},
		{Version: 8, Name: "0008_add_kv_store.sql"},
		{Version: 9, Name: "0009_add_kv_last_updated.sql"},
		{Version: 10, Name: "0010_add_kv_delta.sql"},
		{Version: 11, Name: "0011_add_get_instance_stats.sql"},
	}
	if diff := cmp.Diff(want, migrations.Files()[:migrations.SharedVersion]); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// The own lineage is numbered without gaps, and every file says which programs
// it admits. One outside a transaction holds only what bears repetition.
func TestFilesOfTheOwnLineage(t *testing.T) {
	t.Parallel()
	repeatable := regexp.MustCompile(`^(CREATE (UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS|DROP INDEX CONCURRENTLY IF EXISTS|ANALYZE) `)
	for i, file := range migrations.Files()[migrations.SharedVersion:] {
		if file.Version != 101+i {
			t.Errorf("%s has version %d, want %d", file.Name, file.Version, 101+i)
		}
		data, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if !strings.Contains(text, "\n-- min_client: ") {
			t.Errorf("%s has no marker min_client", file.Name)
		}
		transactional, _, err := migrations.ParseMarkers(file.Version, text)
		if err != nil {
			t.Errorf("%s: %v", file.Name, err)
		}
		statements, err := migrations.Split(text)
		if err != nil {
			t.Errorf("%s: %v", file.Name, err)
		}
		for _, s := range statements {
			line, sql, _ := strings.Cut(s, ":")
			if !transactional && !repeatable.MatchString(sql) {
				t.Errorf("%s:%s cannot be run again: %s", file.Name, line, sql)
			}
		}
	}
}

func TestListFilesRefusesOtherNames(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"1_short.sql"}, {"00001_long.sql"}, {"0001.sql"}, {"abcd_text.sql"}, {"0000_zero.sql"},
		{"-001_negative.sql"}, {"0001_a.sql", "0001_b.sql"}, {"0012_between.sql"}, {"0100_between.sql"},
	} {
		fsys := fstest.MapFS{}
		for _, name := range names {
			fsys[name] = &fstest.MapFile{}
		}
		if files, err := migrations.ListFiles(fsys); err == nil {
			t.Errorf("%s: got %v, want an error", strings.Join(names, ", "), files)
		}
	}
}

func TestLockKey(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]int64{
		"public":    5051973275015885035,
		"duroxide":  -1366117440781680946,
		"my_schema": -5220289395139026118,
		"Test_1":    8608515608111788914,
		"":          3746737520550558770,
	} {
		if got := migrations.LockKey(schema); got != want {
			t.Errorf("key of %q is %d, want %d", schema, got, want)
		}
	}
}

func TestLineOf(t *testing.T) {
	t.Parallel()
	const sql = "é\nb\ncd"
	for position, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 3, 7: 0} {
		if got := migrations.LineOf(sql, position); got != want {
			t.Errorf("position %d is in line %d, want %d", position, got, want)
		}
	}
}
