package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

// scratch is a schema without migrations.
type scratch struct {
	*testing.T
	conn   *pgx.Conn
	schema string
}

func newScratch(t *testing.T) scratch {
	t.Helper()
	db := migrationstest.NewEmpty(t)
	s := scratch{t, connect(t, db.URL), db.Schema}
	s.exec(`SET search_path TO ` + s.schema + `, pg_temp`)
	return s
}

func (s scratch) exec(sql string) {
	s.Helper()
	if _, err := s.conn.PgConn().Exec(s.Context(), sql).ReadAll(); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
}

func (s scratch) read() *catalogue {
	s.Helper()
	c, err := readCatalogue(s.Context(), s.conn, s.schema)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// document renders the difference that SQL makes, from "## Table Changes" on.
func (s scratch) document(before, after string) string {
	s.Helper()
	steps := madeUp(s.T, before, after)
	s.exec(before)
	old := s.read()
	s.exec(after)
	now := s.read()
	if err := verify("after", steps[1].after, now.functions); err != nil {
		s.Error(err)
	}
	text := render(steps[1], old, now)
	if strings.Contains(text, s.schema) {
		s.Errorf("the name of the schema is in\n%s", text)
	}
	_, text, _ = strings.Cut(text, "`\n\n")
	return text
}

func wantText(t *testing.T, want, got string) {
	t.Helper()
	// Backticks cannot stand in a raw literal.
	want = strings.ReplaceAll(strings.TrimPrefix(want, "\n"), "~~~", "```")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	got := newScratch(t).document(
		`CREATE TABLE t (id bigint PRIMARY KEY, "Odd" text, note varchar(20) DEFAULT 'x', gone int);
		 CREATE TABLE dropped (id int);
		 CREATE TABLE same (id int);
		 CREATE INDEX same_id ON same (id);
		 CREATE INDEX t_note ON t (note);
		 CREATE INDEX t_gone ON t (gone);`,
		`ALTER TABLE t DROP COLUMN gone, ALTER COLUMN note TYPE text, ADD COLUMN tag text COLLATE "C",
		     ADD COLUMN must int NOT NULL, ADD COLUMN n int NOT NULL GENERATED ALWAYS AS IDENTITY, ADD COLUMN double bigint GENERATED ALWAYS AS (id * 2) STORED,
		     ADD CONSTRAINT t_tag CHECK (tag <> ''), SET (fillfactor = 70);
		 DROP TABLE dropped;
		 CREATE UNLOGGED TABLE u (id bigserial PRIMARY KEY, t_id bigint REFERENCES t ON DELETE CASCADE, at timestamptz DEFAULT now())
		     WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
		 CREATE TABLE _ledger (id int);
		 DROP INDEX t_note;
		 CREATE UNIQUE INDEX t_note ON t (note DESC, lower(tag)) INCLUDE (n) WHERE note IS NOT NULL;
		 CREATE INDEX u_at ON u (at);`)
	wantText(t, `
## Warning

These can break clients that are connected: the plans they have cached, and their calls of the
old form. Clients written in Rust are among them.

* table 'dropped' is removed
* column 'note' of 't' changes
* column 'gone' of 't' is removed
* column 'must' of 't' is new and has no default: an INSERT that does not name it fails

## Table Changes

### 'dropped' — removed

~~~diff
- id integer
~~~

### 't' — modified

~~~diff
  id bigint NOT NULL
  "Odd" text
- note character varying(20) DEFAULT 'x'::character varying
+ note text DEFAULT 'x'::character varying
- gone integer
+ tag text COLLATE "C"
+ must integer NOT NULL
+ n integer NOT NULL GENERATED ALWAYS AS IDENTITY
+ double bigint GENERATED ALWAYS AS ((id * 2)) STORED
  CONSTRAINT t_pkey PRIMARY KEY (id)
+ CONSTRAINT t_tag CHECK ((tag <> ''::text))
+ WITH (fillfactor=70)
~~~

### 'u' — new table

~~~sql
CREATE UNLOGGED TABLE u (
    id bigint NOT NULL DEFAULT nextval('u_id_seq'::regclass),
    t_id bigint,
    at timestamp with time zone DEFAULT now(),
    CONSTRAINT u_pkey PRIMARY KEY (id),
    CONSTRAINT u_t_id_fkey FOREIGN KEY (t_id) REFERENCES t(id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor=0.01, fillfactor=50);
~~~

## New Indexes

### 'u_at' — new

~~~sql
CREATE INDEX u_at ON u USING btree (at)
~~~

## Changed and Removed Indexes

### 't_gone' — removed

~~~diff
- CREATE INDEX t_gone ON t USING btree (gone)
~~~

### 't_note' — changed

~~~diff
- CREATE INDEX t_note ON t USING btree (note)
+ CREATE UNIQUE INDEX t_note ON t USING btree (note DESC, lower(tag)) INCLUDE (n) WHERE (note IS NOT NULL)
~~~

## Function Changes

None.
`, unquoteNames(got))
}

// unquoteNames lets the wanted text name objects in single quotes.
func unquoteNames(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "### ") || strings.HasPrefix(line, "* ") {
			line = strings.ReplaceAll(line, "`", "'")
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestTriggersCommentsPrivileges(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	role := "migdiff_role_" + randomHex()
	s.exec(`CREATE ROLE ` + role)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.WithoutCancel(t.Context()), migrationstest.URL(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), `DROP OWNED BY `+role+`; DROP ROLE `+role,
			pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
	})
	const f = `CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;`
	got := s.document(
		f+`CREATE TABLE t (id int, other int);
		 CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f();
		 CREATE TRIGGER other AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f();
		 COMMENT ON TABLE t IS 'one';
		 COMMENT ON COLUMN t.id IS 'same';`,
		`DROP TRIGGER gone ON t;
		 DROP TRIGGER other ON t;
		 CREATE TRIGGER other AFTER DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f();
		 CREATE TRIGGER t_insert AFTER INSERT ON t REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION f();
		 COMMENT ON TABLE t IS E'two\nlines';
		 COMMENT ON COLUMN t.other IS 'new';
		 COMMENT ON FUNCTION f() IS 'new';
		 COMMENT ON TRIGGER t_insert ON t IS 'new';
		 GRANT SELECT, INSERT ON t TO `+role+`;
		 GRANT UPDATE (other) ON t TO PUBLIC;
		 REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;`)
	_, got, _ = strings.Cut(got, "## Trigger Changes\n\n")
	wantText(t, `
### 'gone on t' — removed

~~~diff
- CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()
~~~

### 'other on t' — changed

~~~diff
- CREATE TRIGGER other AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()
+ CREATE TRIGGER other AFTER DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f()
~~~

### 't_insert on t' — new

~~~diff
+ CREATE TRIGGER t_insert AFTER INSERT ON t REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION f()
~~~

## Comment Changes

### 'function f()' — new

~~~diff
+ new
~~~

### 'table column t.other' — new

~~~diff
+ new
~~~

### 'table t' — changed

~~~diff
- one
+ two
+ lines
~~~

### 'trigger t_insert on t' — new

~~~diff
+ new
~~~

## Privilege Changes

~~~diff
+ REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC
+ GRANT INSERT ON TABLE t TO ROLE
+ GRANT SELECT ON TABLE t TO ROLE
+ GRANT UPDATE ON TABLE t COLUMN other TO PUBLIC
~~~
`, strings.ReplaceAll(unquoteNames(got), role, "ROLE"))
}

