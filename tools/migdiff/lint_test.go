package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
)

func split(sql string) ([]sqlfile.Statement, error) { return sqlfile.Split(sql) }

// base is what the shared lineage made, in the samples.
const base = `
CREATE TABLE IF NOT EXISTS queue (id bigint PRIMARY KEY, note text);
CREATE INDEX IF NOT EXISTS queue_note ON queue (note);
CREATE OR REPLACE FUNCTION f(p_a int) RETURNS int LANGUAGE plpgsql SET search_path FROM CURRENT AS $$BEGIN RETURN 1; END$$;
CREATE OR REPLACE FUNCTION notify() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$BEGIN RETURN NULL; END$$;
CREATE OR REPLACE TRIGGER wake AFTER INSERT ON queue FOR EACH ROW EXECUTE FUNCTION notify();
`

// lintSample lints a file of ours after base and returns the findings as
// "rule line", notes with "note " before.
func lintSample(t *testing.T, sql string) []string {
	t.Helper()
	steps := madeUp(t, base, sql)
	sums := map[string]string{}
	for _, s := range steps {
		sums[s.file.Name] = sum(s)
	}
	found, err := lintAll(steps, sums)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range found {
		if f.version == 1 {
			t.Errorf("in the base: %v", f)
		}
		text := f.rule
		if f.note {
			text = "note " + text
		}
		all = append(all, text)
	}
	return slices.Compact(all)
}

const body = ` LANGUAGE plpgsql SET search_path FROM CURRENT AS $$BEGIN RETURN 1; END$$`

