package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Task is what an activity's code is told about its call.
type Task struct {
	core.ActivityExecuteItem
	// Attempt counts the deliveries, from 1.
	Attempt uint32
	// Heartbeat renews the lock now, and returns why the activity should stop.
	Heartbeat func(ctx context.Context) error
	// Limit bounds how long the code may take as a whole, and between two
	// heartbeats; 0 for not at all. It is called once, before the code runs.
	Limit func(startToClose, heartbeat time.Duration)
	// PrepareTx makes ready for a transaction of the code's own, before it
	// begins, and returns why there can be none.
	PrepareTx func(ctx context.Context) error
	// CompleteTx records the result in such a transaction and commits it. When
	// it returns nil, what the code returns does not matter any more; else the
	// transaction must be rolled back.
	CompleteTx func(ctx context.Context, tx core.Tx, result string, commit func(context.Context) error) error
}

// ActivityHandler is the code of an activity.
type ActivityHandler func(ctx context.Context, task Task) (string, error)

func (d *Dispatcher) fetchActivity() (func(), error) {
	session, full := d.sessions.fetchConfig()
	ctx := d.fetching
	if full != nil {
		// Without room for a session the fetch waits for less than there is. It
		// begins again as soon as there is room.
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		d.loops.Go(func() {
			select {
			case <-full:
				cancel()
			case <-ctx.Done():
			}
		})
	}
	locked, err := d.cfg.Provider.FetchWorkItem(ctx, core.FetchWorkItemParams{
		LockTimeout: d.cfg.ActivityLock,
		PollTimeout: d.cfg.PollTimeout,
		Session:     session,
		Tags:        d.cfg.Tags,
	})
	if locked == nil || err != nil {
		if ctx.Err() != nil && d.fetching.Err() == nil {
			return nil, nil
		}
		return nil, err
	}
	processed := d.fetched(WorkerQueue)
	return func() { processed(d.activity(locked)) }, nil
}

// outcome is how an activity's code ended: with a result or with the text of
// its error.
type outcome struct {
	result  string
	failed  bool
	failure string
}

func (d *Dispatcher) activity(locked *core.LockedWorkItem) Fate {
	item, ok := locked.Item.(core.ActivityExecuteItem)
	if !ok {
		d.log.Error("worker queue holds something that is not an activity: left to its lock", "item_type", locked.Item.ItemType())
		return Abandoned
	}
	log := d.log.With("instance_id", item.Instance, "execution_id", item.ExecutionID, "activity_name", item.Name, "activity_id", item.ID)
	giveBack := func(p core.AbandonParams) {
		p.LockToken = locked.LockToken
		d.release(d.cfg.Provider.AbandonWorkItem, p)
	}
	if !d.sessions.enter(item.SessionID) {
		giveBack(core.AbandonParams{Delay: 100 * time.Millisecond, IgnoreAttempt: true})
		return Abandoned
	}
	defer d.sessions.leave(item.SessionID)
	if locked.AttemptCount > d.cfg.Turns.MaxAttempts {
		log.Error("activity poisoned: fetched too often", "attempt_count", locked.AttemptCount, "max_attempts", d.cfg.Turns.MaxAttempts)
		return d.store(d.working, log, locked, failed(item, poisonedActivity(item, locked.AttemptCount, d.cfg.Turns.MaxAttempts)), 0)
	}
	handler, ok := d.cfg.Registry.ResolveActivity(item.Name)
	if !ok {
		delay := d.cfg.Turns.Backoff(locked.AttemptCount)
		log.Warn("activity not registered here: abandoned", "attempt_count", locked.AttemptCount,
			"remaining_attempts", d.cfg.Turns.MaxAttempts+1-locked.AttemptCount, "max_attempts", d.cfg.Turns.MaxAttempts, "backoff", delay)
		giveBack(core.AbandonParams{Delay: delay, StayAway: stayAway(delay)})
		return Abandoned
	}

	ctx, cancel := context.WithCancelCause(d.working)
	// The lock is kept until the outcome is stored, whatever ends first.
	l := d.keep(item, locked.LockToken, cancel)
	d.leases.add(l)
	defer func() {
		d.leases.remove(l)
		l.end()
		cancel(nil)
	}()

	task := Task{
		ActivityExecuteItem: item, Attempt: locked.AttemptCount,
		PrepareTx: l.prepareTx, CompleteTx: l.completeTx,
	}
	began := d.cfg.Clock.Now()
	recorded := func() Fate {
		d.activityEnded(ctx, locked, ActivityEnd{Took: d.since(began)})
		return Acked
	}
	outcomes := make(chan outcome, 1)
	d.userCode.Go(func() {
		limits := newTimeouts(d.cfg.Clock, cancel)
		defer limits.end()
		task.Limit = limits.limit
		task.Heartbeat = func(ctx context.Context) error {
			limits.beat()
			return l.heartbeat(ctx)
		}
		run(ctx, log, handler, task, outcomes)
	})

	select {
	case o := <-outcomes:
		if l.recorded() {
			log.Debug("activity finished in a transaction of its own")
			if o.failed {
				log.Warn("activity failed after its result was recorded: the result counts", "failure", o.failure)
			}
			return recorded()
		}
		// An error of code whose context has ended is the interruption, not a
		// failure; a result is a result.
		if !o.failed || ctx.Err() == nil {
			return d.store(ctx, log, locked, completion(item, o), d.since(began))
		}
		outcomes <- o
	case <-ctx.Done():
		if l.recorded() {
			return recorded()
		}
	}
	var timeout *TimeoutError
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &timeout):
		log.Warn("activity timed out", "error", timeout)
		// A result that comes in the time of grace is a result.
		switch o, ok := d.waitGrace(outcomes, log); {
		case l.recorded(): // by a transaction that was being completed already
			return recorded()
		case ok && !o.failed:
			return d.store(ctx, log, locked, completion(item, o), d.since(began))
		default:
			return d.store(ctx, log, locked, completion(item, outcome{failed: true, failure: timeout.Error()}), d.since(began))
		}
	case errors.Is(cause, ErrShutdown):
		log.Info("activity interrupted by shutdown: it will run again")
		giveBack(core.AbandonParams{IgnoreAttempt: true})
		return Abandoned
	case errors.Is(cause, ErrLockExpired):
		log.Warn("activity's lock expired: it will run again")
		giveBack(core.AbandonParams{})
		d.waitGrace(outcomes, log)
		return Abandoned
	default:
		log.Info("activity cancelled: its result is no longer wanted", "grace", d.cfg.CancellationGrace)
		d.waitGrace(outcomes, log)
		if l.recorded() { // by a transaction that was faster
			return recorded()
		}
		d.activityEnded(ctx, locked, ActivityEnd{Cancelled: true, Took: d.since(began)})
		return Lost
	}
}

