package validation_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/duroxide/duroxide-go/validation"
)

// extraNamed returns a case beyond the catalogue.
func extraNamed(t *testing.T, name string) validation.Case {
	t.Helper()
	cases := validation.Extra()
	i := slices.IndexFunc(cases, func(c validation.Case) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	return cases[i]
}

// models are the cases that compare histories with the model, and the scale at
// which they meet the mutants.
var models = map[string]int{"TestModelHistories": 5, "TestModelHistoriesWithTime": 4}

// TestModelSoundProvider goes through 540 histories in virtual time.
func TestModelSoundProvider(t *testing.T) {
	t.Parallel()
	for name, scale := range models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := memory()
			h.Scale = 10 * scale
			if r := virtually(t, h, extraNamed(t, name)); r.Outcome != validation.Passed {
				t.Error(r)
			}
		})
	}
}

// TestModelMutants tries the model on every mutant. It need not find them all.
func TestModelMutants(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	found := map[string]bool{}
	t.Run("all", func(t *testing.T) {
		for _, m := range mutants {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				for name, scale := range models {
					h := breakingAnew(memory(), m.anew)
					h.Seed, h.Scale = 1, scale
					if r := virtually(t, h, extraNamed(t, name)); r.Outcome == validation.Failed {
						mu.Lock()
						found[m.name] = true
						mu.Unlock()
						t.Log(r)
						return
					}
				}
			})
		}
	})
	var table strings.Builder
	for _, m := range mutants {
		if !found[m.name] {
			fmt.Fprintf(&table, "\n%s", m.name)
		}
	}
	if len(found) < 90 {
		t.Errorf("the model finds %d mutants only", len(found))
	}
	t.Logf("the model finds %d of %d mutants, all but these:%s", len(found), len(mutants), &table)
}
