package durable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// slowPoll is the pause between two looks at all instances that are waited for
	// while the provider hints at those that change.
	slowPoll = 5 * time.Second
	// firstPause and lastPause are the limits of the pause without hints; it
	// doubles with each look, and starts again with each new wait.
	firstPause = 5 * time.Millisecond
	lastPause  = 100 * time.Millisecond
	// watchRetry is the pause before hints are asked for again.
	watchRetry = time.Second
	// askAtOnce is how many instances one question is about at most.
	askAtOnce = 1000
)

// waiting is what the waits of a client share: as long as there are any, one watch
// asks for all of them.
type waiting struct {
	mu    sync.Mutex
	watch *watch // nil while nobody waits
}

// watch asks the provider for the instances that are waited for: for one when it
// begins to be waited for or the provider hints at it, and for all from time to
// time, in case that a hint was lost.
type watch struct {
	client  *Client
	cancel  context.CancelFunc
	running sync.WaitGroup
	kick    chan struct{} // there is something to ask

	// The client's waiting.mu guards the rest.
	callers int                // that have not left
	waits   map[string][]*wait // unanswered, by instance
	due     map[string]struct{}
	fast    bool          // there are no hints
	next    time.Time     // when all are asked for
	pause   time.Duration // before the time after that, if there are no hints
}

// wait is one caller that waits.
type wait struct {
	// after is the version of the custom status above which the caller wants to
	// know; nil for the end only.
	after    *uint64
	answered chan answer // of one place, so that nobody waits for the caller
}

type answer struct {
	state core.InstanceState
	err   error
}

