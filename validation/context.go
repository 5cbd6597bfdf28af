package validation

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var contextCases = inCategory("context",
	Case{
		Name:     "TestContextCancelledBefore",
		Rule:     "A call whose context has ended returns that error and changes nothing.",
		Contract: "1.3",
		run:      contextCancelledBefore,
	},
	Case{
		Name:     "TestContextCancelledFetch",
		Rule:     "What a fetch takes whose caller goes away comes again, after the lease at the latest.",
		Contract: "1.3, 3.1, 3.8",
		run:      contextCancelledFetch,
	},
	Case{
		Name:     "TestContextCancelledPoll",
		Rule:     "A fetch that waits ends with its context, and takes nothing afterwards.",
		Contract: "1.3, 3.1, 3.8",
		polling:  longPolling,
		run:      contextCancelledPoll,
	},
	Case{
		Name:     "TestContextCancelledAck",
		Rule:     "An ack whose caller goes away has happened completely or not at all; in the second case it can be repeated.",
		Contract: "1.3, 3.2",
		run:      contextCancelledAck,
	},
	Case{
		Name:     "TestContextCancelledAckWork",
		Rule:     "The ack of an activity whose caller goes away has removed it and sent its completion, or neither.",
		Contract: "1.3, 3.9",
		run:      contextCancelledAckWork,
	},
	Case{
		Name:     "TestContextCancelledSend",
		Rule:     "A message whose sender goes away is there once or not at all; one that was sent is there.",
		Contract: "1.3, 3.6, 3.7",
		run:      contextCancelledSend,
	},
	Case{
		Name:     "TestContextCancelledAbandon",
		Rule:     "An abandon whose caller goes away has happened or not; what it holds can be abandoned again in the second case.",
		Contract: "1.3, 3.3, 3.11",
		run:      contextCancelledAbandon,
	},
	Case{
		Name:     "TestContextCancelledRenew",
		Rule:     "A renewal whose caller goes away leaves the lock alive.",
		Contract: "1.3, 3.4, 3.10, 3.12",
		run:      contextCancelledRenew,
	},
	Case{
		Name:     "TestContextCancelledRead",
		Rule:     "A read whose caller goes away returns an error or all that there is.",
		Contract: "1.3, 3.5, 3.14 to 3.16",
		run:      contextCancelledRead,
	},
	Case{
		Name:     "TestContextCancelledAppend",
		Rule:     "Events are appended together or not at all when the caller goes away.",
		Contract: "1.3, 3.5",
		run:      contextCancelledAppend,
	},
	Case{
		Name:     "TestContextCancelledDelete",
		Rule:     "A deletion whose caller goes away has deleted the whole tree or nothing.",
		Contract: "1.3, 4.1, 4.2",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      contextCancelledDelete,
	},
	Case{
		Name:     "TestContextCancelledPrune",
		Rule:     "A pruning whose caller goes away has deleted all that it should, with the events, or nothing.",
		Contract: "1.3, 4.4",
		needs:    []need{needsAdminReader, needsAdminPruner},
		run:      contextCancelledPrune,
	},
)

// An observed context ends when it has been looked at a number of times.
type observed struct {
	context.Context //nolint:containedctx // this is a context
	cancel          context.CancelFunc
	left            atomic.Int64
}

func (w *observed) look() {
	if w.left.Add(-1) == 0 {
		w.cancel()
	}
}

// Done implements [context.Context].
func (w *observed) Done() <-chan struct{} {
	w.look()
	return w.Context.Done()
}

// Err implements [context.Context].
func (w *observed) Err() error {
	w.look()
	return w.Context.Err()
}

// The caller goes away at up to so many steps of a call, and at so many parts of
// the time that it takes.
const (
	maxSteps  = 40
	timedCuts = 6
)

// A call whose caller went away may take effect after it has returned: a database
// finishes what it was told, and a commit whose answer nobody waits for is open.
// What has happened is known only when the call is made again: it succeeds, or it
// is refused because it had happened.

