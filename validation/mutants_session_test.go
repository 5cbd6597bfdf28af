package validation_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Mutants of sessions.
var sessionMutants = []mutant{
	{"activities of sessions are never handed out", "TestSessionItemClaimableWhenNoSession", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) { a.Session = nil }),
	})},
	{"who owns nothing gets activities of sessions", "TestNoneSessionSkipsSessionItems", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if a.Session == nil {
				a.Session = &core.SessionFetchConfig{OwnerID: "nobody", LockTimeout: time.Millisecond}
			}
		}),
	})},
	{"an owner gets only activities of sessions", "TestNonSessionItemsFetchableByAnyWorker", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			item, err := p.FetchWorkItem(ctx, a)
			if item != nil && a.Session != nil && item.Item.(core.ActivityExecuteItem).SessionID == nil {
				giveWorkBack(p, ctx, item)
				return nil, nil
			}
			return item, err
		},
	})},
	{"each fetch is an owner of its own", "TestSharedWorkerIdAnyCallerCanFetchOwnedSession", func() broken {
		var n atomic.Int64
		return broken{fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if a.Session != nil {
				a.Session = &core.SessionFetchConfig{OwnerID: a.Session.OwnerID + strconv.FormatInt(n.Add(1), 10), LockTimeout: a.Session.LockTimeout}
			}
		})}
	}},
	{"the activities of a session come in any order", "TestSessionItemsProcessedInOrder", still(broken{fetchWork: secondOldest})},
	{"a claim never ends", "TestSessionTakeoverAfterLockExpiry", still(broken{fetchWork: claimFor(1000)})},
	{"a claim ends at once", "TestConcurrentSessionClaimOnlyOneWins", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			if a.Session != nil {
				a.Session = &core.SessionFetchConfig{OwnerID: a.Session.OwnerID, LockTimeout: time.Nanosecond}
			}
			item, err := p.FetchWorkItem(ctx, a)
			time.Sleep(time.Millisecond)
			return item, err
		},
	})},
	{"an ack needs the claim on the session", "TestSessionLockExpiresActivityLockValidAckSucceeds", func() broken {
		var ends memo[string, time.Time]
		return broken{
			fetchWork: answers(core.Provider.FetchWorkItem, func(a fetchWorkParams, item *core.LockedWorkItem) *core.LockedWorkItem {
				if item != nil && a.Session != nil && item.Item.(core.ActivityExecuteItem).SessionID != nil {
					ends.put(item.LockToken, time.Now().Add(a.Session.LockTimeout))
				}
				return item
			}),
			ackWork: refused(core.Provider.AckWorkItem, func(_ core.Provider, _ context.Context, a core.AckWorkItemParams) bool {
				end := ends.get(a.LockToken)
				return !end.IsZero() && time.Now().After(end)
			}),
		}
	}},
	{"only a fetch counts as activity of a session", "TestRenewWorkItemUpdatesSessionLastActivity", func() broken {
		var last atomic.Int64
		return broken{
			fetchWork: onWork(func(*core.LockedWorkItem) { last.Store(time.Now().UnixNano()) }),
			renew: func(p core.Provider, ctx context.Context, a core.RenewSessionLockParams) (uint64, error) {
				if time.Since(time.Unix(0, last.Load())) >= a.IdleTimeout {
					return 0, nil
				}
				return p.RenewSessionLock(ctx, a)
			},
		}
	}},
	{"sessions are never renewed", "TestSessionLockRenewalExtendsPastOriginalTimeout", still(broken{
		renew: given(core.Provider.RenewSessionLock, func(a *core.RenewSessionLockParams) { a.ExtendFor = time.Nanosecond }),
	})},
	{"a renewal of sessions counts one too many", "TestRenewSessionLockNoSessions", still(broken{
		renew: answers(core.Provider.RenewSessionLock, func(_ core.RenewSessionLockParams, n uint64) uint64 { return n + 1 }),
	})},
	{"a renewal extends one session", "TestRenewSessionLockActive", still(broken{
		renew: answers(core.Provider.RenewSessionLock, func(_ core.RenewSessionLockParams, n uint64) uint64 { return min(n, 1) }),
	})},
	{"an idle time of zero is none", "TestRenewSessionLockSkipsIdle", still(broken{
		renew: given(core.Provider.RenewSessionLock, func(a *core.RenewSessionLockParams) {
			if a.IdleTimeout == 0 {
				a.IdleTimeout = time.Hour
			}
		}),
	})},
	{"a renewal revives a claim", "TestRenewSessionLockAfterExpiryReturnsZero", still(broken{fetchWork: claimFor(1000)})},
	{"a clean-up takes every claim", "TestCleanupKeepsActiveSessions", func() broken {
		// A session gets another name with every clean-up.
		var n atomic.Int64
		return broken{
			schedule: givenAct(core.Provider.EnqueueForWorker, func(a *core.EnqueueForWorkerParams) {
				if item, ok := a.Item.(core.ActivityExecuteItem); ok && item.SessionID != nil {
					id := *item.SessionID + "#" + strconv.FormatInt(n.Load(), 10)
					item.SessionID = &id
					a.Item = item
				}
			}),
			fetchWork: onWork(func(locked *core.LockedWorkItem) {
				if item := locked.Item.(core.ActivityExecuteItem); item.SessionID != nil {
					id, _, _ := strings.Cut(*item.SessionID, "#")
					item.SessionID = &id
					locked.Item = item
				}
			}),
			cleanup: func(p core.Provider, ctx context.Context, a core.CleanupOrphanedSessionsParams) (uint64, error) {
				n.Add(1)
				return p.CleanupOrphanedSessions(ctx, a)
			},
		}
	}},
	{"a clean-up takes sessions that activities wait for", "TestCleanupKeepsSessionsWithPendingItems", func() broken {
		var claimed atomic.Uint64
		return broken{
			fetchWork: onWork(func(item *core.LockedWorkItem) {
				if item.Item.(core.ActivityExecuteItem).SessionID != nil {
					claimed.Store(1)
				}
			}),
			cleanup: func(core.Provider, context.Context, core.CleanupOrphanedSessionsParams) (uint64, error) {
				return claimed.Swap(0), nil
			},
		}
	}},
}

// claimFor makes claims that many times longer.
func claimFor(factor time.Duration) call[fetchWorkParams, *core.LockedWorkItem] {
	return given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
		if a.Session != nil {
			a.Session = &core.SessionFetchConfig{OwnerID: a.Session.OwnerID, LockTimeout: factor * a.Session.LockTimeout}
		}
	})
}
