package validation_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/validation"
)

// A mutant breaks one rule, and is killed by the cases that fail on it.
type mutant struct {
	name   string
	killer string // the case that guards the rule
	// anew makes the broken functions, anew for each provider so that they can
	// keep state.
	anew func() broken
}

// still is for functions that keep no state.
func still(b broken) func() broken { return func() broken { return b } }

var mutants = slices.Concat(
	variousMutants, lockMutants, messageMutants, workMutants, sessionMutants, kvMutants, adminMutants,
	gapMutants, concurrentMutants, skewMutants, contextMutants,
)

// guarded are the categories of which every case must kill a mutant.
var guarded = []string{
	"atomicity", "instance_locking", "lock_expiration", "cancellation", "sessions", "kv_store",
	"gaps", "concurrent", "skew", "context",
}

// TestMutants has each mutant meet every case but those with an engine. The case
// that guards its rule must kill it, and in the guarded categories there must be
// no case that kills none.
func TestMutants(t *testing.T) {
	t.Parallel()
	cases := slices.DeleteFunc(append(validation.Cases(), validation.Extra()...), func(c validation.Case) bool {
		if c.Category == "model" {
			return true // see TestModelMutants
		}
		return c.Category == "race_replay" && c.Name != "TestQueueReplayVersionStampRoundtrip"
	})
	var mu sync.Mutex
	kills := map[string]int{}        // by case
	killers := map[string][]string{} // by mutant
	t.Run("all", func(t *testing.T) {
		for _, m := range mutants {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				long, short := breakingAnew(memory(), m.anew), breakingAnew(short(), m.anew)
				for _, h := range []*validation.Harness{&long, &short} {
					h.Seed = 1
					h.CaseTimeout = 30 * time.Second // virtual, but full of work for who waits in vain
				}
				for _, c := range cases {
					result := virtually(t, long, c)
					if result.Outcome == validation.NotApplicable {
						result = virtually(t, short, c)
					}
					if result.Outcome == validation.Failed {
						mu.Lock()
						kills[c.Name]++
						killers[m.name] = append(killers[m.name], c.Name)
						mu.Unlock()
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if killers := killers[m.name]; !slices.Contains(killers, m.killer) {
					t.Errorf("survives %s, but not %v", m.killer, killers)
				}
			})
		}
	})

	var table strings.Builder
	for _, m := range mutants {
		fmt.Fprintf(&table, "%-75s %-60s +%d\n", m.name, m.killer, len(killers[m.name])-1)
	}
	t.Logf("%d mutants, the case that guards the rule of each, and how many others kill it:\n%s", len(mutants), &table)
	var idle []string
	for _, c := range cases {
		if kills[c.Name] > 0 {
			continue
		}
		idle = append(idle, c.Category+"/"+c.Name)
		if slices.Contains(guarded, c.Category) {
			t.Errorf("%s/%s kills no mutant", c.Category, c.Name)
		}
	}
	t.Logf("%d of %d cases kill no mutant: %s", len(idle), len(cases), cmp.Or(strings.Join(idle, ", "), "none"))
	if len(mutants) < 40 {
		t.Errorf("%d mutants, want 40 at least", len(mutants))
	}
}
