package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// renewalInterval is the family's formula: long locks are renewed a buffer
// before they expire, short ones half-way, in whole seconds and never more
// often than once a second. Locks of less than two seconds, which the formula
// would let expire, are renewed half-way too.
func renewalInterval(timeout, buffer time.Duration) time.Duration {
	if timeout >= 15*time.Second {
		return max(timeout-min(buffer, timeout), time.Second)
	}
	if timeout < 2*time.Second {
		return max(timeout/2, time.Millisecond)
	}
	half := timeout / 2
	return max((half+time.Second-1)/time.Second*time.Second, time.Second)
}

// keepLock renews a lock that was just taken until ctx ends. It calls lost, once, with
// [core.ErrLockLost] when the lock is gone, or with [ErrLockExpired] when
// renewing failed for other reasons until the lock must have expired.
func (d *Dispatcher) keepLock(ctx context.Context, timeout, buffer time.Duration, renew func(context.Context) error, lost func(error)) {
	d.keepLockUntil(ctx, d.cfg.Clock.Now().Add(timeout), timeout, buffer, renew, lost)
}

// keepLockUntil is keepLock for a lock that expires then.
func (d *Dispatcher) keepLockUntil(
	ctx context.Context, expires time.Time, timeout, buffer time.Duration, renew func(context.Context) error, lost func(error),
) {
	interval := renewalInterval(timeout, buffer)
	pause := expires.Add(interval - timeout).Sub(d.cfg.Clock.Now())
	for d.sleep(ctx, pause) {
		began := d.cfg.Clock.Now()
		err := renewWithin(ctx, expires.Sub(began), renew)
		left := expires.Sub(d.cfg.Clock.Now())
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			expires, pause = began.Add(timeout), interval
		case left <= 0: // then even "lost" says no more than that
			lost(ErrLockExpired)
			return
		case errors.Is(err, core.ErrLockLost):
			lost(core.ErrLockLost)
			return
		default:
			// A failed renewal says nothing about the lock: try again soon, and
			// oftener as the end comes near.
			pause = min(interval/4, max(left/4, 10*time.Millisecond), left)
			d.log.Warn("lock renewal failed: trying again", "error", err, "retry_in", pause)
		}
	}
}

// renewWithin gives up on a renewal that hangs until the lock has expired.
func renewWithin(ctx context.Context, left time.Duration, renew func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(left, time.Second))
	defer cancel()
	return renew(ctx)
}

// retryDelays are the waits between attempts to store an outcome.
var retryDelays = []time.Duration{
	10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond, 160 * time.Millisecond,
}

// retry calls f until it succeeds, fails for good, or the attempts run out.
func (d *Dispatcher) retry(ctx context.Context, f func(context.Context) error) error {
	for _, delay := range retryDelays {
		err := f(ctx)
		if !core.IsRetryable(err) {
			return err
		}
		if !d.sleep(ctx, delay) {
			return err
		}
	}
	return f(ctx)
}
