package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Children run in any runtime; their results and their errors reach the parent.
func TestChildren(t *testing.T) {
	t.Parallel()
	const (
		half  = durable.Orchestration[int, int]("half")
		total = durable.Orchestration[[]int, int]("total")
	)
	w := newWorld(t)
	code := []durable.Registration{
		half.With(func(_ *durable.Context, n int) (int, error) {
			if n%2 != 0 {
				return 0, errors.New("odd")
			}
			return n / 2, nil
		}),
		total.With(func(ctx *durable.Context, numbers []int) (int, error) {
			var all []*durable.Future[int]
			for _, n := range numbers {
				all = append(all, half.Schedule(ctx, n))
			}
			sum := 0
			for _, o := range durable.Join(ctx, all...) {
				if failed := (*durable.ChildError)(nil); errors.As(o.Err, &failed) && failed.Error() == "odd" {
					sum += 1000
				} else if o.Err != nil {
					return 0, o.Err
				}
				sum += o.Value
			}
			return sum, nil
		}),
	}
	w.run(t, nil, code...)
	w.run(t, nil, code...)
	run, err := total.Start(w.ctx, w.client(t), "total", []int{2, 4, 5, 6})
	must(t, err)
	sum, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "sum", 1006, sum)
	equal(t, "instances", 5, value[int](t, w, `SELECT count(*) FROM @.instances`))
	w.nothingLeft(t)
}

// Cancelling an instance cancels its child, the child's child, and the activity
// that this one waits for.
func TestCancelCascade(t *testing.T) {
	t.Parallel()
	const (
		endless = durable.Activity[string, string]("endless")
		nest    = durable.Orchestration[int, string]("nest")
	)
	started, ended := make(chan struct{}), make(chan error, 1)
	w := newWorld(t)
	w.run(t, &durable.Options{ActivityLock: time.Second, InstanceLock: time.Second},
		endless.With(func(ctx context.Context, _ string) (string, error) {
			close(started)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return "", context.Cause(ctx)
		}),
		nest.With(func(ctx *durable.Context, depth int) (string, error) {
			if depth == 0 {
				return endless.Call(ctx, "")
			}
			return nest.Call(ctx, depth-1)
		}))
	client := w.client(t)
	run, err := nest.Start(w.ctx, client, "top", 2)
	must(t, err)
	receive(t, w.ctx, "activity does not start", started)
	must(t, client.Cancel(w.ctx, "top", "enough"))
	if _, err := run.Wait(w.ctx); !errors.Is(err, durable.ErrCancelled) {
		t.Errorf("the parent ended with %v", err)
	}
	if err := receive(t, w.ctx, "activity is not told", ended); !errors.Is(err, durable.ErrNotWanted) {
		t.Errorf("the activity ended with %v", err)
	}
	until(t, w.ctx, "children do not end", func() bool {
		return value[int](t, w, `SELECT count(*) FROM @.executions WHERE status = $1`, core.StatusFailed) == 3
	})
	equal(t, "outputs", 3, value[int](t, w, `SELECT count(*) FROM @.executions WHERE output LIKE 'canceled: %'`))
	w.nothingLeft(t)
}

// turn takes one turn of an instance by hand, as another runtime of the family
// would: it fetches the instance, and stores what make gives it.
func (s *store) turn(t *testing.T, execution uint64, data []core.EventData, metadata core.ExecutionMetadata, send ...core.WorkItem) {
	t.Helper()
	item, err := s.p.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: patience})
	must(t, err)
	if item == nil {
		t.Fatal("no instance has a turn")
	}
	last := uint64(0)
	if execution == item.ExecutionID && len(item.History) > 0 {
		last = item.History[len(item.History)-1].ID
	}
	var events []core.Event
	for i, d := range data {
		events = append(events, core.Event{ID: last + uint64(i) + 1, InstanceID: item.Instance, ExecutionID: execution, DuroxideVersion: "0.1.32", Data: d})
	}
	must(t, s.p.AckOrchestrationItem(s.ctx, core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: execution, HistoryDelta: events, OrchestratorItems: send, Metadata: metadata,
	}))
}

// begunBy is the metadata of an execution's first turn.
func begunBy(name string) core.ExecutionMetadata {
	return core.ExecutionMetadata{OrchestrationName: new(name), OrchestrationVersion: new("1.0.0"), PinnedDuroxideVersion: new(core.MustParseVersion("0.1.32"))}
}

