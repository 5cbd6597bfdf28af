package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// brief is the lock of what a process takes that is dead soon, and how long a
// fetch waits to be told of work before it looks again: nobody tells of a lock
// that expired.
const brief = time.Second

// A process that took work and died leaves it to its lock: then another one does
// it, and each result is recorded once.
func TestWorkOfADeadProcess(t *testing.T) {
	const (
		count = durable.Activity[string, uint32]("count")
		code  = durable.Orchestration[int, []uint32]("code")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		o := durable.Options{InstanceLock: brief, ActivityLock: brief, PollTimeout: brief}
		callers := code.With(func(ctx *durable.Context, n int) ([]uint32, error) {
			var all []*durable.Future[uint32]
			for range n {
				all = append(all, count.Schedule(ctx, ""))
			}
			return durable.JoinAll(ctx, all...)
		})
		instances := map[string]int{"alone": 1, "several": 4}
		for id, n := range instances {
			must(t, s.client.Start(s.ctx, "code", id, fmt.Sprint(n)))
		}
		// The turns that were fetched and never came back.
		var tokens []string
		for range instances {
			item, err := s.p.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: brief})
			must(t, err)
			if item == nil {
				t.Fatal("no turn")
			}
			tokens = append(tokens, item.LockToken)
		}
		// The next process has no activities: it stores the turns.
		noActivities := o
		noActivities.Tags = core.TagFilter{Mode: core.TagsNone}
		turns := runOn(t, s.p, &noActivities, callers)
		until(t, s.ctx, "the turns are not taken up", func() bool {
			depths, err := s.admin.GetQueueDepths(s.ctx)
			must(t, err)
			return depths.WorkerQueue == 5
		})
		must(t, turns.Shutdown(s.ctx))
		for _, token := range tokens { // the dead can do no harm
			if err := s.p.AckOrchestrationItem(s.ctx, core.AckOrchestrationItemParams{LockToken: token, ExecutionID: 1}); !errors.Is(err, core.ErrLockLost) {
				t.Errorf("an acknowledgement after the lock: %v, want ErrLockLost", err)
			}
		}
		// The activities that were fetched and whose results were not sent.
		tokens = nil
		for range 5 {
			item, err := s.p.FetchWorkItem(s.ctx, core.FetchWorkItemParams{LockTimeout: brief})
			must(t, err)
			if item == nil {
				t.Fatal("no activity")
			}
			tokens = append(tokens, item.LockToken)
		}
		runOn(t, s.p, &o, callers, count.With(func(ctx context.Context, _ string) (uint32, error) { return durable.Info(ctx).Attempt, nil }))
		for id, n := range instances {
			out, err := code.Run(s.client, id).Wait(s.ctx)
			must(t, err)
			equal(t, "attempts of "+id, slices.Repeat([]uint32{2}, n), out)
			records(core.TypeActivityScheduled, n)(t, s, id)
			records(core.TypeActivityCompleted, n)(t, s, id)
		}
		for _, token := range tokens {
			late := core.ActivityCompletedItem{Instance: "alone", ExecutionID: 1, ID: 2, Result: "9"}
			if err := s.p.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: token, Completion: late}); !errors.Is(err, core.ErrLockLost) {
				t.Errorf("a result after the lock: %v, want ErrLockLost", err)
			}
		}
	})
}

// lostReplies stores every turn and says that it did not.
type lostReplies struct {
	core.Provider
	lost atomic.Int32
}

// Unwrap makes optional abilities visible.
func (p *lostReplies) Unwrap() core.Provider { return p.Provider }

// AckOrchestrationItem implements [core.Provider].
func (p *lostReplies) AckOrchestrationItem(ctx context.Context, a core.AckOrchestrationItemParams) error {
	if err := p.Provider.AckOrchestrationItem(ctx, a); err != nil {
		return err
	}
	p.lost.Add(1)
	return &core.ProviderError{Op: "ack_orchestration_item", Retryable: true, Err: errors.New("the connection broke after the commit")}
}

// The process does not learn that its turn was stored: nothing is done twice.
func TestReplyOfATurnIsLost(t *testing.T) {
	const code = durable.Orchestration[string, string]("code")
	onEachStore(t, func(t *testing.T, s *store) {
		p := &lostReplies{Provider: s.p}
		runOn(t, p, nil, cast(code.With(func(ctx *durable.Context, in string) (string, error) {
			ctx.Sleep(time.Millisecond)
			if _, err := upcase.Call(ctx, in); err != nil {
				return "", err
			}
			return kid.Call(ctx, in)
		}))...)
		_, err := code.Start(s.ctx, s.client, "lost", "a")
		must(t, err)
		s.end(t, "lost", "A")
		events, err := s.client.History(s.ctx, "lost")
		must(t, err)
		var types []string
		for _, ev := range events {
			types = append(types, ev.Data.EventType())
		}
		equal(t, "history", []string{
			core.TypeOrchestrationStarted, core.TypeTimerCreated, core.TypeTimerFired, core.TypeActivityScheduled, core.TypeActivityCompleted,
			core.TypeSubOrchestrationScheduled, core.TypeSubOrchestrationCompleted, core.TypeOrchestrationCompleted,
		}, types)
		if n := p.lost.Load(); n < 6 { // four turns of it, two of its child
			t.Errorf("%d replies were lost", n)
		}
	})
}

// An instance that was poisoned, because nobody has its code, can be deleted and
// its id used again.
func TestPoisonedIsDeleted(t *testing.T) {
	const missing = durable.Orchestration[string, string]("missing")
	onEachStore(t, func(t *testing.T, s *store) {
		o := refusing()
		o.MaxAttempts = 2
		runOn(t, s.p, o, cast(job.With(telling))...)
		run, err := missing.Start(s.ctx, s.client, "poisoned", "in")
		must(t, err)
		if _, err := run.Wait(s.ctx); err == nil || !strings.Contains(err.Error(), "poison: orchestration poisoned exceeded 3 attempts (max 2)") {
			t.Errorf("it ends with %v", err)
		}
		_, err = s.admin.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: "poisoned"})
		must(t, err)
		if _, err := s.client.Status(s.ctx, "poisoned"); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("after the deletion: %v, want ErrInstanceNotFound", err)
		}
		_, err = job.Start(s.ctx, s.client, "poisoned", "again")
		must(t, err)
		s.end(t, "poisoned", "1.0.0 again")
	})
}
