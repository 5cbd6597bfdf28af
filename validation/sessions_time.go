package validation

import "time"

// The session cases that wait for the end of a claim or a lease.

// expire has an owner claim the session of an activity, finish it, and let the
// claim end.
func (t *trial) expire(owner, session string, id uint64) {
	t.enqueue(inSession(session, id))
	t.ackWork(t.work(id, claiming(owner, shortClaim)), nil)
	t.sleepPast(shortClaim)
}

func sessionClaimableAfterLockExpiry(t *trial) {
	t.expire("A", "s1", 1)
	t.enqueue(inSession("s1", 2))
	t.work(2, as("B"))
}

func cleanupRemovesExpiredNoItems(t *trial) {
	t.expire("A", "s1", 1)
	t.wantCleaned(1)
	t.wantCleaned(0)
}

func cleanupKeepsSessionsWithPendingItems(t *trial) {
	t.expire("A", "s1", 1)
	t.enqueue(inSession("s1", 2))
	t.wantCleaned(0)
}

func ackUpdatesSessionLastActivity(t *trial) {
	const idle = 200 * time.Millisecond
	t.enqueue(inSession("s1", 1), inSession("s2", 2))
	item := t.work(1, as("A"))
	t.work(2, as("A"))
	t.sleep(idle + 50*time.Millisecond)
	w := t.window("the idle time", idle)
	t.ackWork(item, nil)
	t.wantRenewed(1, idle, "A") // the other session is idle
	w.close()
}

func renewWorkItemUpdatesSessionLastActivity(t *trial) {
	const idle = 200 * time.Millisecond
	t.enqueue(inSession("s1", 1), inSession("s2", 2))
	item := t.work(1, as("A"))
	t.work(2, as("A"))
	t.sleep(idle + 50*time.Millisecond)
	w := t.window("the idle time", idle)
	t.renewWork(item, longLease)
	t.wantRenewed(1, idle, "A") // the other session is idle
	w.close()
}

func sessionTakeoverAfterLockExpiry(t *trial) {
	t.expire("A", "s1", 1)
	t.enqueue(inSession("s1", 2), inSession("s1", 3))
	t.work(2, as("B"))
	t.noWork(as("A"), "the session is another owner's now")
	t.work(3, as("B"))
}

func cleanupThenNewItemRecreatesSession(t *trial) {
	t.expire("A", "s1", 1)
	t.wantCleaned(1)
	t.enqueue(inSession("s1", 2), inSession("s1", 3))
	t.work(2, as("B"))
	t.noWork(as("A"), "the session is another owner's now")
}

func abandonedSessionItemIgnoreAttempt(t *trial) {
	t.enqueue(inSession("s1", 1))
	t.abandonWork(t.work(1, as("A")), time.Millisecond, true)
	t.sleep(50 * time.Millisecond)
	t.wantAttempt(t.work(1, as("A")).AttemptCount, 1)
}

func renewSessionLockAfterExpiryReturnsZero(t *trial) {
	t.expire("A", "s1", 1)
	t.wantRenewed(0, longClaim, "A")
}

func originalWorkerReclaimsExpiredSession(t *trial) {
	t.expire("A", "s1", 1)
	t.enqueue(inSession("s1", 2), inSession("s1", 3))
	t.work(2, as("A"))
	t.noWork(as("B"), "the session was claimed again")
}

func activityLockExpiresSessionLockValidSameWorkerRefetches(t *trial) {
	const lease = 500 * time.Millisecond
	t.enqueue(inSession("s1", 1))
	how := as("A")
	how.lease = lease
	t.work(1, how)
	t.sleepPast(lease)
	t.noWork(as("B"), "the session is another owner's")
	t.wantAttempt(t.work(1, as("A")).AttemptCount, 2)
}

func sessionLockExpiresNewOwnerGetsRedelivery(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	old := t.work(1, claiming("A", briefClaim))
	t.sleepPast(briefClaim)
	t.work(2, as("B"))
	t.noWork(as("B"), "the first activity is locked by its first owner")
	t.abandonWork(old, 0, false)
	t.noWork(as("A"), "the session is another owner's now")
	t.wantAttempt(t.work(1, as("B")).AttemptCount, 2)
}

func sessionLockExpiresSameWorkerReacquires(t *trial) {
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	t.work(1, claiming("A", briefClaim))
	t.sleepPast(briefClaim)
	t.work(2, as("A"))
}

func bothLocksExpireDifferentWorkerClaims(t *trial) {
	t.enqueue(inSession("s1", 1))
	how := claiming("A", briefClaim)
	how.lease = briefClaim
	t.work(1, how)
	t.sleep(2 * briefClaim)
	t.wantAttempt(t.work(1, as("B")).AttemptCount, 2)
}

func sessionLockExpiresActivityLockValidAckSucceeds(t *trial) {
	t.enqueue(inSession("s1", 1))
	item := t.work(1, claiming("A", briefClaim))
	t.sleepPast(briefClaim)
	t.ackWork(item, completed("sessions", 1))
	t.wantMessages(t.turn("sessions"), completed("sessions", 1))
}

func sessionLockRenewalExtendsPastOriginalTimeout(t *trial) {
	const claim = time.Second
	t.enqueue(inSession("s1", 1), inSession("s1", 2))
	whole := t.window("the renewed claim", claim*16/10)
	first := t.window("the claim", claim)
	t.work(1, claiming("A", claim))
	t.sleep(claim * 6 / 10)
	t.wantRenewedFor(1, claim, longClaim, "A")
	first.close()
	t.sleep(claim*4/10 + margin)
	t.noWork(as("B"), "the claim was renewed")
	whole.close()
	t.work(2, as("A"))
}
