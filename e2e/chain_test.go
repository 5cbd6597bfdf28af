package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Chains of executions, and what is sent to them.
func TestChains(t *testing.T) {
	chained := func(n int) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			equal(t, "executions", n, len(s.executions(t, id)))
		}
	}
	// raisesTwice sends an event that comes too early, and one when it is waited for.
	raisesTwice := func(t *testing.T, s *store, id string) {
		s.whenItWaits(t, id)
		must(t, s.client.RaiseEvent(s.ctx, id, "go", "early"))
		must(t, s.client.EnqueueMessage(s.ctx, id, "on", "")) // worked off in order
		status, err := s.client.WaitStatusChange(s.ctx, id, 1)
		must(t, err)
		equal(t, "status", "waits again", *status.CustomStatus)
		must(t, s.client.RaiseEvent(s.ctx, id, "go", "late"))
	}
	// asks waits for a message, then for an event.
	asks := func(ctx *durable.Context) (string, error) {
		event := durable.WaitEvent[string](ctx, "go")
		ctx.SetStatus("waits again")
		return event.Await(ctx)
	}
	flows := map[string]flow{
		"five executions": {code: func(ctx *durable.Context, id string) (string, error) {
			return fmt.Sprint(ctx.ExecutionID()), again(ctx, id, 5)
		}, want: "5", end: chained(5)},
		"five executions with activities": {code: func(ctx *durable.Context, id string) (string, error) {
			out, err := upcase.Call(ctx, fmt.Sprint("x", ctx.ExecutionID()))
			if err != nil {
				return "", err
			}
			return out, again(ctx, id, 5)
		}, want: "X5", end: func(t *testing.T, s *store, id string) {
			chained(5)(t, s, id)
			equal(t, "activities of the last", []string{"upcase"}, s.scheduled(t, id))
		}},
		"an actor": {code: func(ctx *durable.Context, id string) (string, error) {
			out, err := durable.JoinAll(ctx, upcase.Schedule(ctx, "health"), upcase.Schedule(ctx, "usage"))
			if err != nil {
				return "", err
			}
			if _, err := relay.Call(ctx, out[1]); err != nil {
				return "", err
			}
			ctx.Sleep(2 * time.Millisecond)
			return fmt.Sprint(out, increment(ctx, "rounds")), again(ctx, id, 12)
		}, want: "[HEALTH USAGE] 12", end: func(t *testing.T, s *store, id string) {
			chained(12)(t, s, id)
			records(core.TypeTimerFired, 1)(t, s, id)
		}},
		"a continue as new that is not returned": {code: func(ctx *durable.Context, id string) (string, error) {
			_ = durable.Orchestration[string, string](id).ContinueAsNew("never")
			nextTurn(ctx)
			return fmt.Sprint(ctx.ExecutionID()), nil
		}, want: "1", end: chained(1)},
		"an event finds the current execution": {code: func(ctx *durable.Context, id string) (string, error) {
			if err := again(ctx, id, 3); err != nil {
				return "", err
			}
			event := durable.WaitEvent[string](ctx, "go")
			waits(ctx)
			data, err := event.Await(ctx)
			return fmt.Sprint(data, " in ", ctx.ExecutionID()), err
		}, want: "event in 3", meanwhile: func(t *testing.T, s *store, id string) {
			s.whenItWaits(t, id)
			must(t, s.client.RaiseEvent(s.ctx, id, "go", "event"))
		}, end: records(core.TypeExternalEvent, 1)},
		"an event before the wait of the next execution": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				on := durable.Dequeue[string](ctx, "on")
				waits(ctx)
				_, err := on.Await(ctx)
				if err != nil {
					return "", err
				}
				return "", again(ctx, id, 2)
			}
			return asks(ctx)
		}, want: "late", meanwhile: raisesTwice, end: records(core.TypeExternalEvent, 1)},
		"an event before the wait of the same execution": {code: func(ctx *durable.Context, _ string) (string, error) {
			on := durable.Dequeue[string](ctx, "on")
			waits(ctx)
			if _, err := on.Await(ctx); err != nil {
				return "", err
			}
			return asks(ctx)
		}, want: "late", meanwhile: raisesTwice, end: records(core.TypeExternalEvent, 2)}, // the first one is kept
	}
	for i := range 10 {
		flows[fmt.Sprint("side by side ", i)] = flow{code: func(ctx *durable.Context, id string) (string, error) {
			out, err := relay.Call(ctx, id)
			if err != nil {
				return "", err
			}
			return fmt.Sprint(out, " in ", ctx.ExecutionID()), again(ctx, id, 5)
		}, want: fmt.Sprint("side by side ", i, " in 5"), end: chained(5)}
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, cast()...) })
}

