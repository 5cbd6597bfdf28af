package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Config is what a [Dispatcher] needs. Every field but Observer is set;
// durable.Options holds the defaults and the validation.
type Config struct {
	Provider core.Provider
	Registry Registry
	Turns    Turns
	Clock    core.Clock
	Logger   *slog.Logger
	Observer Observer // nil for none

	// Turn and activity slots, and how many goroutines fetch for them.
	MaxTurns, TurnFetchers          int
	MaxActivities, ActivityFetchers int

	PollTimeout     time.Duration
	MinPollInterval time.Duration

	InstanceLock, InstanceLockBuffer time.Duration
	ActivityLock, ActivityLockBuffer time.Duration

	// Warm bounds the executions that stay suspended between turns. It has no
	// effect on a provider that is no core.TurnTracker.
	Warm WarmConfig

	Tags    core.TagFilter
	Session SessionConfig
	// CancellationGrace is how long an unwanted activity may go on before its
	// slot is given to another one.
	CancellationGrace time.Duration
}

// The causes with which an activity's context ends.
var (
	// ErrNotWanted: the orchestration no longer wants the result.
	ErrNotWanted = errors.New("the activity's result is no longer wanted")
	// ErrShutdown: the runtime is shutting down; the activity will run again.
	ErrShutdown = errors.New("the runtime is shutting down")
	// ErrLockExpired: the lock could not be kept; another worker may run the
	// activity.
	ErrLockExpired = errors.New("the activity's lock expired")
)

// Dispatcher runs a provider's work. Start it once, shut it down once.
type Dispatcher struct {
	cfg      Config
	log      *slog.Logger
	sessions *sessionTracker
	// warm is nil if no execution is kept suspended; then fetches bring whole
	// histories along.
	warm         *warmCache
	historyLimit uint64

	leases leases

	// fetching ends when shutdown begins, working when the grace period does.
	fetching  context.Context
	stopFetch context.CancelFunc
	working   context.Context
	abort     context.CancelCauseFunc

	loops    sync.WaitGroup // fetch loops and what they started
	userCode sync.WaitGroup // activity functions, which may outlive their slot
}

// Start starts fetching. The values of ctx reach activities; its end does not
// stop the dispatcher, Shutdown does.
func Start(ctx context.Context, cfg Config) *Dispatcher {
	d := &Dispatcher{cfg: cfg, log: cfg.Logger, sessions: newSessionTracker(cfg.Session)}
	if tracker, ok := core.Ability[core.TurnTracker](cfg.Provider); ok && tracker.TracksTurns() && cfg.Warm.Instances > 0 {
		d.warm, d.historyLimit = newWarmCache(cfg.Warm), inlineHistory
		d.cfg.Turns.Suspend = true
	}
	d.cfg.Turns.Summarise = cfg.Observer != nil
	base := context.WithoutCancel(ctx)
	d.fetching, d.stopFetch = context.WithCancel(base)
	d.working, d.abort = context.WithCancelCause(base)
	turnSlots := make(chan struct{}, cfg.MaxTurns)
	for range cfg.TurnFetchers {
		d.loops.Go(func() { d.fetchLoop(turnSlots, d.fetchTurn) })
	}
	activitySlots := make(chan struct{}, cfg.MaxActivities)
	for range cfg.ActivityFetchers {
		d.loops.Go(func() { d.fetchLoop(activitySlots, d.fetchActivity) })
	}
	if cfg.Session.Owner != "" {
		d.loops.Go(d.keepSessions)
	}
	return d
}

// Shutdown stops fetching and waits for what is running. When ctx ends first,
// activities are told to stop, their locks are released so that another worker
// runs them at once, and turns are left to their locks. It returns an error
// that says how it ended, nil when everything finished. What user code ignores
// its context is left running, since Go cannot end it.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	d.stopFetch()
	if d.warm != nil {
		defer d.warm.close() // after the loops, which may still put something there
	}
	if waitFor(ctx, &d.loops) {
		d.abort(ErrShutdown)
		if waitFor(ctx, &d.userCode) {
			return nil
		}
		return errors.New("shutdown: activity code that ignores its context is still running")
	}
	d.abort(ErrShutdown)
	d.loops.Wait() // bounded: everything it does after the abort has a time-out
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if waitFor(late, &d.userCode) {
		return errors.New("shutdown: the grace period ended before all work did; what was interrupted will run again")
	}
	return errors.New("shutdown: activity code that ignores its context is still running; it will run again elsewhere")
}

// waitFor waits for wg until ctx ends, and reports whether wg was first.
func waitFor(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() { // ends with wg, which the owner of the dispatcher waits for
		defer close(done)
		wg.Wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// fetchLoop fetches while there are free slots, and runs each item in its own
// goroutine. fetch returns what to run, nil for nothing.
func (d *Dispatcher) fetchLoop(slots chan struct{}, fetch func() (run func(), err error)) {
	failures := 0
	for d.fetching.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-d.fetching.Done():
			return
		}
		began := d.cfg.Clock.Now()
		run, err := fetch()
		if run != nil {
			failures = 0
			d.loops.Go(func() {
				defer func() { <-slots }()
				run()
			})
			continue
		}
		<-slots
		var pause time.Duration
		switch {
		case d.fetching.Err() != nil:
			return
		case core.IsRetryable(err):
			failures++
			pause = min(100*time.Millisecond<<min(failures, 10), 3*time.Second)
			d.log.Warn("fetch failed: trying again", "error", err, "retry_in", pause)
		case err != nil:
			failures = 0
			pause = 100 * time.Millisecond
			d.log.Error("fetch failed", "error", err)
		default:
			failures = 0
			pause = d.cfg.MinPollInterval - d.cfg.Clock.Now().Sub(began)
		}
		if !d.sleep(d.fetching, pause) {
			return
		}
	}
}

// sleep waits for d unless ctx ends, and reports whether it did not.
func (d *Dispatcher) sleep(ctx context.Context, pause time.Duration) bool {
	if pause <= 0 {
		return ctx.Err() == nil
	}
	t := d.cfg.Clock.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// releaseTimeout bounds the calls that give work back while shutting down.
const releaseTimeout = 5 * time.Second

// release gives an item back even though the dispatcher's contexts have ended.
func (d *Dispatcher) release(abandon func(context.Context, core.AbandonParams) error, p core.AbandonParams) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.working), releaseTimeout)
	defer cancel()
	if err := abandon(ctx, p); err != nil && !errors.Is(err, core.ErrLockLost) {
		d.log.Warn("abandon failed: the lock is left to expire", "error", err)
	}
}

// Warm returns what became of the turns so far; zero if nothing is kept
// suspended.
func (d *Dispatcher) Warm() WarmStats {
	if d.warm == nil {
		return WarmStats{}
	}
	return d.warm.snapshot()
}
