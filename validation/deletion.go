package validation

import "github.com/duroxide/duroxide-go/core"

var deletion = inCategory("deletion",
	Case{
		Name:     "TestDeleteTerminalInstances",
		Rule:     "A completed, a failed and a cancelled instance can be deleted; what goes is counted.",
		Contract: "4.1, 4.2",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteTerminalInstances,
	},
	Case{
		Name:     "TestDeleteRunningRejectedForceSucceeds",
		Rule:     "A running instance is deleted only by force; a refusal leaves it whole.",
		Contract: "4.1, 4.2",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteRunningRejectedForceSucceeds,
	},
	Case{
		Name:     "TestDeleteNonexistentInstance",
		Rule:     "Deleting an unknown instance is refused, with or without force.",
		Contract: "4.2",
		needs:    []need{needsAdminDeleter},
		run:      deleteNonexistentInstance,
	},
	Case{
		Name:     "TestDeleteCleansQueuesAndLocks",
		Rule:     "A deletion takes messages, activities and the lock with it, so that the id can be used again at once.",
		Contract: "4.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteCleansQueuesAndLocks,
	},
	Case{
		Name:     "TestCascadeDeleteHierarchy",
		Rule:     "Deleting a root deletes its whole tree; a child cannot be deleted alone, not even by force.",
		Contract: "4.2",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      cascadeDeleteHierarchy,
	},
	Case{
		Name:     "TestForceDeletePreventsAckRecreation",
		Rule:     "The ack of a turn whose instance was deleted meanwhile is refused and recreates nothing.",
		Contract: "4.1, 5.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      forceDeletePreventsAckRecreation,
	},
	Case{
		Name:     "TestListChildren",
		Rule:     "The children of an instance are the direct ones; a leaf and an unknown instance have none.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      listChildren,
	},
	Case{
		Name:     "TestDeleteGetParentId",
		Rule:     "A root has no parent, a child has one; asking for that of an unknown instance is an error.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      deleteGetParentID,
	},
	Case{
		Name:     "TestDeleteGetInstanceTree",
		Rule:     "The tree of an instance is itself and all below it.",
		Contract: "4",
		needs:    []need{needsAdminDeleter},
		run:      deleteGetInstanceTree,
	},
	Case{
		Name:     "TestDeleteInstancesAtomic",
		Rule:     "Several instances can be deleted together.",
		Contract: "4.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstancesAtomic,
	},
	Case{
		Name:     "TestDeleteInstancesAtomicForce",
		Rule:     "One running instance among several refuses the deletion of all, but for force.",
		Contract: "4.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstancesAtomicForce,
	},
	Case{
		Name:     "TestDeleteInstancesAtomicOrphanDetection",
		Rule:     "A deletion that would leave a child without its parent is refused as a whole.",
		Contract: "4.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstancesAtomicOrphanDetection,
	},
	Case{
		Name:     "TestStaleActivityAfterDeleteRecreate",
		Rule:     "An activity of a deleted instance cannot complete in a new instance of the same id.",
		Contract: "4.1",
		needs:    []need{needsAdminDeleter},
		run:      staleActivityAfterDeleteRecreate,
	},
)

// ending is an ack that ends the first execution.
func ending(status core.ExecutionStatus) ack {
	return ack{meta: core.ExecutionMetadata{Status: status, Output: ptr("output")}}
}

// family makes a completed root with two children, the first of which has one.
func (t *trial) family() {
	t.createWith("root", ending(core.StatusCompleted))
	t.createChild("child 1", "root", ending(core.StatusCompleted))
	t.createChild("child 2", "root", ending(core.StatusCompleted))
	t.createChild("grandchild", "child 1", ending(core.StatusCompleted))
}

