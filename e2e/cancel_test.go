package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// listener shows that it waits, and ends with the event "go".
const listener = durable.Orchestration[string, string]("listener")

func listening() durable.Registration {
	return listener.With(func(ctx *durable.Context, _ string) (string, error) { return listens(ctx, "go") })
}

// listens waits for an event after it has shown that it does.
func listens(ctx *durable.Context, name string) (string, error) {
	e := durable.WaitEvent[string](ctx, name)
	waits(ctx)
	return e.Await(ctx)
}

// cancels cancels instances when they wait: the flow itself, or others.
func cancels(reason string, others ...string) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, id string) {
		t.Helper()
		if len(others) == 0 {
			others = []string{id}
		}
		for _, other := range others {
			s.whenItWaits(t, other)
			must(t, s.client.Cancel(s.ctx, other, reason))
		}
	}
}

// worked waits until no message is left that an instance could take up now. Queues
// are worked off in order: what was sent before has then been seen.
func (s *store) worked(t *testing.T) {
	t.Helper()
	until(t, s.ctx, "messages stay in the queue", func() bool {
		depths, err := s.admin.GetQueueDepths(s.ctx)
		must(t, err)
		return depths.OrchestratorQueue == 0
	})
}

// ends compares the failures of other instances, which are all the same.
func ends(failure string, others ...string) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, _ string) {
		t.Helper()
		for _, id := range others {
			_, err := listener.Run(s.client, id).Wait(s.ctx)
			var failed *durable.RunError
			if !errors.As(err, &failed) || failed.Details.Error() != failure {
				t.Errorf("%s: %v, want %q", id, err, failure)
			}
		}
	}
}

