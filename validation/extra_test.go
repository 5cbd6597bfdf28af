package validation_test

import (
	"testing"

	"github.com/duroxide/duroxide-go/validation"
)

// TestExtraCases runs what goes beyond the catalogue in virtual time, for
// providers that wait and for those that do not.
func TestExtraCases(t *testing.T) {
	t.Parallel()
	for _, h := range []validation.Harness{memory(), short()} {
		for _, c := range validation.Extra() {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				switch r := virtually(t, h, c); r.Outcome {
				case validation.Failed, validation.Skipped:
					t.Error(r)
				}
			})
		}
	}
}