func deleteTerminalInstances(t *trial) {
	t.createWith("completed", ending(core.StatusCompleted))
	t.createWith("failed", ending(core.StatusFailed))
	cancelled := ending(core.StatusFailed)
	cancelled.events = eventsOf("cancelled", 1, 2,
		core.OrchestrationCancelRequested{Reason: "user"},
		core.OrchestrationFailed{Details: core.ApplicationError{Kind: core.KindCancelled("user")}},
	)
	t.createWith("cancelled", cancelled)
	for id, events := range map[string]uint64{"completed": 1, "failed": 1, "cancelled": 3} {
		wantEqual(t, "result for "+id, *t.deleteInstance(id, false),
			core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: events})
		t.wantGone(id)
	}
}

func deleteRunningRejectedForceSucceeds(t *trial) {
	t.create("running")
	_, err := t.tryDelete("running", false)
	t.wantRefused("the deletion of a running instance", err, core.ErrStillRunning, "running")
	t.wantWhole("running")
	t.deleteInstance("running", true)
	t.wantGone("running")
}

func deleteNonexistentInstance(t *trial) {
	for _, force := range []bool{false, true} {
		_, err := t.tryDelete("no-such-instance", force)
		t.wantRefused("the deletion of an unknown instance", err, core.ErrNotFound, "not found")
	}
}

func deleteCleansQueuesAndLocks(t *trial) {
	const id = "reused"
	t.createWith(id, ending(core.StatusCompleted))
	t.enqueue(activity(id, 7), raised(id, "late"))
	t.turn(id) // locked
	t.enqueue(raised(id, "later"))
	if n := t.deleteInstance(id, false).QueueMessagesDeleted; n != 3 {
		t.fatalf("%d messages were deleted, want 3", n)
	}
	t.noWork(take{}, "the instance was deleted")
	t.noTurn("the instance was deleted")

	item := start(id)
	item.Orchestration = "OtherOrch"
	t.enqueue(item)
	turn := t.turn(id)
	t.wantMessages(turn, item)
	t.wantEvents("history of the new instance", turn.History)
	t.ack(turn, ack{events: []core.Event{started(id, 1)}, meta: named("OtherOrch", "2.0.0")})
	if info := t.info(id); info.OrchestrationName != "OtherOrch" || info.OrchestrationVersion != "2.0.0" || info.Status != core.StatusRunning {
		t.fatalf("get_instance_info: %+v, want OtherOrch, 2.0.0, Running", *info)
	}
}

func cascadeDeleteHierarchy(t *trial) {
	t.family()
	for _, id := range []string{"child 1", "grandchild"} {
		for _, force := range []bool{false, true} {
			_, err := t.tryDelete(id, force)
			t.wantRefused("the deletion of a child", err, core.ErrSubOrchestration, "sub-orchestration", "root", "parent")
		}
	}
	ids := []string{"root", "child 1", "child 2", "grandchild"}
	for _, id := range ids {
		t.wantWhole(id)
	}
	wantEqual(t, "result", *t.deleteInstance("root", false),
		core.DeleteInstanceResult{InstancesDeleted: 4, ExecutionsDeleted: 4, EventsDeleted: 4})
	for _, id := range ids {
		t.wantGone(id)
	}
}

func forceDeletePreventsAckRecreation(t *trial) {
	const id = "deleted"
	t.create(id)
	t.enqueue(raised(id, "go"))
	turn := t.turn(id)
	t.deleteInstance(id, true)
	err := t.tryAck(turn, ack{
		events:   []core.Event{event(id, 2, core.ActivityScheduled{Name: "TestActivity", Input: "{}"})},
		work:     []core.WorkItem{activity(id, 2)},
		messages: []core.WorkItem{raised(id, "again")},
		meta:     named("TestOrch", "1.0.0"),
	})
	t.wantLockLost("the ack of a turn of a deleted instance", err)
	t.wantGone(id)
	t.noWork(take{}, "the ack was refused")
	t.noTurn("the ack was refused")
}

