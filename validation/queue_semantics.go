package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var queueSemantics = inCategory("queue_semantics",
	Case{
		Name:     "TestWorkerQueueFifoOrdering",
		Rule:     "Activities are served in the order in which they were enqueued.",
		Contract: "3.8, 5.3",
		run:      workerQueueFifoOrdering,
	},
	Case{
		Name:     "TestWorkerPeekLockSemantics",
		Rule:     "A fetched activity is hidden and not gone; its ack removes it.",
		Contract: "3.8, 3.9",
		run:      workerPeekLockSemantics,
	},
	Case{
		Name:     "TestWorkerAckAtomicity",
		Rule:     "The ack of an activity removes it and sends its completion in one step.",
		Contract: "3.9",
		run:      workerAckAtomicity,
	},
	Case{
		Name:     "TestTimerDelayedVisibility",
		Rule:     "A message that is enqueued with a delay is hidden until the delay is over.",
		Contract: "3.6, 5.3",
		run:      timerDelayedVisibility,
	},
	Case{
		Name:     "TestLostLockTokenHandling",
		Rule:     "An activity whose worker went away is delivered again when its lease has ended.",
		Contract: "3.8, 5.4",
		run:      lostLockTokenHandling,
	},
	Case{
		Name:     "TestWorkerItemImmediateVisibility",
		Rule:     "An activity can be fetched as soon as it is enqueued.",
		Contract: "3.7",
		run:      workerItemImmediateVisibility,
	},
	Case{
		Name:     "TestWorkerDelayedVisibilitySkipsFutureItems",
		Rule:     "A hidden activity does not hold up those behind it, and comes when its delay is over.",
		Contract: "3.8, 3.11, 5.3",
		run:      workerDelayedVisibilitySkipsFutureItems,
	},
	Case{
		Name:     "TestOrphanQueueMessagesDropped",
		Rule:     "Queue messages for an instance that does not exist are dropped for good; for one that exists they are delivered.",
		Contract: "5.10",
		run:      orphanQueueMessagesDropped,
	},
)

func workerQueueFifoOrdering(t *trial) {
	for n := range uint64(5) {
		t.enqueue(activity("fifo", n))
	}
	for n := range uint64(5) {
		wantEqual[core.WorkItem](t, "activity", t.work(n, take{}).Item, activity("fifo", n))
	}
	t.noWork(take{}, "all activities are locked")
}

func workerPeekLockSemantics(t *trial) {
	t.enqueue(activity("peeked", 1))
	item := t.work(1, take{})
	t.noWork(take{}, "the activity is locked")
	t.ackWork(item, completed("peeked", 1))
	t.noWork(take{}, "the activity was acknowledged")
}

func workerAckAtomicity(t *trial) {
	t.create("atomic")
	t.enqueue(activity("atomic", 1))
	item := t.work(1, take{})
	t.noTurn("the activity is not complete")
	t.ackWork(item, completed("atomic", 1))
	t.noWork(take{}, "the activity was acknowledged")
	t.wantMessages(t.turn("atomic"), completed("atomic", 1))
}

func timerDelayedVisibility(t *trial) {
	const delay = 5 * time.Second
	t.create("timer")
	timer := core.TimerFiredItem{Instance: "timer", ExecutionID: 1, ID: 1}
	w := t.window("the delay", delay)
	t.enqueueLater(delay, timer)
	t.noTurn("the timer is hidden")
	w.close()
	t.sleepPast(delay)
	t.wantMessages(t.turn("timer"), timer)
}

func lostLockTokenHandling(t *trial) {
	t.enqueue(activity("lost", 1))
	w := t.window("the lease", t.lease())
	t.work(1, take{lease: t.lease()})
	t.noWork(take{}, "the activity is locked")
	w.close()
	t.sleepPast(t.lease())
	wantEqual[core.WorkItem](t, "activity", t.work(1, take{}).Item, activity("lost", 1))
}

func workerItemImmediateVisibility(t *trial) {
	t.enqueue(activity("immediate", 1))
	t.work(1, take{})
}

func workerDelayedVisibilitySkipsFutureItems(t *trial) {
	const delay = 500 * time.Millisecond
	t.enqueue(activity("skip", 1), activity("skip", 2))
	first := t.work(1, take{})
	w := t.window("the delay", delay)
	t.abandonWork(first, delay, false)
	second := t.work(2, take{})
	t.noWork(take{}, "the first activity is hidden, the second locked")
	w.close()
	t.sleepPast(delay)
	first = t.work(1, take{})
	t.ackWork(first, completed("skip", 1))
	t.ackWork(second, completed("skip", 2))
	t.noWork(take{}, "both activities were acknowledged")
}

func orphanQueueMessagesDropped(t *trial) {
	t.enqueue(queued("ghost", "a"), queued("ghost", "b"))
	t.noTurn("the instance does not exist")
	t.noTurn("the messages were dropped")
	t.create("real")
	t.enqueue(queued("real", "c"))
	turn := t.turn("real")
	t.wantMessages(turn, queued("real", "c"))
	t.ack(turn, ack{})
	t.enqueue(start("ghost"))
	t.wantMessages(t.turn("ghost"), start("ghost"))
}
