package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// remove deletes a root with its tree.
func (s *store) remove(id string, force bool) (*core.DeleteInstanceResult, error) {
	return s.admin.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: id, Force: force})
}

// wantRefusal checks that a deletion was refused, and that the instances are
// whole.
func (s *store) wantRefusal(t *testing.T, what string, err, want error, ids ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	for _, id := range ids {
		events, err := s.client.History(s.ctx, id)
		must(t, err)
		if s.info(t, id); len(events) == 0 {
			t.Errorf("%s: %s has no history", what, id)
		}
	}
}

// An instance that has ended, in whatever way, is deleted with all executions.
func TestDeleteEnded(t *testing.T) {
	deleted := func(executions uint64) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			want := &core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: executions}
			for _, n := range s.executions(t, id) {
				events, err := s.client.ExecutionHistory(s.ctx, id, n)
				must(t, err)
				want.EventsDeleted += uint64(len(events))
			}
			got, err := s.remove(id, false)
			must(t, err)
			equal(t, "deleted", want, got)
			s.gone(t, id)
			if _, err := s.remove(id, true); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("once more: %v, want ErrNotFound", err)
			}
		}
	}
	flows := map[string]flow{
		"a completed one": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "1")
			nextTurn(ctx)
			return "out", nil
		}, want: "out", end: deleted(1)},
		"a failed one": {code: func(*durable.Context, string) (string, error) { return "", errors.New("no luck") }, fail: "no luck", end: deleted(1)},
		"a cancelled one": {code: func(ctx *durable.Context, _ string) (string, error) {
			waits(ctx)
			return reads(ctx, "q")
		}, meanwhile: whenItWaits(func(t *testing.T, s *store, id string) {
			t.Helper()
			must(t, s.client.Cancel(s.ctx, id, "enough"))
		}), fail: "canceled: enough", end: deleted(1)},
		"one of many executions": {code: func(ctx *durable.Context, id string) (string, error) {
			return "", again(ctx, id, 3)
		}, end: deleted(3)},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, cast()...) })
}

// A running instance is deleted by force only. What its activity returns goes
// nowhere, not even to an instance that has taken the id meanwhile.
func TestDeleteRunning(t *testing.T) {
	const (
		hold = durable.Activity[string, string]("hold")
		life = durable.Orchestration[string, string]("life")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		started, released := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(released) })
		defer release()
		// With one slot, the next activity runs when this one is done with.
		runOn(t, s.p, &durable.Options{MaxActivities: 1}, cast(
			hold.With(func(context.Context, string) (string, error) {
				close(started)
				<-released
				return "stale", nil
			}),
			life.With(func(ctx *durable.Context, in string) (string, error) {
				if in == "second" {
					call := upcase.Schedule(ctx, in)
					waits(ctx)
					return call.Await(ctx)
				}
				return hold.Call(ctx, in)
			}))...)
		_, err := life.Start(s.ctx, s.client, "i", "first")
		must(t, err)
		receive(t, s.ctx, "the activity does not start", started)
		_, err = s.remove("i", false)
		s.wantRefusal(t, "without force", err, core.ErrStillRunning, "i")
		result, err := s.remove("i", true)
		must(t, err)
		equal(t, "deleted", &core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 2, QueueMessagesDeleted: 1}, result)
		s.gone(t, "i")
		run, err := life.Start(s.ctx, s.client, "i", "second")
		must(t, err)
		s.whenItWaits(t, "i")
		release()
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "output", "SECOND", out)
		records(core.TypeActivityCompleted, 1)(t, s, "i")
	})
}

// A tree is deleted from its root, as a whole.
func TestDeleteTree(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(family.With(familyCode))...)
		s.startFamily(t, "a", 2)
		s.startFamily(t, "b", 1)
		all := []string{"a", "a.1", "a.1.1", "a.2", "a.2.1"}
		for _, force := range []bool{false, true} {
			_, err := s.remove("a.1", force)
			s.wantRefusal(t, fmt.Sprint("a child, force ", force), err, core.ErrSubOrchestration, all...)
			_, err = s.remove("nobody", force)
			s.wantRefusal(t, fmt.Sprint("an unknown one, force ", force), err, core.ErrNotFound, all...)
		}
		_, err := s.remove("a", false)
		s.wantRefusal(t, "a running root", err, core.ErrStillRunning, all...)
		for _, id := range all {
			sends("end=over")(t, s, id)
		}
		_, err = family.Run(s.client, "a").Wait(s.ctx)
		must(t, err)
		_, err = s.remove("a.1", false)
		s.wantRefusal(t, "a child that has ended", err, core.ErrSubOrchestration, all...)
		result, err := s.remove("a", false)
		must(t, err)
		equal(t, "instances deleted", uint64(len(all)), result.InstancesDeleted)
		equal(t, "executions deleted", uint64(len(all)), result.ExecutionsDeleted)
		s.gone(t, all...)
		result, err = s.remove("b", true)
		must(t, err)
		equal(t, "instances deleted by force", 2, result.InstancesDeleted)
		s.gone(t, "b", "b.1")
	})
}

