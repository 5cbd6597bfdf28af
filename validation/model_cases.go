package validation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

var modelCases = inCategory("model",
	Case{
		Name:     "TestModelHistories",
		Rule:     "Whatever the order of calls, a provider answers as a plain model of it does.",
		Contract: "3, 4, 5",
		run:      modelHistories,
	},
	Case{
		Name:     "TestModelHistoriesWithTime",
		Rule:     "Leases, claims and delays that end among the calls end as in a plain model.",
		Contract: "1.4, 3, 5.1",
		run:      modelHistoriesWithTime,
	},
)

// modelHistories goes through many short histories on one store, in which nothing ends by
// itself.
func modelHistories(t *trial) {
	r := t.random(0)
	for n := range 10 * t.h.Scale {
		t.follow(name("h", n)+"-", history(r, 60), false)
	}
}

// modelHistoriesWithTime goes through a few histories, each on its own store.
func modelHistoriesWithTime(t *trial) {
	r := t.random(1)
	for n := range t.h.Scale {
		if n > 0 {
			t.p = t.newProvider()
		}
		var steps []step
		for range 4 {
			steps = append(steps, history(r, 12)...)
			steps = append(steps, step{operation: len(operations) - 2})
			steps = append(steps, history(r, 12)...)
			steps = append(steps, step{operation: len(operations) - 1})
		}
		t.follow("", steps, true)
	}
}

// history draws steps.
func history(r *rand.Rand, length int) []step {
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	steps := make([]step, length)
	for n := range steps {
		at := r.IntN(total)
		for at >= operations[steps[n].operation].weight {
			at -= operations[steps[n].operation].weight
			steps[n].operation++
		}
		steps[n].seed = r.Uint64()
	}
	return steps
}

// follow goes through a history. If provider and model differ it looks for the
// fewest steps with which they still do.
func (t *trial) follow(prefix string, steps []step, ticks bool) {
	w := newWalk(t, t.p, prefix, ticks)
	difference := w.run(steps)
	if difference == "" {
		return
	}
	if !w.late() { // else the frame tries the case again
		w.leave()
		w, difference = t.shrink(w, difference, steps)
	}
	t.fatalf("after %d steps provider and model differ:\n%s\n%s", len(w.log), strings.Join(w.log, "\n"), difference)
}

// shrinking is how long a failure is made simpler, at most.
const shrinking = 10 * time.Second

// shrink leaves out steps, half of them first and single ones last, as long as
// there is still a difference. Each try has a fresh store.
func (t *trial) shrink(w *walk, difference string, steps []step) (*walk, string) {
	deadline := time.Now().Add(min(shrinking, t.h.CaseTimeout/4))
	tries := 0
	for size := len(steps) / 2; size > 0; {
		simpler := false
		for from := 0; from < len(steps); {
			if tries++; tries > 400 || time.Now().After(deadline) {
				return w, difference
			}
			fewer := slices.Delete(slices.Clone(steps), from, min(from+size, len(steps)))
			again := newWalk(t, t.newProvider(), w.prefix, w.ticks)
			d := again.run(fewer)
			late := again.late()
			again.leave()
			if d != "" && !late {
				w, difference, steps, simpler = again, d, fewer, true
			} else {
				from += size
			}
		}
		if !simpler || size > 1 {
			size /= 2
		}
	}
	w.log = append(w.log, fmt.Sprintf("(the fewest steps of %d tries)", tries))
	return w, difference
}
