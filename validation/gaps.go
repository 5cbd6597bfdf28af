package validation

import (
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// The catalogue names what it does not cover. What can be checked of that
// without hooks is here.
var gapCases = inCategory("gaps",
	Case{
		Name:     "TestGapAbandonAfterLease",
		Rule:     "What has expired and was not taken over can still be abandoned.",
		Contract: "3.3, 3.11, 5.1",
		run:      gapAbandonAfterLease,
	},
	Case{
		Name:     "TestGapStolenTokens",
		Rule:     "A token that was taken over is refused by every call, and the new holder is not disturbed.",
		Contract: "5.1, 5.4",
		run:      gapStolenTokens,
	},
	Case{
		Name:     "TestGapRenewTurn",
		Rule:     "The live lock of an instance can be renewed past the end of its first lease.",
		Contract: "3.4",
		run:      gapRenewTurn,
	},
	Case{
		Name:     "TestGapAppend",
		Rule:     "Appended events are read; an event id of 0 is refused, and one that exists is never overwritten.",
		Contract: "3.5",
		run:      gapAppend,
	},
	Case{
		Name:     "TestGapFutureTimer",
		Rule:     "A timer that an ack sends is hidden until it is due.",
		Contract: "3.2, 5.3",
		run:      gapFutureTimer,
	},
	Case{
		Name:     "TestGapEveryField",
		Rule:     "Messages and activities come as they were sent, with what only some members of the family know of.",
		Contract: "2.1, 2.4",
		run:      gapEveryField,
	},
	Case{
		Name:     "TestGapOrphansDoNotStarve",
		Rule:     "Messages for an instance that does not exist do not hold up those of another.",
		Contract: "5.10",
		run:      gapOrphansDoNotStarve,
	},
	Case{
		Name:     "TestGapPruneCompletedBefore",
		Rule:     "Pruning by time takes what ended strictly before, and nothing that has no end.",
		Contract: "4.4",
		needs:    []need{needsAdminPruner},
		run:      gapPruneCompletedBefore,
	},
	Case{
		Name:     "TestGapPruneBulkLimit",
		Rule:     "Bulk pruning goes through as many instances as its limit says.",
		Contract: "4.5",
		needs:    []need{needsAdminPruner},
		run:      gapPruneBulkLimit,
	},
	Case{
		Name:     "TestGapWrongQueue",
		Rule:     "What belongs to the other queue is refused for good, and an ack that is refused for it changes nothing.",
		Contract: "3.6, 3.7, 3.9, 5.14",
		run:      gapWrongQueue,
	},
	Case{
		Name:     "TestGapForeignTokens",
		Rule:     "A token of one queue is unknown to the other.",
		Contract: "5.1",
		run:      gapForeignTokens,
	},
	Case{
		Name:     "TestGapUndecodableMessages",
		Rule:     "Messages that cannot be decoded do not hold up other instances.",
		Contract: "5.9",
		needs:    []need{needsCorruptQueues},
		run:      gapUndecodableMessages,
	},
	Case{
		Name:     "TestGapUndecodableActivity",
		Rule:     "An activity that cannot be decoded is a permanent error, once, and does not hold up the others.",
		Contract: "3.8, 5.9",
		needs:    []need{needsCorruptQueues},
		run:      gapUndecodableActivity,
	},
)

func gapAbandonAfterLease(t *trial) {
	t.enqueue(start("late"), activity("late", 1))
	turn, item := t.turnFor(t.lease(), "late"), t.work(1, take{lease: t.lease()})
	t.sleepPast(t.lease())
	t.abandon(turn, 0, true)
	t.abandonWork(item, 0, true)
	if again := t.turn("late"); again.AttemptCount != 1 {
		t.fatalf("attempt count %d of a turn whose attempt was taken back, want 1", again.AttemptCount)
	}
	t.wantAttempt(t.work(1, take{}).AttemptCount, 1)
}

func gapStolenTokens(t *trial) {
	t.enqueue(start("stolen"), activity("stolen", 1))
	oldTurn, oldItem := t.turnFor(t.lease(), "stolen"), t.work(1, take{lease: t.lease()})
	t.sleepPast(t.lease())
	turn, item := t.turn("stolen"), t.work(1, take{})
	for _, o := range []core.AbandonParams{{}, {Delay: time.Hour, IgnoreAttempt: true}} {
		o.LockToken = oldTurn.LockToken
		t.wantLockLost("abandoning a turn that was taken over", t.p.AbandonOrchestrationItem(t.ctx, o))
		o.LockToken = oldItem.LockToken
		t.wantLockLost("abandoning an activity that was taken over", t.p.AbandonWorkItem(t.ctx, o))
	}
	renewal := core.RenewLockParams{LockToken: oldTurn.LockToken, ExtendFor: longLease}
	t.wantLockLost("renewing a turn that was taken over", t.p.RenewOrchestrationItemLock(t.ctx, renewal))
	t.wantLockLost("renewing an activity that was taken over", t.tryRenewWork(oldItem.LockToken, longLease))
	t.wantLockLost("the ack of a turn that was taken over", t.tryAck(oldTurn, ack{events: []core.Event{started("stolen", 1)}}))
	t.wantLockLost("the ack of an activity that was taken over", t.tryAckWork(oldItem, nil))
	t.noTurn("the instance is locked")
	t.noWork(take{}, "the activity is locked")
	t.ack(turn, ack{events: []core.Event{started("stolen", 1)}})
	t.ackWork(item, nil)
}

func gapRenewTurn(t *trial) {
	t.enqueue(start("renewed"))
	whole := t.window("the renewed lease", t.lease()*16/10)
	first := t.window("the lease", t.lease())
	turn := t.turnFor(t.lease(), "renewed")
	t.sleep(t.lease() * 6 / 10)
	t.check("renew_orchestration_item_lock", t.p.RenewOrchestrationItemLock(t.ctx, core.RenewLockParams{
		LockToken: turn.LockToken, ExtendFor: t.lease(),
	}))
	first.close()
	t.sleep(t.lease()*4/10 + margin)
	t.noTurn("the lock was renewed")
	t.ack(turn, ack{events: []core.Event{started("renewed", 1)}})
	whole.close()
}

func gapAppend(t *trial) {
	const id = "appended"
	t.create(id)
	add := func(events ...core.Event) error {
		return t.p.AppendWithExecution(t.ctx, core.AppendWithExecutionParams{Instance: id, ExecutionID: 1, Events: events})
	}
	second := event(id, 2, core.ExternalEvent{Name: "second"})
	t.check("append_with_execution", add(second))
	t.wantEvents("history", t.read(id), started(id, 1), second)
	t.wantPermanent("appending an event with the id 0", add(event(id, 0, core.ExternalEvent{})))
	// It is open whether an id that exists is refused or ignored.
	if err := add(event(id, 2, core.ExternalEvent{Name: "other"})); err != nil && !errors.Is(err, core.ErrDuplicateEvent) {
		t.fatalf("append_with_execution with an id that exists: %v", err)
	}
	t.wantEvents("history", t.read(id), started(id, 1), second)
}

func gapFutureTimer(t *trial) {
	const id = "timer"
	delay := t.lease()
	t.enqueue(start(id))
	turn := t.turn(id)
	w := t.window("the timer", delay-time.Millisecond) // it is due at a whole millisecond
	timer := core.TimerFiredItem{Instance: id, ExecutionID: 1, ID: 2, FireAtMs: core.Milliseconds(time.Now().Add(delay))}
	t.ack(turn, ack{events: []core.Event{started(id, 1)}, messages: []core.WorkItem{timer}, meta: named("TestOrch", "1.0.0")})
	t.noTurn("the timer is not due")
	w.close()
	t.sleepPast(delay)
	t.wantMessages(t.turn(id), timer)
}

func gapEveryField(t *trial) {
	const id, note = "full", "a \"note\" with <&> and \u2028 é 🙂"
	first := start(id)
	first.Input, first.RequestID = note, ptr("request")
	first.ParentInstance, first.ParentID, first.ParentExecutionID = ptr("parent"), ptr(uint64(7)), ptr(uint64(3))
	message := queued(id, note)
	t.enqueue(first, message)
	turn := t.turn(id)
	t.wantMessages(turn, first, message)

	again := activity(id, 4)
	again.Input, again.FirstAttempt, again.Tag = note, ptr(uint64(2)), ptr("gpu")
	t.ack(turn, ack{events: []core.Event{started(id, 1)}, work: []core.WorkItem{again}, meta: named("TestOrch", "1.0.0")})
	wantEqual[core.WorkItem](t, "activity", t.work(4, take{tags: tags("gpu")}).Item, again)
}

func gapOrphansDoNotStarve(t *trial) {
	t.enqueue(raised("nobody", "lost"), core.CancelInstanceItem{Instance: "nobody", Reason: "lost"})
	t.enqueue(start("somebody"))
	t.wantServed("somebody", "messages for nobody")
}

// wantServed fails if an instance is not among the first turns.
func (t *trial) wantServed(instance, behind string) {
	for range 3 {
		item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease})
		if err != nil && core.IsRetryable(err) {
			t.fatalf("fetch_orchestration_item: %v", err)
		}
		if item != nil && item.Instance == instance {
			return
		}
	}
	t.fatalf("instance %s, which waits behind %s, is not served", instance, behind)
}

