package pgprovider

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/notifier"
)

// poll asks once, and as long as nothing is found and there is time, again
// whenever there might be work. Fetches that take the same work have the same
// key.
func (p *Provider) poll(
	ctx context.Context, op string, q notifier.Queue, key string, timeout time.Duration, ask func(context.Context) (bool, error),
) error {
	asking, stop := lingering(ctx, askGrace)
	defer stop()
	once := func() (bool, error) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		found, err := ask(asking)
		if err != nil && asking.Err() != nil {
			err = ctx.Err()
		}
		return found, err
	}
	if p.notifier == nil {
		_, err := once()
		return err
	}
	if timeout <= 0 {
		found, err := once()
		p.pass(q, found)
		return err
	}
	timer := p.clock.NewTimer(timeout)
	defer timer.Stop()
	// Before the first query: what appears after it must not be missed.
	w := p.notifier.Register(q, key)
	defer w.Release()
	for woken := false; ; woken = true {
		found, err := once()
		if err != nil {
			// The hint was not used.
			p.pass(q, woken)
			return err
		}
		if found {
			p.pass(q, true)
			return nil
		}
		select {
		case <-w.C():
		case <-timer.C():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-p.closing.Done():
			return core.Permanent(op, core.ErrClosed)
		}
	}
}

// askGrace is how long a fetch may go on after its caller's context ended.
const askGrace = 2 * time.Second

// lingering returns a context that ends a while after ctx does. A claim that was
// committed just before the caller gave up would otherwise be lost with its reply,
// and its lock would stand in the way until it expires.
func lingering(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
	})
	return longer, func() {
		unwatch()
		cancel(nil)
	}
}

// pass wakes the next fetch that waits for an instance: many messages of one
// transaction are one notification, so that whoever finds work has to say that
// there may be more. Worker notifications are for all anyway.
func (p *Provider) pass(q notifier.Queue, pass bool) {
	if pass && q == notifier.Orchestrator {
		p.notifier.Wake(q)
	}
}

// hints counts what may have woken fetches for instances so far.
func (p *Provider) hints() uint64 {
	if p.notifier == nil {
		return 0
	}
	return p.notifier.Hints(notifier.Orchestrator)
}

// released tells the fetches of this process that rows can be fetched again,
// which the database does not notify: at once or after a delay.
func (p *Provider) released(q notifier.Queue, err error, delay time.Duration) {
	switch {
	case err != nil || p.notifier == nil:
	case delay > 0:
		p.notifier.At(q, p.clock.Now().Add(delay))
	default:
		p.notifier.Wake(q)
	}
}
