package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// The claims of the session cases: one that outlives a case, and two that end
// within it.
const (
	longClaim  = time.Hour
	shortClaim = 50 * time.Millisecond
	briefClaim = 200 * time.Millisecond
)

var sessions = inCategory("sessions",
	Case{
		Name:     "TestNonSessionItemsFetchableByAnyWorker",
		Rule:     "A fetch for a session owner also gets activities without a session.",
		Contract: "3.8",
		run:      nonSessionItemsFetchableByAnyWorker,
	},
	Case{
		Name:     "TestSessionItemClaimableWhenNoSession",
		Rule:     "An activity of a session that nobody owns is handed out with its session.",
		Contract: "3.8",
		run:      sessionItemClaimableWhenNoSession,
	},
	Case{
		Name:     "TestSessionAffinitySameWorker",
		Rule:     "The owner of a session gets its next activity.",
		Contract: "3.8",
		run:      sessionAffinitySameWorker,
	},
	Case{
		Name:     "TestSessionAffinityBlocksOtherWorker",
		Rule:     "An activity of a session that somebody else owns is not handed out.",
		Contract: "3.8",
		run:      sessionAffinityBlocksOtherWorker,
	},
	Case{
		Name:     "TestDifferentSessionsDifferentWorkers",
		Rule:     "Each owner gets the activities of its own session, even behind older ones of another.",
		Contract: "3.8",
		run:      differentSessionsDifferentWorkers,
	},
	Case{
		Name:     "TestMixedSessionAndNonSessionItems",
		Rule:     "The session of another owner does not hold up activities without a session.",
		Contract: "3.8",
		run:      mixedSessionAndNonSessionItems,
	},
	Case{
		Name:     "TestSessionClaimableAfterLockExpiry",
		Rule:     "A session whose claim has ended can be claimed by another owner.",
		Contract: "3.8",
		run:      sessionClaimableAfterLockExpiry,
	},
	Case{
		Name:     "TestNoneSessionSkipsSessionItems",
		Rule:     "A fetch without an owner never gets activities of a session, and is not held up by them.",
		Contract: "3.8",
		run:      noneSessionSkipsSessionItems,
	},
	Case{
		Name:     "TestSomeSessionReturnsAllItems",
		Rule:     "A fetch for an owner gets activities of unclaimed sessions and of none, oldest first.",
		Contract: "3.8, 5.3",
		run:      someSessionReturnsAllItems,
	},
	Case{
		Name:     "TestRenewSessionLockActive",
		Rule:     "Renewing extends every session of the owner and tells how many.",
		Contract: "3.12",
		run:      renewSessionLockActive,
	},
	Case{
		Name:     "TestRenewSessionLockSkipsIdle",
		Rule:     "A session without activity for the idle time is not renewed; an idle time of zero renews none.",
		Contract: "3.12",
		run:      renewSessionLockSkipsIdle,
	},
	Case{
		Name:     "TestRenewSessionLockNoSessions",
		Rule:     "Renewing for an owner without sessions renews none and is no error.",
		Contract: "3.12",
		run:      renewSessionLockNoSessions,
	},
	Case{
		Name:     "TestCleanupRemovesExpiredNoItems",
		Rule:     "The clean-up removes a session whose claim has ended and that no activity refers to.",
		Contract: "3.13",
		run:      cleanupRemovesExpiredNoItems,
	},
	Case{
		Name:     "TestCleanupKeepsSessionsWithPendingItems",
		Rule:     "The clean-up keeps a session that an activity in the queue refers to.",
		Contract: "3.13",
		run:      cleanupKeepsSessionsWithPendingItems,
	},
	Case{
		Name:     "TestCleanupKeepsActiveSessions",
		Rule:     "The clean-up keeps a session whose claim lives.",
		Contract: "3.13",
		run:      cleanupKeepsActiveSessions,
	},
	Case{
		Name:     "TestAckUpdatesSessionLastActivity",
		Rule:     "The ack of an activity counts as activity of its session.",
		Contract: "3.9, 3.12",
		run:      ackUpdatesSessionLastActivity,
	},
	Case{
		Name:     "TestRenewWorkItemUpdatesSessionLastActivity",
		Rule:     "The renewal of an activity counts as activity of its session.",
		Contract: "3.10, 3.12",
		run:      renewWorkItemUpdatesSessionLastActivity,
	},
	Case{
		Name:     "TestSessionItemsProcessedInOrder",
		Rule:     "The activities of a session are served in the order in which they were enqueued.",
		Contract: "3.8, 5.3",
		run:      sessionItemsProcessedInOrder,
	},
	Case{
		Name:     "TestNonSessionItemsReturnedWithSessionConfig",
		Rule:     "Who owns a session gets activities without a session all the same.",
		Contract: "3.8",
		run:      nonSessionItemsReturnedWithSessionConfig,
	},
	Case{
		Name:     "TestSharedWorkerIdAnyCallerCanFetchOwnedSession",
		Rule:     "A session belongs to the owner id, whoever fetches with it.",
		Contract: "3.8",
		run:      sharedWorkerIDAnyCallerCanFetchOwnedSession,
	},
	Case{
		Name:     "TestConcurrentSessionClaimOnlyOneWins",
		Rule:     "While the first activity of a session is under way, no other owner gets the second.",
		Contract: "3.8",
		run:      concurrentSessionClaimOnlyOneWins,
	},
	Case{
		Name:     "TestSessionTakeoverAfterLockExpiry",
		Rule:     "After its claim has ended a session changes its owner, and is then closed to the first one.",
		Contract: "3.8",
		run:      sessionTakeoverAfterLockExpiry,
	},
	Case{
		Name:     "TestCleanupThenNewItemRecreatesSession",
		Rule:     "A session that was cleaned up comes back with its next activity, for any owner.",
		Contract: "3.8, 3.13",
		run:      cleanupThenNewItemRecreatesSession,
	},
	Case{
		Name:     "TestAbandonedSessionItemRetryable",
		Rule:     "An abandoned activity of a session comes again to its owner, as the next attempt.",
		Contract: "3.11, 5.2",
		run:      abandonedSessionItemRetryable,
	},
	Case{
		Name:     "TestAbandonedSessionItemIgnoreAttempt",
		Rule:     "An abandon that ignores the attempt takes it back for an activity of a session, too.",
		Contract: "3.11, 5.2",
		run:      abandonedSessionItemIgnoreAttempt,
	},
	Case{
		Name:     "TestRenewSessionLockAfterExpiryReturnsZero",
		Rule:     "Renewing never revives a claim that has ended.",
		Contract: "3.12",
		run:      renewSessionLockAfterExpiryReturnsZero,
	},
	Case{
		Name:     "TestOriginalWorkerReclaimsExpiredSession",
		Rule:     "The first owner can claim its session again after the claim has ended.",
		Contract: "3.8",
		run:      originalWorkerReclaimsExpiredSession,
	},
	Case{
		Name:     "TestActivityLockExpiresSessionLockValidSameWorkerRefetches",
		Rule:     "When only the lease of the activity ends, its session stays with the owner, who gets it again.",
		Contract: "3.8, 5.2",
		run:      activityLockExpiresSessionLockValidSameWorkerRefetches,
	},
	Case{
		Name:     "TestSessionLockExpiresNewOwnerGetsRedelivery",
		Rule:     "A new owner of a session gets what the old one abandons.",
		Contract: "3.8, 3.11, 5.2",
		run:      sessionLockExpiresNewOwnerGetsRedelivery,
	},
	Case{
		Name:     "TestSessionLockExpiresSameWorkerReacquires",
		Rule:     "An owner whose claim has ended gets the next activity of the session if nobody else claimed it.",
		Contract: "3.8",
		run:      sessionLockExpiresSameWorkerReacquires,
	},
	Case{
		Name:     "TestBothLocksExpireDifferentWorkerClaims",
		Rule:     "When both lease and claim end, another owner gets the activity, as the next attempt.",
		Contract: "3.8, 5.2",
		run:      bothLocksExpireDifferentWorkerClaims,
	},
	Case{
		Name:     "TestSessionLockExpiresActivityLockValidAckSucceeds",
		Rule:     "An ack needs the lease of the activity, not the claim on its session.",
		Contract: "3.9",
		run:      sessionLockExpiresActivityLockValidAckSucceeds,
	},
	Case{
		Name:     "TestSessionLockRenewalExtendsPastOriginalTimeout",
		Rule:     "A renewed claim lives from the renewal on, past the end of the first one.",
		Contract: "3.12",
		run:      sessionLockRenewalExtendsPastOriginalTimeout,
	},
)

