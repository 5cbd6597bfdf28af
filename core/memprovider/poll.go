package memprovider

import (
	"context"
	"math"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// never is a time that does not come.
const never = math.MaxUint64

// A bell wakes the fetches that wait for one queue. The provider's lock guards it.
type bell struct {
	ring chan struct{} // closed when it rings; nil while nobody waits
	due  uint64        // every fetch that waits wakes by itself at this time or before
}

// wait returns what is closed at the next ring. The caller wakes by itself at due.
func (b *bell) wait(due uint64) <-chan struct{} {
	if b.ring == nil {
		b.ring, b.due = make(chan struct{}), 0
	}
	b.due = max(b.due, due)
	return b.ring
}

// announce says that something may be fetched at the given time. It rings
// unless all who wait look again by then anyway.
func (b *bell) announce(at uint64) {
	if b.ring != nil && at < b.due {
		close(b.ring)
		b.ring = nil
	}
}

// poll calls try, with the lock held, until it finds something, the timeout is
// over, or ctx ends. When try finds nothing it returns the next time at which
// that may change by itself; other changes ring the bell.
func poll[T any](ctx context.Context, p *Provider, b *bell, timeout time.Duration,
	try func(now uint64) (found *T, next uint64),
) (*T, error) {
	var deadline time.Time
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p.mu.Lock()
		now := p.clock.Now()
		if deadline.IsZero() {
			deadline = now.Add(timeout)
		}
		found, next := try(core.Milliseconds(now))
		if found != nil || !now.Before(deadline) {
			p.mu.Unlock()
			return found, nil
		}
		wake := deadline
		if next < core.Milliseconds(deadline) {
			wake = time.UnixMilli(int64(next))
		}
		ring := b.wait(min(next, core.Milliseconds(deadline)+1))
		p.mu.Unlock()

		timer := p.clock.NewTimer(wake.Sub(now))
		select {
		case <-ring:
		case <-timer.C():
		case <-ctx.Done():
		}
		timer.Stop()
	}
}