func listChildren(t *trial) {
	t.family()
	for parent, want := range map[string][]string{
		"root": {"child 1", "child 2"}, "child 1": {"grandchild"}, "grandchild": nil, "unknown": nil,
	} {
		got, err := admin[core.AdminReader](t).ListChildren(t.ctx, core.ListChildrenParams{Instance: parent})
		t.check("list_children", err)
		t.wantSet("children of "+parent, got, want...)
	}
}

func deleteGetParentID(t *trial) {
	t.family()
	a := admin[core.AdminReader](t)
	for id, want := range map[string]*string{"root": nil, "child 2": ptr("root"), "grandchild": ptr("child 1")} {
		got, err := a.GetParentID(t.ctx, core.GetParentIDParams{Instance: id})
		t.check("get_parent_id", err)
		wantEqual(t, "parent of "+id, got, want)
	}
	_, err := a.GetParentID(t.ctx, core.GetParentIDParams{Instance: "unknown"})
	t.wantRefused("get_parent_id of an unknown instance", err, core.ErrNotFound, "not found")
}

func deleteGetInstanceTree(t *trial) {
	t.family()
	for root, want := range map[string][]string{
		"root": {"root", "child 1", "child 2", "grandchild"}, "child 1": {"child 1", "grandchild"}, "grandchild": {"grandchild"},
	} {
		tree, err := admin[core.AdminDeleter](t).GetInstanceTree(t.ctx, core.GetInstanceTreeParams{Instance: root})
		t.check("get_instance_tree", err)
		wantEqual(t, "root of the tree", tree.RootID, root)
		t.wantSet("tree of "+root, tree.AllIDs, want...)
	}
}

func deleteInstancesAtomic(t *trial) {
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		t.createWith(id, ending(core.StatusCompleted))
	}
	t.create("other")
	result, err := t.tryDeleteAtomic(false, ids...)
	t.check("delete_instances_atomic", err)
	wantEqual(t, "result", *result, core.DeleteInstanceResult{InstancesDeleted: 3, ExecutionsDeleted: 3, EventsDeleted: 3})
	for _, id := range ids {
		t.wantGone(id)
	}
	t.wantWhole("other")
	result, err = t.tryDeleteAtomic(false)
	t.check("delete_instances_atomic of nothing", err)
	wantEqual(t, "result for nothing", *result, core.DeleteInstanceResult{})
}

func deleteInstancesAtomicForce(t *trial) {
	t.createWith("completed", ending(core.StatusCompleted))
	t.create("running")
	_, err := t.tryDeleteAtomic(false, "completed", "running")
	t.wantRefused("the deletion of a running instance", err, core.ErrStillRunning, "running")
	t.wantWhole("completed")
	t.wantWhole("running")
	_, err = t.tryDeleteAtomic(true, "completed", "running")
	t.check("delete_instances_atomic by force", err)
	t.wantGone("completed")
	t.wantGone("running")
}

func deleteInstancesAtomicOrphanDetection(t *trial) {
	t.createWith("root", ending(core.StatusCompleted))
	t.createChild("child", "root", ending(core.StatusCompleted))
	for _, force := range []bool{false, true} {
		_, err := t.tryDeleteAtomic(force, "root")
		t.wantRefused("the deletion of a root without its child", err, core.ErrOrphan, "child", "orphan", "tree")
	}
	t.wantWhole("root")
	t.wantWhole("child")
	_, err := t.tryDeleteAtomic(false, "root", "child")
	t.check("delete_instances_atomic", err)
	t.wantGone("root")
	t.wantGone("child")
}

func staleActivityAfterDeleteRecreate(t *trial) {
	const id = "recreated"
	t.createWith(id, scheduling(id, 2))
	item := t.work(2, take{})
	t.deleteInstance(id, true)
	t.create(id)
	t.wantLockLost("the ack of an activity of the deleted instance", t.tryAckWork(item, completed(id, 2)))
	t.enqueue(raised(id, "go"))
	turn := t.turn(id)
	t.wantMessages(turn, raised(id, "go"))
}
