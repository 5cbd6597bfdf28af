package validation

import (
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var instanceLocking = inCategory("instance_locking",
	Case{
		Name:     "TestExclusiveInstanceLock",
		Rule:     "An instance is locked for everybody until its lease ends; then the next fetch gets a token of its own.",
		Contract: "3.1, 5.4",
		run:      exclusiveInstanceLock,
	},
	Case{
		Name:     "TestLockTokenUniqueness",
		Rule:     "No two fetches get the same token.",
		Contract: "3.1",
		run:      lockTokenUniqueness,
	},
	Case{
		Name:     "TestInvalidLockTokenRejection",
		Rule:     "An ack or abandon with a made-up token is refused and does not touch the lock that is held.",
		Contract: "3.2, 3.3, 5.1",
		run:      invalidLockTokenRejection,
	},
	Case{
		Name:     "TestConcurrentInstanceFetching",
		Rule:     "Fetches at the same time get different instances, and all of them are got.",
		Contract: "3.1, 5.3",
		run:      concurrentInstanceFetching,
	},
	Case{
		Name:     "TestCompletionsArrivingDuringLockBlocked",
		Rule:     "Messages that arrive while the instance is locked wait, and come in order with the others when the lease has ended.",
		Contract: "3.1, 5.3, 5.4",
		run:      completionsArrivingDuringLockBlocked,
	},
	Case{
		Name:     "TestCrossInstanceLockIsolation",
		Rule:     "The lock of one instance does not stop another; the older message is served first.",
		Contract: "5.3, 5.4",
		run:      crossInstanceLockIsolation,
	},
	Case{
		Name:     "TestMessageTaggingDuringLock",
		Rule:     "An ack deletes the messages of its fetch; one that came later is in the next turn.",
		Contract: "3.1, 3.2",
		run:      messageTaggingDuringLock,
	},
	Case{
		Name:     "TestAckOnlyAffectsLockedMessages",
		Rule:     "Several messages that came during a turn are in the next one, in order.",
		Contract: "3.1, 3.2, 5.3",
		run:      ackOnlyAffectsLockedMessages,
	},
	Case{
		Name:     "TestMultiThreadedLockContention",
		Rule:     "Of many fetches at the same time exactly one gets the one instance there is.",
		Contract: "1.3, 3.1",
		run:      multiThreadedLockContention,
	},
	Case{
		Name:     "TestMultiThreadedNoDuplicateProcessing",
		Rule:     "Of many fetches at the same time no two get the same instance.",
		Contract: "1.3, 3.1",
		run:      multiThreadedNoDuplicateProcessing,
	},
	Case{
		Name:     "TestMultiThreadedLockExpirationRecovery",
		Rule:     "An instance whose holder went away is closed to others during the lease and open after it.",
		Contract: "1.3, 5.4",
		run:      multiThreadedLockExpirationRecovery,
	},
)

func exclusiveInstanceLock(t *trial) {
	t.enqueue(start("exclusive"))
	w := t.window("the lease", t.lease())
	first := t.turnFor(t.lease(), "exclusive")
	t.noTurn("the instance is locked")
	w.close()
	t.sleepPast(t.lease())
	if second := t.turn("exclusive"); second.LockToken == first.LockToken {
		t.fatalf("the second fetch got the token of the first")
	}
}

func lockTokenUniqueness(t *trial) {
	seen := map[string]bool{}
	for i := range 5 {
		t.enqueue(start(name("token", i)))
	}
	for i := range 5 {
		turn := t.turn(name("token", i))
		if seen[turn.LockToken] {
			t.fatalf("two fetches got the token %q", turn.LockToken)
		}
		seen[turn.LockToken] = true
	}
}

func invalidLockTokenRejection(t *trial) {
	t.enqueue(start("held"))
	turn := t.turn("held")
	madeUp := &core.OrchestrationItem{LockToken: "bogus-token"}
	t.wantLockLost("an ack with a made-up token", t.tryAck(madeUp, ack{exec: 1, events: []core.Event{started("held", 1)}}))
	err := t.p.AbandonOrchestrationItem(t.ctx, core.AbandonParams{LockToken: "bogus-token"})
	t.wantLockLost("an abandon with a made-up token", err)
	t.noTurn("the real lock is held")
	t.ack(turn, ack{events: []core.Event{started("held", 1)}})
}

func concurrentInstanceFetching(t *trial) {
	const n = 10
	for i := range n {
		t.enqueue(start(name("concurrent", i)))
	}
	var got fetched
	t.atOnce(n, 30*time.Millisecond, func(int) {
		// A fetch that loses a race for one instance may come back with nothing.
		for range 20 {
			if item := t.fetch(longLease, nil); item != nil {
				got.add(t, item)
				return
			}
			t.sleep(10 * time.Millisecond)
		}
	})
	if len(got.instances) != n {
		t.fatalf("%d of %d instances were fetched", len(got.instances), n)
	}
}

func completionsArrivingDuringLockBlocked(t *trial) {
	const id = "busy"
	t.enqueue(start(id))
	w := t.window("the lease", t.lease())
	t.turnFor(t.lease(), id)
	t.enqueue(completed(id, 1), completed(id, 2), completed(id, 3))
	t.noTurn("the instance is locked")
	w.close()
	t.sleepPast(t.lease())
	t.wantMessages(t.turn(id), start(id), completed(id, 1), completed(id, 2), completed(id, 3))
}

func crossInstanceLockIsolation(t *trial) {
	t.create("A")
	t.create("B")
	t.enqueue(completed("A", 1), completed("B", 1))
	t.turn("A")
	t.ack(t.turn("B"), ack{})
	t.enqueue(completed("B", 2))
	t.wantMessages(t.turn("B"), completed("B", 2))
	t.noTurn("both instances are locked")
}

func messageTaggingDuringLock(t *trial) {
	const id = "tagged"
	t.create(id)
	t.enqueue(completed(id, 1), completed(id, 2))
	turn := t.turn(id)
	t.wantMessages(turn, completed(id, 1), completed(id, 2))
	t.enqueue(completed(id, 3))
	t.ack(turn, ack{})
	t.wantMessages(t.turn(id), completed(id, 3))
}

func ackOnlyAffectsLockedMessages(t *trial) {
	const id = "ack-locked"
	t.create(id)
	t.enqueue(completed(id, 1))
	turn := t.turn(id)
	t.wantMessages(turn, completed(id, 1))
	t.enqueue(completed(id, 2), completed(id, 3))
	t.noTurn("the instance is locked")
	t.ack(turn, ack{})
	t.wantMessages(t.turn(id), completed(id, 2), completed(id, 3))
}

func multiThreadedLockContention(t *trial) {
	t.enqueue(start("contended"))
	var got fetched
	t.atOnce(10, 5*time.Millisecond, func(int) {
		if item := t.fetch(longLease, nil); item != nil {
			got.add(t, item)
		}
	})
	if len(got.instances) != 1 {
		t.fatalf("%d of 10 fetches got the instance, want 1", len(got.instances))
	}
	t.noTurn("the instance is locked")
}

func multiThreadedNoDuplicateProcessing(t *trial) {
	for i := range 20 {
		t.enqueue(start(name("once", i)))
	}
	var got fetched
	t.atOnce(40, 0, func(int) {
		for attempt := 1; ; attempt++ {
			item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease})
			if core.IsRetryable(err) && attempt < 3 {
				t.sleep(20 * time.Millisecond)
				continue
			}
			if err != nil && !core.IsRetryable(err) {
				t.fatalf("fetch_orchestration_item: %v", err)
			}
			if item != nil {
				got.add(t, item)
			}
			return
		}
	})
	if len(got.instances) == 0 {
		t.fatalf("of 20 instances 40 fetches got none")
	}
}

func multiThreadedLockExpirationRecovery(t *trial) {
	const id = "abandoned"
	t.enqueue(start(id))
	held := make(chan struct{})
	var w *window
	t.atOnce(3, 0, func(i int) {
		if i > 0 {
			select {
			case <-held:
			case <-t.ctx.Done():
				return
			}
		}
		switch i {
		case 0:
			defer close(held)
			w = t.window("the lease", t.lease())
			t.turnFor(t.lease(), id)
		case 1:
			t.sleep(200 * time.Millisecond)
			t.noTurn("the instance is locked")
			w.close()
		case 2:
			t.sleepPast(t.lease())
			t.turn(id)
		}
	})
}

// fetched collects what goroutines have fetched.
type fetched struct {
	mu        sync.Mutex
	instances map[string]bool
}

// add fails if the instance was fetched before.
func (f *fetched) add(t *trial, item *core.OrchestrationItem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.instances[item.Instance] {
		t.errorf("instance %s was fetched twice", item.Instance)
	}
	if f.instances == nil {
		f.instances = map[string]bool{}
	}
	f.instances[item.Instance] = true
}
