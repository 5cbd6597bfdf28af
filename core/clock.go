package core

import "time"

// Clock is the one source of time of a provider and of a runtime. It must be
// safe for concurrent use.
//
// A database provider compares stored times with its clock but starts leases
// on the server's clock, so a test clock for it must be an offset
// ([OffsetClock]), never frozen.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// NewTimer returns a timer that fires once after d. A d of zero or less
	// fires at once.
	NewTimer(d time.Duration) Timer
}

// Timer is a timer of a [Clock].
type Timer interface {
	// C returns the channel on which the time is delivered, once.
	C() <-chan time.Time
	// Stop prevents the timer from firing and reports whether it did.
	Stop() bool
}

// SystemClock returns the machine's clock.
func SystemClock() Clock { return systemClock{} }

// OffsetClock returns a clock that runs d ahead of base (behind it when d is
// negative). Its timers are those of base.
func OffsetClock(base Clock, d time.Duration) Clock { return offsetClock{base, d} }

// Milliseconds returns t as milliseconds since the Unix epoch, 0 for a time
// before it.
func Milliseconds(t time.Time) uint64 {
	return uint64(max(t.UnixMilli(), 0))
}

type systemClock struct{}

func (systemClock) Now() time.Time                 { return time.Now() }
func (systemClock) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

type systemTimer struct{ t *time.Timer }

func (t systemTimer) C() <-chan time.Time { return t.t.C }
func (t systemTimer) Stop() bool          { return t.t.Stop() }

type offsetClock struct {
	base Clock
	d    time.Duration
}

func (c offsetClock) Now() time.Time                 { return c.base.Now().Add(c.d) }
func (c offsetClock) NewTimer(d time.Duration) Timer { return c.base.NewTimer(d) }
