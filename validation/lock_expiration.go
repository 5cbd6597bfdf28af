package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var lockExpiration = inCategory("lock_expiration",
	Case{
		Name:     "TestLockExpiresAfterTimeout",
		Rule:     "After the lease the instance is fetched again with a new token, and the old one is dead.",
		Contract: "3.1, 3.2, 5.4",
		run:      lockExpiresAfterTimeout,
	},
	Case{
		Name:     "TestAbandonReleasesLockImmediately",
		Rule:     "An abandoned instance can be fetched at once.",
		Contract: "3.3",
		run:      abandonReleasesLockImmediately,
	},
	Case{
		Name:     "TestLockRenewalOnAck",
		Rule:     "An ack releases the lock: a message that came during the turn can be fetched at once.",
		Contract: "3.2",
		run:      lockRenewalOnAck,
	},
	Case{
		Name:     "TestConcurrentLockAttemptsRespectExpiration",
		Rule:     "However many try, a locked instance is not fetched before its lease ends, and is after it.",
		Contract: "3.1, 5.4",
		run:      concurrentLockAttemptsRespectExpiration,
	},
	Case{
		Name:     "TestWorkerLockRenewalSuccess",
		Rule:     "The lock of an activity can be renewed while it lives; nobody else gets the activity.",
		Contract: "3.10",
		run:      workerLockRenewalSuccess,
	},
	Case{
		Name:     "TestWorkerLockRenewalInvalidToken",
		Rule:     "Renewing an activity with a made-up token is refused.",
		Contract: "3.10, 5.1",
		run:      workerLockRenewalInvalidToken,
	},
	Case{
		Name:     "TestWorkerLockRenewalAfterExpiration",
		Rule:     "A renewal never revives the ended lock of an activity.",
		Contract: "3.10, 5.1",
		run:      workerLockRenewalAfterExpiration,
	},
	Case{
		Name:     "TestWorkerLockRenewalExtendsTimeout",
		Rule:     "A renewed lock lives from the renewal on, past the end of the first lease.",
		Contract: "1.4, 3.10",
		run:      workerLockRenewalExtendsTimeout,
	},
	Case{
		Name:     "TestWorkerLockRenewalAfterAck",
		Rule:     "An activity that was acknowledged cannot be renewed.",
		Contract: "3.10, 5.1",
		run:      workerLockRenewalAfterAck,
	},
	Case{
		Name:     "TestAbandonWorkItemReleasesLock",
		Rule:     "An abandoned activity can be fetched at once, with a new token.",
		Contract: "3.11",
		run:      abandonWorkItemReleasesLock,
	},
	Case{
		Name:     "TestAbandonWorkItemWithDelay",
		Rule:     "An activity that is abandoned with a delay is hidden until the delay is over.",
		Contract: "3.11, 5.3",
		run:      abandonWorkItemWithDelay,
	},
	Case{
		Name:     "TestWorkerAckFailsAfterLockExpiry",
		Rule:     "An activity whose lease has ended cannot be acknowledged; it stays, and its completion is not sent.",
		Contract: "3.9, 5.1",
		run:      workerAckFailsAfterLockExpiry,
	},
	Case{
		Name:     "TestOrchestrationLockRenewalAfterExpiration",
		Rule:     "A renewal never revives the ended lock of an instance.",
		Contract: "3.4, 5.1",
		run:      orchestrationLockRenewalAfterExpiration,
	},
)

func lockExpiresAfterTimeout(t *trial) {
	const id = "expires"
	t.enqueue(start(id))
	old := t.turnFor(t.lease(), id)
	t.sleepPast(t.lease())
	turn := t.turn(id)
	if turn.LockToken == old.LockToken {
		t.fatalf("the second fetch got the token of the first")
	}
	t.wantLockLost("an ack with the old token", t.tryAck(old, ack{events: []core.Event{started(id, 1)}}))
	t.ack(turn, ack{events: []core.Event{started(id, 1)}})
}

func abandonReleasesLockImmediately(t *trial) {
	const id = "given-back"
	t.enqueue(start(id))
	first := t.turnFor(t.lease(), id)
	t.abandon(first, 0, false)
	if second := t.turn(id); second.LockToken == first.LockToken {
		t.fatalf("the second fetch got the token of the first")
	}
}

