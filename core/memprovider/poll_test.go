package memprovider_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

// A poller is one of the two fetches.
type poller struct {
	name string
	// poll waits up to timeout and reports whether it fetched anything.
	poll func(ctx context.Context, s store, lease, timeout time.Duration) (bool, error)
	send func(s store)
}

var pollers = []poller{
	{"turn", func(ctx context.Context, s store, lease, timeout time.Duration) (bool, error) {
		item, err := s.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: timeout})
		return item != nil, err
	}, func(s store) { s.send(start("a")) }},
	{"activity", func(ctx context.Context, s store, lease, timeout time.Duration) (bool, error) {
		item, err := s.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: timeout})
		return item != nil, err
	}, func(s store) { s.send(activity(1)) }},
}

// eachPoller measures, in a bubble, how long a fetch with a poll time-out of
// one minute waits.
func eachPoller(t *testing.T, name string, prepare func(s store, p poller), want time.Duration, wantFound bool) {
	for _, p := range pollers {
		t.Run(p.name+"/"+strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				prepare(s, p)
				began := time.Now()
				found, err := p.poll(s.ctx, s, lease, time.Minute)
				s.check(err)
				equal(t, "found", found, wantFound)
				equal(t, "waited", time.Since(began), want)
			})
		})
	}
}

// later does something while the fetch waits.
func later(s store, d time.Duration, do func()) {
	began := time.Now()
	time.AfterFunc(d, func() {
		if time.Since(began) != d {
			s.t.Error("late")
		}
		do()
	})
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	const s1 = time.Second
	eachPoller(t, "nothing", func(store, poller) {}, time.Minute, false)
	eachPoller(t, "work is there", func(s store, p poller) { p.send(s) }, 0, true)
	eachPoller(t, "work arrives", func(s store, p poller) {
		later(s, s1, func() { p.send(s) })
	}, s1, true)
	eachPoller(t, "work arrives at the end", func(s store, p poller) {
		later(s, time.Minute-1, func() { p.send(s) })
	}, time.Minute-1, true)
	eachPoller(t, "lock expires", func(s store, p poller) {
		p.send(s)
		_, err := p.poll(s.ctx, s, 3*s1, 0)
		s.check(err)
	}, 3*s1, true)
	eachPoller(t, "lock expires late because it was renewed", func(s store, p poller) {
		p.send(s)
		if p.name == "turn" {
			turn := s.turn("a")
			later(s, s1, func() {
				s.check(s.RenewOrchestrationItemLock(s.ctx, core.RenewLockParams{LockToken: turn.LockToken, ExtendFor: 20 * s1}))
			})
		} else {
			work := s.work(1, anyWork)
			later(s, s1, func() {
				s.check(s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: work.LockToken, ExtendFor: 20 * s1}))
			})
		}
	}, 21*s1, true)
	eachPoller(t, "abandoned", func(s store, p poller) {
		p.send(s)
		if p.name == "turn" {
			turn := s.turn("a")
			later(s, s1, func() {
				s.check(s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: turn.LockToken, Delay: s1}))
			})
		} else {
			work := s.work(1, anyWork)
			later(s, s1, func() {
				s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: work.LockToken, Delay: s1}))
			})
		}
	}, 2*s1, true)
}

// Of two fetches that wait for one message the second gets it when the lock of
// the first expires, though that lock did not exist when it began to wait.
func TestLongPollSeesLocksTakenMeanwhile(t *testing.T) {
	t.Parallel()
	for _, p := range pollers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				began := time.Now()
				found := make(chan time.Duration, 2)
				for range 2 {
					go func() {
						if ok, err := p.poll(s.ctx, s, 3*time.Second, time.Minute); !ok || err != nil {
							t.Error(ok, err)
						}
						found <- time.Since(began)
					}()
				}
				later(s, time.Second, func() { p.send(s) })
				equal(t, "first", <-found, time.Second)
				equal(t, "second", <-found, 4*time.Second)
			})
		})
	}
}

