package validation

import "github.com/duroxide/duroxide-go/core"

var cancellation = inCategory("cancellation",
	Case{
		Name:     "TestFetchReturnsRunningStateForActiveOrchestration",
		Rule:     "An activity of a running execution is handed out.",
		Contract: "3.8",
		run:      func(t *trial) { t.activityOfExecution(core.StatusRunning) },
	},
	Case{
		Name:     "TestFetchReturnsTerminalStateWhenOrchestrationCompleted",
		Rule:     "An activity of a completed execution is handed out.",
		Contract: "3.8",
		run:      func(t *trial) { t.activityOfExecution(core.StatusCompleted) },
	},
	Case{
		Name:     "TestFetchReturnsTerminalStateWhenOrchestrationFailed",
		Rule:     "An activity of a failed execution is handed out.",
		Contract: "3.8",
		run:      func(t *trial) { t.activityOfExecution(core.StatusFailed) },
	},
	Case{
		Name:     "TestFetchReturnsTerminalStateWhenOrchestrationContinuedAsNew",
		Rule:     "An activity of an execution that continued as new is handed out.",
		Contract: "3.8",
		run:      func(t *trial) { t.activityOfExecution(core.StatusContinuedAsNew) },
	},
	Case{
		Name:     "TestFetchReturnsMissingStateWhenInstanceDeleted",
		Rule:     "An activity of an instance that does not exist is handed out.",
		Contract: "3.7, 3.8",
		run:      fetchReturnsMissingStateWhenInstanceDeleted,
	},
	Case{
		Name:     "TestRenewReturnsRunningWhenOrchestrationActive",
		Rule:     "The lock of an activity of a running instance can be renewed.",
		Contract: "3.10",
		run:      renewReturnsRunningWhenOrchestrationActive,
	},
	Case{
		Name:     "TestRenewReturnsTerminalWhenOrchestrationCompleted",
		Rule:     "The end of an instance does not take the lock of an activity that it did not cancel.",
		Contract: "3.10, 5.5",
		run:      renewReturnsTerminalWhenOrchestrationCompleted,
	},
	Case{
		Name:     "TestRenewReturnsMissingWhenInstanceDeleted",
		Rule:     "The lock of an activity can be renewed although its instance does not exist.",
		Contract: "3.10",
		run:      renewReturnsMissingWhenInstanceDeleted,
	},
	Case{
		Name:     "TestAckWorkItemNoneDeletesWithoutEnqueue",
		Rule:     "An ack without a completion removes the activity and sends nothing.",
		Contract: "3.9",
		run:      ackWorkItemNoneDeletesWithoutEnqueue,
	},
	Case{
		Name:     "TestCancelledActivitiesDeletedFromWorkerQueue",
		Rule:     "Activities that an ack cancels leave the queue, those that it does not stay.",
		Contract: "3.2, 5.5",
		run:      cancelledActivitiesDeletedFromWorkerQueue,
	},
	Case{
		Name:     "TestAckWorkItemFailsWhenEntryDeleted",
		Rule:     "The ack of an activity that is gone is refused for good and sends nothing.",
		Contract: "3.9, 5.1",
		run:      ackWorkItemFailsWhenEntryDeleted,
	},
	Case{
		Name:     "TestRenewFailsWhenEntryDeleted",
		Rule:     "The renewal of an activity that is gone is refused: that is how its worker learns of it.",
		Contract: "3.10, 5.1, 5.5",
		run:      renewFailsWhenEntryDeleted,
	},
	Case{
		Name:     "TestCancellingNonexistentActivitiesIsIdempotent",
		Rule:     "An ack may cancel activities that do not exist.",
		Contract: "3.2, 5.5",
		run:      cancellingNonexistentActivitiesIsIdempotent,
	},
	Case{
		Name:     "TestBatchCancellationDeletesMultipleActivities",
		Rule:     "One ack cancels many activities.",
		Contract: "5.5",
		run:      batchCancellationDeletesMultipleActivities,
	},
	Case{
		Name:     "TestSameActivityInWorkerItemsAndCancelledIsNoop",
		Rule:     "An activity that one ack schedules and cancels is absent afterwards.",
		Contract: "3.2",
		run:      sameActivityInWorkerItemsAndCancelledIsNoop,
	},
	Case{
		Name:     "TestOrphanActivityAfterInstanceForceDeletion",
		Rule:     "An activity of a running instance that was deleted by force is gone, or can be finished in peace.",
		Contract: "4.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      orphanActivityAfterInstanceForceDeletion,
	},
)

// scheduling is an ack that schedules activities.
func scheduling(instance string, ids ...uint64) ack {
	var a ack
	for _, id := range ids {
		a.events = append(a.events, event(instance, id, core.ActivityScheduled{Name: "TestActivity", Input: "{}"}))
		a.work = append(a.work, activity(instance, id))
	}
	return a
}

