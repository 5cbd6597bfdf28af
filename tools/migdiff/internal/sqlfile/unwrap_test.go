package sqlfile

import (
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "",
		"a  \nb\t\n":               "a\nb\n",
		"\ta\n  \tb\n1234567\tc":   "        a\n        b\n1234567 c",
		"a\r\nb\r\n":               "a\nb\n",
		"x := '';\n y := '''';\n":  "x := '';\n y := '''';\n",
		"format('%% %s', a)  \n--": "format('%% %s', a)\n--",
		"é\tü\t|":                  "é       ü       |",
	} {
		if got := Normalise(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// plain is a definition with all that quoting can hurt: empty literals, literals
// that hold quotes, percent signs, a schema.
const plain = `CREATE OR REPLACE FUNCTION SCHEMA.f(p_a text DEFAULT '') RETURNS text AS $body$
BEGIN
    IF p_a = '' OR p_a LIKE 'a%' THEN
        RAISE NOTICE 'it''s % %%', p_a;
    END IF;
    RETURN coalesce(p_a, '''') || (SELECT '' FROM SCHEMA.t WHERE 7 % 2 = 1);
END;
$body$ LANGUAGE plpgsql`

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Whatever the style of a file, the definition in it comes out the same.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	template := strings.ReplaceAll(strings.ReplaceAll(plain, "%", "%%"), "SCHEMA.", "%I.")
	positional := strings.ReplaceAll(template, "%I.", "%1$I.")
	marked := strings.ReplaceAll(plain, "SCHEMA.", "@SCHEMA@.")
	for name, text := range map[string]string{
		"format, quoted":        "DO $d$ BEGIN EXECUTE format(" + quote(template) + ", s, s); END $d$",
		"format, dollars":       "DO $d$ BEGIN EXECUTE format($fmt$" + template + "$fmt$, s, s); END $d$",
		"format, by position":   "DO $d$ BEGIN EXECUTE format($fmt$" + positional + "$fmt$, s); END $d$",
		"format, quoted twice":  "DO " + quote("BEGIN EXECUTE format("+quote(template)+", s, s); END"),
		"replace, dollars":      "DO $d$ BEGIN EXECUTE replace($sql$" + marked + "$sql$, '@SCHEMA@', s); END $d$",
		"replace, quoted":       "DO $d$ BEGIN EXECUTE replace(" + quote(marked) + ", '@SCHEMA@', s); END $d$",
		"with a comment before": "DO $d$ BEGIN EXECUTE format($fmt$\n-- why\n" + template + ";\n$fmt$, s, s); END $d$",
	} {
		statements, err := Split(text)
		if err != nil || len(statements) != 1 {
			t.Fatalf("%s: %d statements and error %v", name, len(statements), err)
		}
		inner, err := Unwrap(statements[0])
		if err != nil || len(inner) != 1 {
			t.Fatalf("%s: %d statements inside and error %v", name, len(inner), err)
		}
		if inner[0].Text != plain {
			t.Errorf("%s:\n%s\nwant\n%s", name, inner[0].Text, plain)
		}
		if f := parseOne(t, inner[0].Text); f.Name != "f" || f.Arguments[0].Default != "''" {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

// A definition that stands in the file as it is stays as it is.
func TestUnwrapLeavesPlainStatementsAlone(t *testing.T) {
	t.Parallel()
	statements, err := Split(plain)
	if err != nil {
		t.Fatal(err)
	}
	if inner, err := Unwrap(statements[0]); err != nil || inner != nil {
		t.Errorf("got %v and error %v", inner, err)
	}
	if got := parseOne(t, plain).Text; got != plain {
		t.Errorf("got\n%s", got)
	}
}

func TestUnwrapLines(t *testing.T) {
	t.Parallel()
	statements, err := Split("SELECT 1;\n\nDO $d$\nBEGIN\n    EXECUTE format($fmt$\n        CREATE TABLE t (a int);\n\n        DROP TABLE u$fmt$);\nEND $d$")
	if err != nil {
		t.Fatal(err)
	}
	inner, err := Unwrap(statements[1])
	if err != nil || len(inner) != 2 {
		t.Fatalf("got %d statements and error %v", len(inner), err)
	}
	if inner[0].Line != 6 || inner[1].Line != 8 {
		t.Errorf("lines are %d and %d, want 6 and 8", inner[0].Line, inner[1].Line)
	}
	pieces, err := Block(statements[1])
	if err != nil || len(pieces) == 0 || pieces[0].Line != 5 {
		t.Errorf("got %v and error %v, want a piece on line 5", pieces, err)
	}
}
