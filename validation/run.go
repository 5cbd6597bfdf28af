package validation

import (
	"slices"
	"sync"
	"testing"
)

// Run is a provider's whole test: it runs every case of the suite, [Cases] and [Extra], as a subtest
// "<category>/<name>" of t, side by side, and logs the summary.
//
// It calls newHarness once with t, to learn how to run, and once with the
// subtest of each case, whose cleanup ends what the case opened.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	h, err := newHarness(t).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	report := Report{LongPolls: h.LongPolls}
	var mu sync.Mutex
	// The subtests are not marked parallel: most of them wait most of the time,
	// and the number of processors is no bound for that.
	slots := make(chan struct{}, h.Parallel)
	var categories sync.WaitGroup
	for category := range byCategory(append(Cases(), Extra()...)) {
		categories.Go(func() {
			t.Run(category[0].Category, func(t *testing.T) {
				var cases sync.WaitGroup
				for _, c := range category {
					slots <- struct{}{}
					cases.Go(func() {
						defer func() { <-slots }()
						t.Run(c.Name, func(t *testing.T) {
							result := c.Check(t.Context(), newHarness(t))
							mu.Lock()
							report.add(result)
							mu.Unlock()
							result.tell(t)
						})
					})
				}
				cases.Wait()
			})
		})
	}
	categories.Wait()
	t.Log(report.String())
}

// tell makes the result the result of a test.
func (r Result) tell(t *testing.T) {
	t.Helper()
	if r.Tries > 1 {
		t.Logf("started %d times: the steps were too slow for the time that they had", r.Tries)
	}
	if r.Seed != 0 && r.Outcome == Passed {
		t.Logf("seed %d", r.Seed)
	}
	switch r.Outcome {
	case Failed:
		t.Error(r.explain())
	case Skipped:
		t.Skip(r.Reason)
	case NotApplicable:
		t.Skip("not applicable: " + r.Reason)
	}
}

// byCategory yields the cases of one category after the other.
func byCategory(cases []Case) func(yield func([]Case) bool) {
	return func(yield func([]Case) bool) {
		for len(cases) > 0 {
			n := slices.IndexFunc(cases, func(c Case) bool { return c.Category != cases[0].Category })
			if n < 0 {
				n = len(cases)
			}
			if !yield(cases[:n]) {
				return
			}
			cases = cases[n:]
		}
	}
}
