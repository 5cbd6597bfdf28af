package sqlfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"empty":              {"", nil},
		"comments only":      {"-- nothing; here\n/* nor; here */ ;;", nil},
		"two":                {"SELECT 1;\nSELECT 2;", []string{"SELECT 1", "SELECT 2"}},
		"no last semicolon":  {"SELECT 1;\n SELECT 2 -- end", []string{"SELECT 1", "SELECT 2"}},
		"quote":              {"SELECT 'a;b'';c'; SELECT 2", []string{"SELECT 'a;b'';c'", "SELECT 2"}},
		"escape":             {`SELECT E'a\';b'; SELECT 2`, []string{`SELECT E'a\';b'`, "SELECT 2"}},
		"no escape":          {`SELECT 'a\'; SELECT 2`, []string{`SELECT 'a\'`, "SELECT 2"}},
		"name":               {`SELECT "a;""b"; SELECT 2`, []string{`SELECT "a;""b"`, "SELECT 2"}},
		"dollars":            {"DO $$ a; $b$; $$; SELECT 2", []string{"DO $$ a; $b$; $$", "SELECT 2"}},
		"tagged dollars":     {"DO $a$ $$;$$ $a$; SELECT 2", []string{"DO $a$ $$;$$ $a$", "SELECT 2"}},
		"parameter":          {"SELECT $1; SELECT $2", []string{"SELECT $1", "SELECT $2"}},
		"dollar in a name":   {"SELECT a$b$; SELECT c$b$", []string{"SELECT a$b$", "SELECT c$b$"}},
		"nested comment":     {"SELECT /* a /* b; */ c; */ 1; SELECT 2", []string{"SELECT /* a /* b; */ c; */ 1", "SELECT 2"}},
		"quote in a comment": {"SELECT 1 -- it's\n; SELECT 2", []string{"SELECT 1", "SELECT 2"}},
		"comment in a quote": {"SELECT '--'; SELECT '/*'", []string{"SELECT '--'", "SELECT '/*'"}},
	} {
		statements, err := Split(test.text)
		var got []string
		for _, s := range statements {
			got = append(got, s.Text)
		}
		if err != nil || !cmp.Equal(got, test.want) {
			t.Errorf("%s: got %q and error %v, want %q", name, got, err, test.want)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	statements, err := Split("-- one\n\nSELECT 1;\nSELECT $$\n\n$$;\n\n  SELECT 3")
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, s := range statements {
		lines = append(lines, s.Line)
	}
	if diff := cmp.Diff([]int{3, 4, 8}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestUnfinished(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT 1;\nSELECT 'a":    "line 2: the quote that begins here",
		"SELECT \"a":              "line 1: the quote",
		"\n\nDO $x$ $$ $y$":       "line 3: the quote $x$",
		"SELECT 1 /* a /* b */":   "line 1: the comment",
		"SELECT e'a\\'; SELECT 2": "line 1: the quote",
	} {
		if _, err := Split(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", text, err, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"SELECT 'a;b'; DO $$ BEGIN x; END $$;", "CREATE FUNCTION f(a int DEFAULT 1) RETURNS TABLE(b text[]) LANGUAGE sql AS $$;$$",
		"DO $d$ BEGIN EXECUTE format('CREATE FUNCTION %I.f() RETURNS text LANGUAGE sql AS $f$ SELECT '''' $f$', s); END $d$",
		"DROP FUNCTION IF EXISTS f(int, text), g", "E'\\", "$", "$a", "/*", "--", "\"", ".[]", "CREATE FUNCTION f(. text) RETURNS [",
		"ALTER FUNCTION f(int) SET a = 1 RESET ALL", "CREATE FUNCTION f(a .b) RETURNS .c LANGUAGE sql", "CREATE FUNCTION f() RETURNS TABLE (a ., b .c) LANGUAGE sql",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		statements, err := Split(text)
		if err != nil {
			return
		}
		at := 0
		for _, s := range statements {
			i := strings.Index(text[at:], s.Text)
			if s.Text == "" || i < 0 {
				t.Fatalf("%q is not a part of what is left of %q", s.Text, text)
			}
			at += i + len(s.Text)
			again, err := Split(s.Text)
			if err != nil || len(again) != 1 || again[0].Text != s.Text {
				t.Fatalf("%q splits into %v with error %v", s.Text, again, err)
			}
			// None of these may panic.
			if f, ok, err := ParseFunction(s); ok && err == nil {
				_ = f.Signature() + f.Identity() + f.Types()
			}
			_, _ = ParseDrop(s)
			_, _ = ParseAlter(s)
			_, _ = Unwrap(s)
			_, _ = Block(s)
			if n := Normalise(s.Text); Normalise(n) != n {
				t.Fatalf("normalising %q twice differs", s.Text)
			}
		}
	})
}
