package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// A modelClock is the time of a walk. Where the harness can set a provider's
// clock, time passes by going on with a provider on the same store whose clock is
// further ahead; then what is short is long enough for any machine. Else time
// passes by waiting, and a tick in which real time was faster than the steps
// makes the case start again.
type modelClock struct {
	store   core.Provider // the provider of the start
	ahead   time.Duration
	shifted core.Provider // nil at the start
}

// shortOnClock is how long something short lasts where clocks can be set.
const shortOnClock = 20 * time.Minute

func (w *walk) setsClock() bool { return w.t.h.WithClockOffset != nil }

// short is how long something short lasts: until the tick ends.
func (w *walk) short() time.Duration {
	if w.setsClock() {
		return shortOnClock
	}
	return w.t.lease()
}

// lingering is how much of that a lingering step takes.
func (w *walk) lingering() time.Duration { return w.short() * 3 / 10 }

// realTime is how long the steps of a tick may take.
func (w *walk) realTime() time.Duration {
	if w.setsClock() {
		return w.short() - w.lingering() // which takes no real time
	}
	return w.short()
}

// pass lets time pass.
func (w *walk) pass(d time.Duration) {
	if !w.setsClock() {
		w.t.sleep(d)
		return
	}
	c := &w.clock
	c.ahead += d
	last := c.shifted
	c.shifted = w.t.withClock(c.store, c.ahead)
	w.p = c.shifted
	if last != nil {
		w.t.release(last)
	}
}

// stepLinger lets some time pass within a tick, once, so that a lease that ends
// too early has ended.
func (w *walk) stepLinger() {
	if w.window != nil && !w.lingered {
		w.say("linger")
		w.lingered = true
		w.pass(w.lingering())
	}
}

// stepWait ends the tick.
func (w *walk) stepWait() {
	if w.window == nil {
		return // nothing has been short in this tick
	}
	w.say("wait")
	w.leave()
	w.pass(w.short() + margin)
	w.tick++
}
