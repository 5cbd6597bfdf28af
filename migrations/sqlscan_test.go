package migrations_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string][]string{
		"":                                  nil,
		"-- nothing; at all\n;;\n/* ; */":   nil,
		"SELECT 1":                          {"1:SELECT 1"},
		"SELECT 1;\n\n  SELECT 2 ;":         {"1:SELECT 1", "3:SELECT 2"},
		"-- head\n/* a /* b; */ ; */A -- ;": {"2:A"},
		"A 'it''s; ' B; C":                  {"1:A 'it''s; ' B", "1:C"},
		`A E'\'; ' B; C`:                    {`1:A E'\'; ' B`, "1:C"},
		`A 'a\'; C`:                         {`1:A 'a\'`, "1:C"},
		`A E'a\\'; C`:                       {`1:A E'a\\'`, "1:C"},
		`A "x;""y;" ; C`:                    {`1:A "x;""y;"`, "1:C"},
		"A $$ ; 'x $a$ $$ B; C":             {"1:A $$ ; 'x $a$ $$ B", "1:C"},
		"A $a$ ;\n$b$ $$ $a$; C":            {"1:A $a$ ;\n$b$ $$ $a$", "2:C"},
		"A a$b$c; $1 ; $":                   {"1:A a$b$c", "1:$1", "1:$"},
		"é;\nü":                             {"1:é", "2:ü"},
	} {
		got, err := migrations.Split(sql)
		if err != nil {
			t.Errorf("%q: %v", sql, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", sql, diff)
		}
	}
	for sql, want := range map[string]string{
		"A;\n'b":    "line 2: a string constant does not end",
		`E'\'`:      "line 1: a string constant does not end",
		"$a$ $A$":   "line 1: a constant that begins with $a$ does not end",
		`"b`:        "line 1: a quoted name does not end",
		"/* /* */ ": "line 1: a comment does not end",
	} {
		if _, err := migrations.Split(sql); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %q", sql, err, want)
		}
	}
}

// The server splits each file at the same places.
func TestSplitAsTheServerDoes(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	conn := f.connect()
	for _, file := range migrations.Files() {
		text, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		statements, err := migrations.Split(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\n-- transaction: none\n") {
			f.applyPlain(conn, file)
			continue
		}
		results, err := conn.PgConn().Exec(t.Context(), string(text)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", file.Name, err)
		}
		if len(results) != len(statements) {
			t.Errorf("%s: %d statements, the server sees %d", file.Name, len(statements), len(results))
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, sql := range []string{"A; B", "'a;''", "$a$;$a$", "/*/**/;*/;", `E'\';`, `"a"";"`, "--\n;"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		statements, err := migrations.Split(sql)
		if err != nil {
			return
		}
		// What was split stays split.
		for _, s := range statements {
			_, text, _ := strings.Cut(s, ":")
			again, err := migrations.Split(text)
			if err != nil || len(again) != 1 || again[0] != "1:"+text {
				t.Errorf("%q splits again into %q, error %v", text, again, err)
			}
		}
	})
}

func TestMarkers(t *testing.T) {
	t.Parallel()
	type markers struct {
		Transactional bool
		MinClient     int
	}
	for sql, want := range map[string]markers{
		"SELECT 1;": {true, 105},
		"-- Text.\n-- transaction: none\n-- min_client: 0101\n\nSELECT 1;": {false, 101},
		"-- min_client: 0011\nSELECT 1;":                                   {true, 11},
		"-- Text.\n\n-- transaction: none\nSELECT 1;":                      {true, 105}, // not in the first comment
	} {
		transactional, minClient, err := migrations.ParseMarkers(105, sql)
		if got := (markers{transactional, minClient}); err != nil || got != want {
			t.Errorf("%q: got %+v and error %v, want %+v", sql, got, err, want)
		}
	}
	for sql, want := range map[string]string{
		"-- transaction: some": `transaction is "some", want none`,
		"-- min_client: 0106":  `min_client is "0106", want a version from 0011 to 0105`,
		"-- min_client: 0010":  `min_client is "0010"`,
		"-- min_client: new":   `min_client is "new"`,
	} {
		if _, _, err := migrations.ParseMarkers(105, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", sql, err, want)
		}
	}
	if _, _, err := migrations.ParseMarkers(11, "-- min_client: 0011"); err == nil {
		t.Error("a file of the shared lineage may have a marker")
	}
}
