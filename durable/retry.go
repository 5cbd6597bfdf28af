package durable

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// RetryPolicy says how often and when a failing activity is tried again; see
// [Retry]. The zero value is the default: 3 attempts, exponential back-off from
// 100 ms, doubling, at most 30 s, no time-out.
//
// Each attempt is recorded as an activity of its own; all of them have the
// [ActivityInfo.IdempotencyKey] of the first.
type RetryPolicy struct {
	// MaxAttempts bounds the attempts, the first included; 0 means 3.
	MaxAttempts int
	// Backoff gives the wait after a failed attempt; nil means
	// [core.DefaultBackoff]. It is recorded as a timer, so it must be the same
	// on every replay.
	Backoff *core.Backoff
	// Jitter spreads the waits of instances that fail at the same time: each is
	// shortened by up to this share of it, 0 to 1. 0 is the family's: none.
	Jitter float64
	// Timeout bounds each attempt; 0 means none. An attempt that takes longer
	// ends the whole call with [ErrTimeout], without another attempt; to try
	// again after it, bound the attempt by [StartToClose] where its code is.
	Timeout time.Duration
}

// retry runs the attempts in the family's order of events (runtime 1.15).
func retry[Out any](ctx *Context, p RetryPolicy, attempt func(first uint64) *Future[Out]) (Out, error) {
	attempts := p.MaxAttempts
	if attempts == 0 {
		attempts = 3
	}
	backoff := core.DefaultBackoff()
	if p.Backoff != nil {
		backoff = *p.Backoff
	}
	first := uint64(0)
	for n := 1; ; n++ {
		f := attempt(first)
		out, err := f.awaitWithin(ctx, p.Timeout)
		var failed *ActivityError
		if !errors.As(err, &failed) || n >= attempts {
			return out, err // also what another attempt cannot cure
		}
		if n == 1 {
			first = failed.EventID
		}
		delay := p.jittered(backoff.Delay(uint32(n)), ctx, failed.EventID)
		ctx.Logger().Warn("activity attempt failed: trying again", "attempt", n, "max_attempts", attempts, "error", err, "retry_in", delay)
		if delay > 0 {
			ctx.Sleep(delay)
		}
	}
}

// jittered shortens a delay by a share that differs between instances and calls
// but not between replays. It stays above zero if it was: a wait of nothing is
// recorded differently.
func (p RetryPolicy) jittered(delay time.Duration, ctx *Context, event uint64) time.Duration {
	if p.Jitter <= 0 || delay <= 0 {
		return delay
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d/%d", ctx.InstanceID(), ctx.ExecutionID(), event)
	share := min(p.Jitter, 1) * float64(h.Sum64()>>11) / (1 << 53)
	return max(delay-time.Duration(share*float64(delay)), 1)
}