// inSession is an activity of a session.
func inSession(session string, id uint64) core.ActivityExecuteItem {
	item := activity("sessions", id)
	item.SessionID = &session
	return item
}

// plain is an activity of the same instance without a session.
func plain(id uint64) core.ActivityExecuteItem { return activity("sessions", id) }

// as fetches for an owner, with a claim that outlives the case.
func as(owner string) take { return take{session: by(owner, longClaim)} }

// claiming fetches for an owner with a claim of that length.
func claiming(owner string, claim time.Duration) take { return take{session: by(owner, claim)} }

// wantRenewed renews the sessions of owners and compares how many there were.
func (t *trial) wantRenewed(want uint64, idle time.Duration, owners ...string) {
	t.wantRenewedFor(want, longClaim, idle, owners...)
}

func (t *trial) wantRenewedFor(want uint64, extend, idle time.Duration, owners ...string) {
	n, err := t.p.RenewSessionLock(t.ctx, core.RenewSessionLockParams{OwnerIDs: owners, ExtendFor: extend, IdleTimeout: idle})
	t.check("renew_session_lock", err)
	if n != want {
		t.fatalf("renewed %d sessions of %v, want %d", n, owners, want)
	}
}

// wantCleaned cleans sessions up and compares how many there were.
func (t *trial) wantCleaned(want uint64) {
	n, err := t.p.CleanupOrphanedSessions(t.ctx, core.CleanupOrphanedSessionsParams{IdleTimeout: longClaim})
	t.check("cleanup_orphaned_sessions", err)
	if n != want {
		t.fatalf("cleaned up %d sessions, want %d", n, want)
	}
}