func TestRules(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		// idempotent
		`CREATE TABLE dxgo_t (id int)`:                                                      "idempotent",
		`CREATE TABLE IF NOT EXISTS dxgo_t (id int)`:                                        "",
		`CREATE TABLE IF NOT EXISTS dxgo_t (id int); CREATE INDEX dxgo_i ON dxgo_t (id)`:    "idempotent",
		`CREATE SEQUENCE dxgo_s`:                                                            "idempotent",
		`CREATE TYPE dxgo_e AS ENUM ('a')`:                                                  "idempotent",
		`DO $$ BEGIN IF true THEN CREATE TYPE dxgo_e AS ENUM ('a'); END IF; END $$`:         "",
		`CREATE FUNCTION dxgo_f() RETURNS int` + body:                                       "idempotent",
		`DROP FUNCTION IF EXISTS dxgo_f(); CREATE FUNCTION dxgo_f() RETURNS int` + body:     "",
		`CREATE OR REPLACE FUNCTION dxgo_f() RETURNS int` + body:                            "",
		`DROP TABLE dxgo_gone`:                                                              "idempotent",
		`DROP TABLE IF EXISTS dxgo_gone`:                                                    "",
		`DROP FUNCTION IF EXISTS dxgo_f(int, text), dxgo_g()`:                               "",
		`DROP FUNCTION dxgo_f(int, text)`:                                                   "idempotent",
		`ALTER TABLE queue ADD COLUMN dxgo_c int`:                                           "idempotent, note lock",
		`ALTER TABLE dxgo_gone DROP COLUMN c`:                                               "idempotent",
		`ALTER TABLE dxgo_gone DROP COLUMN IF EXISTS c`:                                     "",
		`ALTER TABLE dxgo_gone RENAME TO dxgo_other`:                                        "idempotent",
		`ALTER TABLE dxgo_gone ADD CONSTRAINT c CHECK (a > 0)`:                              "idempotent",
		`ALTER TABLE dxgo_gone DROP CONSTRAINT IF EXISTS c, ADD CONSTRAINT c CHECK (a > 0)`: "",
		`ALTER TABLE dxgo_gone ADD CHECK (a > 0)`:                                           "idempotent",
		`ALTER TYPE dxgo_e ADD VALUE 'b'`:                                                   "idempotent",
		`ALTER TYPE dxgo_e ADD VALUE IF NOT EXISTS 'b'`:                                     "",
		`INSERT INTO dxgo_t VALUES (1)`:                                                     "idempotent",
		`INSERT INTO dxgo_t VALUES (1) ON CONFLICT DO NOTHING`:                              "",
		`CREATE TRIGGER dxgo_t AFTER INSERT ON dxgo_t EXECUTE FUNCTION f()`:                 "idempotent",

		// lock
		`CREATE INDEX IF NOT EXISTS dxgo_i ON queue (id)`:                                              "lock",
		`CREATE UNIQUE INDEX IF NOT EXISTS dxgo_i ON ONLY s.queue (id)`:                                "lock",
		`CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_i ON queue (id)`:                                 "",
		`CREATE TABLE IF NOT EXISTS dxgo_t (id int); CREATE INDEX IF NOT EXISTS dxgo_i ON dxgo_t (id)`: "",
		`DROP INDEX IF EXISTS queue_note`:                                                              "note lock",
		`DROP INDEX CONCURRENTLY IF EXISTS queue_note`:                                                 "",
		`REINDEX TABLE queue`:                            "lock",
		`REINDEX TABLE CONCURRENTLY queue`:               "",
		`TRUNCATE queue`:                                 "lock",
		`CLUSTER queue`:                                  "lock",
		`LOCK TABLE queue`:                               "lock",
		`UPDATE queue SET note = ''`:                     "lock",
		`DELETE FROM queue`:                              "lock",
		`DO $$ BEGIN UPDATE queue SET note = ''; END $$`: "lock",
		`DO $$ BEGIN EXECUTE 'CREATE INDEX dxgo_i ON queue (id)'; END $$`:                                  "lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c int DEFAULT 0`:                                  "note lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c varchar(3) DEFAULT 'a'::varchar(3)`:             "note lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c timestamptz DEFAULT now()`:                      "note lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c uuid DEFAULT gen_random_uuid()`:                 "lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c bigserial`:                                      "lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c int GENERATED ALWAYS AS (id) STORED`:            "lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c int UNIQUE`:                                     "lock",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c int CHECK (dxgo_c > 0)`:                         "lock",
		`ALTER TABLE queue DROP CONSTRAINT IF EXISTS dxgo_c, ADD CONSTRAINT dxgo_c CHECK (true)`:           "note lock, lock",
		`ALTER TABLE queue DROP CONSTRAINT IF EXISTS dxgo_c, ADD CONSTRAINT dxgo_c CHECK (true) NOT VALID`: "note lock",
		`ALTER TABLE queue DROP CONSTRAINT IF EXISTS dxgo_c, ADD CONSTRAINT dxgo_c UNIQUE (note)`:          "note lock, lock",
		`ALTER TABLE queue DROP CONSTRAINT IF EXISTS dxgo_c, ADD CONSTRAINT dxgo_c UNIQUE USING INDEX i`:   "note lock",
		`ALTER TABLE queue VALIDATE CONSTRAINT dxgo_c`:                                                     "",
		`ALTER TABLE queue SET (fillfactor = 70)`:                                                          "",
		`ALTER TABLE queue SET UNLOGGED`:                                                                   "lock",
		`ALTER TABLE queue ALTER COLUMN note SET STATISTICS 100`:                                           "",
		`CREATE OR REPLACE TRIGGER wake AFTER INSERT ON queue EXECUTE FUNCTION f()`:                        "note lock",
		`DROP TRIGGER IF EXISTS wake ON queue`:                                                             "note lock",

		// signature
		`DROP FUNCTION IF EXISTS f(int)`: "signature",
		`DROP FUNCTION IF EXISTS f(int); CREATE OR REPLACE FUNCTION f(p_a int) RETURNS int` + body:    "signature",
		`DROP FUNCTION IF EXISTS f(int); CREATE OR REPLACE FUNCTION f(p_a int) RETURNS bigint` + body: "signature",
		`DROP FUNCTION IF EXISTS f(int); CREATE OR REPLACE FUNCTION f(p_a bigint) RETURNS int` + body: "signature",
		`CREATE OR REPLACE FUNCTION f(p_a int DEFAULT 1) RETURNS int` + body:                          "signature",
		`CREATE OR REPLACE FUNCTION f(p_a int) RETURNS int` + strings.Replace(body, "1", "2", 1):      "",
		`ALTER TABLE queue DROP COLUMN IF EXISTS note`:                                                "note lock, signature",
		`ALTER TABLE queue ALTER COLUMN note TYPE int`:                                                "lock, signature",
		`ALTER TABLE queue ALTER note SET NOT NULL`:                                                   "lock, signature",
		`ALTER TABLE queue ALTER note DROP DEFAULT`:                                                   "note lock, signature",
		`ALTER TABLE queue RENAME COLUMN note TO other`:                                               "idempotent, note lock, signature",
		`DROP TABLE IF EXISTS queue`:                                                                  "note lock, signature",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS dxgo_c int NOT NULL`:                              "note lock, signature",

		// overload
		`CREATE OR REPLACE FUNCTION dxgo_f(a int) RETURNS int` + body + `; CREATE OR REPLACE FUNCTION dxgo_f(a text) RETURNS int` + body: "overload",

		// prefix
		`CREATE TABLE IF NOT EXISTS mine (id int)`:                                                         "prefix",
		`CREATE TABLE IF NOT EXISTS _duroxide_go_other (id int)`:                                           "",
		`CREATE OR REPLACE FUNCTION mine() RETURNS int` + body:                                             "prefix",
		`CREATE INDEX CONCURRENTLY IF NOT EXISTS mine ON queue (id)`:                                       "prefix",
		`CREATE INDEX CONCURRENTLY ON queue (id)`:                                                          "idempotent, prefix",
		`ALTER TABLE queue ADD COLUMN IF NOT EXISTS mine int`:                                              "note lock, prefix",
		`CREATE TABLE IF NOT EXISTS dxgo_t (id int); ALTER TABLE dxgo_t ADD COLUMN IF NOT EXISTS mine int`: "",
		`CREATE OR REPLACE TRIGGER mine AFTER INSERT ON queue EXECUTE FUNCTION f()`:                        "note lock, prefix",
		`CREATE SEQUENCE IF NOT EXISTS mine`:                                                               "prefix",
		`DO $$ BEGIN EXECUTE format('CREATE TABLE %I.mine (id int)', current_schema()); END $$`:            "prefix",

		// search_path
		`CREATE OR REPLACE FUNCTION dxgo_f() RETURNS int LANGUAGE sql AS 'SELECT 1'`: "search_path",

		// nothing to say
		"-- comment": "",
		`COMMENT ON TABLE queue IS 'x'; GRANT SELECT ON queue TO PUBLIC; SELECT 1`: "",
		`CREATE EXTENSION IF NOT EXISTS pgcrypto`:                                  "",
	} {
		if got := strings.Join(lintSample(t, sql), ", "); got != want {
			t.Errorf("%s\n   got %q, want %q", sql, got, want)
		}
	}
}

func TestChecksumRule(t *testing.T) {
	t.Parallel()
	steps := madeUp(t, base, "SELECT 1")
	sums := map[string]string{steps[0].file.Name: sum(steps[0]), steps[1].file.Name: sum(steps[0])}
	found, err := lintAll(steps, sums)
	if err != nil || len(found) != 1 || found[0].rule != "checksum" || found[0].version != 101 {
		t.Errorf("a changed file: found %v, error %v", found, err)
	}
	delete(sums, steps[1].file.Name)
	found, err = lintAll(steps, sums)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].text, "no line") {
		t.Errorf("a new file: found %v, error %v", found, err)
	}
}

func TestFindingsNameTheLine(t *testing.T) {
	t.Parallel()
	steps := madeUp(t, base, "-- why\n\nCREATE INDEX IF NOT EXISTS dxgo_i\n    ON queue (id);\nDO $$\nBEGIN\n    TRUNCATE queue;\nEND $$")
	found, err := lintAll(steps, map[string]string{steps[0].file.Name: sum(steps[0]), steps[1].file.Name: sum(steps[1])})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.String())
	}
	want := []string{
		"migrations/0101_next.sql:3: lock: CREATE INDEX dxgo_i on queue: SHARE while the index is built, writers wait: " +
			"say CONCURRENTLY in a file marked transaction: none",
		"migrations/0101_next.sql:7: lock: TRUNCATE on queue: ACCESS EXCLUSIVE while the table is rewritten, readers and writers wait",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	f := finding{version: 101, rule: "lock", object: "a"}
	note := finding{version: 101, rule: "lock", object: "b", note: true}
	list := []exception{{version: 101, rule: "lock", object: "a"}, {version: 101, rule: "lock", object: "b"}}
	left, excused := excuse([]finding{f, note}, list, false)
	if excused != 1 || !cmp.Equal(left, []finding{note}, cmp.AllowUnexported(finding{})) {
		t.Errorf("excused %d, left %v", excused, left)
	}
	// One that nothing needs is a finding itself, unless only some files are looked at.
	if left, _ = excuse([]finding{f}, list, true); len(left) != 1 || !strings.Contains(left[0].text, "exception for b") {
		t.Errorf("left %v", left)
	}
	if left, _ = excuse([]finding{f}, list, false); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	for _, e := range exceptions {
		if e.reason == "" {
			t.Errorf("%+v has no reason", e)
		}
	}
}
