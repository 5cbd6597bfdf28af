package migrations_test

import (
	"context"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

// The files of the own lineage in these tests stand in for real ones, so that
// the tests do not change when those grow.
const (
	ownTables = `-- A table, a column and a function.
-- min_client: 0011

CREATE TABLE IF NOT EXISTS dxgo_marks (id bigint PRIMARY KEY, note text DEFAULT 'a;b');
ALTER TABLE instances ADD COLUMN IF NOT EXISTS dxgo_mark bigint;

CREATE OR REPLACE FUNCTION list_executions(p_instance_id text) RETURNS TABLE (execution_id bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT e.execution_id FROM executions e WHERE e.instance_id = p_instance_id ORDER BY 1; -- ours
END
$$;

CREATE OR REPLACE FUNCTION dxgo_answer() RETURNS integer LANGUAGE sql SET search_path FROM CURRENT AS $$ SELECT 42 $$;
`
	ownIndexes = `-- Indexes without locking out writers.
-- transaction: none
-- min_client: 0901

CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_marks_note ON dxgo_marks (note);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_instances_mark ON instances (dxgo_mark);
`
	ownLast = `-- Breaks programs that do not have it.

CREATE TABLE IF NOT EXISTS dxgo_more (id bigint);
DROP TABLE IF EXISTS dxgo_marks;
`
)

// ownFS is the shared lineage and the first n files of an own one.
func ownFS(t *testing.T, n int) fs.FS {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, file := range migrations.Files()[:migrations.SharedVersion] {
		data, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[file.Name] = &fstest.MapFile{Data: data}
	}
	for i, sql := range []string{ownTables, ownIndexes, ownLast}[:n] {
		name := []string{"0901_tables.sql", "0902_indexes.sql", "0903_last.sql"}[i]
		fsys[name] = &fstest.MapFile{Data: []byte(sql)}
	}
	return fsys
}

// runOwn runs a program whose own lineage has n files.
func (f fixture) runOwn(n int, policy migrations.Policy) (migrations.Result, error) {
	f.Helper()
	return migrations.RunFS(f.Context(), f.connect(), ownFS(f.T, n), &migrations.Options{Schema: f.Schema, Policy: policy})
}

func (f fixture) mustRunOwn(n int, policy migrations.Policy) migrations.Result {
	f.Helper()
	result, err := f.runOwn(n, policy)
	if err != nil {
		f.Fatal(err)
	}
	return result
}

func TestOwnLineage(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	if result := f.mustRunOwn(3, migrations.ApplyShared); result.Version != migrations.SharedVersion {
		t.Errorf("apply shared ends at version %d", result.Version)
	}
	f.want([]string{"true"}, `SELECT to_regclass($1) IS NULL`, f.Schema+"._duroxide_go_migrations")
	result := f.mustRunOwn(3, migrations.Apply)
	want := migrations.Result{Version: 903, Applied: []migrations.File{
		{Version: 901, Name: "0901_tables.sql"}, {Version: 902, Name: "0902_indexes.sql"}, {Version: 903, Name: "0903_last.sql"},
	}}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	f.want([]string{"11"}, `SELECT max(version) FROM {S}._duroxide_migrations`)
	f.want([]string{"901|0901_tables.sql|11|64", "902|0902_indexes.sql|901|64", "903|0903_last.sql|903|64"},
		`SELECT version, name, min_client, length(checksum) FROM {S}._duroxide_go_migrations ORDER BY 1`)
	f.want([]string{"list_executions"}, `SELECT jsonb_object_keys(bodies) FROM {S}._duroxide_go_migrations`)
	f.want([]string{"true"}, `SELECT indisvalid FROM pg_index WHERE indexrelid = '{S}.dxgo_instances_mark'::regclass`)
	f.mustRunOwn(3, migrations.Verify)
	if result := f.mustRunOwn(3, migrations.ApplyShared); result.Version != 903 || len(result.Applied) > 0 {
		t.Errorf("apply shared afterwards: %+v", result)
	}
}

// Runs at the same time share the work, also while one builds indexes
// concurrently, for which it waits for the transactions of the others.
func TestConcurrentRunsOutsideTransactions(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	var wg sync.WaitGroup
	var applied atomic.Int64
	for range 6 {
		wg.Go(func() {
			conn, err := pgx.Connect(t.Context(), f.URL)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.WithoutCancel(t.Context()))
			result, err := migrations.RunFS(t.Context(), conn, ownFS(t, 3), &migrations.Options{Schema: f.Schema})
			if err != nil || result.Version != 903 {
				t.Errorf("got %+v and error %v", result, err)
			}
			applied.Add(int64(len(result.Applied)))
		})
	}
	wg.Wait()
	if n := applied.Load(); n != 3 {
		t.Errorf("%d files applied, want 3", n)
	}
}