func TestLongPollOfTurns(t *testing.T) {
	t.Parallel()
	poll := func(s store, f *core.CapabilityFilter) (*core.OrchestrationItem, time.Duration) {
		began := time.Now()
		item := s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: time.Minute, Filter: f})
		return item, time.Since(began)
	}
	tests := []struct {
		name    string
		prepare func(s store)
		filter  *core.CapabilityFilter
		want    time.Duration
		found   bool
	}{
		{"delayed message", func(s store) { s.sendLater(time.Second, start("a")) }, nil, time.Second, true},
		{"an earlier one arrives", func(s store) {
			s.sendLater(30*time.Second, start("a"))
			later(s, time.Second, func() { s.sendLater(time.Second, start("b")) })
		}, nil, 2 * time.Second, true},
		{"timer", func(s store) {
			s.send(core.TimerFiredItem{Instance: "a", FireAtMs: core.Milliseconds(time.Now()) + 2500})
		}, nil, 2500 * time.Millisecond, true},
		{"completion of an activity", func(s store) {
			s.send(activity(1))
			work := s.work(1, anyWork)
			later(s, time.Second, func() {
				s.check(s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work.LockToken, Completion: completed("a", 1)}))
			})
		}, nil, time.Second, true},
		{"message of a turn", func(s store) {
			s.send(start("a"))
			turn := s.turn("a")
			later(s, time.Second, func() {
				s.ack(turn, func(p *core.AckOrchestrationItemParams) { p.OrchestratorItems = []core.WorkItem{start("b")} })
			})
		}, nil, time.Second, true},
		{"message during a turn that ends", func(s store) {
			s.send(start("a"))
			turn := s.turn("a")
			s.send(external("a"))
			later(s, time.Second, func() { s.ack(turn, nil) })
		}, nil, time.Second, true},
		{"message of an excluded instance", func(s store) {
			pinned(s, "a", "2.0.0")
			later(s, time.Second, func() { s.send(external("a")) })
		}, &core.CapabilityFilter{SupportedVersions: []core.VersionRange{{Max: *version("1.0.0")}}}, time.Minute, false},
		{"pin changes", func(s store) {
			pinned(s, "a", "2.0.0")
			s.send(external("a"))
			turn := s.turn("a")
			s.send(external("a"))
			later(s, time.Second, func() {
				s.ack(turn, func(p *core.AckOrchestrationItemParams) { p.Metadata.PinnedDuroxideVersion = version("1.0.0") })
			})
		}, &core.CapabilityFilter{SupportedVersions: []core.VersionRange{{Max: *version("1.0.0")}}}, time.Second, true},
		{"nothing supported", func(s store) { s.send(start("a")) }, &core.CapabilityFilter{}, time.Minute, false},
		{"orphans arrive", func(s store) {
			later(s, time.Second, func() { s.send(queued("ghost", "m")) })
		}, nil, time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				tt.prepare(s)
				item, waited := poll(s, tt.filter)
				equal(t, "waited", waited, tt.want)
				equal(t, "found", item != nil, tt.found)
			})
		})
	}
}

func TestLongPollOfActivities(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(s store)
		params  core.FetchWorkItemParams
		want    time.Duration
		found   bool
	}{
		{"scheduled by a turn", func(s store) {
			s.send(start("a"))
			turn := s.turn("a")
			later(s, time.Second, func() {
				s.ack(turn, func(p *core.AckOrchestrationItemParams) { p.WorkerItems = []core.WorkItem{activity(1)} })
			})
		}, anyWork, time.Second, true},
		{"session expires", func(s store) {
			s.send(inSession(1, "s"), inSession(2, "s"))
			s.work(1, byFor("x", 3*time.Second))
		}, by("y"), 3 * time.Second, true},
		{"session is claimed anew for less", func(s store) {
			s.send(inSession(1, "s"), inSession(2, "s"), inSession(3, "s"))
			s.work(1, byFor("x", time.Hour))
			later(s, time.Second, func() { s.work(2, byFor("x", 3*time.Second)) })
		}, by("y"), 4 * time.Second, true},
		{"session is renewed to an earlier end", func(s store) {
			s.send(inSession(1, "s"), inSession(2, "s"))
			s.work(1, byFor("x", time.Hour))
			later(s, time.Second, func() { s.renewSessions(2*time.Second, time.Hour, "x") })
		}, by("y"), 3 * time.Second, true},
		{"session item without owner", func(s store) { s.send(inSession(1, "s")) }, anyWork, time.Minute, false},
		{"other tag", func(s store) {
			later(s, time.Second, func() { s.send(withTag(1, "gpu")) })
		}, tagged(core.TagsOnly, "cpu"), time.Minute, false},
		{"no tag at all", func(s store) { s.send(activity(1)) }, tagged(core.TagsNone), time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				tt.prepare(s)
				tt.params.PollTimeout = time.Minute
				began := time.Now()
				item := s.tryWork(tt.params)
				equal(t, "waited", time.Since(began), tt.want)
				equal(t, "found", item != nil, tt.found)
			})
		})
	}
}