// Instances are cancelled by clients, by their parents, and because their parents
// do not want them any more.
func TestCancel(t *testing.T) {
	const (
		soon    = 20 * time.Millisecond
		dropped = "canceled: parent dropped sub-orchestration future"
	)
	child := func(ctx *durable.Context, id string) *durable.Future[string] {
		return listener.Schedule(ctx, "", durable.WithInstanceID(id))
	}
	flows := map[string]flow{
		"reaches the child": {code: func(ctx *durable.Context, _ string) (string, error) { return child(ctx, "only child").Await(ctx) },
			meanwhile: func(t *testing.T, s *store, id string) {
				s.whenItWaits(t, "only child")
				must(t, s.client.Cancel(s.ctx, id, "enough"))
			}, fail: "canceled: enough", end: ends("canceled: parent canceled", "only child")},
		"reaches all children": {code: func(ctx *durable.Context, _ string) (string, error) {
			_, err := durable.JoinAll(ctx, child(ctx, "child 1"), child(ctx, "child 2"), child(ctx, "child 3"))
			return "", err
		}, meanwhile: func(t *testing.T, s *store, id string) {
			for _, c := range []string{"child 1", "child 2", "child 3"} {
				s.whenItWaits(t, c)
			}
			must(t, s.client.Cancel(s.ctx, id, "enough"))
		}, fail: "canceled: enough", end: ends("canceled: parent canceled", "child 1", "child 2", "child 3")},
		"of a child is its parent's to answer": {code: func(ctx *durable.Context, _ string) (string, error) {
			_, err := child(ctx, "unwanted").Await(ctx)
			return fmt.Sprint(errors.Is(err, durable.ErrCancelled), " ", err), nil
		}, meanwhile: cancels("shoo", "unwanted"), want: "true canceled: shoo"},
		"after the end": {code: func(*durable.Context, string) (string, error) { return "over", nil }, want: "over",
			end: func(t *testing.T, s *store, id string) {
				must(t, s.client.Cancel(s.ctx, id, "late"))
				s.worked(t)
				records(core.TypeOrchestrationCancelRequested, 0)(t, s, id)
				records(core.TypeOrchestrationCompleted, 1)(t, s, id)
				status, err := s.client.Status(s.ctx, id)
				must(t, err)
				equal(t, "state", core.StatusCompleted, status.State)
			}},
		"twice": {code: func(ctx *durable.Context, _ string) (string, error) { return listens(ctx, "go") },
			meanwhile: func(t *testing.T, s *store, id string) {
				cancels("first")(t, s, id)
				must(t, s.client.Cancel(s.ctx, id, "second"))
			}, fail: "canceled: first", end: func(t *testing.T, s *store, id string) {
				s.worked(t)
				records(core.TypeOrchestrationCancelRequested, 1)(t, s, id)
				records(core.TypeOrchestrationFailed, 1)(t, s, id)
			}},
		"in the second execution": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				return "", again(ctx, id, 2)
			}
			return listens(ctx, "go")
		}, meanwhile: cancels("enough"), fail: "canceled: enough", end: func(t *testing.T, s *store, id string) {
			records(core.TypeOrchestrationCancelRequested, 1)(t, s, id)
			first, err := s.client.ExecutionHistory(s.ctx, id, 1)
			must(t, err)
			equal(t, "the end of execution 1", core.TypeOrchestrationContinuedAsNew, first[len(first)-1].Data.EventType())
		}},
		"of a child that loses a race": {code: func(ctx *durable.Context, id string) (string, error) {
			winner := durable.Race(ctx, listener.Schedule(ctx, ""), ctx.Timer(soon))
			nextTurn(ctx)
			return fmt.Sprint(winner), nil
		}, want: "1", end: ends(dropped, "of a child that loses a race::sub::2")},
		"of a child with an id that loses a race": {code: func(ctx *durable.Context, _ string) (string, error) {
			winner := durable.Race(ctx, child(ctx, "loser of a race"), ctx.Timer(soon))
			nextTurn(ctx)
			return fmt.Sprint(winner), nil
		}, want: "1", end: ends(dropped, "loser of a race")},
		"of a child that is given up": {code: func(ctx *durable.Context, _ string) (string, error) {
			c := child(ctx, "given up")
			nextTurn(ctx)
			c.Cancel()
			nextTurn(ctx)
			return "on", nil
		}, want: "on", end: ends(dropped, "given up")},
		"of a child that a block left behind": {code: func(ctx *durable.Context, _ string) (string, error) {
			b := durable.Go(ctx, func(ctx *durable.Context) (string, error) { child(ctx, "left behind"); nextTurn(ctx); return "", nil })
			if _, err := b.Await(ctx); err != nil {
				return "", err
			}
			return listens(ctx, "go")
		}, meanwhile: func(t *testing.T, s *store, id string) { // it runs on
			ends(dropped, "left behind")(t, s, id)
			s.whenItWaits(t, id)
			must(t, s.client.RaiseEvent(s.ctx, id, "go", "on"))
		}, want: "on"},
		"of a child by two": {code: func(ctx *durable.Context, _ string) (string, error) {
			c := child(ctx, "of two")
			if _, err := listens(ctx, "go"); err != nil {
				return "", err
			}
			c.Cancel()
			nextTurn(ctx)
			return "on", nil
		}, meanwhile: func(t *testing.T, s *store, id string) {
			s.whenItWaits(t, id)
			s.whenItWaits(t, "of two")
			must(t, s.client.RaiseEvent(s.ctx, id, "go", ""))
			must(t, s.client.Cancel(s.ctx, "of two", "of a client"))
		}, want: "on", end: func(t *testing.T, s *store, _ string) {
			if _, err := listener.Run(s.client, "of two").Wait(s.ctx); !errors.Is(err, durable.ErrCancelled) {
				t.Errorf("%v, want ErrCancelled", err)
			}
			s.worked(t)
			records(core.TypeOrchestrationCancelRequested, 1)(t, s, "of two")
			records(core.TypeOrchestrationFailed, 1)(t, s, "of two")
		}},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		before, err := listener.Start(s.ctx, s.client, "before its start", "")
		must(t, err)
		must(t, s.client.Cancel(s.ctx, "before its start", "too soon"))
		must(t, s.client.Cancel(s.ctx, "nobody", "x"))
		s.runFlows(t, flows, cast(listening())...)
		if _, err := before.Wait(s.ctx); !errors.Is(err, durable.ErrCancelled) {
			t.Errorf("cancelled before its start: %v", err)
		}
		events, err := s.client.History(s.ctx, "before its start")
		must(t, err)
		equal(t, "first event", core.TypeOrchestrationStarted, events[0].Data.EventType())
		s.worked(t)
		if _, err := s.client.Status(s.ctx, "nobody"); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("status of nobody: %v, want ErrInstanceNotFound", err)
		}
		all, err := s.admin.ListInstances(s.ctx)
		must(t, err)
		for _, id := range all {
			if id == "nobody" {
				t.Error("the cancel made an instance")
			}
		}
	})
}

