package sqlfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseOne(t *testing.T, text string) *Function {
	t.Helper()
	statements, err := Split(text)
	if err != nil || len(statements) != 1 {
		t.Fatalf("%s: %d statements and error %v", text, len(statements), err)
	}
	f, ok, err := ParseFunction(statements[0])
	if err != nil || !ok {
		t.Fatalf("%s: a function %v, error %v", text, ok, err)
	}
	return f
}

func TestParseFunction(t *testing.T) {
	t.Parallel()
	f := parseOne(t, `CREATE OR REPLACE FUNCTION "of".Fetch_Item( -- the first
    p_now_ms INT8, IN p_name varchar(20) DEFAULT 'a,b', INOUT p_at timestamp(3) with time zone = NULL,
    double precision, text [] , VARIADIC p_rest int[][]
) RETURNS TABLE (out_id int, out_at timestamptz, "Mixed" numeric(10, 2)[])
LANGUAGE 'plpgsql' STABLE STRICT SECURITY DEFINER PARALLEL safe COST 5 ROWS 7
SET search_path FROM CURRENT SET work_mem = '1MB' SET x.y TO a, b AS $f$BEGIN; END$f$;`)
	want := &Function{
		Name: "fetch_item",
		Arguments: []Argument{
			{Name: "p_now_ms", Type: "bigint"},
			{Name: "p_name", Type: "character varying", Default: "'a,b'"},
			{Mode: "INOUT", Name: "p_at", Type: "timestamp with time zone", Default: "NULL"},
			{Type: "double precision"},
			{Type: "text[]"},
			{Mode: "VARIADIC", Name: "p_rest", Type: "integer[]"},
		},
		Result:     "TABLE(out_id integer, out_at timestamp with time zone, Mixed numeric[])",
		Language:   "plpgsql",
		Body:       "BEGIN; END",
		Attributes: []string{"COST 5", "PARALLEL SAFE", "ROWS 7", "SECURITY DEFINER", "STABLE", "STRICT"},
		Settings:   []string{"search_path", "work_mem", "y"},
		Text:       f.Text,
		OrReplace:  true,
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := f.Types(), "bigint, character varying, timestamp with time zone, double precision, text[], integer[]"; got != want {
		t.Errorf("types are %s, want %s", got, want)
	}
	if got := f.Defaults(); got != 2 {
		t.Errorf("%d defaults, want 2", got)
	}
	if got, want := parseOne(t, `CREATE FUNCTION f(a int DEFAULT 1, OUT b text) LANGUAGE sql AS 'SELECT ''''::text'`), "SELECT ''::text"; got.Body != want ||
		got.Signature() != "f(a integer DEFAULT 1, OUT b text)" || got.Types() != "integer" || got.OrReplace {
		t.Errorf("got %+v, want body %s", got, want)
	}
	if got := parseOne(t, `CREATE FUNCTION f() RETURNS SETOF int LANGUAGE sql AS ''`).Result; got != "SETOF integer" {
		t.Errorf("result is %s", got)
	}
}

func TestParseFunctionErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"CREATE FUNCTION":                                                      "without a name",
		"CREATE FUNCTION f":                                                    "list of arguments",
		"CREATE FUNCTION f(a int":                                              "list of arguments",
		"CREATE FUNCTION f(a int DEFAULT) RETURNS int":                         "without a value",
		"CREATE FUNCTION f(%) RETURNS int":                                     "without a type",
		"CREATE FUNCTION f() RETURNS":                                          "without a type",
		"CREATE FUNCTION f() RETURNS int AS ''":                                "no language",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1":                `from "return" on`,
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1":   `from "begin" on`,
		"CREATE FUNCTION f() RETURNS TABLE (a) LANGUAGE sql AS ''":             "column without a type",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path AS $$$$": "without a value",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS f":                    "not a string",
	} {
		statements, err := Split(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := ParseFunction(statements[0]); !ok || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: a function %v, error %v, want %q", text, ok, err, want)
		}
	}
}

func TestParseDrop(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Dropped{
		"DROP FUNCTION IF EXISTS f(int8, p_x text[])":    {{Name: "f", Types: "bigint, text[]", IfExists: true}},
		"DROP FUNCTION s.f(), g CASCADE":                 {{Name: "f"}, {Name: "g", Any: true}},
		"DROP PROCEDURE p(IN a timestamptz, OUT b text)": {{Name: "p", Types: "timestamp with time zone"}},
		"DROP TABLE t": nil,
	} {
		statements, err := Split(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseDrop(statements[0])
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestParseAlter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*Altered{
		"ALTER FUNCTION f(int) SET enable_seqscan = off SET jit TO off": {Dropped: Dropped{Name: "f", Types: "integer"}, Set: []string{"enable_seqscan", "jit"}},
		"ALTER FUNCTION f RESET jit":                                    {Dropped: Dropped{Name: "f", Any: true}, Reset: []string{"jit"}},
		"ALTER TABLE t ADD COLUMN c int":                                nil,
	} {
		statements, err := Split(text)
		if err != nil {
			t.Fatal(err)
		}
		if want != nil {
			want.Text = text
		}
		got, err := ParseAlter(statements[0])
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"ALTER FUNCTION f() STABLE", "ALTER FUNCTION f() SET SCHEMA s", "ALTER FUNCTION", "ALTER FUNCTION f() SET"} {
		statements, err := Split(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseAlter(statements[0]); err == nil {
			t.Errorf("%s: got %v", text, got)
		}
	}
}