// rounds let each party of a round go on when all of its parties are there.
type rounds struct {
	parties int
	mu      sync.Mutex
	there   map[string]int
	all     map[string]chan struct{}
}

func newRounds(parties int) *rounds {
	return &rounds{parties: parties, there: map[string]int{}, all: map[string]chan struct{}{}}
}

func (r *rounds) meet(ctx context.Context, round string) error {
	r.mu.Lock()
	if r.all[round] == nil {
		r.all[round] = make(chan struct{})
	}
	all := r.all[round]
	if r.there[round]++; r.there[round] == r.parties {
		close(all)
	}
	r.mu.Unlock()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Instances run at the same time, on activities of their own and on the same ones:
// each activity waits until all have begun.
func TestAtTheSameTime(t *testing.T) {
	const (
		left  = durable.Activity[string, string]("left")
		right = durable.Activity[string, string]("right")
		party = 6
	)
	calling := func(name string, activities ...durable.Activity[string, string]) durable.Registration {
		return durable.Orchestration[string, string](name).With(func(ctx *durable.Context, in string) (string, error) {
			var all []*durable.Future[string]
			for _, a := range activities {
				all = append(all, a.Schedule(ctx, in))
			}
			out, err := durable.JoinAll(ctx, all...)
			return strings.Join(out, ", "), err
		})
	}
	outputs := map[string]string{
		"one": "left of one", "other": "right of other", "same": "left of same",
		"joined": "right of joined, left of joined, left of joined",
	}
	onEachStore(t, func(t *testing.T, s *store) {
		all := newRounds(party)
		met := func(name string) func(ctx context.Context, id string) (string, error) {
			return func(_ context.Context, id string) (string, error) {
				return name + " of " + id, all.meet(s.ctx, "once")
			}
		}
		runOn(t, s.p, nil, left.With(met("left")), right.With(met("right")),
			calling("one", left), calling("other", right), calling("same", left), calling("joined", right, left, left))
		for id := range outputs {
			must(t, s.client.Start(s.ctx, id, id, id))
		}
		for id, output := range outputs {
			s.end(t, id, output)
		}
	})
}

// Of two equal activities the second one ends first, and the first one only after
// a restart: each result reaches its own call.
func TestEqualActivitiesOverARestart(t *testing.T) {
	const (
		same = durable.Activity[string, string]("same")
		code = durable.Orchestration[string, []string]("code")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		registrations := func(held uint64) []durable.Registration {
			return []durable.Registration{
				same.With(func(ctx context.Context, _ string) (string, error) {
					if id := durable.Info(ctx).ActivityID; id != held {
						return fmt.Sprint("result of ", id), nil
					}
					<-ctx.Done() // the process ends
					return "", context.Cause(ctx)
				}),
				code.With(func(ctx *durable.Context, _ string) ([]string, error) {
					return durable.JoinAll(ctx, same.Schedule(ctx, "in"), same.Schedule(ctx, "in"))
				}),
			}
		}
		first := runOn(t, s.p, nil, registrations(2)...)
		run, err := code.Start(s.ctx, s.client, "equal", "")
		must(t, err)
		until(t, s.ctx, "the second activity does not end", func() bool {
			events, err := s.client.History(s.ctx, "equal")
			must(t, err)
			return len(events) > 0 && events[len(events)-1].Data.EventType() == core.TypeActivityCompleted
		})
		now, cancel := context.WithCancel(s.ctx)
		cancel()
		if err := first.Shutdown(now); err == nil {
			t.Error("nothing was interrupted")
		}
		runOn(t, s.p, nil, registrations(0)...)
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "results", []string{"result of 2", "result of 3"}, out)
	})
}
