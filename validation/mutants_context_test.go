package validation_test

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// forgotten is a context that does not end.
func forgotten(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// deserted edits what a call does when its caller has gone: first has happened
// already, and its error, if any, is the call's.
func deserted[P any](first, then act[P]) act[P] {
	return func(p core.Provider, ctx context.Context, a P) error {
		if err := first(p, ctx, a); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return then(p, ctx, a)
	}
}

// whenGone does something else instead of a call whose caller has gone.
func whenGone[P any](sound, instead act[P]) act[P] {
	return func(p core.Provider, ctx context.Context, a P) error {
		if ctx.Err() == nil {
			return sound(p, ctx, a)
		}
		_ = instead(p, forgotten(ctx), a)
		return ctx.Err()
	}
}

// manageWhenGone is whenGone for the management capability.
func manageWhenGone[P, R any](sound manage[P, R], instead func(m core.Admin, ctx context.Context, a P)) manage[P, R] {
	return func(m core.Admin, ctx context.Context, a P) (R, error) {
		if ctx.Err() == nil {
			return sound(m, ctx, a)
		}
		instead(m, forgotten(ctx), a)
		var none R
		return none, ctx.Err()
	}
}

// Mutants of what becomes of a call whose caller goes away.
var contextMutants = []mutant{
	{"a context that has ended is ignored", "TestContextCancelledBefore", still(broken{
		send: func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
			return p.EnqueueForOrchestrator(forgotten(ctx), a)
		},
	})},
	{"a read ignores that its context is over", "TestContextCancelledBefore", still(broken{
		status: func(p core.Provider, ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
			return p.GetCustomStatus(forgotten(ctx), a)
		},
	})},
	{"what a fetch has taken whose caller goes away is lost", "TestContextCancelledFetch", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
			item, err := p.FetchOrchestrationItem(ctx, a)
			if item != nil && ctx.Err() != nil {
				_ = p.AckOrchestrationItem(forgotten(ctx), ackTurnParams{LockToken: item.LockToken, ExecutionID: 1})
				return nil, ctx.Err()
			}
			return item, err
		},
	})},
	{"an activity that a fetch has taken whose caller goes away is lost", "TestContextCancelledFetch", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			item, err := p.FetchWorkItem(ctx, a)
			if item != nil && ctx.Err() != nil {
				_ = p.AckWorkItem(forgotten(ctx), core.AckWorkItemParams{LockToken: item.LockToken})
				return nil, ctx.Err()
			}
			return item, err
		},
	})},
	{"a fetch that waits takes a turn after its context has ended", "TestContextCancelledPoll", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
			item, err := p.FetchOrchestrationItem(ctx, a)
			if a.PollTimeout > 10*time.Second && ctx.Err() != nil {
				_, _ = p.FetchOrchestrationItem(forgotten(ctx), fetchTurnParams{LockTimeout: time.Hour, PollTimeout: 5 * time.Second})
			}
			return item, err
		},
	})},
	{"an ack whose caller goes away sends nothing", "TestContextCancelledAck", still(broken{
		ackTurn: deserted(
			givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) { a.OrchestratorItems = nil }),
			func(p core.Provider, ctx context.Context, a ackTurnParams) (err error) {
				for _, item := range a.OrchestratorItems {
					if err == nil {
						err = p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: item})
					}
				}
				return err
			}),
	})},
	{"the ack of an activity whose caller goes away does not complete it", "TestContextCancelledAckWork", still(broken{
		ackWork: deserted(
			givenAct(core.Provider.AckWorkItem, func(a *core.AckWorkItemParams) {
				switch a.Completion.(type) {
				case core.ActivityCompletedItem, core.ActivityFailedItem:
					a.Completion = nil
				}
			}),
			func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
				if a.Completion == nil {
					return nil
				}
				return p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: a.Completion})
			}),
	})},
	{"a message whose sender goes away is sent twice", "TestContextCancelledSend", still(broken{
		send: whenGone(core.Provider.EnqueueForOrchestrator, func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
			_ = p.EnqueueForOrchestrator(ctx, a)
			return p.EnqueueForOrchestrator(ctx, a)
		}),
	})},
	{"an activity is scheduled twice when the caller goes away", "TestContextCancelledSend", still(broken{
		schedule: whenGone(core.Provider.EnqueueForWorker, func(p core.Provider, ctx context.Context, a core.EnqueueForWorkerParams) error {
			_ = p.EnqueueForWorker(ctx, a)
			return p.EnqueueForWorker(ctx, a)
		}),
	})},
	{"a turn is hidden when who abandons it goes away", "TestContextCancelledAbandon", still(broken{
		abandonTurn: whenGone(core.Provider.AbandonOrchestrationItem, func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			a.Delay = time.Hour
			return p.AbandonOrchestrationItem(ctx, a)
		}),
	})},
	{"an attempt stays counted when who abandons it goes away", "TestContextCancelledAbandon", still(broken{
		abandonWork: whenGone(core.Provider.AbandonWorkItem, func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			a.IgnoreAttempt = false
			return p.AbandonWorkItem(ctx, a)
		}),
	})},
	{"a lock is lost when who renews it goes away", "TestContextCancelledRenew", still(broken{
		renewWork: whenGone(core.Provider.RenewWorkItemLock, func(p core.Provider, ctx context.Context, a core.RenewLockParams) error {
			return p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: a.LockToken})
		}),
	})},
	{"a history is cut short when its reader goes away", "TestContextCancelledRead", still(broken{
		read: func(p core.Provider, ctx context.Context, a core.ReadParams) ([]core.Event, error) {
			events, err := p.Read(forgotten(ctx), a)
			if ctx.Err() != nil {
				return events[:min(1, len(events))], err
			}
			return events, err
		},
	})},
	{"a part of the events is appended when the caller goes away", "TestContextCancelledAppend", still(broken{
		appendTo: whenGone(core.Provider.AppendWithExecution, func(p core.Provider, ctx context.Context, a core.AppendWithExecutionParams) error {
			a.Events = a.Events[:1]
			return p.AppendWithExecution(ctx, a)
		}),
	})},
	{"a part of a tree is deleted when the caller goes away", "TestContextCancelledDelete", mismanaging(brokenAdmin{
		deleteTree: manageWhenGone(core.Admin.DeleteInstance, func(m core.Admin, ctx context.Context, a core.DeleteInstanceParams) {
			children, _ := m.ListChildren(ctx, core.ListChildrenParams{Instance: a.Instance})
			_, _ = m.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{Instances: children, Force: true})
		}),
	})},
	{"some executions are pruned when the caller goes away", "TestContextCancelledPrune", mismanaging(brokenAdmin{
		prune: manageWhenGone(core.Admin.PruneExecutions, func(m core.Admin, ctx context.Context, a core.PruneExecutionsParams) {
			two := uint32(2)
			a.Options.KeepLast = &two
			_, _ = m.PruneExecutions(ctx, a)
		}),
	})},
}