// interrupt makes a call again and again, each time on what prepare makes ready,
// and has the caller go away at another step of it: when the context is looked at
// for the first time, the second, and so on until the call is through before; and
// after a part of the time that the call takes. check sees what is left, with a
// provider that must be as useful as ever; err is nil if the call was through
// before.
func (t *trial) interrupt(what string, prepare func(n int) (call func(context.Context) error, check func(err error))) {
	call, check := prepare(0)
	begin := time.Now()
	err := call(t.ctx)
	whole := time.Since(begin)
	t.check(what, err)
	check(nil)
	n := 0
	try := func(begin func(context.Context) (context.Context, context.CancelFunc)) {
		n++
		call, check := prepare(n)
		ctx, cancel := begin(t.ctx)
		err := call(ctx)
		cancel()
		if t.ctx.Err() != nil {
			t.fatalf("%s: %v", what, err)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.errorf("%s, whose caller went away, returned %v, want the error of its context", what, err)
		}
		check(err)
	}
	for step := int64(1); step <= maxSteps; step++ {
		var w *observed
		try(func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			w = &observed{Context: ctx, cancel: cancel}
			w.left.Store(step)
			return w, cancel
		})
		if w.left.Load() > 0 {
			break
		}
	}
	for part := range time.Duration(timedCuts * t.h.Scale) {
		try(func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			timer := time.AfterFunc(whole*part/time.Duration(timedCuts*t.h.Scale), cancel)
			return ctx, func() {
				timer.Stop()
				cancel()
			}
		})
	}
}

// had checks what a call returns that may have happened before: nothing, or that
// it had.
func (t *trial) had(what string, err, before error) {
	if err != nil && !errors.Is(err, before) {
		t.fatalf("%s, again: %v, want success or %v", what, err, before)
	}
}

func contextCancelledBefore(t *trial) {
	const id = "untouched"
	t.create(id)
	t.enqueue(raised(id, "go"), activity(id, 1), activity(id, 2))
	turn, item := t.turn(id), t.work(1, take{})
	t.enqueue(start("waiting"))
	gone, cancel := context.WithCancel(t.ctx)
	cancel()
	t.wantRefusedCalls(gone, context.Canceled, id, turn, item)
	over, cancel := context.WithDeadline(t.ctx, time.Now().Add(-time.Second))
	defer cancel()
	t.wantRefusedCalls(over, context.DeadlineExceeded, id, turn, item)
	if t.ended() {
		t.giveUp()
	}
	t.wantEvents("history", t.read(id), started(id, 1))
	next := t.turn("waiting")
	t.wantAttempt(next.AttemptCount, 1)
	t.wantAttempt(t.work(2, take{}).AttemptCount, 1)
	t.noWork(take{}, "nothing was scheduled")
	t.noTurn("the instance is locked")
	t.ackWork(item, nil)
	t.ack(turn, ack{})
	t.noTurn("nothing was sent")
}

// wantRefusedCalls makes every call with a context that has ended.
func (t *trial) wantRefusedCalls(ctx context.Context, want error, id string, turn *core.OrchestrationItem, item *core.LockedWorkItem) {
	live := t.ctx
	t.ctx = ctx
	results := map[string]error{
		"ack_orchestration_item":     t.tryAck(turn, scheduling(id, 5)),
		"ack_work_item":              t.tryAckWork(item, completed(id, 1)),
		"renew_work_item_lock":       t.tryRenewWork(item.LockToken, longLease),
		"abandon_work_item":          t.p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: item.LockToken}),
		"abandon_orchestration_item": t.p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: turn.LockToken}),
		"renew_orchestration_item_lock": t.p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{
			LockToken: turn.LockToken, ExtendFor: longLease,
		}),
		"enqueue_for_orchestrator": t.p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: raised(id, "no")}),
		"enqueue_for_worker":       t.p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity(id, 9)}),
		"append_with_execution": t.p.AppendWithExecution(ctx, core.AppendWithExecutionParams{
			Instance: id, ExecutionID: 1, Events: []core.Event{event(id, 7, core.ExternalEvent{})},
		}),
	}
	_, results["fetch_orchestration_item"] = t.p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease})
	_, results["fetch_work_item"] = t.p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: longLease})
	_, results["renew_session_lock"] = t.p.RenewSessionLock(ctx, core.RenewSessionLockParams{OwnerIDs: []string{"A"}, ExtendFor: longClaim, IdleTimeout: longClaim})
	_, results["cleanup_orphaned_sessions"] = t.p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{})
	maps.Copy(results, t.reads(ctx, id))
	t.ctx = live
	for what, err := range results {
		if !errors.Is(err, want) {
			t.errorf("%s with an ended context returned %v, want %v", what, err, want)
		}
	}
}

// reads calls every method that only reads.
func (t *trial) reads(ctx context.Context, id string) map[string]error {
	errs := map[string]error{}
	_, errs["read"] = t.p.Read(ctx, core.ReadParams{Instance: id})
	_, errs["read_with_execution"] = t.p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: id, ExecutionID: 1})
	_, errs["get_custom_status"] = t.p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: id})
	_, errs["get_kv_value"] = t.p.GetKVValue(ctx, core.GetKVValueParams{Instance: id, Key: "k"})
	_, errs["get_kv_all_values"] = t.p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: id})
	_, errs["get_instance_stats"] = t.p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: id})
	return errs
}
