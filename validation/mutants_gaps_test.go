package validation_test

import (
	"context"
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Mutants of the gaps that the catalogue names.
var gapMutants = []mutant{
	{"the history of an unknown instance is an error", "TestMissingInstanceMetadata", still(broken{
		read: func(p core.Provider, ctx context.Context, a core.ReadParams) ([]core.Event, error) {
			events, err := p.Read(ctx, a)
			if err == nil && len(events) == 0 {
				return nil, core.Permanent("read", core.ErrNotFound)
			}
			return events, err
		},
	})},
	{"a turn whose lease has ended cannot be abandoned", "TestGapAbandonAfterLease", func() broken {
		var ends memo[string, time.Time]
		return broken{
			fetchTurn: answers(core.Provider.FetchOrchestrationItem, func(a fetchTurnParams, item *core.OrchestrationItem) *core.OrchestrationItem {
				if item != nil {
					ends.put(item.LockToken, time.Now().Add(a.LockTimeout))
				}
				return item
			}),
			abandonTurn: refused(core.Provider.AbandonOrchestrationItem, func(_ core.Provider, _ context.Context, a core.AbandonParams) bool {
				end := ends.get(a.LockToken)
				return !end.IsZero() && time.Now().After(end)
			}),
		}
	}},
	{"abandoning an activity always seems to succeed", "TestGapStolenTokens", still(broken{
		abandonWork: pretends(core.Provider.AbandonWorkItem),
	})},
	{"the renewal of a turn does nothing", "TestGapRenewTurn", still(broken{
		renewTurn: givenAct(core.Provider.RenewOrchestrationItemLock, func(a *core.RenewLockParams) { a.ExtendFor = time.Millisecond }),
	})},
	{"nothing is appended", "TestGapAppend", still(broken{appendTo: idle[core.AppendWithExecutionParams]})},
	{"a timer of an ack fires at once", "TestGapFutureTimer", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
			for i, item := range a.OrchestratorItems {
				if timer, ok := item.(core.TimerFiredItem); ok {
					timer.FireAtMs = 0
					a.OrchestratorItems[i] = timer
				}
			}
		}),
	})},
	{"the first attempt of an activity is forgotten", "TestGapEveryField", still(broken{
		fetchWork: onWork(func(item *core.LockedWorkItem) {
			if a, ok := item.Item.(core.ActivityExecuteItem); ok {
				a.FirstAttempt = nil
				item.Item = a
			}
		}),
	})},
	{"the request of a start is forgotten", "TestGapEveryField", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) {
			for i, m := range item.Messages {
				if s, ok := m.(core.StartOrchestrationItem); ok {
					s.RequestID = nil
					item.Messages[i] = s
				}
			}
		}),
	})},
	{"messages for nobody hold up all others", "TestGapOrphansDoNotStarve", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
			item, err := p.FetchOrchestrationItem(ctx, a)
			if item != nil && item.Version == core.UnknownVersion {
				giveBack(p, ctx, item)
				return nil, nil
			}
			return item, err
		},
	})},
	{"pruning ignores when an execution has ended", "TestGapPruneCompletedBefore", mismanaging(brokenAdmin{
		prune: managed(core.Admin.PruneExecutions, func(a *core.PruneExecutionsParams) { a.Options.CompletedBeforeMs = nil }),
	})},
	{"bulk pruning has no limit", "TestGapPruneBulkLimit", mismanaging(brokenAdmin{
		pruneBulk: managed(core.Admin.PruneExecutionsBulk, func(a *core.PruneExecutionsBulkParams) { a.Filter.Limit = nil }),
	})},
	{"a queue drops what does not belong to it", "TestGapWrongQueue", still(broken{
		schedule: func(p core.Provider, ctx context.Context, a core.EnqueueForWorkerParams) error {
			err := p.EnqueueForWorker(ctx, a)
			if errors.Is(err, core.ErrInvalidItem) {
				return nil
			}
			return err
		},
	})},
	{"an ack with a wrong completion removes its activity", "TestGapWrongQueue", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			err := p.AckWorkItem(ctx, a)
			if errors.Is(err, core.ErrInvalidItem) {
				a.Completion = nil
				_ = p.AckWorkItem(ctx, a)
			}
			return err
		},
	})},
	{"a turn's token does for an activity", "TestGapForeignTokens", func() broken {
		var turns memo[string, bool]
		return broken{
			fetchTurn: onTurn(func(item *core.OrchestrationItem) { turns.put(item.LockToken, true) }),
			abandonWork: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
				if turns.get(a.LockToken) {
					return p.AbandonOrchestrationItem(ctx, a)
				}
				return p.AbandonWorkItem(ctx, a)
			},
		}
	}},
	{"messages that cannot be decoded come again and again", "TestGapUndecodableMessages", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
			item, err := p.FetchOrchestrationItem(ctx, a)
			if item != nil && item.HistoryError != "" && len(item.Messages) == 0 {
				giveBack(p, ctx, item)
				return nil, core.Permanent("fetch_orchestration_item", core.ErrUndecodable)
			}
			return item, err
		},
	})},
	{"an activity that cannot be decoded blocks the queue", "TestGapUndecodableActivity", func() broken {
		var blocked memo[string, error]
		return broken{fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			if err := blocked.get(""); err != nil {
				return nil, err
			}
			item, err := p.FetchWorkItem(ctx, a)
			if errors.Is(err, core.ErrUndecodable) {
				blocked.put("", err)
			}
			return item, err
		}}
	}},
}
