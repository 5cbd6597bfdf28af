package sqliteprovider

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// sqlDataVersion is a number that changes when another connection has
	// committed something.
	sqlDataVersion = `PRAGMA data_version`

	// never is a time that does not come.
	never = math.MaxInt64
)

// A bell wakes the fetches that wait for one queue.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // closed when it rings; nil while nobody waits
}

// wait returns what is closed at the next ring.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// A queue is what poll needs to know of one.
type queue[T any] struct {
	op   string
	bell *bell
	// look reads whether there is something to claim and else the next time at
	// which that may change by itself. It does not lock, so that idle fetches
	// stand in nobody's way.
	look func(ctx context.Context, c *conn, now int64) (ready bool, next int64, err error)
	// claim takes it, nil if somebody else was faster.
	claim func(t *tx) (*T, error)
}

// poll claims something now or, if there is time, as soon as there is something.
func poll[T any](ctx context.Context, p *Provider, q queue[T], timeout time.Duration) (*T, error) {
	if !p.longPolls {
		timeout = 0
	}
	deadline := p.clock.Now().Add(max(timeout, 0))
	if timeout > 0 {
		defer p.watched()()
	}
	for {
		ring := q.bell.wait() // before looking: what comes after it rings
		var ready bool
		var next int64
		err := p.read(ctx, q.op, func(ctx context.Context, c *conn) (err error) {
			ready, next, err = q.look(ctx, c, p.nowMs())
			return err
		})
		if err != nil {
			return nil, err
		}
		if ready {
			var claimed *T
			err := p.lease(ctx, q.op, func(t *tx) (err error) {
				claimed, err = q.claim(t)
				return err
			})
			if claimed != nil || err != nil {
				return claimed, err
			}
		}
		now := p.clock.Now()
		if !now.Before(deadline) {
			return nil, nil
		}
		if ready {
			continue // what the others left
		}
		wake := deadline
		if due := time.UnixMilli(next); next < deadline.UnixMilli() {
			wake = due
		}
		if err := p.sleep(ctx, q.op, ring, wake.Sub(now)); err != nil {
			return nil, err
		}
	}
}

// sleep waits for a ring, but not longer than d.
func (p *Provider) sleep(ctx context.Context, op string, ring <-chan struct{}, d time.Duration) error {
	timer := p.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ring:
	case <-timer.C():
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.closing.Done():
		return core.Permanent(op, core.ErrClosed)
	}
	return nil
}

// watched keeps the watcher at work until the function that it returns is called.
func (p *Provider) watched() (end func()) {
	p.waiting.Add(1)
	select {
	case p.wanted <- struct{}{}:
	default: // it was told already
	}
	return func() { p.waiting.Add(-1) }
}

// watch rings when another process, or another provider on the file, has
// changed it. While nobody waits it does nothing.
func (p *Provider) watch(interval time.Duration) {
	var last int64
	for {
		select {
		case <-p.closing.Done():
			return
		case <-p.wanted:
		}
		for p.waiting.Load() > 0 {
			timer := p.clock.NewTimer(interval)
			select {
			case <-timer.C():
			case <-p.closing.Done():
				timer.Stop()
				return
			}
			version, err := p.dataVersion()
			if err == nil && version == last {
				continue
			}
			if err != nil && p.closing.Err() == nil {
				p.log.Warn("looking for changes of other processes", "error", err)
			}
			last = version
			p.turns.ring()
			p.work.ring()
		}
	}
}

// dataVersion asks the connection that writes, for which the number does not
// change with what this provider commits itself.
func (p *Provider) dataVersion() (version int64, err error) {
	c, err := p.acquire(p.closing, p.writer)
	if err != nil {
		return 0, err
	}
	defer p.writer.release(c)
	_, err = c.row(context.WithoutCancel(p.closing), sqlDataVersion, nil, &version)
	return version, err
}
