package validation

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
)

// Extra returns the cases beyond the catalogue of the family: random histories
// against a model, histories of many at once, clocks that differ, callers that
// go away. [Run] and [Check] run them with the others; reports count them apart.
func Extra() []Case {
	cases := slices.Concat(modelCases, gapCases, concurrentCases, skewCases, contextCases, turnCases, historyRangeCases, instanceWatchCases, transactionCases)
	for i := range cases {
		cases[i].Extra = true
	}
	return cases
}

// The environment of the random cases, read where the [Harness] says nothing.
const (
	envSeed  = "DUROXIDE_VALIDATION_SEED"
	envScale = "DUROXIDE_VALIDATION_SCALE"
)

// seedFrom returns the seed that the environment gives, else a new one.
func seedFrom(env string) (uint64, error) {
	if env == "" {
		return rand.Uint64()>>32 | 1, nil // short enough to type
	}
	return strconv.ParseUint(env, 10, 64)
}

// random returns the source of randomness of a case; the same seed gives the
// same numbers. It is not safe for concurrent use: part distinguishes the
// sources of one case.
func (t *trial) random(part int) *rand.Rand {
	t.mu.Lock()
	t.result.seed = t.h.Seed
	t.mu.Unlock()
	return rand.New(rand.NewPCG(t.h.Seed, uint64(part)))
}

// env returns a variable of the environment.
func env(name string) string { return os.Getenv(name) }