// Programs of different releases use one schema while they are replaced.
func TestRollingDeploy(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	f.mustRunOwn(2, migrations.Apply)
	for _, policy := range []migrations.Policy{migrations.Verify, migrations.Apply, migrations.ApplyShared} {
		if result := f.mustRunOwn(1, policy); result.Version != 902 || len(result.Applied) > 0 {
			t.Errorf("policy %d: the program before: %+v", policy, result)
		}
		_, err := f.runOwn(0, policy)
		wantSentinel(t, err, migrations.ErrUnknownVersion, "902 (0902_indexes.sql)", "has version 901, this one ends at 11")
	}
	f.mustRunOwn(3, migrations.Apply)
	_, err := f.runOwn(2, migrations.Verify)
	wantSentinel(t, err, migrations.ErrUnknownVersion, "903 (0903_last.sql)", "has version 903, this one ends at 902")
}

// A migration of another member of the family may put its own body back.
func TestForeignBodies(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	f.mustRunOwn(3, migrations.Apply)
	f.exec(`CREATE OR REPLACE FUNCTION {S}.list_executions(p_instance_id text) RETURNS TABLE (execution_id bigint)
		LANGUAGE plpgsql AS 'BEGIN END'`)
	warned := signals{slog.LevelWarn, make(chan string, 1)}
	for _, policy := range []migrations.Policy{migrations.Verify, migrations.Apply, migrations.ApplyShared} {
		result, err := migrations.RunFS(t.Context(), f.connect(), ownFS(t, 3),
			&migrations.Options{Schema: f.Schema, Policy: policy, Logger: slog.New(warned)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"list_executions"}, result.ForeignBodies); diff != "" {
			t.Errorf("policy %d: foreign bodies (-want +got):\n%s", policy, diff)
		}
		if message := <-warned.sent; !strings.Contains(message, "switched off") {
			t.Errorf("logged %q", message)
		}
	}
	f.exec(`DROP FUNCTION {S}.list_executions(text)`)
	if result := f.mustRunOwn(3, migrations.Verify); len(result.ForeignBodies) != 1 {
		t.Errorf("a dropped function is not reported: %+v", result)
	}
	foreign, err := migrations.ForeignBodies(t.Context(), f.connect(), f.Schema)
	if err != nil || len(foreign) != 1 {
		t.Errorf("foreign bodies %q, error %v", foreign, err)
	}

	// A migration that replaces it again mends it.
	f = setupAt(t, 0)
	f.mustRunOwn(1, migrations.Apply)
	f.exec(`CREATE FUNCTION {S}.list_executions(x bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1'`)
	fsys := ownFS(t, 1).(fstest.MapFS)
	_, functions, _ := strings.Cut(ownTables, ";\n\n")
	fsys["0902_again.sql"] = &fstest.MapFile{Data: []byte("DROP FUNCTION list_executions(bigint);\n" + functions)}
	result, err := migrations.RunFS(t.Context(), f.connect(), fsys, &migrations.Options{Schema: f.Schema})
	if err != nil || len(result.Applied) != 1 || len(result.ForeignBodies) > 0 {
		t.Errorf("got %+v and error %v", result, err)
	}
}
