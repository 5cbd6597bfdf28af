package core

import (
	"math"
	"time"
)

// Backoff says how long to wait after a failed attempt. Use one of the
// constructors; the zero value never waits. A Backoff is never stored.
type Backoff struct {
	kind       backoffKind
	base, max  time.Duration
	multiplier float64
}

type backoffKind int

const (
	backoffNone backoffKind = iota
	backoffFixed
	backoffLinear
	backoffExponential
)

// NoBackoff never waits.
func NoBackoff() Backoff { return Backoff{} }

// FixedBackoff always waits for delay.
func FixedBackoff(delay time.Duration) Backoff { return Backoff{kind: backoffFixed, base: delay} }

// LinearBackoff waits for base times the attempt, at most for limit.
func LinearBackoff(base, limit time.Duration) Backoff {
	return Backoff{kind: backoffLinear, base: base, max: limit}
}

// ExponentialBackoff waits for base × multiplier^(attempt−1), at most for limit.
func ExponentialBackoff(base time.Duration, multiplier float64, limit time.Duration) Backoff {
	return Backoff{kind: backoffExponential, base: base, multiplier: multiplier, max: limit}
}

// DefaultBackoff is exponential from 100 ms, doubling, at most 30 s.
func DefaultBackoff() Backoff { return ExponentialBackoff(100*time.Millisecond, 2, 30*time.Second) }

// Delay returns the wait after the given failed attempt, of which the first
// is 1. Attempt 0 counts as 1 for an exponential back-off, whose exponent is a
// signed 32-bit number as everywhere in the family: above 2^31 attempts it is
// negative.
func (b Backoff) Delay(attempt uint32) time.Duration {
	switch b.kind {
	case backoffFixed:
		return b.base
	case backoffLinear:
		if attempt != 0 && b.base > b.max/time.Duration(attempt) {
			return b.max
		}
		return b.base * time.Duration(attempt)
	case backoffExponential:
		exponent := float64(int32(max(attempt, 1) - 1))
		ns := float64(b.base) * math.Pow(b.multiplier, exponent)
		if !(ns < float64(b.max)) { // also infinite or not a number
			return b.max
		}
		return time.Duration(ns)
	}
	return 0
}