// What the tool cannot show is refused, not left out.
func TestUnknownObjects(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		`CREATE VIEW v AS SELECT 1 AS one`,
		`CREATE TYPE e AS ENUM ('a')`,
		`CREATE DOMAIN d AS int`,
		`CREATE SEQUENCE s`,
		`CREATE AGGREGATE a (int) (sfunc = int4pl, stype = int)`,
		`CREATE TABLE p (id int) PARTITION BY RANGE (id)`,
		`CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent)`,
		`CREATE TABLE t (id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
		`CREATE TABLE t (id int); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING`,
		`CREATE TABLE t (id int, n int); CREATE STATISTICS s ON id, n FROM t`,
	} {
		s := newScratch(t)
		s.exec(sql)
		if _, err := readCatalogue(t.Context(), s.conn, s.schema); err == nil || !strings.Contains(err.Error(), "cannot show") {
			t.Errorf("%s: error %v", sql, err)
		}
	}
}

// The server's functions must be those that the files were understood to make.
func TestVerify(t *testing.T) {
	t.Parallel()
	const file = `CREATE OR REPLACE FUNCTION f(p_a int, p_b text DEFAULT '') RETURNS TABLE (out_a bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$BEGIN RETURN; END$$;`
	want := madeUp(t, file)[0].after
	s := newScratch(t)
	s.exec(file)
	if err := verify("f.sql", want, s.read().functions); err != nil {
		t.Error(err)
	}
	for name, test := range map[string]struct{ sql, want string }{
		"body":       {strings.Replace(file, "RETURN;", "RETURN; ", 1), "body: the files say"},
		"attributes": {strings.Replace(file, "STABLE", "STRICT COST 5", 1), "attributes: the files say\nSTABLE\nand the server has\nCOST 5, STRICT"},
		"settings":   {strings.Replace(file, "SET search_path FROM CURRENT", "", 1), "settings: the files say\nsearch_path"},
		"result":     {strings.Replace(file, "out_a", "other", 1), "result: the files say\nTABLE(out_a bigint)"},
		"arguments":  {strings.Replace(file, "p_a", "other", 1), "arguments: the files say\np_a integer, p_b text"},
		"defaults":   {strings.Replace(file, "DEFAULT ''", "", 1), "number of defaults: the files say\n1"},
		"language":   {strings.Replace(strings.Replace(file, "plpgsql", "sql", 1), "BEGIN RETURN; END", "SELECT 1::bigint", 1), "language: the files say\nplpgsql"},
		"types":      {strings.Replace(file, "p_a int", "p_a bigint", 1), "function f(bigint, text): the server has it"},
		"missing":    {"", "function f(integer, text): the files make it"},
		"dynamic": {file + "DO $$BEGIN EXECUTE 'CRE' || 'ATE FUNCTION g() RETURNS int LANGUAGE sql AS ''SELECT 1'''; END$$",
			"function g(): the server has it"},
	} {
		s := newScratch(t)
		s.exec(test.sql)
		if err := verify("f.sql", want, s.read().functions); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v\nwant %q", name, err, test.want)
		}
	}
}

// A file in another style gives the same section, and the server agrees: what
// is in its catalogue is compared too.
func TestOtherStyles(t *testing.T) {
	t.Parallel()
	const old = `CREATE OR REPLACE FUNCTION f(p_a text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce(p_a, '') || '%' || (SELECT '''' || max(id) FROM SCHEMA.t);
END
$$`
	now := strings.Replace(old, "max(id)", "min(id)", 1)
	block := func(text string) string {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "%", "%%"), "SCHEMA.", "%1$I.")
		text = strings.Replace(strings.Replace(text, "FUNCTION f", "FUNCTION %1$I.f", 1), "    ", "\t", 1) + " \t\n"
		return "DO $do$ BEGIN EXECUTE format('" + strings.ReplaceAll(text, "'", "''") + "', current_schema()); END $do$;"
	}
	s := newScratch(t)
	s.exec(`CREATE TABLE t (id int)`)
	s.exec(block(old))
	before := s.read()
	s.exec(block(now))
	after := s.read()
	steps := madeUp(t, block(old), block(now))
	for i, c := range []*catalogue{before, after} {
		if err := verify(steps[i].file.Name, steps[i].after, c.functions); err != nil {
			t.Error(err)
		}
	}
	got := functionSection(render(steps[1], before, after))
	wantText(t, `
### 'f' — body modified (baseline: 0001)

~~~diff
@@ -1,5 +1,5 @@
 CREATE OR REPLACE FUNCTION SCHEMA.f(p_a text) RETURNS text LANGUAGE plpgsql AS $$
 BEGIN
-        RETURN coalesce(p_a, '') || '%' || (SELECT '''' || max(id) FROM SCHEMA.t);
+        RETURN coalesce(p_a, '') || '%' || (SELECT '''' || min(id) FROM SCHEMA.t);
 END
 $$
~~~
`, unquoteNames(strings.TrimPrefix(got, "\n")))
}
