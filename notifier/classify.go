package notifier

import (
	"math"
	"strconv"
	"time"
)

// Action is what a notification asks for.
type Action int

const (
	// WakeNow: the row is visible, or the payload says nothing.
	WakeNow Action = iota
	// WakeLater: the row becomes visible within the window.
	WakeLater
	// Ignore: a later refresh finds the row.
	Ignore
)

// Classify decides about a notification whose payload is the time at which a
// row becomes visible, decimal epoch milliseconds. What is not a number counts
// as 0. The window ends inclusively. The delay, for WakeLater only, includes the
// grace.
func Classify(payload string, now time.Time, window, grace time.Duration) (action Action, delay time.Duration) {
	at, err := strconv.ParseInt(payload, 10, 64)
	if err != nil {
		at = 0
	}
	nowMs := now.UnixMilli()
	switch {
	case at <= nowMs:
		return WakeNow, 0
	// Comparing like this cannot overflow: both sides are positive.
	case at-nowMs > window.Milliseconds():
		return Ignore, 0
	}
	return WakeLater, saturate(at-nowMs) + grace
}

// saturate returns milliseconds as a duration that leaves room for a grace.
func saturate(ms int64) time.Duration {
	const limit = math.MaxInt64 / 2
	if ms > limit/int64(time.Millisecond) {
		return limit
	}
	return time.Duration(ms) * time.Millisecond
}