// A child that began after the tree was read is not left without its parent.
func TestDeleteRefusesOrphans(t *testing.T) {
	const parent = durable.Orchestration[string, string]("parent")
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(family.With(familyCode), parent.With(func(ctx *durable.Context, _ string) (string, error) {
			waits(ctx)
			if _, err := reads(ctx, "go"); err != nil {
				return "", err
			}
			return family.Call(ctx, 0, durable.WithInstanceID("late child"))
		}))...)
		_, err := parent.Start(s.ctx, s.client, "parent", "")
		must(t, err)
		s.whenItWaits(t, "parent")
		tree, err := s.admin.GetInstanceTree(s.ctx, core.GetInstanceTreeParams{Instance: "parent"})
		must(t, err)
		equal(t, "tree", []string{"parent"}, tree.AllIDs)
		sends("go=")(t, s, "parent")
		s.whenItWaits(t, "late child")
		_, err = s.admin.DeleteInstancesAtomic(s.ctx, core.DeleteInstancesAtomicParams{Instances: tree.AllIDs, Force: true})
		s.wantRefusal(t, "without the child", err, core.ErrOrphan, "parent", "late child")
		result, err := s.remove("parent", true)
		must(t, err)
		equal(t, "instances deleted", 2, result.InstancesDeleted)
		s.gone(t, "parent", "late child")
	})
}

// An id that was deleted starts anew, with nothing of its former life.
func TestDeletedIDStartsAnew(t *testing.T) {
	const life = durable.Orchestration[string, string]("life")
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(life.With(func(ctx *durable.Context, in string) (string, error) {
			if in == "first" {
				ctx.KVSetRaw("a", "1")
				ctx.SetStatus("busy")
				return "first", again(ctx, string(life), 3)
			}
			_, status := ctx.Status()
			out, err := upcase.Call(ctx, in)
			return fmt.Sprint(out, ctx.ExecutionID(), ctx.KVKeys(), status), err
		}))...)
		for in, want := range map[string]string{"second": "SECOND1 [] false", "third": "THIRD1 [] false"} {
			_, err := life.Start(s.ctx, s.client, "i", "first")
			must(t, err)
			_, err = s.client.Wait(s.ctx, "i")
			must(t, err)
			_, err = s.remove("i", false)
			must(t, err)
			s.gone(t, "i")
			run, err := life.Start(s.ctx, s.client, "i", in)
			must(t, err)
			out, err := run.Wait(s.ctx)
			must(t, err)
			equal(t, "output", want, out)
			equal(t, "executions", []uint64{1}, s.executions(t, "i"))
			_, err = s.remove("i", false)
			must(t, err)
		}
	})
}

// Instances are deleted while their turns and activities run; the others go on,
// and nothing of those is left or comes back.
func TestDeleteWhileWorking(t *testing.T) {
	const (
		busy = durable.Orchestration[string, string]("busy")
		many = 20
	)
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(busy.With(func(ctx *durable.Context, _ string) (string, error) {
			waits(ctx)
			for range 10 {
				nextTurn(ctx)
			}
			ctx.Timer(time.Hour) //durable:allow it is given up at the end
			return reads(ctx, "end")
		}))...)
		var ids, deleted []string
		for i := range many {
			id := fmt.Sprint("i", i)
			ids = append(ids, id)
			_, err := busy.Start(s.ctx, s.client, id, "")
			must(t, err)
		}
		for i, id := range ids {
			if i%2 == 0 {
				s.whenItWaits(t, id)
				_, err := s.remove(id, true)
				must(t, err)
				deleted = append(deleted, id)
			}
		}
		s.gone(t, deleted...)
		for i, id := range ids {
			sends("end="+id)(t, s, id) // those that are not there lose it
			if i%2 == 1 {
				out, err := busy.Run(s.client, id).Wait(s.ctx)
				must(t, err)
				equal(t, id, id, out)
			}
		}
		until(t, s.ctx, "the queues do not become empty", func() bool {
			depths, err := s.admin.GetQueueDepths(s.ctx)
			must(t, err)
			return *depths == core.QueueDepths{}
		})
		s.unknown(t, deleted...)
	})
}

// Of many who delete the same instances, one deletes each.
func TestDeleteConcurrently(t *testing.T) {
	const many = 10
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(family.With(familyCode))...)
		var ids []string
		for i := range many {
			id := fmt.Sprint("i", i)
			ids = append(ids, id)
			s.startFamily(t, id, i%2)
		}
		var all sync.WaitGroup
		var instances atomic.Uint64
		for range 4 {
			for _, id := range ids {
				all.Go(func() {
					result, err := s.remove(id, true)
					switch {
					case err == nil: // with nothing deleted, if another one was faster
						instances.Add(result.InstancesDeleted)
					case !errors.Is(err, core.ErrNotFound):
						t.Errorf("%s: %v", id, err)
					}
				})
			}
		}
		all.Wait()
		equal(t, "instances deleted", many+many/2, instances.Load())
		s.gone(t, ids...)
	})
}