// attends is an activity that goes on until its context ends.
const attends = durable.Activity[string, string]("attends")

// An activity whose result nobody wants any more learns of it while it runs, and
// the code that gave it up goes on.
func TestActivityLearnsOfItsCancellation(t *testing.T) {
	started := func(ctx *durable.Context) *durable.Future[string] { return durable.WaitEvent[string](ctx, "started") }
	codes := map[string]func(ctx *durable.Context, id string) (string, error){
		"cancelled": func(ctx *durable.Context, id string) (string, error) { return attends.Call(ctx, id) },
		"loses a race": func(ctx *durable.Context, id string) (string, error) {
			if durable.Race(ctx, attends.Schedule(ctx, id), started(ctx)) == 0 {
				return "", errors.New("the activity has a result")
			}
			return listens(ctx, "go")
		},
		"given up": func(ctx *durable.Context, id string) (string, error) {
			call := attends.Schedule(ctx, id)
			if _, err := started(ctx).Await(ctx); err != nil {
				return "", err
			}
			call.Cancel()
			return listens(ctx, "go")
		},
		"left behind by a block": func(ctx *durable.Context, id string) (string, error) {
			b := durable.Go(ctx, func(ctx *durable.Context) (string, error) {
				attends.Schedule(ctx, id)
				return started(ctx).Await(ctx)
			})
			if _, err := b.Await(ctx); err != nil {
				return "", err
			}
			return listens(ctx, "go")
		},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		begun, causes := map[string]chan string{}, map[string]chan error{}
		flows := map[string]flow{}
		for name, code := range codes {
			begun[name], causes[name] = make(chan string, 1), make(chan error, 1)
			f := flow{code: code, want: "on"}
			if name == "cancelled" {
				f.want, f.fail = "", "canceled: enough"
			}
			f.meanwhile = func(t *testing.T, s *store, id string) {
				t.Helper()
				receive(t, s.ctx, "the activity does not start", begun[id])
				if f.fail != "" {
					must(t, s.client.Cancel(s.ctx, id, "enough"))
				} else {
					must(t, s.client.RaiseEvent(s.ctx, id, "started", ""))
				}
				if cause := receive(t, s.ctx, "the activity is not told", causes[id]); !errors.Is(cause, durable.ErrNotWanted) {
					t.Errorf("its context ended with %v, want ErrNotWanted", cause)
				}
				if f.fail == "" { // it still runs
					s.whenItWaits(t, id)
					must(t, s.client.RaiseEvent(s.ctx, id, "go", "on"))
				}
			}
			f.end = func(t *testing.T, s *store, id string) {
				t.Helper()
				records(core.TypeActivityCancelRequested, 1)(t, s, id)
				records(core.TypeActivityFailed, 0)(t, s, id)
			}
			flows[name] = f
		}
		s.runFlows(t, flows, attends.With(func(ctx context.Context, name string) (string, error) {
			begun[name] <- ""
			<-ctx.Done()
			causes[name] <- context.Cause(ctx)
			return "", ctx.Err()
		}))
	})
}

