package durable_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// watchedLocks notes what a runtime asks of the queues, and when since its start.
type watchedLocks struct {
	core.Provider
	// storing is how long storing a turn takes.
	storing time.Duration

	mu         sync.Mutex
	turns      []core.FetchOrchestrationItemParams
	activities []core.FetchWorkItemParams
	// turnLock and activityLock are the renewals of the lock that was taken
	// first, since it was.
	turnLock, activityLock watchedLock
}

type watchedLock struct {
	token   string
	taken   time.Time
	renewed []time.Duration
	// renewals are those of all locks.
	renewals int
}

func (l *watchedLock) take(token string) {
	if l.token == "" {
		l.token, l.taken = token, time.Now()
	}
}

func (l *watchedLock) renew(token string) {
	if l.renewals++; token == l.token {
		l.renewed = append(l.renewed, time.Since(l.taken))
	}
}

func (w *watchedLocks) Unwrap() core.Provider { return w.Provider }

func (w *watchedLocks) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	w.mu.Lock()
	w.turns = append(w.turns, p)
	w.mu.Unlock()
	item, err := w.Provider.FetchOrchestrationItem(ctx, p)
	if item != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.turnLock.take(item.LockToken)
	}
	return item, err
}

func (w *watchedLocks) FetchWorkItem(ctx context.Context, p core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	w.mu.Lock()
	w.activities = append(w.activities, p)
	w.mu.Unlock()
	item, err := w.Provider.FetchWorkItem(ctx, p)
	if item != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.activityLock.take(item.LockToken)
	}
	return item, err
}

func (w *watchedLocks) RenewOrchestrationItemLock(ctx context.Context, p core.RenewLockParams) error {
	w.mu.Lock()
	w.turnLock.renew(p.LockToken)
	w.mu.Unlock()
	return w.Provider.RenewOrchestrationItemLock(ctx, p)
}

func (w *watchedLocks) RenewWorkItemLock(ctx context.Context, p core.RenewLockParams) error {
	w.mu.Lock()
	w.activityLock.renew(p.LockToken)
	w.mu.Unlock()
	return w.Provider.RenewWorkItemLock(ctx, p)
}

func (w *watchedLocks) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	time.Sleep(w.storing)
	return w.Provider.AckOrchestrationItem(ctx, p)
}

