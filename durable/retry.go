package durable

import (
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// RetryPolicy says how often and when a failing activity is tried again; see
// [Retry]. The zero value is the default: 3 attempts, exponential back-off from
// 100 ms, doubling, at most 30 s, no time-out.
type RetryPolicy struct {
	// MaxAttempts bounds the attempts, the first included; 0 means 3.
	MaxAttempts int
	// Backoff gives the wait after a failed attempt; nil means
	// [core.DefaultBackoff]. It is recorded as a timer, so it must be the same
	// on every replay.
	Backoff *core.Backoff
	// Timeout bounds each attempt; 0 means none. An attempt that takes longer
	// ends the whole call with [ErrTimeout], without another attempt.
	Timeout time.Duration
}

// retry runs the attempts in the family's order of events (runtime 1.15).
func retry[Out any](ctx *Context, p RetryPolicy, attempt func() *Future[Out]) (Out, error) {
	attempts := p.MaxAttempts
	if attempts == 0 {
		attempts = 3
	}
	backoff := core.DefaultBackoff()
	if p.Backoff != nil {
		backoff = *p.Backoff
	}
	for n := 1; ; n++ {
		f := attempt()
		if p.Timeout > 0 && Race(ctx, f, ctx.Timer(p.Timeout)) == 1 {
			var zero Out
			return zero, ErrTimeout
		}
		out, err := f.Await(ctx)
		if failed := (*ActivityError)(nil); !errors.As(err, &failed) || n >= attempts {
			return out, err // also what another attempt cannot cure
		}
		delay := backoff.Delay(uint32(n))
		ctx.Logger().Warn("activity attempt failed: trying again", "attempt", n, "max_attempts", attempts, "error", err, "retry_in", delay)
		if delay > 0 {
			ctx.Sleep(delay)
		}
	}
}
