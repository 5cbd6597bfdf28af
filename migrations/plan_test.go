package migrations_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

func TestLockOf(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE TABLE IF NOT EXISTS t (id bigint)":                             "|",
		"CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'A'":       "|",
		"DROP FUNCTION IF EXISTS f()":                                          "|",
		"CREATE INDEX i ON t (a)":                                              "SHARE|t",
		"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY t (a)":       "SHARE UPDATE EXCLUSIVE|t",
		"DROP INDEX IF EXISTS i":                                               "ACCESS EXCLUSIVE|t",
		"DROP INDEX CONCURRENTLY IF EXISTS i":                                  "SHARE UPDATE EXCLUSIVE|t",
		"CREATE OR REPLACE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()":   "SHARE ROW EXCLUSIVE|t",
		"DROP TRIGGER IF EXISTS g ON t":                                        "ACCESS EXCLUSIVE|t",
		"ALTER TABLE IF EXISTS ONLY t ADD COLUMN IF NOT EXISTS a numeric(1,2)": "ACCESS EXCLUSIVE|t",
		"ALTER TABLE t SET (fillfactor = 70, autovacuum_enabled = on)":         "SHARE UPDATE EXCLUSIVE|t",
		"ALTER TABLE t RESET (fillfactor), VALIDATE CONSTRAINT c":              "SHARE UPDATE EXCLUSIVE|t",
		"ALTER TABLE t RESET (fillfactor), ADD COLUMN a int":                   "ACCESS EXCLUSIVE|t",
		"ALTER TABLE t DISABLE TRIGGER g":                                      "SHARE ROW EXCLUSIVE|t",
		"ALTER INDEX i SET (fillfactor = 70)":                                  "SHARE UPDATE EXCLUSIVE|t",
		"DROP TABLE IF EXISTS t":                                               "ACCESS EXCLUSIVE|t",
		"COMMENT ON COLUMN t.a IS 'x'":                                         "SHARE UPDATE EXCLUSIVE|t",
		"UPDATE ONLY t SET a = 1":                                              "ROW EXCLUSIVE|t",
		"INSERT INTO t VALUES (1)":                                             "ROW EXCLUSIVE|t",
		"TRUNCATE t":                                                           "ACCESS EXCLUSIVE|t",
		"LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE":                             "SHARE ROW EXCLUSIVE|t",
		"LOCK t":                             "ACCESS EXCLUSIVE|t",
		"DO $$ BEGIN END $$":                 "unknown|",
		"CREATE STATISTICS s ON a, b FROM t": "SHARE UPDATE EXCLUSIVE|t",
	} {
		if got := migrations.LockOf(sql); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}

// locksSQL lists the locks of this transaction on tables, as the plan does.
const locksSQL = `SELECT DISTINCT c.relname || ' ' || l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
	WHERE l.pid = pg_backend_pid() AND c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname = ANY ($2)
	AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')`

// What a plan says of each file is what the server does.
func TestPlanTellsTheLocks(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 1)
	files := migrations.Files()
	conn := f.connect()
	for i, file := range files[:len(files)-1] {
		next := files[i+1]
		plan, err := migrations.Plan(t.Context(), conn, &migrations.Options{Schema: f.Schema, UpTo: next.Version})
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Files) != 1 || plan.Files[0].File != next || plan.Version != file.Version {
			t.Fatalf("plan is at version %d with %d files", plan.Version, len(plan.Files))
		}
		if plan.Files[0].Transactional {
			var want []string
			for _, s := range plan.Files[0].Statements {
				if s.Lock != "" {
					want = append(want, s.Table+" "+serverMode(s.Lock))
				}
			}
			before := f.rows(`SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = $1::regnamespace`, f.Schema)
			f.execOn(conn, `BEGIN`)
			f.applyPlain(conn, next)
			rows, err := conn.Query(t.Context(), locksSQL, f.Schema, before)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for rows.Next() {
				var text string
				if err := rows.Scan(&text); err != nil {
					t.Fatal(err)
				}
				got = append(got, text)
			}
			f.execOn(conn, `ROLLBACK`)
			if !subset(got, want) || !subset(want, got) {
				slices.Sort(want)
				slices.Sort(got)
				t.Errorf("%s (-plan +server):\n%s", next.Name, cmp.Diff(slices.Compact(want), got))
			}
		}
		if _, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema, UpTo: next.Version}); err != nil {
			t.Fatal(err)
		}
	}
}

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// serverMode spells a lock mode as pg_locks does.
func serverMode(mode string) string {
	var b strings.Builder
	for w := range strings.FieldsSeq(strings.ToLower(mode)) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String() + "Lock"
}

