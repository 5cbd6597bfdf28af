package dispatch

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// ErrTimeout is what every time-out of an activity is.
var ErrTimeout = errors.New(startToCloseText)

// TimeoutError is the cause with which an activity's context ends when its code
// takes too long. Its text is what the orchestration gets.
type TimeoutError struct {
	// Heartbeat is set when the code did not report for that long; else it took
	// longer than it may as a whole.
	Heartbeat time.Duration
}

// The texts of time-outs, as they are recorded.
const (
	startToCloseText = "timeout: activity timed out"
	heartbeatText    = "timeout: no heartbeat within "
)

func (e *TimeoutError) Error() string {
	if e.Heartbeat > 0 {
		return heartbeatText + e.Heartbeat.String()
	}
	return startToCloseText
}

// Is makes it match [ErrTimeout].
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// IsTimeout reports whether a recorded failure is that of a time-out.
func IsTimeout(message string) bool {
	return message == startToCloseText || strings.HasPrefix(message, heartbeatText)
}

// timeouts ends the context of an activity's code that takes too long.
type timeouts struct {
	clock  core.Clock
	cancel context.CancelCauseFunc
	beats  chan struct{}
	stop   chan struct{}
	wg     sync.WaitGroup
}

func newTimeouts(clock core.Clock, cancel context.CancelCauseFunc) *timeouts {
	return &timeouts{clock: clock, cancel: cancel, beats: make(chan struct{}, 1), stop: make(chan struct{})}
}

// limit is called by the code's wrapper before the code runs. Zero is no limit.
func (t *timeouts) limit(startToClose, heartbeat time.Duration) {
	if startToClose > 0 {
		t.wg.Go(func() { t.watch(startToClose, nil, &TimeoutError{}) })
	}
	if heartbeat > 0 {
		t.wg.Go(func() { t.watch(heartbeat, t.beats, &TimeoutError{Heartbeat: heartbeat}) })
	}
}

// watch ends the context after d, counted anew from each beat.
func (t *timeouts) watch(d time.Duration, beats <-chan struct{}, cause error) {
	for {
		timer := t.clock.NewTimer(d)
		select {
		case <-timer.C():
			t.cancel(cause)
			return
		case <-beats:
			timer.Stop()
		case <-t.stop:
			timer.Stop()
			return
		}
	}
}

func (t *timeouts) beat() {
	select {
	case t.beats <- struct{}{}:
	default: // one that nobody has seen yet is there
	}
}

// end stops watching. No limit may be set any more.
func (t *timeouts) end() {
	close(t.stop)
	t.wg.Wait()
}
