package validation_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/validation"
)

// TestBusyMachine has calls take some time before and after they take effect, as
// on a machine that is busy with something else: 80 ms on average, often much
// more. No case may call that a failure of the provider.
func TestBusyMachine(t *testing.T) {
	t.Parallel()
	pause := func() { time.Sleep(time.Duration(rand.ExpFloat64() * float64(40*time.Millisecond))) }
	h := breaking(memory(), broken{around: func() func() {
		pause()
		return pause
	}})
	again := 0
	for _, c := range append(validation.Cases(), validation.Extra()...) {
		for range 5 {
			r := virtually(t, h, c)
			if r.Outcome == validation.Failed {
				t.Error(r)
			}
			if r.Tries > 1 {
				again++
			}
		}
	}
	t.Logf("%d times a case was started again", again)
}