// withLocks runs f with a started runtime, whose options are these and no others.
func withLocks(t *testing.T, storing time.Duration, o *durable.Options, code []durable.Registration, f func(e *env, w *watchedLocks)) {
	t.Helper()
	inBubble(t, func(e *env) {
		w := &watchedLocks{Provider: e.p, storing: storing}
		reg := durable.NewRegistry()
		if err := reg.Add(code...); err != nil {
			t.Fatal(err)
		}
		rt, err := durable.NewRuntime(w, reg, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := rt.Start(e.ctx); err != nil {
			t.Fatal(err)
		}
		f(e, w)
		if err := rt.Shutdown(e.ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestFetchOptions: locks are taken for as long as the options say, and a fetch
// that finds nothing waits in the provider as long.
func TestFetchOptions(t *testing.T) {
	tests := map[string]struct {
		o                    *durable.Options
		turn, activity, poll time.Duration
	}{
		"the defaults":     {nil, 5 * time.Second, 30 * time.Second, 30 * time.Second},
		"others":           {&durable.Options{InstanceLock: 12 * time.Second, ActivityLock: time.Minute, PollTimeout: 10 * time.Second}, 12 * time.Second, time.Minute, 10 * time.Second},
		"very short locks": {&durable.Options{InstanceLock: 10 * time.Millisecond, ActivityLock: 20 * time.Millisecond}, 10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withLocks(t, 0, tt.o, code(func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) }), func(e *env, w *watchedLocks) {
				const idle = 10 * time.Minute
				time.Sleep(idle - 1)
				w.mu.Lock()
				fetches := 2 * int(idle/tt.poll) // of two fetchers
				if len(w.turns) != fetches || len(w.activities) != fetches {
					t.Errorf("%d and %d fetches in ten minutes, want %d each", len(w.turns), len(w.activities), fetches)
				}
				for _, p := range w.turns {
					if p.LockTimeout != tt.turn || p.PollTimeout != tt.poll {
						t.Errorf("a fetch of turns: lock %v, poll %v", p.LockTimeout, p.PollTimeout)
					}
				}
				for _, p := range w.activities {
					if p.LockTimeout != tt.activity || p.PollTimeout != tt.poll {
						t.Errorf("a fetch of activities: lock %v, poll %v", p.LockTimeout, p.PollTimeout)
					}
				}
				w.mu.Unlock()
				began := time.Now()
				run := begin(e, main, "i", "a")
				if out, err := run.Wait(e.ctx); err != nil || out != "A" {
					t.Errorf("%q, %v", out, err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("fetches that wait took %v to find work", took)
				}
			})
		})
	}
}

// TestActivityLocks: a lock is renewed in time however long the activity takes, so
// that it runs once.
func TestActivityLocks(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		o       *durable.Options
		takes   time.Duration
		renewed []time.Duration
	}{
		"the defaults, a long activity":  {nil, 80 * s, []time.Duration{25 * s, 50 * s, 75 * s}},
		"the defaults, a short activity": {nil, 20 * s, nil},
		"a short lock":                   {&durable.Options{ActivityLock: 3 * s}, 7 * s, []time.Duration{2 * s, 4 * s, 6 * s}},
		"a very short lock":              {&durable.Options{ActivityLock: s}, 1800 * time.Millisecond, []time.Duration{500 * time.Millisecond, s, 1500 * time.Millisecond}},
		"a buffer":                       {&durable.Options{ActivityLock: 60 * s, ActivityLockBuffer: 20 * s}, 100 * s, []time.Duration{40 * s, 80 * s}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const lasts = durable.Activity[int, string]("lasts")
			const many = 5
			var mu sync.Mutex
			ran := map[int]int{}
			withLocks(t, 0, tt.o, append(code(func(ctx *durable.Context, _ string) (string, error) {
				var all []*durable.Future[string]
				for i := range many {
					all = append(all, lasts.Schedule(ctx, i))
				}
				out, err := durable.JoinAll(ctx, all...)
				return fmt.Sprint(len(out)), err
			}), lasts.With(func(_ context.Context, i int) (string, error) {
				mu.Lock()
				ran[i]++
				mu.Unlock()
				time.Sleep(tt.takes)
				return "", nil
			})), func(e *env, w *watchedLocks) {
				wantRun(e, begin(e, main, "i", ""), fmt.Sprint(many))
				w.mu.Lock()
				defer w.mu.Unlock()
				mu.Lock()
				defer mu.Unlock()
				if diff := cmp.Diff(map[int]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, ran); diff != "" {
					t.Errorf("runs (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.renewed, w.activityLock.renewed); diff != "" {
					t.Errorf("one was renewed at (-want +got):\n%s", diff)
				}
				if n := w.activityLock.renewals; n != many*len(tt.renewed) {
					t.Errorf("%d renewals of %d locks", n, many)
				}
			})
		})
	}
}

// TestInstanceLocks: the lock of an instance is renewed while its turn is stored,
// so that the turn is taken once.
func TestInstanceLocks(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		o       *durable.Options
		takes   time.Duration
		renewed []time.Duration
	}{
		"the defaults": {nil, 10 * s, []time.Duration{3 * s, 6 * s, 9 * s}},
		"a short lock": {&durable.Options{InstanceLock: s}, 1800 * time.Millisecond, []time.Duration{500 * time.Millisecond, s, 1500 * time.Millisecond}},
		"a buffer":     {&durable.Options{InstanceLock: 20 * s, InstanceLockBuffer: 12 * s}, 20 * s, []time.Duration{8 * s, 16 * s}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withLocks(t, tt.takes, tt.o, code(func(_ *durable.Context, in string) (string, error) { return in, nil }), func(e *env, w *watchedLocks) {
				wantRun(e, begin(e, main, "i", "out"), "out")
				w.mu.Lock()
				defer w.mu.Unlock()
				if diff := cmp.Diff(tt.renewed, w.turnLock.renewed); diff != "" {
					t.Errorf("renewed at (-want +got):\n%s", diff)
				}
				if n := w.turnLock.renewals; n != len(tt.renewed) {
					t.Errorf("%d renewals of one turn", n)
				}
			})
		})
	}
}