func TestPlan(t *testing.T) {
	t.Parallel()
	f := setupAt(t, migrations.SharedVersion)
	conn := f.connect()
	plan, err := migrations.PlanFS(t.Context(), conn, ownFS(t, 3), &migrations.Options{Schema: f.Schema})
	if err != nil {
		t.Fatal(err)
	}
	want := `schema SCHEMA is at version 11 and would be migrated to version 903

0901_tables.sql, in one transaction, for programs that have version 11
  line 4    CREATE TABLE IF NOT EXISTS dxgo_marks (id bigint PRIMARY KEY, note text DEFAULT…
  line 5    ALTER TABLE instances ADD COLUMN IF NOT EXISTS dxgo_mark bigint
            lock: ACCESS EXCLUSIVE instances
  line 7    CREATE OR REPLACE FUNCTION list_executions(p_instance_id text) RETURNS TABLE (e…
  line 14   CREATE OR REPLACE FUNCTION dxgo_answer() RETURNS integer LANGUAGE sql SET searc…

0902_indexes.sql, each statement on its own, for programs that have version 901
  line 5    CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_marks_note ON dxgo_marks (note)
  line 6    CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_instances_mark ON instances (dxgo_…
            lock: SHARE UPDATE EXCLUSIVE instances

0903_last.sql, in one transaction, for programs that have version 903
  line 3    CREATE TABLE IF NOT EXISTS dxgo_more (id bigint)
  line 4    DROP TABLE IF EXISTS dxgo_marks

locks on tables that exist:
  SHARE UPDATE EXCLUSIVE reads and writes go on, vacuum waits
  ACCESS EXCLUSIVE       reads and writes wait
`
	if diff := cmp.Diff(want, strings.ReplaceAll(plan.String(), f.Schema, "SCHEMA")); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	f.wantLedgers(migrations.SharedVersion)

	// A new schema is nobody's yet.
	f.exec(`DROP SCHEMA {S} CASCADE`)
	plan, err = migrations.PlanFS(t.Context(), conn, ownFS(t, 2), &migrations.Options{Schema: f.Schema})
	if err != nil {
		t.Fatal(err)
	}
	if !plan.NewSchema || len(plan.Files) != 13 || !plan.Files[12].Transactional || strings.Contains(plan.String(), "CONCURRENTLY") ||
		strings.Contains(plan.String(), "lock:") || !strings.Contains(plan.String(), "would be made and migrated to version 902") {
		t.Errorf("plan for a new schema:\n%s", plan)
	}
	f.exec(`CREATE SCHEMA {S}`)
	f.mustRunOwn(1, migrations.Apply)
	plan, err = migrations.PlanFS(t.Context(), conn, ownFS(t, 1), &migrations.Options{Schema: f.Schema})
	if err != nil || !strings.Contains(plan.String(), "is at version 901: nothing to do") {
		t.Errorf("plan %v, error %v", plan, err)
	}
	f.exec(`DROP TABLE {S}.instances`)
	_, err = migrations.PlanFS(t.Context(), conn, ownFS(t, 1), &migrations.Options{Schema: f.Schema})
	wantSentinel(t, err, migrations.ErrTables)
}