// squat has an instance end under an id that no client may use, as one of an old
// runtime can have.
func (s *store) squat(t *testing.T, id string) {
	t.Helper()
	must(t, s.p.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{
		Item: core.StartOrchestrationItem{Instance: id, Orchestration: "kid", Input: "squatter", ExecutionID: 1},
	}))
	s.end(t, id, "SQUATTER")
}

// Whose id a child takes is told so at once, and an id that nobody has is the
// child's alone.
func TestChildIDs(t *testing.T) {
	const (
		talker   = durable.Orchestration[string, string]("talker") // it ends with the message that it is sent
		borrower = durable.Orchestration[string, string]("borrower")
	)
	// scheduled returns the recorded ids of the children of an execution.
	scheduled := func(t *testing.T, s *store, id string, execution uint64) []string {
		t.Helper()
		events, err := s.client.ExecutionHistory(s.ctx, id, execution)
		must(t, err)
		var ids []string
		for _, ev := range events {
			if d, ok := ev.Data.(core.SubOrchestrationScheduled); ok {
				ids = append(ids, d.Instance)
			}
		}
		return ids
	}
	// waitsThenCalls lets the test squat before it starts its child.
	waitsThenCalls := func(executions uint64) func(ctx *durable.Context, id string) (string, error) {
		return func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() < executions {
				return "", again(ctx, id, executions)
			}
			if _, err := durable.Dequeue[string](ctx, "go").Await(ctx); err != nil {
				return "", err
			}
			return kid.Call(ctx, "never")
		}
	}
	// squats has the child's id taken before the parent goes on.
	squats := func(suffix string) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			s.squat(t, id+suffix)
			must(t, s.client.EnqueueMessage(s.ctx, id, "go", ""))
		}
	}
	flows := map[string]flow{
		"an ended instance has the generated id": {code: waitsThenCalls(1), meanwhile: squats("::sub::4"), fail: "already exists and is terminal"},
		"also in the second execution":           {code: waitsThenCalls(2), meanwhile: squats("::sub::2_4"), fail: "already exists and is terminal"},
		"another parent has the id": {code: func(ctx *durable.Context, _ string) (string, error) {
			mine := talker.Schedule(ctx, "", durable.WithInstanceID("shared child"))
			defer mine.Cancel()
			return borrower.Call(ctx, "shared child")
		}, fail: "sub-orchestration instance id 'shared child' already exists", end: func(t *testing.T, s *store, _ string) {
			// It was not disturbed: what ended it is that its own parent gave it up.
			_, err := talker.Run(s.client, "shared child").Wait(s.ctx)
			if err == nil || !strings.Contains(err.Error(), "parent dropped sub-orchestration future") {
				t.Errorf("the child: %v", err)
			}
		}},
		"an id with the marker inside": {code: func(ctx *durable.Context, _ string) (string, error) {
			return kid.Call(ctx, "a", durable.WithInstanceID("x::sub::y"))
		}, want: "A", end: func(t *testing.T, s *store, id string) {
			equal(t, "recorded", []string{"x::sub::y"}, scheduled(t, s, id, 1))
			s.end(t, "x::sub::y", "A")
		}},
		"an id that begins with the marker": {code: func(ctx *durable.Context, _ string) (string, error) {
			_, first := kid.Call(ctx, "a", durable.WithInstanceID("sub::x"))
			_, second := kid.Call(ctx, "a", durable.WithInstanceID("sub::pending_1"))
			_, third := kid.Version("1.0.0").Call(ctx, "a", durable.WithInstanceID("sub::x"))
			for _, err := range []error{first, second, third} {
				if err == nil || !strings.Contains(err.Error(), "reserved marker 'sub::'") {
					return "", fmt.Errorf("unexpected %w", err)
				}
			}
			return "refused", nil
		}, want: "refused", end: records(core.TypeSubOrchestrationScheduled, 0)},
		"a child in each execution": {code: func(ctx *durable.Context, id string) (string, error) {
			out, err := kid.Call(ctx, fmt.Sprint("child of ", ctx.ExecutionID()))
			if err != nil {
				return "", err
			}
			return out, again(ctx, id, 3)
		}, want: "CHILD OF 3", end: func(t *testing.T, s *store, id string) {
			for execution, suffix := range map[uint64]string{1: "sub::2", 2: "sub::2_2", 3: "sub::3_2"} {
				equal(t, "recorded", []string{suffix}, scheduled(t, s, id, execution))
				s.end(t, id+"::"+suffix, fmt.Sprint("CHILD OF ", execution))
			}
		}},
		"a result for an earlier execution is not the later one's": {code: func(ctx *durable.Context, id string) (string, error) {
			child := talker.Schedule(ctx, "", durable.WithInstanceID(fmt.Sprint("talker of ", ctx.ExecutionID())))
			if ctx.ExecutionID() == 1 {
				nextTurn(ctx) // the child begins
				return "", again(ctx, id, 2)
			}
			return child.Await(ctx)
		}, want: "second", meanwhile: func(t *testing.T, s *store, _ string) {
			s.whenItWaits(t, "talker of 1")
			s.whenItWaits(t, "talker of 2")
			for i, text := range []string{"first", "second"} {
				talks := fmt.Sprint("talker of ", i+1)
				must(t, s.client.EnqueueMessage(s.ctx, talks, "talk", text))
				s.end(t, talks, text)
				// Its result is worked off before the next one is sent.
				until(t, s.ctx, "the result stays in the queue", func() bool {
					depths, err := s.admin.GetQueueDepths(s.ctx)
					must(t, err)
					return depths.OrchestratorQueue == 0
				})
			}
		}},
		"a detached start of a child's id": {code: func(ctx *durable.Context, _ string) (string, error) {
			return "", kid.StartDetached(ctx, "a::sub::1", "a")
		}, fail: "orchestration panicked: instance id 'a::sub::1' uses the reserved sub-orchestration marker 'sub::'"},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlows(t, flows, cast(talker.With(func(ctx *durable.Context, _ string) (string, error) {
			waits(ctx)
			return durable.Dequeue[string](ctx, "talk").Await(ctx)
		}), borrower.With(func(ctx *durable.Context, id string) (string, error) {
			return talker.Call(ctx, "", durable.WithInstanceID(id))
		}))...)
	})
}

