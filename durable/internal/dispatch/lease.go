package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// lease keeps the lock of one activity while its code runs, and lets the code
// record its result in a transaction of its own.
type lease struct {
	d    *Dispatcher
	item core.ActivityExecuteItem
	// token is the lock's.
	token string
	// cancel ends the context of the code.
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	state   leaseState
	expires time.Time
	// stop ends the renewing and waits for it; nil while nobody renews.
	stop func()
	// ended says that nobody may begin to renew any more.
	ended bool
}

// completeTimeout bounds the acknowledgement and the commit of a transaction of
// the code. It has nothing to do with the lease, which does not matter any more.
const completeTimeout = time.Minute

type leaseState int

const (
	// leaseOpen: the outcome is not recorded.
	leaseOpen leaseState = iota
	// leaseBusy: a transaction of the code is being prepared or completed. From
	// the acknowledgement until its end it has the row, and a renewal would wait
	// for it.
	leaseBusy
	// leaseRecorded: a transaction of the code has recorded the result.
	leaseRecorded
)

var (
	errLeaseBusy     = errors.New("another transaction of this activity is being completed")
	errLeaseRecorded = errors.New("the activity's result is recorded already")
)

// keep begins to renew a lock that was just taken.
func (d *Dispatcher) keep(item core.ActivityExecuteItem, token string, cancel context.CancelCauseFunc) *lease {
	l := &lease{d: d, item: item, token: token, cancel: cancel, expires: d.cfg.Clock.Now().Add(d.cfg.ActivityLock)}
	l.start()
	return l
}

// start is called with the mutex held, or before anybody else knows the lease.
func (l *lease) start() {
	keeping, cancel := context.WithCancel(l.d.working)
	done := make(chan struct{})
	expires := l.expires
	go func() {
		defer close(done)
		l.d.keepLockUntil(keeping, expires, l.d.cfg.ActivityLock, l.d.cfg.ActivityLockBuffer, l.renew, l.lost)
	}()
	l.stop = func() {
		cancel()
		<-done
	}
}

// end stops renewing for good.
func (l *lease) end() {
	l.mu.Lock()
	stop := l.stop
	l.stop, l.ended = nil, true
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (l *lease) renew(ctx context.Context) error {
	began := l.d.cfg.Clock.Now()
	err := l.d.cfg.Provider.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: l.token, ExtendFor: l.d.cfg.ActivityLock})
	if err == nil {
		l.mu.Lock()
		l.expires = began.Add(l.d.cfg.ActivityLock)
		l.mu.Unlock()
	}
	return err
}

// lost ends the code's context, unless it was the code's transaction that took
// the lock away.
func (l *lease) lost(err error) {
	if errors.Is(err, core.ErrLockLost) {
		err = ErrNotWanted
	}
	l.mu.Lock()
	open := l.state == leaseOpen
	l.mu.Unlock()
	if open {
		l.cancel(err)
	}
}

// recorded reports whether a transaction of the code has recorded the result.
func (l *lease) recorded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == leaseRecorded
}

// heartbeat renews now, and returns why the code should stop.
func (l *lease) heartbeat(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.mu.Lock()
	open := l.state == leaseOpen
	l.mu.Unlock()
	if open {
		if err := l.renew(ctx); errors.Is(err, core.ErrLockLost) {
			l.lost(err)
		}
	}
	return context.Cause(ctx)
}

// claim makes the lease busy and stops the renewing.
func (l *lease) claim() error {
	l.mu.Lock()
	switch l.state {
	case leaseBusy:
		l.mu.Unlock()
		return errLeaseBusy
	case leaseRecorded:
		l.mu.Unlock()
		return errLeaseRecorded
	}
	l.state = leaseBusy
	stop := l.stop
	l.stop = nil
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
	return nil
}

// release ends what claim began. As long as nothing is recorded, the renewing
// goes on.
func (l *lease) release(next leaseState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = next
	if next == leaseOpen && !l.ended {
		l.start()
	}
}

// acknowledger returns what can record a result in a transaction of the code.
func (l *lease) acknowledger() (core.TxAcknowledger, error) {
	p, ok := core.Ability[core.TxAcknowledger](l.d.cfg.Provider)
	if !ok {
		return nil, fmt.Errorf("%w: the provider %s takes no part in transactions of its caller", core.ErrNotSupported, l.d.cfg.Provider.Name())
	}
	return p, nil
}

// prepareTx renews before a transaction begins. A transaction that sees only
// what was there when it began cannot acknowledge a row that is renewed later,
// so this gives it a whole interval until the next renewal.
func (l *lease) prepareTx(ctx context.Context) error {
	if _, err := l.acknowledger(); err != nil {
		return err
	}
	if err := l.claim(); err != nil {
		return err
	}
	err := l.renew(ctx)
	l.release(leaseOpen)
	if errors.Is(err, core.ErrLockLost) {
		l.lost(err)
	}
	// Another error says nothing of the lock; the acknowledgement will.
	return context.Cause(ctx)
}

// completeTx records a result in a transaction of the code and commits it. The
// acknowledgement is the last statement: until then the row is free to be
// renewed, or deleted when the result is no longer wanted, and after it neither
// can happen. Once begun, it does not stop for the end of ctx.
func (l *lease) completeTx(ctx context.Context, tx core.Tx, result string, commit func(context.Context) error) (err error) {
	p, err := l.acknowledger()
	if err != nil {
		return err
	}
	if err := l.claim(); err != nil {
		return err
	}
	next := leaseOpen
	defer func() {
		l.release(next)
		if errors.Is(err, core.ErrLockLost) {
			l.lost(err)
		}
	}()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), completeTimeout)
	defer cancel()
	err = p.AckWorkItemTx(ctx, tx, core.AckWorkItemParams{
		LockToken: l.token, Completion: completion(l.item, outcome{result: result}),
	})
	if errors.Is(err, core.ErrLockLost) {
		return fmt.Errorf("%w: %w", ErrNotWanted, err)
	}
	if err != nil {
		return err
	}
	if err := commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	next = leaseRecorded
	return nil
}
