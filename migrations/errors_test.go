package migrations_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

var update = flag.Bool("update", false, "write the golden files")

// wrongs are the ways to be wrong. Each starts from a schema of the shared
// lineage or, with own, of as many files of ownFS.
var wrongs = []struct {
	name    string
	own     int
	change  string
	options migrations.Options
	run     func(f fixture) error // instead of a program with two own files
}{
	{name: "name in upper case", options: migrations.Options{Schema: "Orders"}},
	{name: "name that is reserved", options: migrations.Options{Schema: "pg_orders"}},
	{name: "name that is no identifier", options: migrations.Options{Schema: "my-orders"}},
	{name: "name that is too long", options: migrations.Options{Schema: strings.Repeat("o", 52)}},
	{name: "version that does not exist", options: migrations.Options{UpTo: 12}},
	{name: "lock time-out too short", options: migrations.Options{LockTimeout: 1}},

	{name: "verify without schema", change: `DROP SCHEMA {S} CASCADE`, options: migrations.Options{Policy: migrations.Verify}},
	{name: "verify an empty schema", change: `SELECT {S}.cleanup_schema()`, options: migrations.Options{Policy: migrations.Verify}},
	{name: "verify an old schema", own: 1, options: migrations.Options{Policy: migrations.Verify}},

	{name: "unknown shared version", change: `INSERT INTO {S}._duroxide_migrations (version, name) VALUES (12, '0012_new.sql')`},
	{name: "newer schema that does not admit this program", own: 3},
	{name: "own version that was skipped", own: 2,
		change: `UPDATE {S}._duroxide_go_migrations SET version = 900, name = '0900_other.sql' WHERE version = 901`},
	{name: "gap in the shared ledger", change: `DELETE FROM {S}._duroxide_migrations WHERE version IN (3, 7)`},
	{name: "gap in the own ledger", own: 2, change: `DELETE FROM {S}._duroxide_go_migrations WHERE version = 901`},
	{name: "shared ledger gone", own: 1, change: `DROP TABLE {S}._duroxide_migrations`},
	{name: "sister lineage",
		change: `UPDATE {S}._duroxide_migrations SET name = '0002_something_else.sql' WHERE version = 2`},
	{name: "another own lineage", own: 1,
		change: `UPDATE {S}._duroxide_go_migrations SET name = '0901_something_else.sql'`},

	{name: "table missing", change: `DROP TABLE {S}.instances`},
	{name: "view in place of a table", change: `ALTER TABLE {S}.sessions RENAME TO s; CREATE VIEW {S}.sessions AS SELECT * FROM {S}.s`},
	{name: "tables without ledger", change: `DROP TABLE {S}._duroxide_migrations`},
	{name: "foreign table", change: `CREATE TABLE {S}.dxgo_marks (id bigint)`},
	{name: "foreign column", change: `ALTER TABLE {S}.instances ADD COLUMN dxgo_mark text`},
	{name: "own table missing", own: 1, change: `DROP TABLE {S}.dxgo_marks`},
	{name: "table made again by others", own: 1, change: `ALTER TABLE {S}.instances DROP COLUMN dxgo_mark`},
	{name: "empty own ledger", change: `CREATE TABLE {S}._duroxide_go_migrations (version bigint, name text, min_client bigint, checksum text, bodies jsonb)`},
	{name: "ledger of somebody else", change: `ALTER TABLE {S}._duroxide_migrations RENAME COLUMN name TO title`},

	{name: "role that may read nothing", run: func(f fixture) error {
		return f.runFile(f.connectAs(), `SELECT 1`)
	}},
	{name: "role that may not make a schema", change: `DROP SCHEMA {S} CASCADE`, run: func(f fixture) error {
		return f.runFile(f.connectAs(), `SELECT 1`)
	}},
	{name: "role that does not own the tables", run: func(f fixture) error {
		return f.runFile(f.connectAs(`USAGE ON SCHEMA {S}`, `SELECT ON {S}._duroxide_migrations`), `DROP TABLE kv_store`)
	}},
	{name: "statement that fails", run: func(f fixture) error {
		return f.runFile(f.connect(), "-- Broken.\n\nSELECT 1;\nINSERT INTO kv_store (instance_id,\n    nothing) VALUES (1);")
	}},
	{name: "statement that fails outside a transaction", run: func(f fixture) error {
		f.exec(`INSERT INTO {S}.instances SELECT v, 'same', NULL, 1, now(), now() FROM generate_series(1, 2) v`)
		return f.runFile(f.connect(), "-- transaction: none\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dxgo_i ON instances (orchestration_name);")
	}},
	{name: "table that others keep locked", run: func(f fixture) error {
		reader := f.connect()
		f.execOn(reader, `SET application_name TO 'report'`)
		f.execOn(reader, `BEGIN`)
		f.execOn(reader, `SELECT FROM {S}.instances`)
		_, err := migrations.RunFS(f.Context(), f.connect(), ownFS(f.T, 1),
			&migrations.Options{Schema: f.Schema, LockTimeout: 2 * time.Millisecond})
		return err
	}},
	{name: "statement that takes too long for the role", run: func(f fixture) error {
		return f.runFile(f.connect(), "SET LOCAL statement_timeout TO '1ms';\nSELECT pg_sleep(60);")
	}},
	{name: "connection that breaks", run: func(f fixture) error {
		return f.runFile(f.connect(), `SELECT pg_terminate_backend(pg_backend_pid())`)
	}},
	{name: "caller that gives up", run: func(f fixture) error {
		f.execOn(f.connect(), `SELECT pg_advisory_lock($1)`, migrations.LockKey(f.Schema))
		ctx, cancel := context.WithCancel(f.Context())
		defer cancel()
		_, err := migrations.RunFS(ctx, f.connect(), ownFS(f.T, 1), &migrations.Options{
			Schema: f.Schema, Logger: slog.New(onRecord{f: cancel}), // it says that it waits
		})
		return err
	}},
	{name: "pooler in transaction mode", run: func(f fixture) error {
		return f.runFile(f.connect(), "-- transaction: none\nSELECT pg_advisory_unlock_all();\nSELECT 1;")
	}},
}