// waitGrace keeps the slot while code whose context has ended may still be winding
// down. It returns how the code ended, if it did.
func (d *Dispatcher) waitGrace(outcomes <-chan outcome, log *slog.Logger) (o outcome, ended bool) {
	t := d.cfg.Clock.NewTimer(d.cfg.CancellationGrace)
	defer t.Stop()
	select {
	case o := <-outcomes:
		return o, true
	case <-t.C():
		log.Error("activity ignores its context: its goroutine is left behind")
	case <-d.working.Done():
	}
	return outcome{}, false
}

// run calls the code and sends how it ended, be it by a panic or by Goexit.
func run(ctx context.Context, log *slog.Logger, handler ActivityHandler, task Task, outcomes chan<- outcome) {
	o := outcome{failed: true, failure: "activity called runtime.Goexit"}
	defer func() {
		if r := recover(); r != nil {
			o.failure = fmt.Sprintf("activity panicked: %v", r)
			log.Error("activity panicked", "panic", r, "stack", string(debug.Stack()))
		}
		outcomes <- o
	}()
	result, err := handler(ctx, task)
	if err != nil {
		o.failure = err.Error() // user code too: it may panic
		return
	}
	o = outcome{result: result}
}

func completion(item core.ActivityExecuteItem, o outcome) core.WorkItem {
	if o.failed {
		return failed(item, core.ApplicationError{Kind: core.KindActivityFailed, Message: replay.Storable(o.failure)})
	}
	return core.ActivityCompletedItem{Instance: item.Instance, ExecutionID: item.ExecutionID, ID: item.ID, Result: o.result}
}

func failed(item core.ActivityExecuteItem, details core.ErrorDetails) core.WorkItem {
	return core.ActivityFailedItem{Instance: item.Instance, ExecutionID: item.ExecutionID, ID: item.ID, Details: details}
}

func poisonedActivity(item core.ActivityExecuteItem, attempts, limit uint32) core.ErrorDetails {
	message, err := core.EncodeWorkItem(item)
	if err != nil {
		message = []byte("null")
	}
	return core.PoisonError{
		AttemptCount: attempts, MaxAttempts: limit, Message: string(message),
		MessageType: core.PoisonActivity{Instance: item.Instance, ExecutionID: item.ExecutionID, ActivityName: item.Name, ActivityID: item.ID},
	}
}

// store acknowledges an activity, whose code took so long, with its completion. A
// completion that can never be stored is replaced by an error that says so.
func (d *Dispatcher) store(ctx context.Context, log *slog.Logger, locked *core.LockedWorkItem, done core.WorkItem, took time.Duration) Fate {
	// An outcome is worth storing during shutdown too, but not longer than the
	// lock can live.
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.ActivityLock)
	defer cancel()
	ack := func(c core.WorkItem) error {
		return d.retry(storing, func(ctx context.Context) error {
			return d.cfg.Provider.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: locked.LockToken, Completion: c})
		})
	}
	err := ack(done)
	if pe := (*core.ProviderError)(nil); errors.As(err, &pe) && !pe.Retryable && !errors.Is(err, core.ErrLockLost) {
		log.Error("activity's outcome cannot be stored: recorded as a failure", "error", err)
		done = failed(locked.Item.(core.ActivityExecuteItem), core.ApplicationError{
			Kind: core.KindActivityFailed, Message: "the activity's outcome cannot be stored: " + pe.Err.Error(),
		})
		err = ack(done)
	}
	switch {
	case err == nil:
		end := ActivityEnd{Took: took}
		if f, ok := done.(core.ActivityFailedItem); ok {
			end.Details = f.Details
		}
		d.activityEnded(ctx, locked, end)
		log.Debug("activity finished", "outcome", done.ItemType())
		return Acked
	case errors.Is(err, core.ErrLockLost):
		log.Info("activity's outcome discarded: its lock was lost or its result is no longer wanted")
		if errors.Is(context.Cause(ctx), ErrNotWanted) {
			d.activityEnded(ctx, locked, ActivityEnd{Cancelled: true, Took: took})
		}
		return Lost
	default:
		log.Warn("activity's outcome could not be stored: it will run again", "error", err)
		d.release(d.cfg.Provider.AbandonWorkItem, core.AbandonParams{LockToken: locked.LockToken, Delay: 100 * time.Millisecond})
		return Abandoned
	}
}