// await waits until an instance has ended, or its custom status has a version
// above after if that is not nil.
func (c *Client) await(ctx context.Context, id string, after *uint64) (*Status, error) {
	w := &wait{after: after, answered: make(chan answer, 1)}
	shared := c.join(id, w)
	defer c.leave(shared, id, w)
	select {
	case a := <-w.answered:
		if a.err != nil {
			return nil, fmt.Errorf("wait for %s: %w", id, a.err)
		}
		return c.statusOf(ctx, &a.state)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// statusOf is what a client sees of a state. It asks only for what the state does
// not tell.
func (c *Client) statusOf(ctx context.Context, state *core.InstanceState) (*Status, error) {
	if state.Status == core.StatusFailed || (state.Status == core.StatusCompleted && state.Output == nil) {
		return c.Status(ctx, state.InstanceID)
	}
	s := &Status{
		InstanceID: state.InstanceID, ExecutionID: state.ExecutionID, State: core.StatusRunning,
		CustomStatus: state.CustomStatus, CustomStatusVersion: state.CustomStatusVersion,
	}
	if state.Status == core.StatusCompleted {
		s.State, s.Output = core.StatusCompleted, *state.Output
	}
	return s, nil
}

// join adds a wait, and begins to watch if it is the first one.
func (c *Client) join(id string, w *wait) *watch {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	shared := c.waiting.watch
	first := shared == nil
	if first {
		shared = &watch{
			client: c, kick: make(chan struct{}, 1),
			waits: map[string][]*wait{}, due: map[string]struct{}{}, fast: true,
		}
		// It is nobody's own: the first caller may leave before the others.
		ctx, cancel := context.WithCancel(context.Background())
		shared.cancel = cancel
		c.waiting.watch = shared
		shared.running.Go(func() { shared.ask(ctx) })
		shared.running.Go(func() { shared.listen(ctx) })
	}
	shared.callers++
	shared.waits[id] = append(shared.waits[id], w)
	// The first hint, which comes at once, makes it ask for all.
	if _, hints := core.Ability[core.InstanceWatcher](c.provider); !first || !hints {
		shared.due[id] = struct{}{}
	}
	if shared.fast {
		shared.pause = firstPause
		if soon := c.clock.Now().Add(firstPause); first || soon.Before(shared.next) {
			shared.next = soon
		}
	}
	shared.wake()
	return shared
}

// leave takes a wait back. The last caller ends the watch and waits for it.
func (c *Client) leave(shared *watch, id string, w *wait) {
	c.waiting.mu.Lock()
	shared.remove(id, w)
	shared.callers--
	last := shared.callers == 0
	if last {
		c.waiting.watch = nil
	}
	c.waiting.mu.Unlock()
	if last {
		shared.cancel()
		shared.running.Wait()
	}
}

func (w *watch) remove(id string, gone *wait) {
	var rest []*wait
	for _, other := range w.waits[id] {
		if other != gone {
			rest = append(rest, other)
		}
	}
	if w.waits[id] = rest; len(rest) == 0 {
		delete(w.waits, id)
		delete(w.due, id)
	}
}

// wake makes the watch look at what it has to do.
func (w *watch) wake() {
	select {
	case w.kick <- struct{}{}:
	default: // it will
	}
}

// listen takes hints from the provider, if that gives any.
func (w *watch) listen(ctx context.Context) {
	watcher, ok := core.Ability[core.InstanceWatcher](w.client.provider)
	for ok {
		err := watcher.WatchInstances(ctx, w.hint)
		if ctx.Err() != nil || errors.Is(err, core.ErrClosed) {
			return
		}
		w.hint(core.InstanceHint{Blind: true})
		timer := w.client.clock.NewTimer(watchRetry)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// hint takes a hint. It holds the lock only for a moment and calls nobody.
func (w *watch) hint(h core.InstanceHint) {
	w.client.waiting.mu.Lock()
	defer w.client.waiting.mu.Unlock()
	switch {
	case h.Instance != "" && w.waits[h.Instance] == nil:
		return
	case h.Instance != "":
		w.due[h.Instance] = struct{}{}
	default:
		w.fast = h.Blind
		w.next = w.client.clock.Now()
		w.pause = firstPause
	}
	w.wake()
}

// ask asks for what is due until ctx ends.
func (w *watch) ask(ctx context.Context) {
	for ctx.Err() == nil {
		ids, idle := w.take()
		if len(ids) > 0 {
			w.answer(ctx, ids)
			continue // more may be due by now
		}
		timer := w.client.clock.NewTimer(idle)
		select {
		case <-w.kick:
		case <-timer.C():
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// take returns what is due, or how long nothing will be.
func (w *watch) take() (ids []string, idle time.Duration) {
	w.client.waiting.mu.Lock()
	defer w.client.waiting.mu.Unlock()
	now := w.client.clock.Now()
	if !now.Before(w.next) {
		for id := range w.waits {
			w.due[id] = struct{}{}
		}
		w.next = now.Add(slowPoll)
		if w.fast {
			w.next = now.Add(w.pause)
			w.pause = min(2*w.pause, lastPause)
		}
	}
	for id := range w.due {
		if len(ids) == askAtOnce {
			break
		}
		ids = append(ids, id)
		delete(w.due, id)
	}
	return ids, w.next.Sub(now)
}

// answer asks for instances and answers those who waited long enough.
func (w *watch) answer(ctx context.Context, ids []string) {
	began := w.client.clock.Now()
	states, failed := w.client.states(ctx, ids)
	if ctx.Err() != nil {
		return
	}
	w.client.waiting.mu.Lock()
	defer w.client.waiting.mu.Unlock()
	for _, state := range states {
		for _, wait := range slices.Clone(w.waits[state.InstanceID]) {
			if wait.isAnsweredBy(&state) {
				w.remove(state.InstanceID, wait)
				wait.answered <- answer{state: state}
			}
		}
	}
	for id, err := range failed {
		for _, wait := range w.waits[id] {
			wait.answered <- answer{err: err}
		}
		delete(w.waits, id)
	}
	// Where each instance costs a question, asking takes half of the time at most.
	now := w.client.clock.Now()
	if earliest := now.Add(now.Sub(began)); w.next.Before(earliest) {
		w.next = earliest
	}
}

func (w *wait) isAnsweredBy(s *core.InstanceState) bool {
	return s.Status == core.StatusCompleted || s.Status == core.StatusFailed ||
		(w.after != nil && s.CustomStatusVersion > *w.after)
}

// states returns the states of the instances that exist, and the errors of those
// that could not be asked for.
func (c *Client) states(ctx context.Context, ids []string) (states []core.InstanceState, failed map[string]error) {
	failed = map[string]error{}
	if reader, ok := core.Ability[core.InstanceStateReader](c.provider); ok {
		states, err := reader.GetInstanceStates(ctx, core.GetInstanceStatesParams{Instances: ids})
		if err == nil {
			return states, failed
		}
		if core.IsRetryable(err) || len(ids) == 1 {
			for _, id := range ids {
				failed[id] = err
			}
			return nil, failed
		}
		// One of them may be at fault. The others must not suffer.
		for _, id := range ids {
			one, failure := c.states(ctx, []string{id})
			states = append(states, one...)
			maps.Copy(failed, failure)
		}
		return states, failed
	}
	for _, id := range ids {
		state, err := c.state(ctx, id)
		switch {
		case err != nil:
			failed[id] = err
		case state != nil:
			states = append(states, *state)
		}
	}
	return states, failed
}

// state asks for one instance where there is no other way; nil for an unknown one.
func (c *Client) state(ctx context.Context, id string) (*core.InstanceState, error) {
	state := &core.InstanceState{InstanceID: id}
	if admin, ok := core.Ability[core.AdminReader](c.provider); ok {
		info, err := admin.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: id})
		if errors.Is(err, core.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		state.ExecutionID, state.Status, state.Output = info.CurrentExecutionID, info.Status, info.Output
	} else {
		s, err := c.readStatus(ctx, id)
		if errors.Is(err, ErrInstanceNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		state.ExecutionID, state.Status, state.Output = s.ExecutionID, s.State, &s.Output
	}
	custom, err := c.provider.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: id})
	if err != nil {
		return nil, err
	}
	if custom != nil {
		state.CustomStatus, state.CustomStatusVersion = custom.Status, custom.Version
	}
	return state, nil
}