// onRecord calls f for the first line of a log.
type onRecord struct{ f func() }

func (h onRecord) Enabled(context.Context, slog.Level) bool  { return true }
func (h onRecord) Handle(context.Context, slog.Record) error { h.f(); return nil }
func (h onRecord) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h onRecord) WithGroup(string) slog.Handler             { return h }

// connectAs connects as a role that may do nothing but what is granted.
func (f fixture) connectAs(grants ...string) *pgx.Conn {
	f.Helper()
	role := f.role()
	for _, grant := range grants {
		f.exec(`GRANT ` + grant + ` TO ` + role)
	}
	conn := f.connect()
	f.execOn(conn, `SET ROLE `+role)
	return conn
}

// The golden file is for reading: every error as the operator sees it. It is
// written by go test -run TestErrors -update.
func TestErrors(t *testing.T) {
	t.Parallel()
	const golden = "testdata/errors.txt"
	texts := make([]string, len(wrongs))
	t.Run("each", func(t *testing.T) {
		for i, wrong := range wrongs {
			t.Run(wrong.name, func(t *testing.T) {
				t.Parallel()
				f := setupShared(t)
				if wrong.own > 0 {
					f.mustRunOwn(wrong.own, migrations.Apply)
				}
				for change := range strings.SplitSeq(wrong.change, "; ") {
					f.exec(change)
				}
				var err error
				if wrong.run != nil {
					err = wrong.run(f)
				} else {
					options := wrong.options
					if options.Schema == "" {
						options.Schema = f.Schema
					}
					_, err = migrations.RunFS(t.Context(), f.connect(), ownFS(t, 2), &options)
				}
				if err == nil {
					t.Fatal("no error")
				}
				text := strings.ReplaceAll(err.Error(), f.Schema, "orders")
				text = regexp.MustCompile(`pid \d+`).ReplaceAllString(text, "pid 4711")
				text = regexp.MustCompile(`for database \S+`).ReplaceAllString(text, "for database shop")
				texts[i] = wrong.name + "\n  " + text + "\n"
			})
		}
	})
	got := strings.Join(texts, "\n")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
