package validation_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Mutants of the locks of instances.
var lockMutants = []mutant{
	{"a locked instance is handed out again", "TestMultiThreadedLockContention", func() broken {
		var last atomic.Pointer[core.OrchestrationItem]
		return broken{fetchTurn: answers(core.Provider.FetchOrchestrationItem, func(_ fetchTurnParams, item *core.OrchestrationItem) *core.OrchestrationItem {
			if item == nil {
				return last.Load()
			}
			last.Store(item)
			return item
		})}
	}},
	{"all locks have one token", "TestLockTokenUniqueness", func() broken {
		var real atomic.Value
		return broken{
			fetchTurn: onTurn(func(item *core.OrchestrationItem) {
				real.Store(item.LockToken)
				item.LockToken = "token"
			}),
			ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
				if a.LockToken == "token" {
					a.LockToken = real.Load().(string)
				}
			}),
		}
	}},
	{"a locked instance keeps all others away", "TestCrossInstanceLockIsolation", func() broken {
		var held atomic.Bool
		return broken{
			fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
				if held.Load() {
					return nil, nil
				}
				item, err := p.FetchOrchestrationItem(ctx, a)
				held.Store(item != nil)
				return item, err
			},
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				held.Store(false)
				return p.AckOrchestrationItem(ctx, a)
			},
		}
	}},
	{"an ack does not release the lock", "TestLockRenewalOnAck", func() broken {
		var owners, locked memo[string, string]
		return broken{
			fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
				item, err := p.FetchOrchestrationItem(ctx, a)
				if item != nil && locked.get(item.Instance) != "" {
					giveBack(p, ctx, item)
					return nil, nil
				}
				if item != nil {
					owners.put(item.LockToken, item.Instance)
				}
				return item, err
			},
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				err := p.AckOrchestrationItem(ctx, a)
				if err == nil {
					locked.put(owners.get(a.LockToken), "yes")
				}
				return err
			},
		}
	}},
	{"the lock is forgotten half-way through its lease", "TestConcurrentLockAttemptsRespectExpiration", still(broken{
		fetchTurn: given(core.Provider.FetchOrchestrationItem, func(a *fetchTurnParams) { a.LockTimeout /= 16 }),
	})},
	{"a second ack of a token succeeds", "TestConcurrentAckPrevention", func() broken {
		var acked memo[string, bool]
		return broken{ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
			err := p.AckOrchestrationItem(ctx, a)
			if acked.get(a.LockToken) {
				return nil
			}
			acked.put(a.LockToken, err == nil)
			return err
		}}
	}},
	{"an ack deletes what came during the turn", "TestMessageTaggingDuringLock", func() broken {
		var owners memo[string, string]
		return broken{
			fetchTurn: onTurn(func(item *core.OrchestrationItem) { owners.put(item.LockToken, item.Instance) }),
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				err := p.AckOrchestrationItem(ctx, a)
				if err != nil || len(a.OrchestratorItems) > 0 {
					return err
				}
				late, _ := p.FetchOrchestrationItem(ctx, fetchTurnParams{LockTimeout: time.Minute})
				if late != nil && late.Instance == owners.get(a.LockToken) {
					return p.AckOrchestrationItem(ctx, ackTurnParams{LockToken: late.LockToken, ExecutionID: late.ExecutionID})
				}
				giveBack(p, ctx, late)
				return nil
			},
		}
	}},
	{"an ack ignores that its lease has ended", "TestLockExpirationDuringAck", ackingLate},
	{"an abandon always seems to succeed", "TestInvalidLockTokenRejection", still(broken{
		abandonTurn: pretends(core.Provider.AbandonOrchestrationItem),
	})},
	{"an abandon does nothing", "TestAbandonReleasesLockImmediately", still(broken{
		abandonTurn: idle[core.AbandonParams],
	})},
	{"an abandon touches rows that came late", "TestOrchestrationDelayedAbandonPreservesUnlockedRows", still(broken{
		abandonTurn: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			err := p.AbandonOrchestrationItem(ctx, a)
			if late, _ := p.FetchOrchestrationItem(ctx, fetchTurnParams{LockTimeout: time.Minute}); late != nil && a.Delay > 0 {
				a.LockToken = late.LockToken
				return p.AbandonOrchestrationItem(ctx, a)
			} else if late != nil {
				giveBack(p, ctx, late)
			}
			return err
		},
	})},
	{"a renewal revives a lock", "TestOrchestrationLockRenewalAfterExpiration", still(broken{
		renewTurn: pretends(core.Provider.RenewOrchestrationItemLock),
	})},
}

// ackingLate has an ack take the instance over again when its lease has ended
// and nobody else has.
func ackingLate() broken {
	var owners memo[string, string]
	return broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { owners.put(item.LockToken, item.Instance) }),
		ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
			err := p.AckOrchestrationItem(ctx, a)
			if err == nil || owners.get(a.LockToken) == "" {
				return err
			}
			again, _ := p.FetchOrchestrationItem(ctx, fetchTurnParams{LockTimeout: time.Minute})
			if again != nil && again.Instance == owners.get(a.LockToken) {
				a.LockToken = again.LockToken
				return p.AckOrchestrationItem(ctx, a)
			}
			giveBack(p, ctx, again)
			return err
		},
	}
}