// What an activity returns after its orchestration has ended is nobody's, and one
// that has not started by then never does.
func TestActivityOutlivesItsOrchestration(t *testing.T) {
	const (
		held  = durable.Activity[string, string]("held")
		other = "other"
	)
	hold := func(ctx *durable.Context, id string) *durable.Future[string] {
		held.Schedule(ctx, id, durable.WithTag(other)) // where no worker is yet
		return held.Schedule(ctx, id)
	}
	ending := map[string]struct {
		code func(ctx *durable.Context, id string) (string, error)
		rows []string // after the scheduling of the activities and the event
	}{
		"completes": {func(ctx *durable.Context, id string) (string, error) {
			hold(ctx, id)
			return durable.WaitEvent[string](ctx, "go").Await(ctx)
		}, []string{core.TypeActivityCancelRequested, core.TypeActivityCancelRequested, core.TypeOrchestrationCompleted}},
		"fails": {func(ctx *durable.Context, id string) (string, error) {
			hold(ctx, id)
			_, err := durable.WaitEvent[string](ctx, "go").Await(ctx)
			return "", errors.Join(err, errors.New("no luck"))
		}, []string{core.TypeActivityCancelRequested, core.TypeActivityCancelRequested, core.TypeOrchestrationFailed}},
		"is cancelled": {func(ctx *durable.Context, id string) (string, error) { return hold(ctx, id).Await(ctx) },
			[]string{core.TypeOrchestrationFailed, core.TypeActivityCancelRequested, core.TypeActivityCancelRequested}},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		started, release, ran := make(chan string, 10), make(chan struct{}), make(chan string, 10)
		var code []durable.Registration
		for name, e := range ending {
			code = append(code, durable.Orchestration[string, string](name).With(e.code))
		}
		rt := runOn(t, s.p, nil, append(code, held.With(func(_ context.Context, id string) (string, error) {
			started <- id
			<-release
			return "late", nil
		}))...)
		for name := range ending {
			must(t, s.client.Start(s.ctx, name, name, name))
		}
		for range ending {
			receive(t, s.ctx, "activities do not start", started)
		}
		histories := map[string][]core.Event{}
		for name, e := range ending {
			must(t, s.client.RaiseEvent(s.ctx, name, "go", ""))
			if name == "is cancelled" {
				must(t, s.client.Cancel(s.ctx, name, "enough"))
			}
			_, err := s.client.Wait(s.ctx, name)
			must(t, err)
			events, err := s.client.History(s.ctx, name)
			must(t, err)
			histories[name] = events
			var rows []string
			for _, ev := range events[len(events)-len(e.rows):] {
				rows = append(rows, ev.Data.EventType())
			}
			equal(t, name, e.rows, rows)
		}
		close(release)
		must(t, rt.Shutdown(s.ctx)) // when all results have been offered
		for name, events := range histories {
			after, err := s.client.History(s.ctx, name)
			must(t, err)
			equal(t, "history of what "+name, events, after)
		}
		// What waited in the queue is gone: somebody who could run it does not.
		const marker = durable.Orchestration[string, string]("marker")
		second := runOn(t, s.p, &durable.Options{Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{other}}},
			held.With(func(_ context.Context, id string) (string, error) { ran <- id; return "", nil }),
			marker.With(func(ctx *durable.Context, id string) (string, error) {
				return held.Call(ctx, id, durable.WithTag(other))
			}))
		run, err := marker.Start(s.ctx, s.client, "marker", "marker")
		must(t, err)
		_, err = run.Wait(s.ctx)
		must(t, err)
		must(t, second.Shutdown(s.ctx))
		close(ran)
		for id := range ran {
			equal(t, "the only activity that ran", "marker", id)
		}
	})
}
