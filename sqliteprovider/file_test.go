package sqliteprovider_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	notADatabase := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{"", "path is empty"},
		{"file:x.db", "not a URI"},
		{filepath.Join(t.TempDir(), "missing", "x.db"), "unable to open database file"},
		{notADatabase, "not a database"},
	} {
		p, err := sqliteprovider.Open(t.Context(), tt.path, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("open %q: %v, want an error with %q", tt.path, err, tt.want)
		}
		if p != nil {
			t.Errorf("open %q: a provider beside the error", tt.path)
		}
	}
	for _, o := range []sqliteprovider.Options{{PollInterval: -1}, {BusyTimeout: -1}} {
		if _, err := sqliteprovider.Open(t.Context(), ":memory:", &o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqliteprovider.Open(ctx, filepath.Join(t.TempDir(), "x.db"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("open with an ended context: %v", err)
	}
}

// Every byte of a path is one of the name of the file.
func TestOddPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?mode=ro#c%41+d.db")
	openAt(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	first := openAt(t, path)
	send(t, first, activity("i", 2))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := openAt(t, path)
	if item := work(t, second); item == nil || item.AttemptCount != 1 {
		t.Errorf("after reopening there is %+v", item)
	}
	var mode string
	if _, err := sqliteprovider.QueryRow(t.Context(), second, `PRAGMA journal_mode`, nil, &mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
}

func TestMemoriesAreApart(t *testing.T) {
	t.Parallel()
	a, b := openAt(t, ":memory:"), openAt(t, ":memory:")
	send(t, a, activity("i", 2))
	if item := work(t, b); item != nil {
		t.Errorf("one finds what is in the other: %+v", item)
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p, err := sqliteprovider.Open(t.Context(), path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p := openAt(t, path)
	versions, err := sqliteprovider.QueryColumn[int](t.Context(), p, `SELECT version FROM duroxide_go_migrations`)
	if diff := cmp.Diff([]int{1, 2}, versions); diff != "" || err != nil {
		t.Errorf("ledger: %v\n%s", err, diff)
	}
}

func TestSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, statement string
		want            error
	}{
		{"newer", `INSERT INTO duroxide_go_migrations VALUES (9999, '9999_new.sql', '', 0)`, sqliteprovider.ErrNewerSchema},
		{"changed", `UPDATE duroxide_go_migrations SET sha256 = 'x'`, sqliteprovider.ErrForeignSchema},
		{"foreign", `DROP TABLE duroxide_go_migrations`, sqliteprovider.ErrForeignSchema},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "test.db")
			p := openAt(t, path)
			if err := sqliteprovider.Exec(t.Context(), p, tt.statement); err != nil {
				t.Fatal(err)
			}
			_, err := sqliteprovider.Open(t.Context(), path, nil)
			if !errors.Is(err, tt.want) || core.IsRetryable(err) {
				t.Errorf("open: %v, want %v", err, tt.want)
			}
		})
	}
}

func shippedFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(sqliteprovider.Migrations(), name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A file of the first schema is upgraded. Its instances go on, at first without
// a turn.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	text := shippedFile(t, "0001_schema.sql")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sum := sha256.Sum256(text)
	for _, s := range []struct {
		query string
		args  []any
	}{
		{string(text), nil},
		{`CREATE TABLE duroxide_go_migrations (
			version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT`, nil},
		{`INSERT INTO duroxide_go_migrations VALUES (1, '0001_schema.sql', ?, 1)`, []any{hex.EncodeToString(sum[:])}},
		{`INSERT INTO instances (instance_id, orchestration_name, orchestration_version, current_execution_id, created_at, updated_at)
			VALUES ('i', 'Orch', '1.0.0', 1, 1, 1)`, nil},
		{`INSERT INTO executions (instance_id, execution_id, status, started_at) VALUES ('i', 1, 'Running', 1)`, nil},
	} {
		if _, err := db.ExecContext(t.Context(), s.query, s.args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	p := openAt(t, path)
	err = p.AppendWithExecution(t.Context(), core.AppendWithExecutionParams{Instance: "i", ExecutionID: 1, Events: []core.Event{
		event("i", 1, core.OrchestrationStarted{Name: "Orch", Version: "1.0.0", Input: "{}"}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for range 2 {
		send(t, p, external("i"))
		item := turn(t, p)
		if item == nil || item.TurnToken != want || item.LastEventID != 1 || len(item.History) != 1 {
			t.Fatalf("fetched %+v, want the turn %q", item, want)
		}
		if err := p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1}); err != nil {
			t.Fatal(err)
		}
		want = item.LockToken
	}
}

// A migration that fails leaves nothing of itself or of those before it.
func TestMigrationIsAtomic(t *testing.T) {
	t.Parallel()
	p := openAt(t, filepath.Join(t.TempDir(), "test.db"))
	files := fstest.MapFS{
		"9001_good.sql": {Data: []byte(`CREATE TABLE good (id INTEGER); CREATE TABLE better (id INTEGER);`)},
		"9002_bad.sql":  {Data: []byte(`CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER);`)},
	}
	shipped, err := fs.Glob(sqliteprovider.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range shipped {
		files[name] = &fstest.MapFile{Data: shippedFile(t, name)}
	}
	if err := sqliteprovider.Migrate(t.Context(), p, files); err == nil || !strings.Contains(err.Error(), "9002_bad.sql") {
		t.Fatalf("migrate: %v", err)
	}
	tables := func() []string {
		names, err := sqliteprovider.QueryColumn[string](t.Context(), p,
			`SELECT name FROM sqlite_schema WHERE name IN ('good', 'better', 'half') ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := tables(); len(got) > 0 {
		t.Errorf("tables of a migration that failed: %v", got)
	}
	files["9002_bad.sql"] = &fstest.MapFile{Data: []byte(`CREATE TABLE half (id INTEGER);`)}
	for range 2 { // the second time there is nothing to do
		if err := sqliteprovider.Migrate(t.Context(), p, files); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"better", "good", "half"}, tables()); diff != "" {
		t.Error(diff)
	}
}

// The hot statements use the index that serves them, and none sorts.
func TestPlans(t *testing.T) {
	t.Parallel()
	p := openAt(t, ":memory:")
	for name, query := range sqliteprovider.Queries {
		plan, err := sqliteprovider.Plan(t.Context(), p, query)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range plan {
			table, _, _ := strings.Cut(strings.TrimPrefix(line, "SCAN "), " ")
			scan := strings.HasPrefix(line, "SCAN ") && table != "CONSTANT" && !strings.HasPrefix(table, "(")
			if name == "oldest of all" && line == "SCAN w" {
				continue // in the order of the ids, up to the first
			}
			if scan || strings.Contains(line, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

// Two providers on one file stand for two processes: what one enqueues the
// other, which waits, fetches soon.
func TestOtherProviderWakes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	a, b := openAt(t, path), openAt(t, path)
	for range 3 { // the counter of changes must keep working
		found := waitFor(t, b)
		send(t, a, start("i"))
		item := await(t, found)
		if item == nil || item.Instance != "i" {
			t.Fatalf("fetched %+v", item)
		}
		// The lock holds for both.
		if item := turn(t, a); item != nil {
			t.Fatalf("a locked instance was fetched: %+v", item)
		}
		if err := a.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	// A worker wakes for what a turn of the other schedules.
	activities := make(chan *core.LockedWorkItem, 1)
	go func() {
		item, err := b.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: time.Minute, PollTimeout: patience})
		if err != nil {
			t.Error(err)
		}
		activities <- item
	}()
	send(t, a, activity("i", 2))
	if item := await(t, activities); item == nil {
		t.Error("no activity")
	}
}
