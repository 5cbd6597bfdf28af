package validation_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/validation"
)

// TestCatalogue compares the suite with the names that the family has agreed on.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/catalogue.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	var got []string
	for _, c := range validation.Cases() {
		got = append(got, c.Category+" "+c.Name)
		if !strings.HasSuffix(c.Rule, ".") || c.Contract == "" {
			t.Errorf("%s has the rule %q of contract %q", c.Name, c.Rule, c.Contract)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the suite (+) differs from the catalogue (-)\n%s", diff)
	}
}

// TestExtra checks that what goes beyond the catalogue is told apart from it.
func TestExtra(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range validation.Cases() {
		seen[c.Name] = true
		if c.Extra {
			t.Errorf("%s is of the catalogue", c.Name)
		}
	}
	for _, c := range validation.Extra() {
		if seen[c.Name] || !c.Extra || !strings.HasSuffix(c.Rule, ".") || c.Contract == "" {
			t.Errorf("%s: seen %t, extra %t, rule %q, contract %q", c.Name, seen[c.Name], c.Extra, c.Rule, c.Contract)
		}
		seen[c.Name] = true
	}
}
