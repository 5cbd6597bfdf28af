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