// The end of the context passes through as it is, and nothing is locked.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	reason := errors.New("shutting down")
	for _, p := range pollers {
		t.Run(p.name+"/while it waits", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				ctx, cancel := context.WithCancelCause(s.ctx)
				later(s, time.Second, func() { cancel(reason) })
				began := time.Now()
				_, err := p.poll(ctx, s, lease, time.Minute)
				equal(t, "error", err, reason)
				equal(t, "waited", time.Since(began), time.Second)
				p.send(s)
				found, err := p.poll(s.ctx, s, lease, 0)
				s.check(err)
				equal(t, "found", found, true)
			})
		})
		t.Run(p.name+"/with a deadline", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				ctx, cancel := context.WithTimeout(s.ctx, time.Second)
				defer cancel()
				_, err := p.poll(ctx, s, lease, time.Minute)
				equal(t, "error", err, context.DeadlineExceeded)
			})
		})
		t.Run(p.name+"/before it begins", func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			p.send(s)
			ctx, cancel := context.WithCancelCause(s.ctx)
			cancel(reason)
			_, err := p.poll(ctx, s, lease, 0)
			equal(t, "error", err, reason)
			found, err := p.poll(s.ctx, s, lease, 0)
			s.check(err)
			equal(t, "found", found, true)
		})
	}
}

func TestEndedContextChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(start("a"), activity(1))
	turn, work := s.turn("a").LockToken, s.work(1, anyWork).LockToken
	reason := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(s.ctx)
	cancel(reason)
	calls := map[string]func() error{
		"ack": func() error {
			return s.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: turn, ExecutionID: 1})
		},
		"abandon": func() error { return s.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: turn}) },
		"renew": func() error {
			return s.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: turn, ExtendFor: 1})
		},
		"send": func() error {
			return s.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start("b")})
		},
		"schedule": func() error { return s.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity(2)}) },
		"ack work": func() error {
			return s.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: work, Completion: completed("b", 1)})
		},
		"abandon work": func() error { return s.AbandonWorkItem(ctx, core.AbandonParams{LockToken: work}) },
		"renew work":   func() error { return s.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: work, ExtendFor: 1}) },
		"append": func() error {
			return s.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "a", Events: []core.Event{started(1)}})
		},
		"read": func() error { _, err := s.Read(ctx, core.ReadParams{Instance: "a"}); return err },
		"list": func() error { _, err := s.ListInstances(ctx); return err },
	}
	for name, call := range calls {
		equal(t, name, call(), reason)
	}
	s.noTurn()
	s.noWork(anyWork)
	equal(t, "events", len(s.read("a")), 0)
	s.check(s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work}))
	s.check(s.AckOrchestrationItem(s.ctx, core.AckOrchestrationItemParams{LockToken: turn, ExecutionID: 1}))
}

// Many fetches wait, and every message wakes one that takes it.
func TestWaitingFetchesShareTheWork(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		const n = 20
		var mu sync.Mutex
		got := map[string]bool{}
		for range n {
			go func() {
				item := s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: time.Hour, PollTimeout: time.Minute})
				mu.Lock()
				defer mu.Unlock()
				if item != nil {
					got[item.Instance] = true
				}
			}()
		}
		synctest.Wait()
		for id := range n {
			s.send(start(fmt.Sprint(id)))
		}
		synctest.Wait()
		equal(t, "instances", len(got), n)
	})
}

// A manualClock stands still until it is moved.
type manualClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer
	armed  chan struct{} // told of every new timer
}

type manualTimer struct {
	at time.Time
	c  chan time.Time
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) NewTimer(d time.Duration) core.Timer {
	c.mu.Lock()
	timer := &manualTimer{c.now.Add(d), make(chan time.Time, 1)}
	c.timers = append(c.timers, timer)
	c.mu.Unlock()
	c.armed <- struct{}{}
	return timer
}

func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for _, timer := range c.timers {
		if !timer.at.After(c.now) {
			select {
			case timer.c <- c.now:
			default:
			}
		}
	}
}

func (t *manualTimer) C() <-chan time.Time { return t.c }
func (t *manualTimer) Stop() bool          { return true }

// All time comes from the injected clock: here an hour passes at once.
func TestInjectedClock(t *testing.T) {
	t.Parallel()
	clock := &manualClock{now: time.UnixMilli(1_000_000), armed: make(chan struct{}, 10)}
	s := newStore(t)
	s.Provider = memprovider.New(&memprovider.Options{Clock: clock})
	s.create("a")
	s.sendLater(time.Hour, external("a"))
	done := make(chan *core.OrchestrationItem)
	poll := func(timeout time.Duration) {
		go func() {
			item, err := s.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: timeout})
			if err != nil {
				t.Error(err)
			}
			done <- item
		}()
		<-clock.armed
	}
	poll(time.Minute)
	clock.advance(time.Minute)
	equal(t, "fetched", <-done, (*core.OrchestrationItem)(nil))

	poll(2 * time.Hour)
	clock.advance(59 * time.Minute)
	equal(t, "fetched", (<-done).Instance, "a")
	info, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"})
	s.check(err)
	equal(t, "created", info.CreatedAtMs, uint64(1_000_000))
}