func lockRenewalOnAck(t *trial) {
	const id = "acked"
	t.enqueue(start(id))
	w := t.window("the lease", t.lease())
	turn := t.turnFor(t.lease(), id)
	t.enqueue(completed(id, 1))
	t.noTurn("the instance is locked")
	t.ack(turn, ack{events: []core.Event{started(id, 1)}, meta: named("TestOrch", "1.0.0")})
	w.close()
	t.wantMessages(t.turn(id), completed(id, 1))
}

func concurrentLockAttemptsRespectExpiration(t *trial) {
	const id = "tried"
	t.enqueue(start(id))
	w := t.window("the lease", t.lease())
	t.turnFor(t.lease(), id)
	t.atOnce(5, 50*time.Millisecond, func(int) { t.noTurn("the instance is locked") })
	w.close()
	t.sleepPast(t.lease())
	t.turn(id)
	t.noTurn("the instance is locked again")
}

func workerLockRenewalSuccess(t *trial) {
	t.enqueue(activity("renewed", 1))
	w := t.window("the lease", t.lease())
	item := t.work(1, take{lease: t.lease()})
	t.sleep(100 * time.Millisecond)
	t.renewWork(item, t.lease())
	t.noWork(take{}, "the lock was renewed")
	w.close()
}

func workerLockRenewalInvalidToken(t *trial) {
	t.enqueue(activity("other", 1))
	t.work(1, take{})
	t.wantLockLost("a renewal with a made-up token", t.tryRenewWork("invalid-token", longLease))
}

func workerLockRenewalAfterExpiration(t *trial) {
	t.enqueue(activity("expired", 1))
	item := t.work(1, take{lease: time.Second})
	t.sleepPast(t.lease())
	t.wantLockLost("a renewal after the lease", t.tryRenewWork(item.LockToken, t.lease()))
	t.work(1, take{})
}

func workerLockRenewalExtendsTimeout(t *trial) {
	const id = "extended"
	t.enqueue(start(id))
	t.ack(t.turn(id), ack{
		events: []core.Event{started(id, 1), event(id, 2, core.ActivityScheduled{Name: "TestActivity", Input: "{}"})},
		work:   []core.WorkItem{activity(id, 2)},
		meta:   core.ExecutionMetadata{OrchestrationName: ptr("TestOrch"), Status: core.StatusRunning},
	})
	whole := t.window("the renewed lease", t.lease()*16/10)
	first := t.window("the lease", t.lease())
	item := t.work(2, take{lease: t.lease()})
	t.sleep(t.lease() * 6 / 10)
	t.renewWork(item, t.lease())
	first.close()
	t.sleep(t.lease()*4/10 + margin)
	t.noWork(take{}, "the lock was renewed")
	whole.close()
}

func workerLockRenewalAfterAck(t *trial) {
	t.enqueue(activity("acked", 1))
	item := t.work(1, take{})
	t.ackWork(item, completed("acked", 1))
	t.wantLockLost("a renewal after the ack", t.tryRenewWork(item.LockToken, longLease))
}

func abandonWorkItemReleasesLock(t *trial) {
	t.enqueue(activity("given-back", 1))
	first := t.work(1, take{lease: t.lease()})
	t.abandonWork(first, 0, false)
	if second := t.work(1, take{}); second.LockToken == first.LockToken {
		t.fatalf("the second fetch got the token of the first")
	}
}

func abandonWorkItemWithDelay(t *trial) {
	const delay = 500 * time.Millisecond
	t.enqueue(activity("delayed", 1))
	item := t.work(1, take{})
	w := t.window("the delay", delay)
	t.abandonWork(item, delay, false)
	t.noWork(take{}, "the activity is hidden")
	w.close()
	t.sleepPast(delay)
	t.work(1, take{})
}

func workerAckFailsAfterLockExpiry(t *trial) {
	t.enqueue(activity("late", 1))
	item := t.work(1, take{lease: time.Second})
	t.sleep(1200 * time.Millisecond)
	t.wantLockLost("an ack after the lease", t.tryAckWork(item, completed("late", 1)))
	t.noTurn("the completion was refused")
	t.work(1, take{})
}

func orchestrationLockRenewalAfterExpiration(t *trial) {
	const id = "expired"
	t.enqueue(start(id))
	turn := t.turnFor(t.lease(), id)
	t.sleepPast(t.lease())
	err := t.p.RenewOrchestrationItemLock(t.ctx, core.RenewLockParams{LockToken: turn.LockToken, ExtendFor: t.lease()})
	t.wantLockLost("a renewal after the lease", err)
	t.turn(id)
}