// activityOfExecution has an ack schedule an activity and leave the execution
// with that status.
func (t *trial) activityOfExecution(status core.ExecutionStatus) {
	const id = "owner"
	t.enqueue(start(id))
	a := scheduling(id, 2)
	a.events = append([]core.Event{started(id, 1)}, a.events...)
	a.meta = withStatus(named("TestOrch", "1.0.0"), status)
	if status == core.StatusRunning {
		a.meta.OrchestrationVersion = nil
	}
	t.ack(t.turn(id), a)
	wantEqual[core.WorkItem](t, "activity", t.work(2, take{}).Item, activity(id, 2))
}

func fetchReturnsMissingStateWhenInstanceDeleted(t *trial) {
	t.enqueue(activity("missing", 1))
	wantEqual[core.WorkItem](t, "activity", t.work(1, take{}).Item, activity("missing", 1))
}

func renewReturnsRunningWhenOrchestrationActive(t *trial) {
	t.createWith("running", scheduling("running", 2))
	t.renewWork(t.work(2, take{}), longLease)
}

func renewReturnsTerminalWhenOrchestrationCompleted(t *trial) {
	const id = "finished"
	t.createWith(id, scheduling(id, 2))
	item := t.work(2, take{})
	t.step(id, ack{
		events: []core.Event{event(id, 3, core.OrchestrationCompleted{Output: "done"})},
		meta:   core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("done")},
	})
	t.renewWork(item, longLease)
	t.ackWork(item, nil)
}

func renewReturnsMissingWhenInstanceDeleted(t *trial) {
	t.enqueue(activity("missing", 1))
	t.renewWork(t.work(1, take{}), longLease)
}

func ackWorkItemNoneDeletesWithoutEnqueue(t *trial) {
	t.enqueue(activity("silent", 1))
	t.ackWork(t.work(1, take{}), nil)
	t.noWork(take{}, "the activity was acknowledged")
	t.noTurn("the ack had no completion")
}

func cancelledActivitiesDeletedFromWorkerQueue(t *trial) {
	const id = "cancels"
	t.createWith(id, scheduling(id, 2, 3, 4))
	t.abandonWork(t.work(2, take{}), 0, false)
	t.step(id, ack{cancelled: []core.ActivityIdentifier{identify(activity(id, 2)), identify(activity(id, 3))}})
	t.work(4, take{})
	t.noWork(take{}, "the other activities were cancelled")
}

func ackWorkItemFailsWhenEntryDeleted(t *trial) {
	t.enqueue(activity("gone", 1))
	item := t.work(1, take{})
	t.ackWork(item, nil)
	t.wantLockLost("a second ack", t.tryAckWork(item, completed("gone", 1)))
	t.noTurn("the ack with a completion was refused")
}

func renewFailsWhenEntryDeleted(t *trial) {
	t.enqueue(activity("gone", 1))
	item := t.work(1, take{})
	t.ackWork(item, nil)
	t.wantLockLost("a renewal after the ack", t.tryRenewWork(item.LockToken, longLease))

	// The same when it is the orchestration that removes the activity.
	const id = "steals"
	t.createWith(id, scheduling(id, 2))
	item = t.work(2, take{})
	t.step(id, ack{cancelled: []core.ActivityIdentifier{identify(activity(id, 2))}})
	t.wantLockLost("a renewal after the cancellation", t.tryRenewWork(item.LockToken, longLease))
	t.wantLockLost("an ack after the cancellation", t.tryAckWork(item, completed(id, 2)))
	t.noTurn("the ack was refused")
}

func cancellingNonexistentActivitiesIsIdempotent(t *trial) {
	t.createWith("nothing", ack{cancelled: []core.ActivityIdentifier{
		{Instance: "nothing", ExecutionID: 1, ActivityID: 98}, {Instance: "unknown", ExecutionID: 7, ActivityID: 99},
	}})
	t.wantEvents("history", t.read("nothing"), started("nothing", 1))
}

func batchCancellationDeletesMultipleActivities(t *trial) {
	const id = "batch"
	a := scheduling(id, 2, 3, 4, 5, 6)
	t.createWith(id, a)
	var all []core.ActivityIdentifier
	for _, item := range a.work {
		all = append(all, identify(item.(core.ActivityExecuteItem)))
	}
	t.step(id, ack{cancelled: all})
	t.noWork(take{}, "all activities were cancelled")
}

func sameActivityInWorkerItemsAndCancelledIsNoop(t *trial) {
	const id = "both"
	a := scheduling(id, 2, 3)
	a.cancelled = []core.ActivityIdentifier{identify(activity(id, 2))}
	t.createWith(id, a)
	t.work(3, take{})
	t.noWork(take{}, "the other activity was cancelled by the ack that scheduled it")
}

func orphanActivityAfterInstanceForceDeletion(t *trial) {
	const id = "deleted"
	t.createWith(id, scheduling(id, 2))
	t.deleteInstance(id, true)
	_, err := admin[core.AdminReader](t).GetInstanceInfo(t.ctx, core.GetInstanceInfoParams{Instance: id})
	t.wantNotFound("get_instance_info of a deleted instance", err)
	if item := t.tryWork(take{}); item != nil {
		t.ackWork(item, completed(id, 2))
	}
}
