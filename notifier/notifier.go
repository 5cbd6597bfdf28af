package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Queue is one of the two queues.
type Queue int

const (
	// Orchestrator is the queue of instances that have messages.
	Orchestrator Queue = iota
	// Worker is the queue of activities.
	Worker

	queues = 2
)

const (
	defaultRefreshInterval  = 30 * time.Second
	defaultFloorInterval    = 30 * time.Second
	defaultDegradedInterval = time.Second
	defaultGrace            = 5 * time.Millisecond

	// lookAhead times the refresh interval is the window. It has to be above
	// one, or a row whose time lies between two windows is missed.
	lookAhead = 2
	// refreshTimeout bounds one look ahead.
	refreshTimeout = 30 * time.Second
	// minRefreshPause keeps a queue that is full of due times from causing one
	// refresh after the other.
	minRefreshPause = 100 * time.Millisecond
)

// Options of a notifier. The zero value is usable; it only polls.
type Options struct {
	// Schema is the schema whose queues are watched, "public" by default.
	Schema string
	// Source opens the connection that listens. Nil listens to nothing.
	Source Source
	// Refresher looks ahead. Nil looks at nothing; then every notified due
	// time is kept, however far ahead it is.
	Refresher Refresher
	// RefreshInterval is the time between two looks ahead, from start to
	// start, 30 s by default. They look twice as far ahead.
	RefreshInterval time.Duration
	// FloorInterval is the time between two polls while the notifier listens,
	// 30 s by default.
	FloorInterval time.Duration
	// DegradedInterval is the same while it does not, 1 s by default.
	DegradedInterval time.Duration
	// Grace is added to every due time, 5 ms by default.
	Grace time.Duration
	// Waiting is told of the instances that ended or changed their custom status,
	// of a long id the first 200 characters. It must not block. Nil, and nothing
	// listens for them. Somebody has to tell the database that it is to notify
	// of them; that is not done here.
	Waiting func(instance string)
	// Now is the wall clock that due times are compared with, [time.Now] by
	// default. Waiting itself is on the monotonic clock.
	Now func() time.Time
	// Logger is told of lost connections. Nil discards.
	Logger *slog.Logger
}

// Notifier wakes waiting fetches. It is safe for concurrent use.
type Notifier struct {
	o        Options
	channels [queues]string
	waiting  string // the channel for those who wait for instances
	waiters  [queues]waiters
	running  atomic.Bool

	mu      sync.Mutex
	due     [queues]dueTimes
	floor   time.Time // when the next poll is
	refresh time.Time // when the next look ahead is
	status  Status
	changed chan struct{} // closed when status.Listening changes

	// kick makes the schedule look at its times again, look starts a look ahead.
	kick chan struct{}
	look chan struct{}
}

// New makes a notifier. It does nothing until [Notifier.Run].
func New(o Options) (*Notifier, error) {
	if o.Schema == "" {
		o.Schema = "public"
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		def   time.Duration
	}{
		{"RefreshInterval", &o.RefreshInterval, defaultRefreshInterval},
		{"FloorInterval", &o.FloorInterval, defaultFloorInterval},
		{"DegradedInterval", &o.DegradedInterval, defaultDegradedInterval},
		{"Grace", &o.Grace, defaultGrace},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("notifier: Options.%s: %v is negative", d.field, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	n := &Notifier{
		o: o, refresh: now, changed: make(chan struct{}), kick: make(chan struct{}, 1), look: make(chan struct{}, 1),
		status: Status{Since: now},
	}
	n.channels[Orchestrator] = o.Schema + "_orch_work"
	n.channels[Worker] = o.Schema + "_worker_work"
	n.waiting = o.Schema + "_dxgo_wait"
	n.waiters[Worker].all = true
	n.floor = n.nextFloor(now)
	return n, nil
}

// Run listens, looks ahead and wakes until the context ends. It returns when
// nothing of it runs any more, and must be called at most once.
func (n *Notifier) Run(ctx context.Context) error {
	if n.running.Swap(true) {
		return errors.New("notifier: Run was called before")
	}
	var wg sync.WaitGroup
	if n.o.Source != nil {
		wg.Go(func() { n.listen(ctx) })
	}
	if n.o.Refresher != nil {
		wg.Go(func() { n.lookAhead(ctx) })
	}
	n.schedule(ctx)
	wg.Wait()
	return nil
}

// Register announces a fetch that is going to wait. It has to come before the
// first query, so that work that appears between the query and the wait is not
// missed. Fetches of the orchestrator queue that do not take the same work must
// have different keys: one of each key is woken.
func (n *Notifier) Register(q Queue, key string) *Waiter {
	return n.waiters[q].add(key)
}

// Wake says that there may be work: one waiting fetch of the orchestrator queue
// is woken, or all of the worker queue.
func (n *Notifier) Wake(q Queue) {
	n.waiters[q].wakeSome()
}

// Hints counts how often there was a reason to look for work so far. Who keeps
// others from work that they look for, as with a lock, sees from it that they may
// have looked in vain, and have to be woken when he is done.
func (n *Notifier) Hints(q Queue) uint64 { return n.waiters[q].hints.Load() }

// At says that there may be work at a time by the wall clock.
func (n *Notifier) At(q Queue, due time.Time) {
	now := n.o.Now()
	if !due.After(now) {
		n.Wake(q)
		return
	}
	// Up to the next millisecond, which is what rows are compared with.
	ms := due.Add(time.Millisecond - 1).UnixMilli()
	n.later(q, ms, saturate(ms-now.UnixMilli())+n.o.Grace)
}

// later arranges a wake-up.
func (n *Notifier) later(q Queue, due int64, delay time.Duration) {
	n.mu.Lock()
	fire := time.Now().Add(delay)
	if !n.due[q].push(entry{due: due, fire: fire}) && fire.Before(n.refresh) {
		n.refresh = fire
	}
	n.mu.Unlock()
	n.reschedule()
}

func (n *Notifier) reschedule() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// window is how far ahead due times are kept.
func (n *Notifier) window() time.Duration {
	if n.o.Refresher == nil {
		return math.MaxInt64
	}
	return lookAhead * n.o.RefreshInterval
}

// notified acts on a notification.
func (n *Notifier) notified(msg Notification) {
	if msg.Channel == n.waiting && n.o.Waiting != nil {
		n.mu.Lock()
		n.status.Notifications++
		n.mu.Unlock()
		n.o.Waiting(msg.Payload)
		return
	}
	for q, channel := range n.channels {
		if msg.Channel != channel {
			continue
		}
		n.mu.Lock()
		n.status.Notifications++
		n.mu.Unlock()
		now := n.o.Now()
		switch action, delay := Classify(msg.Payload, now, n.window(), n.o.Grace); action {
		case WakeNow:
			n.Wake(Queue(q))
		case WakeLater:
			n.later(Queue(q), now.Add(delay-n.o.Grace).UnixMilli(), delay)
		case Ignore:
		}
	}
}

// schedule wakes at due times and polls, and says when to look ahead.
func (n *Notifier) schedule(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.kick:
		case <-timer.C:
		}
		timer.Reset(time.Until(n.tick(time.Now())))
	}
}

