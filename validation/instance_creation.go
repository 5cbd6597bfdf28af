package validation

import "github.com/duroxide/duroxide-go/core"

var instanceCreation = inCategory("instance_creation",
	Case{
		Name:     "TestInstanceCreationViaMetadata",
		Rule:     "The first ack that names orchestration and version creates the instance with them.",
		Contract: "3.1, 3.2, 5.11",
		run:      instanceCreationViaMetadata,
	},
	Case{
		Name:     "TestNoInstanceCreationOnEnqueue",
		Rule:     "A start that is only enqueued creates no instance, and is fetched all the same.",
		Contract: "3.6, 5.11",
		run:      noInstanceCreationOnEnqueue,
	},
	Case{
		Name:     "TestNullVersionHandling",
		Rule:     "A start without a version is fetched as version unknown; the ack decides the version.",
		Contract: "3.1, 3.2",
		run:      nullVersionHandling,
	},
	Case{
		Name:     "TestSubOrchestrationInstanceCreation",
		Rule:     "A child that its parent's ack has started is an instance like any other.",
		Contract: "3.2, 5.11, 5.12",
		run:      subOrchestrationInstanceCreation,
	},
)

func instanceCreationViaMetadata(t *trial) {
	const id = "created"
	t.enqueue(start(id))
	turn := t.turn(id)
	t.wantDescribed(turn, "TestOrch", "1.0.0", 1)
	t.wantEvents("history of a new instance", turn.History)
	t.ack(turn, ack{events: []core.Event{started(id, 1)}, meta: named("TestOrch", "2.0.0")})

	t.enqueue(start(id))
	turn = t.turn(id)
	t.wantDescribed(turn, "TestOrch", "2.0.0", 1)
	t.wantEvents("history", turn.History, started(id, 1))
}

func noInstanceCreationOnEnqueue(t *trial) {
	const id = "enqueued"
	t.enqueue(start(id))
	if stats := t.stats(id); stats != nil {
		t.errorf("stats of an instance that was only enqueued: %+v, want none", *stats)
	}
	t.wantMessages(t.turn(id), start(id))
}

func nullVersionHandling(t *trial) {
	const id = "unversioned"
	item := start(id)
	item.Version = nil
	t.enqueue(item)
	turn := t.turn(id)
	t.wantDescribed(turn, "TestOrch", core.UnknownVersion, 1)
	t.ack(turn, ack{events: []core.Event{started(id, 1)}, meta: named("TestOrch", "3.0.0")})

	t.enqueue(raised(id, "again"))
	t.wantDescribed(t.turn(id), "TestOrch", "3.0.0", 1)
}

func subOrchestrationInstanceCreation(t *trial) {
	child := core.StartOrchestrationItem{
		Instance: "child", Orchestration: "ChildOrch", Input: "{}",
		ParentInstance: ptr("parent"), ParentID: ptr(uint64(2)), ParentExecutionID: ptr(uint64(1)), ExecutionID: 1,
	}
	t.enqueue(start("parent"))
	t.ack(t.turn("parent"), ack{
		events: append([]core.Event{started("parent", 1)},
			event("parent", 2, core.SubOrchestrationScheduled{Name: "ChildOrch", Instance: "child", Input: "{}"})),
		messages: []core.WorkItem{child},
		meta:     named("TestOrch", "1.0.0"),
	})

	turn := t.turn("child")
	t.wantDescribed(turn, "ChildOrch", core.UnknownVersion, 1)
	t.wantMessages(turn, child)
	meta := named("ChildOrch", "1.5.0")
	meta.ParentInstanceID = ptr("parent")
	t.ack(turn, ack{
		events: []core.Event{event("child", 1, core.OrchestrationStarted{
			Name: "ChildOrch", Version: "1.5.0", Input: "{}",
			ParentInstance: child.ParentInstance, ParentID: child.ParentID, ParentExecutionID: child.ParentExecutionID,
		})},
		meta: meta,
	})

	t.enqueue(child)
	t.wantDescribed(t.turn("child"), "ChildOrch", "1.5.0", 1)
}
