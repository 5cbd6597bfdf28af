package migrations_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

// runFile runs the shared lineage and one more file.
func (f fixture) runFile(conn *pgx.Conn, sql string) error {
	f.Helper()
	fsys := ownFS(f.T, 0).(fstest.MapFS)
	fsys["0901_test.sql"] = &fstest.MapFile{Data: []byte(sql)}
	_, err := migrations.RunFS(f.Context(), conn, fsys, &migrations.Options{Schema: f.Schema})
	return err
}

// A failure outside a transaction leaves what came before it. The next run
// begins the file again and ends where a run without the failure would.
func TestFailureOutsideATransaction(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const file = `-- Indexes.
-- transaction: none

CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_a ON instances (instance_id);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dxgo_b ON instances (orchestration_name);
`
	f.exec(`INSERT INTO {S}.instances SELECT v, 'same', NULL, 1, now(), now() FROM generate_series(1, 2) v`)
	const invalid = `SELECT c.relname::text, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE c.relnamespace = $1::regnamespace AND c.relname LIKE 'dxgo%' ORDER BY 1`

	err := f.runFile(f.connect(), file)
	var partial *migrations.PartialError
	if !errors.As(err, &partial) || partial.Line != 5 || !strings.HasPrefix(partial.Statement, "CREATE UNIQUE INDEX CONCURRENTLY") {
		t.Fatalf("got error %v, want one for line 5", err)
	}
	wantSentinel(t, err, nil, "0901_test.sql:5: CREATE UNIQUE", "what it did before stays", "version 11",
		"the next run does the whole file again", "mend the cause")
	f.want([]string{"dxgo_a|true", "dxgo_b|false"}, invalid, f.Schema)
	f.wantLedgers(migrations.SharedVersion)

	f.exec(`DELETE FROM {S}.instances WHERE instance_id = '2'`)
	if err := f.runFile(f.connect(), file); err != nil {
		t.Fatal(err)
	}
	f.want([]string{"dxgo_a|true", "dxgo_b|true"}, invalid, f.Schema)
	f.want([]string{"901|901"}, `SELECT version, min_client FROM {S}._duroxide_go_migrations`)
}

// The session goes back as it came, after a failure too.
func TestSessionSettingsOutsideATransaction(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	conn := f.connect()
	settings := []string{
		`SET search_path TO ''`, `SET lock_timeout TO '7s'`, `SET statement_timeout TO '8s'`,
		`SET default_transaction_isolation TO 'serializable'`, `SET default_transaction_read_only TO on`,
	}
	for _, text := range settings {
		f.execOn(conn, text)
	}
	const head = "-- Settings.\n-- transaction: none\n"
	const table = `CREATE TABLE IF NOT EXISTS settings AS SELECT current_setting('search_path') AS path,
		current_setting('lock_timeout') AS lock_timeout, current_setting('statement_timeout') AS statement_timeout,
		current_setting('transaction_isolation') AS isolation;`
	if err := f.runFile(conn, head+table+"SELECT 1/0;"); err == nil {
		t.Error("no error")
	}
	f.want([]string{f.Schema + ", pg_temp|2s|0|read committed"}, `SELECT * FROM {S}.settings`)
	f.settingsAre(conn, `"", 7s, 8s, serializable, on`)
	if err := f.runFile(conn, head+table); err != nil {
		t.Error(err)
	}
	f.settingsAre(conn, `"", 7s, 8s, serializable, on`)
}

func (f fixture) settingsAre(conn *pgx.Conn, want string) {
	f.Helper()
	var got string
	err := conn.QueryRow(f.Context(), `SELECT concat_ws(', ', current_setting('search_path'), current_setting('lock_timeout'),
		current_setting('statement_timeout'), current_setting('default_transaction_isolation'),
		current_setting('default_transaction_read_only'))`).Scan(&got)
	if err != nil || got != want {
		f.Errorf("settings are %s, want %s; error %v", got, want, err)
	}
}

func TestRemedies(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	role := f.role()
	f.exec(`GRANT USAGE ON SCHEMA {S} TO ` + role)

	asRole := f.connect()
	f.execOn(asRole, `SET ROLE `+role)
	wantSentinel(t, f.runFile(asRole, `SELECT 1`), migrations.ErrUnreadable, "SQLSTATE 42501",
		"grant this role USAGE on the schema and SELECT on _duroxide_migrations and _duroxide_go_migrations")
	f.exec(`GRANT SELECT ON {S}._duroxide_migrations TO ` + role)
	wantSentinel(t, f.runFile(asRole, `ALTER TABLE instances ADD COLUMN dxgo_a int`), nil, "SQLSTATE 42501",
		"run as the role that owns the schema")

	slow := "SET LOCAL statement_timeout TO '1ms';\nSELECT pg_sleep(60);"
	wantSentinel(t, f.runFile(f.connect(), slow), nil, "SQLSTATE 57014", "raise statement_timeout")

	broken := f.connect()
	wantSentinel(t, f.runFile(broken, `SELECT pg_terminate_backend(pg_backend_pid())`), nil,
		"0901_test.sql:1: SELECT pg_terminate_backend(pg_backend_pid()): ", "run again")
	f.wantLedgers(migrations.SharedVersion)
}

// When the server goes away during the commit, nobody knows how it ended.
func TestFailureDuringTheCommit(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	err := f.runFile(f.connect(), `
		CREATE FUNCTION dxgo_end() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(0); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER dxgo_end AFTER INSERT ON instances DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION dxgo_end();
		INSERT INTO instances VALUES ('i', 'N', NULL, 1, now(), now());`)
	wantSentinel(t, err, nil, "0901_test.sql: commit: ", "the file is applied or not: run again, which finds out")
	if err := f.runFile(f.connect(), `SELECT 1`); err != nil {
		t.Error(err)
	}

	// A server that stays says that it rolled back.
	f = setupShared(t)
	err = f.runFile(f.connect(), `
		CREATE TABLE dxgo_a (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
		INSERT INTO dxgo_a VALUES (1), (1);`)
	wantSentinel(t, err, nil, "SQLSTATE 23505", "rolled back and the schema stays at version 11")
	f.want([]string{"true"}, `SELECT to_regclass($1) IS NULL`, f.Schema+".dxgo_a")
}