// tick does what is due and returns when to come again.
func (n *Notifier) tick(now time.Time) (next time.Time) {
	var wake [queues]bool
	n.mu.Lock()
	if !n.floor.After(now) {
		wake[Orchestrator], wake[Worker] = true, true
		n.floor = n.nextFloor(now)
	}
	next = n.floor
	if n.o.Refresher != nil {
		if !n.refresh.After(now) {
			n.refresh = now.Add(n.o.RefreshInterval)
			select {
			case n.look <- struct{}{}:
			default: // one is waiting already
			}
		}
		next = earlier(next, n.refresh)
	}
	wall := n.o.Now().UnixMilli()
	for q := range n.due {
		for _, e := range n.due[q].pop(now) {
			if e.due > wall {
				// The wall clock went slower. Waking now would be too early.
				e.fire = now.Add(saturate(e.due-wall) + n.o.Grace)
				n.due[q].push(e)
				continue
			}
			wake[q] = true
		}
		if fire, ok := n.due[q].next(); ok {
			next = earlier(next, fire)
		}
	}
	n.mu.Unlock()
	for q, w := range wake {
		if w {
			n.Wake(Queue(q))
		}
	}
	return next
}

// nextFloor returns when to poll next. The lock is held, or not needed yet.
func (n *Notifier) nextFloor(now time.Time) time.Time {
	if n.status.Listening {
		return now.Add(n.o.FloorInterval)
	}
	return now.Add(min(n.o.DegradedInterval, n.o.FloorInterval))
}

// lookAhead asks the database for due times whenever it is told to.
func (n *Notifier) lookAhead(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.look:
		}
		n.lookOnce(ctx)
		n.reschedule()
	}
}

func (n *Notifier) lookOnce(ctx context.Context) {
	start, wall := time.Now(), n.o.Now()
	bounded, cancel := context.WithTimeout(ctx, refreshTimeout)
	due, err := n.o.Refresher.Refresh(bounded, wall, wall.Add(n.window()))
	cancel()
	if ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	n.status.RefreshError = err
	switch {
	case err != nil:
		n.refresh = earlier(n.refresh, start.Add(min(n.o.DegradedInterval, n.o.RefreshInterval)))
	default:
		n.status.Refreshes++
		n.status.LastRefresh = start
		if !due.Until.IsZero() {
			n.refresh = earlier(n.refresh, start.Add(max(due.Until.Sub(wall), minRefreshPause)))
		}
	}
	n.mu.Unlock()
	if err != nil {
		n.o.Logger.WarnContext(ctx, "could not look ahead for work", "error", err)
		return
	}
	for q, times := range [queues][]time.Time{Orchestrator: due.Orchestrator, Worker: due.Worker} {
		for _, at := range times {
			n.At(Queue(q), at)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
