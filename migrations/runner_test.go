package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	files := migrations.Files()
	for _, test := range []struct {
		name    string
		from    int
		options migrations.Options
		applied []migrations.File
	}{
		{"apply", 0, migrations.Options{}, files},
		{"apply the rest", 7, migrations.Options{}, files[7:]},
		{"apply after the shared lineage", migrations.SharedVersion, migrations.Options{}, files[migrations.SharedVersion:]},
		{"apply shared", 0, migrations.Options{Policy: migrations.ApplyShared}, files[:migrations.SharedVersion]},
		{"apply up to 3", 0, migrations.Options{UpTo: 3}, files[:3]},
		{"apply shared up to 3", 1, migrations.Options{UpTo: 3, Policy: migrations.ApplyShared}, files[1:3]},
		{"already past it", 5, migrations.Options{UpTo: 3}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := setupAt(t, test.from)
			test.options.Schema = f.Schema
			result, err := migrations.RunPool(t.Context(), f.Pool, &test.options)
			if err != nil {
				t.Fatal(err)
			}
			want := migrations.Result{Applied: append([]migrations.File(nil), test.applied...), Version: test.from}
			if n := len(test.applied); n > 0 {
				want.Version = test.applied[n-1].Version
			}
			if diff := cmp.Diff(want, result); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			f.wantLedgers(want.Version)
			test.options.Policy, test.options.UpTo = migrations.Verify, want.Version
			if _, err := migrations.RunPool(t.Context(), f.Pool, &test.options); err != nil {
				t.Errorf("verify afterwards: %v", err)
			}
		})
	}
}

func TestNoneDoesNothing(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	conn := f.connect()
	conn.Close(t.Context())
	result, err := migrations.Run(t.Context(), conn, &migrations.Options{Schema: f.Schema, Policy: migrations.None})
	if err != nil || result.Version != 0 {
		t.Errorf("got %+v and error %v", result, err)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for want, options := range map[string]migrations.Options{
		`use "orders"`:     {Schema: "Orders"},
		"unknown policy 9": {Policy: 9},
		"no version 12: this program has versions 1 to 11": {UpTo: 12},
		"no version -1":        {UpTo: -1},
		"shorter than a milli": {LockTimeout: time.Microsecond},
	} {
		_, err := migrations.Run(t.Context(), nil, &options)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}

// A file runs under the same settings whatever the defaults of the session,
// and the session goes back as it came.
func TestSessionSettings(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	f.exec(`DROP SCHEMA {S}`)
	fsys := withFile(t, "0999_settings.sql", `CREATE TABLE settings AS
		SELECT current_setting('transaction_isolation') AS isolation, current_setting('search_path') AS path,
		       current_setting('lock_timeout') AS lock_timeout`)
	conn := f.connect()
	f.execOn(conn, `SET default_transaction_isolation TO 'serializable'`)
	f.execOn(conn, `SET default_transaction_read_only TO on`)
	f.execOn(conn, `SET lock_timeout TO '7s'`)
	f.execOn(conn, `SET search_path TO ''`)
	if _, err := migrations.RunFS(t.Context(), conn, fsys, &migrations.Options{Schema: f.Schema}); err != nil {
		t.Fatal(err)
	}
	f.want([]string{"read committed|" + f.Schema + ", pg_temp|2s"}, `SELECT * FROM {S}.settings`)
	var path, timeout string
	var locks int
	err := conn.QueryRow(t.Context(), `SELECT current_setting('search_path'), current_setting('lock_timeout'),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())`).Scan(&path, &timeout, &locks)
	if err != nil {
		t.Fatal(err)
	}
	if path != `""` || timeout != "7s" || locks != 0 {
		t.Errorf("search_path %s, lock_timeout %s, %d advisory locks", path, timeout, locks)
	}
}

// withFile returns the real migrations and one more.
func withFile(t *testing.T, name, sql string) fs.FS {
	t.Helper()
	fsys := fstest.MapFS{name: {Data: []byte(sql)}}
	for _, file := range migrations.Files() {
		data, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[file.Name] = &fstest.MapFile{Data: data}
	}
	return fsys
}

func TestFailingFile(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 10)
	fsys := withFile(t, "0999_broken.sql", "-- Broken.\nCREATE TABLE extra (id bigint);\nSELECT 1 FROM nowhere;\n")

	result, err := migrations.RunFS(t.Context(), f.connect(), fsys, &migrations.Options{Schema: f.Schema})
	var partial *migrations.PartialError
	if !errors.As(err, &partial) || partial.Failed.Version != 999 || partial.Line != 3 {
		t.Errorf("got error %v, want one for line 3 of version 999", err)
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42P01" {
		t.Errorf("error %v does not hold the server's", err)
	}
	for _, text := range []string{
		"0999_broken.sql:3: SELECT 1 FROM nowhere: ERROR: relation \"nowhere\" does not exist",
		"the file is rolled back and the schema stays at version " + strconv.Itoa(lastVersion()), "mend the cause and run again",
	} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
	if diff := cmp.Diff(migrations.Files()[10:], partial.Applied); diff != "" {
		t.Errorf("applied according to the error (-want +got):\n%s", diff)
	}
	want := migrations.Result{Applied: migrations.Files()[10:], Version: lastVersion()}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	f.wantLedgers(lastVersion())
	f.want([]string{"true"}, `SELECT to_regclass($1) IS NULL`, f.Schema+".extra")
	f.want([]string{}, `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = $1`,
		migrations.LockKey(f.Schema))
}

// The schema public, reserved words and names of full length need a database
// of their own or special care.
func TestOtherSchemas(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	f.exec(`CREATE DATABASE {S}`)
	t.Cleanup(func() {
		if _, err := f.Pool.Exec(context.WithoutCancel(t.Context()), f.sql(`DROP DATABASE {S} WITH (FORCE)`)); err != nil {
			t.Error(err)
		}
	})
	config, err := pgx.ParseConfig(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.Database = f.Schema
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })

	for _, schema := range []string{"public", "user", "_", strings.Repeat("x", 51)} {
		options := &migrations.Options{Schema: schema}
		if schema == "public" {
			options = nil
		}
		if _, err := migrations.Run(t.Context(), conn, options); err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		quoted := pgx.Identifier{schema}.Sanitize()
		for _, call := range []string{`enqueue_worker_work('{}', 1)`, `cleanup_schema()`} {
			if _, err := conn.Exec(t.Context(), fmt.Sprintf(`SELECT %s.%s`, quoted, call)); err != nil {
				t.Errorf("%s: %v", schema, err)
			}
		}
	}

	if _, err := conn.Exec(t.Context(), `DROP SCHEMA public CASCADE`); err != nil {
		t.Fatal(err)
	}
	_, err = migrations.Run(t.Context(), conn, nil)
	wantSentinel(t, err, migrations.ErrNoSchema, "create public yourself")
}

func TestRunURL(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	result, err := migrations.RunURL(t.Context(), migrationstest.URL(t), &migrations.Options{Schema: f.Schema})
	if err != nil || result.Version != lastVersion() {
		t.Errorf("got %+v and error %v", result, err)
	}
	if _, err := migrations.RunURL(t.Context(), "postgres://127.0.0.1:1/x?sslmode=disable", nil); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("got error %v without a server", err)
	}
}
