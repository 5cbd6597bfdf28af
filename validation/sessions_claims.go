package validation

import "github.com/duroxide/duroxide-go/core"

// The session cases about who gets what, without waiting.

func nonSessionItemsFetchableByAnyWorker(t *trial) {
	t.enqueue(plain(1))
	t.work(1, as("A"))
}

func sessionItemClaimableWhenNoSession(t *trial) {
	t.enqueue(inSession("s1", 1))
	wantEqual[core.WorkItem](t, "activity", t.work(1, as("A")).Item, inSession("s1", 1))
}

func sessionAffinitySameWorker(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	t.ackWork(t.work(1, as("A")), nil)
	t.work(2, as("A"))
}

func sessionAffinityBlocksOtherWorker(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	t.ackWork(t.work(1, as("A")), nil)
	t.noWork(as("B"), "the session is another owner's")
	t.wantAttempt(t.work(2, as("A")).AttemptCount, 1)
}

func differentSessionsDifferentWorkers(t *trial) {
	t.enqueue(inSession("s1", 1))
	t.work(1, as("A"))
	t.enqueue(inSession("s2", 2))
	t.work(2, as("B"))
	t.enqueue(inSession("s1", 3), inSession("s2", 4))
	t.work(4, as("B"))
	t.work(3, as("A"))
}

func mixedSessionAndNonSessionItems(t *trial) {
	t.enqueue(inSession("s1", 1))
	t.work(1, as("A"))
	t.enqueue(inSession("s1", 2), plain(3))
	t.work(3, as("B"))
	t.noWork(as("B"), "the session is another owner's")
}

func noneSessionSkipsSessionItems(t *trial) {
	t.enqueue(inSession("s1", 1), plain(2))
	t.work(2, take{})
	t.noWork(take{}, "the other activity has a session")
	t.work(1, as("A"))
}

func someSessionReturnsAllItems(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s2", 2), plain(3), inSession("s3", 4))
	for id := uint64(1); id <= 4; id++ {
		t.work(id, as("A"))
	}
	t.noWork(as("A"), "all activities are locked")
}

func renewSessionLockActive(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s2", 2))
	t.work(1, as("A"))
	t.wantRenewed(1, longClaim, "A")
	t.work(2, as("A"))
	t.wantRenewed(2, longClaim, "A")
	t.wantRenewed(0, longClaim, "B")
}

func renewSessionLockSkipsIdle(t *trial) {
	t.enqueue(inSession("s1", 1))
	t.work(1, as("A"))
	t.wantRenewed(0, 0, "A")
}

func renewSessionLockNoSessions(t *trial) {
	t.wantRenewed(0, longClaim, "A")
	t.wantRenewed(0, longClaim)
}

func cleanupKeepsActiveSessions(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	t.ackWork(t.work(1, as("A")), nil)
	t.ackWork(t.work(2, as("A")), nil)
	t.wantCleaned(0)
	t.enqueue(inSession("s1", 3))
	t.noWork(as("B"), "the session is another owner's")
}

func sessionItemsProcessedInOrder(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2), inSession("s1", 3))
	for id := uint64(1); id <= 3; id++ {
		t.ackWork(t.work(id, as("A")), nil)
	}
}

func nonSessionItemsReturnedWithSessionConfig(t *trial) {
	t.enqueue(inSession("s1", 1))
	t.work(1, as("A"))
	t.enqueue(plain(2))
	wantEqual[core.WorkItem](t, "activity", t.work(2, as("A")).Item, plain(2))
}

func sharedWorkerIDAnyCallerCanFetchOwnedSession(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2), inSession("s1", 3))
	t.work(1, as("shared"))
	t.work(2, as("shared"))
	t.noWork(as("other"), "the session is another owner's")
}

func concurrentSessionClaimOnlyOneWins(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	t.work(1, as("A"))
	t.noWork(as("B"), "the session is another owner's")
}

func abandonedSessionItemRetryable(t *trial) {
	t.enqueue(inSession("s1", 1))
	t.abandonWork(t.work(1, as("A")), 0, false)
	again := t.work(1, as("A"))
	t.wantAttempt(again.AttemptCount, 2)
	t.ackWork(again, nil)
	t.noWork(as("A"), "the activity was acknowledged")
}
