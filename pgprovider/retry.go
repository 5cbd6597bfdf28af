package pgprovider

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// retries is how often a hot call is repeated after a retryable error.
	retries = 3
	// retryDelay times the number of the attempt is the pause before a retry.
	retryDelay = 50 * time.Millisecond
	// deadlockRetries is the same for calls that lock much: deletions, which
	// may overlap, and the clean-up, whose DROPs meet what tests still run.
	deadlockRetries = 5
)

// retry calls attempt until it succeeds, fails permanently, or was repeated
// often enough. An empty result is a success: waiting for work is not done
// here.
func (p *Provider) retry(ctx context.Context, op string, limit int, retryable func(error) bool, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || n > limit || !retryable(err) {
			return err
		}
		p.log.DebugContext(ctx, "retrying", "op", op, "attempt", n, "error", err)
		if !p.pause(ctx, time.Duration(n)*retryDelay) {
			return err
		}
	}
}

// pause waits and reports whether it was left in peace.
func (p *Provider) pause(ctx context.Context, d time.Duration) bool {
	timer := p.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
	case <-p.closing.Done():
	}
	return false
}

// retryTransient is retry for the hot calls.
func (p *Provider) retryTransient(ctx context.Context, op string, attempt func() error) error {
	return p.retry(ctx, op, retries, core.IsRetryable, attempt)
}