// An instance that an old runtime began, with an id of its own form for the
// child, gets the result of that child.
func TestChildIDOfAnOldRuntime(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		const id, parent = "sub::old-form", durable.Orchestration[string, string]("parent")
		_, err := parent.Start(s.ctx, s.client, "top", "in")
		must(t, err)
		s.turn(t, 1, []core.EventData{
			core.OrchestrationStarted{Name: "parent", Version: "1.0.0", Input: "in"},
			core.SubOrchestrationScheduled{Name: "kid", Instance: id, Input: "in"},
		}, begunBy("parent"), core.StartOrchestrationItem{
			Instance: "top::" + id, Orchestration: "kid", Input: "in",
			ParentInstance: new("top"), ParentID: new(uint64(2)), ParentExecutionID: new(uint64(1)), ExecutionID: 1,
		})
		runOn(t, s.p, nil, cast(parent.With(func(ctx *durable.Context, in string) (string, error) {
			out, err := kid.Call(ctx, in)
			if err != nil {
				return "", err
			}
			return relay.Call(ctx, out+"!")
		}))...)
		s.end(t, "top", "IN!")
		s.end(t, "top::"+id, "IN")
	})
}

// A child whose start does not say which execution of its parent it is of is told
// of, when its id is taken, to the one that runs.
func TestCollisionOfAnOldRuntime(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		const parent = durable.Orchestration[string, string]("parent")
		first := runOn(t, s.p, nil, cast()...)
		s.squat(t, "top::sub::2_2")
		must(t, first.Shutdown(s.ctx))
		run, err := parent.Start(s.ctx, s.client, "top", "one")
		must(t, err)
		ended := begunBy("parent")
		ended.Status, ended.Output = core.StatusContinuedAsNew, new("two")
		s.turn(t, 1, []core.EventData{
			core.OrchestrationStarted{Name: "parent", Version: "1.0.0", Input: "one"}, core.OrchestrationContinuedAsNew{Input: "two"},
		}, ended, core.ContinueAsNewItem{Instance: "top", Orchestration: "parent", Input: "two"})
		s.turn(t, 2, []core.EventData{
			core.OrchestrationStarted{Name: "parent", Version: "1.0.0", Input: "two"},
			core.SubOrchestrationScheduled{Name: "kid", Instance: "sub::2_2", Input: "in"},
		}, begunBy("parent"), core.StartOrchestrationItem{
			Instance: "top::sub::2_2", Orchestration: "kid", Input: "in", ParentInstance: new("top"), ParentID: new(uint64(2)), ExecutionID: 1,
		})
		runOn(t, s.p, nil, cast(parent.With(func(ctx *durable.Context, _ string) (string, error) { return kid.Call(ctx, "in") }))...)
		_, err = run.Wait(s.ctx)
		if err == nil || !strings.Contains(err.Error(), "sub-orchestration instance id 'top::sub::2_2' already exists and is terminal") {
			t.Errorf("the parent: %v", err)
		}
		equal(t, "executions", []uint64{1, 2}, s.executions(t, "top"))
	})
}
