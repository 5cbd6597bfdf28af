package validation

import "github.com/duroxide/duroxide-go/core"

var atomicity = inCategory("atomicity",
	Case{
		Name:     "TestAtomicityFailureRollback",
		Rule:     "An ack that repeats an event id changes nothing and keeps the lock.",
		Contract: "3.2, 5.1",
		run:      atomicityFailureRollback,
	},
	Case{
		Name:     "TestMultiOperationAtomicAck",
		Rule:     "One ack stores its events, its activities and its messages, the messages in their order.",
		Contract: "3.2, 5.3",
		run:      multiOperationAtomicAck,
	},
	Case{
		Name:     "TestLockReleasedOnlyOnSuccessfulAck",
		Rule:     "A refused ack leaves the lock as it was; the lock then ends by itself.",
		Contract: "3.2, 5.4",
		run:      lockReleasedOnlyOnSuccessfulAck,
	},
	Case{
		Name:     "TestConcurrentAckPrevention",
		Rule:     "Of two acks of one token at the same time exactly one succeeds.",
		Contract: "3.2",
		run:      concurrentAckPrevention,
	},
)

func atomicityFailureRollback(t *trial) {
	t.enqueue(start("instance-A"))
	t.ack(t.turn("instance-A"), ack{events: []core.Event{started("instance-A", 1)}})

	t.enqueue(start("instance-A"))
	turn := t.turn("instance-A")
	err := t.tryAck(turn, ack{
		events:   []core.Event{event("instance-A", 1, core.OrchestrationCompleted{Output: "again"})},
		work:     []core.WorkItem{activity("instance-A", 2)},
		messages: []core.WorkItem{start("instance-B")},
	})
	t.wantError("an ack that repeats event 1", err)
	t.wantEvents("history", t.read("instance-A"), started("instance-A", 1))
	t.noWork(take{}, "the ack that scheduled it was refused")
	t.noTurn("the refused ack keeps the lock, and its message was not stored")
	t.ack(turn, ack{})
}

func multiOperationAtomicAck(t *trial) {
	const id = "multi-op"
	t.enqueue(start(id))
	events := eventsOf(id, 1, 1,
		core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "{}"},
		core.ActivityScheduled{Name: "TestActivity", Input: "{}"},
		core.ActivityScheduled{Name: "TestActivity", Input: "{}"},
		core.ActivityScheduled{Name: "TestActivity", Input: "{}"},
		core.TimerCreated{FireAtMs: 1000},
	)
	timer := core.TimerFiredItem{Instance: id, ExecutionID: 1, ID: 5, FireAtMs: 1000}
	t.ack(t.turn(id), ack{
		events:   events,
		work:     []core.WorkItem{activity(id, 2), activity(id, 3), activity(id, 4)},
		messages: []core.WorkItem{timer, raised(id, "event")},
	})
	t.wantEvents("history", t.read(id), events...)
	for _, n := range []uint64{2, 3, 4} {
		wantEqual[core.WorkItem](t, "activity", t.work(n, take{}).Item, activity(id, n))
	}
	t.noWork(take{}, "three activities were scheduled")
	t.wantMessages(t.turn(id), timer, raised(id, "event"))
}

func lockReleasedOnlyOnSuccessfulAck(t *trial) {
	t.enqueue(start("locked"))
	w := t.window("the lease", t.lease())
	turn := t.turnFor(t.lease(), "locked")
	err := t.tryAck(&core.OrchestrationItem{LockToken: "invalid-token"}, ack{exec: 1, events: []core.Event{started("locked", 1)}})
	t.wantError("an ack with a made-up token", err)
	t.noTurn("the refused ack does not release the lock")
	w.close()
	t.sleepPast(t.lease())
	if again := t.turn("locked"); again.LockToken == turn.LockToken {
		t.errorf("the second fetch got the token of the first")
	}
	t.wantEvents("history", t.read("locked"))
}

func concurrentAckPrevention(t *trial) {
	t.enqueue(start("race"))
	turn := t.turn("race")
	var errs [2]error
	t.atOnce(2, 0, func(i int) {
		errs[i] = t.tryAck(turn, ack{events: []core.Event{started("race", 1)}, work: []core.WorkItem{activity("race", 2)}})
	})
	if (errs[0] == nil) == (errs[1] == nil) {
		t.fatalf("two acks of one token: %v and %v, want one error", errs[0], errs[1])
	}
	t.wantEvents("history", t.read("race"), started("race", 1))
	t.work(2, take{})
	t.noWork(take{}, "one of the acks was refused")
}
