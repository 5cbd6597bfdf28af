package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var skewCases = inCategory("skew",
	Case{
		Name:     "TestSkewLocksAreKept",
		Rule:     "A lock lives for a process whose clock differs by less than the rest of the lease.",
		Contract: "1.4, 5.4",
		needs:    []need{needsClockOffset},
		run:      skewLocksAreKept,
	},
	Case{
		Name:     "TestSkewOneWinner",
		Rule:     "However far the clocks are apart, of two holders of the same work one can acknowledge it.",
		Contract: "3.2, 3.9, 5.1",
		needs:    []need{needsClockOffset},
		run:      skewOneWinner,
	},
	Case{
		Name:     "TestSkewDelivery",
		Rule:     "What a process sends arrives at one with another clock, late by the difference at most.",
		Contract: "1.4, 5.3",
		needs:    []need{needsClockOffset},
		run:      skewDelivery,
	},
	Case{
		Name:     "TestSkewTakeover",
		Rule:     "What a process left behind is taken over by one with another clock, late by the difference at most.",
		Contract: "5.1, 5.4",
		needs:    []need{needsClockOffset},
		run:      skewTakeover,
	},
	Case{
		Name:     "TestSkewSessions",
		Rule:     "A claim on a session lives for a process whose clock differs by less than the rest of it.",
		Contract: "1.4, 3.8",
		needs:    []need{needsClockOffset},
		run:      skewSessions,
	},
)

// bothWays has a case run for two processes, of which the first one's clock is
// behind, and for two of which it is ahead.
func (t *trial) bothWays(d time.Duration, run func(here, there core.Provider)) {
	for _, offset := range []time.Duration{d, -d} {
		here := t.newProvider()
		run(here, t.withClock(here, offset))
	}
}

// on has the helpers work with another provider.
func (t *trial) on(p core.Provider) { t.p = p }

// soon fetches with a provider until there is something or the time is over.
func (t *trial) soon(limit time.Duration, try func() bool) bool {
	for begin := time.Now(); !try(); t.sleep(20 * time.Millisecond) {
		if time.Since(begin) > limit {
			return false
		}
	}
	return true
}

// apart is a difference of clocks that a lease survives, slightly one that
// messages wait for, and late how much later than that they may come on a machine
// that is busy.
const (
	apart    = longLease / 2
	slightly = 500 * time.Millisecond
	late     = 20 * time.Second
)

func skewLocksAreKept(t *trial) {
	t.bothWays(apart, func(here, there core.Provider) {
		t.on(here)
		t.enqueue(start("locked"), activity("locked", 1))
		turn, item := t.turn("locked"), t.work(1, take{})
		t.on(there)
		t.noTurn("another process holds the instance")
		t.noWork(take{}, "another process holds the activity")
		t.on(here)
		t.check("renew_orchestration_item_lock", here.RenewOrchestrationItemLock(t.ctx, core.RenewLockParams{
			LockToken: turn.LockToken, ExtendFor: longLease,
		}))
		t.renewWork(item, longLease)
		t.on(there)
		t.noTurn("another process has renewed its lock")
		t.noWork(take{}, "another process has renewed its lock")
		t.on(here)
		t.ack(turn, ack{events: []core.Event{started("locked", 1)}})
		t.ackWork(item, nil)
	})
}

func skewOneWinner(t *trial) {
	t.bothWays(3*t.lease(), func(here, there core.Provider) {
		t.contest("first", here, there)
		t.contest("second", there, here)
	})
}

// contest has one process after the other try to get the same work, and both
// acknowledge what they have got.
func (t *trial) contest(id string, holders ...core.Provider) {
	first := t.window("the leases of the first holder", t.lease())
	t.on(holders[0])
	t.enqueue(start(id), activity(id, 1))
	turns := []*core.OrchestrationItem{t.turnFor(t.lease(), id)}
	items := []*core.LockedWorkItem{t.work(1, take{lease: t.lease()})}
	t.on(holders[1])
	if turn := t.fetch(longLease, nil); turn != nil {
		turns = append(turns, turn)
	}
	if item := t.tryWork(take{}); item != nil {
		items = append(items, item)
	}
	acked, done := 0, 0
	for n, turn := range turns {
		if t.tryAckOn(holders[n], turn, 1, ack{events: []core.Event{started(id, 1)}}) == nil {
			acked++
		}
	}
	for n, item := range items {
		t.on(holders[n])
		if t.tryAckWork(item, completed(id, 1)) == nil {
			done++
		}
	}
	if acked != 1 || done != 1 {
		t.fatalf("%d of %d acks of a turn and %d of %d of an activity succeeded, want 1 each", acked, len(turns), done, len(items))
	}
	first.close()
	t.wantEvents("history", t.read(id), started(id, 1))
	// The completion is for neither of the two to find in the next contest.
	t.on(holders[0])
	t.soon(late, func() bool {
		turn := t.fetch(longLease, nil)
		if turn != nil {
			t.ack(turn, ack{})
		}
		return turn != nil
	})
}

func skewDelivery(t *trial) {
	t.bothWays(slightly, func(here, there core.Provider) {
		t.on(here)
		t.enqueue(start("sent"), activity("sent", 1))
		t.on(there)
		if !t.soon(slightly+late, func() bool { return t.fetch(longLease, nil) != nil }) {
			t.fatalf("a message of another process does not arrive")
		}
		if !t.soon(slightly+late, func() bool { return t.tryWork(take{}) != nil }) {
			t.fatalf("an activity of another process does not arrive")
		}
	})
}

func skewTakeover(t *trial) {
	t.bothWays(slightly, func(here, there core.Provider) {
		t.on(here)
		t.enqueue(start("left"), activity("left", 1))
		turn, item := t.turnFor(t.lease(), "left"), t.work(1, take{lease: t.lease()})
		t.on(there)
		if !t.soon(t.lease()+slightly+late, func() bool { return t.fetch(longLease, nil) != nil }) {
			t.fatalf("an instance that another process left behind is not taken over")
		}
		if !t.soon(t.lease()+slightly+late, func() bool { return t.tryWork(take{}) != nil }) {
			t.fatalf("an activity that another process left behind is not taken over")
		}
		t.on(here)
		t.wantLockLost("an ack after another process took over", t.tryAck(turn, ack{events: []core.Event{started("left", 1)}}))
		t.wantLockLost("an ack after another process took over", t.tryAckWork(item, nil))
	})
}

func skewSessions(t *trial) {
	t.bothWays(apart, func(here, there core.Provider) {
		t.on(here)
		t.enqueue(inSession("s1", 1), inSession("s1", 2))
		t.ackWork(t.work(1, as("A")), nil)
		t.on(there)
		t.noWork(as("B"), "the session is another owner's")
		t.on(here)
		t.wantRenewed(1, longClaim, "A")
		t.on(there)
		t.noWork(as("B"), "the session is another owner's")
		t.on(here)
		t.work(2, as("A"))
	})
}