func gapPruneCompletedBefore(t *trial) {
	const id = "pruned"
	t.createWith(id, ack{meta: core.ExecutionMetadata{Status: core.StatusFailed}})
	for exec := uint64(2); exec <= 3; exec++ {
		t.step(id, ack{exec: exec, events: []core.Event{started(id, exec)}, meta: named("TestOrch", "1.0.0")})
	}
	// The second execution has no end, and the third one is current.
	t.wantPruned(t.prune(id, core.PruneOptions{CompletedBeforeMs: ptr(uint64(1))}), 1, 0)
	t.wantPruned(t.prune(id, core.PruneOptions{CompletedBeforeMs: ptr(uint64(far))}), 1, 1)
	t.wantPruned(t.prune(id, core.PruneOptions{CompletedBeforeMs: ptr(uint64(far))}), 1, 0)
}

func gapPruneBulkLimit(t *trial) {
	for i := range 3 {
		t.chain(name("many", i), 2, core.StatusRunning)
	}
	one := core.InstanceFilter{Limit: ptr(uint32(1))}
	for range 3 {
		// Which instances a limit chooses is open; each has one to prune.
		t.wantInstances(t.pruneMany(one, core.PruneOptions{}), 1)
	}
	t.wantInstances(t.pruneMany(core.InstanceFilter{}, core.PruneOptions{}), 3)
}

func (t *trial) wantInstances(result *core.PruneResult, n uint64) {
	if result.InstancesProcessed != n {
		t.fatalf("pruned %+v, want %d instances", *result, n)
	}
}

func gapWrongQueue(t *trial) {
	refused := func(what string, err error) {
		t.wantPermanent(what, err)
		if !errors.Is(err, core.ErrInvalidItem) {
			t.fatalf("%s: the error is not core.ErrInvalidItem: %v", what, err)
		}
	}
	const id = "wrong"
	refused("enqueue_for_orchestrator of an activity",
		t.p.EnqueueForOrchestrator(t.ctx, core.EnqueueForOrchestratorParams{Item: activity(id, 1)}))
	refused("enqueue_for_worker of a start", t.p.EnqueueForWorker(t.ctx, core.EnqueueForWorkerParams{Item: start(id)}))
	t.noTurn("nothing was sent")
	t.noWork(take{}, "nothing was scheduled")
	t.enqueue(activity(id, 1))
	item := t.work(1, take{})
	refused("ack_work_item with a message that completes nothing", t.tryAckWork(item, raised(id, "no")))
	t.noTurn("the ack was refused")
	t.ackWork(item, nil)
}

func gapForeignTokens(t *trial) {
	t.enqueue(start("tokens"), activity("tokens", 1))
	turn, item := t.turn("tokens"), t.work(1, take{})
	turn.LockToken, item.LockToken = item.LockToken, turn.LockToken
	t.wantLockLost("the ack of a turn with the token of an activity", t.tryAck(turn, ack{events: []core.Event{started("tokens", 1)}}))
	t.wantLockLost("the ack of an activity with the token of a turn", t.tryAckWork(item, nil))
	t.wantLockLost("abandoning a turn with the token of an activity",
		t.p.AbandonOrchestrationItem(t.ctx, core.AbandonParams{LockToken: turn.LockToken}))
	t.wantLockLost("abandoning an activity with the token of a turn",
		t.p.AbandonWorkItem(t.ctx, core.AbandonParams{LockToken: item.LockToken}))
	t.wantLockLost("renewing a turn with the token of an activity",
		t.p.RenewOrchestrationItemLock(t.ctx, core.RenewLockParams{LockToken: turn.LockToken, ExtendFor: longLease}))
	t.wantLockLost("renewing an activity with the token of a turn", t.tryRenewWork(item.LockToken, longLease))
	t.noTurn("the instance is locked")
	t.noWork(take{}, "the activity is locked")
}

// corruptQueues makes what is queued for an instance undecodable.
func (t *trial) corruptQueues(instance string) {
	t.check("CorruptQueues of the harness", t.h.CorruptQueues(t.ctx, t.p, instance))
}

func gapUndecodableMessages(t *trial) {
	t.enqueue(start("bad"), raised("bad", "go"))
	t.corruptQueues("bad")
	t.enqueue(start("good"))
	t.wantServed("good", "messages that cannot be decoded")
}

func gapUndecodableActivity(t *trial) {
	t.enqueue(activity("bad", 1))
	t.corruptQueues("bad")
	t.enqueue(activity("good", 2))
	item, err := t.p.FetchWorkItem(t.ctx, core.FetchWorkItemParams{LockTimeout: longLease})
	if err == nil && item != nil && t.activityOf(item).ID == 2 {
		t.fatalf("an activity that cannot be decoded is passed over without an error")
	}
	t.wantPermanent("fetching an activity that cannot be decoded", err)
	t.work(2, take{})
}
