package validation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// meanwhile is time in which others get on with what they do.
const meanwhile = 5 * time.Millisecond

// Mutants that show only when much happens at once, most of them because they
// look first and act later.
var concurrentMutants = []mutant{
	{"two fetches at once get one turn", "TestConcurrentTurns", func() broken {
		var taking atomic.Pointer[core.OrchestrationItem]
		return broken{fetchTurn: answers(core.Provider.FetchOrchestrationItem, func(_ fetchTurnParams, item *core.OrchestrationItem) *core.OrchestrationItem {
			if item == nil {
				return taking.Load()
			}
			taking.Store(item)
			time.Sleep(meanwhile)
			taking.Store(nil)
			return item
		})}
	}},
	{"an attempt at a turn is not counted while another one is sent", "TestConcurrentTurns", func() broken {
		var sending atomic.Int32
		return broken{
			send: func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
				sending.Add(1)
				defer sending.Add(-1)
				err := p.EnqueueForOrchestrator(ctx, a)
				time.Sleep(meanwhile)
				return err
			},
			fetchTurn: onTurn(func(item *core.OrchestrationItem) {
				if sending.Load() > 0 && item.AttemptCount > 1 {
					item.AttemptCount--
				}
			}),
		}
	}},
	{"two fetches at once get one activity", "TestConcurrentActivities", func() broken {
		var taking atomic.Pointer[core.LockedWorkItem]
		return broken{fetchWork: answers(core.Provider.FetchWorkItem, func(_ fetchWorkParams, item *core.LockedWorkItem) *core.LockedWorkItem {
			if item == nil {
				return taking.Load()
			}
			taking.Store(item)
			time.Sleep(meanwhile)
			taking.Store(nil)
			return item
		})}
	}},
	{"an activity completes that is cancelled at that moment", "TestConcurrentCancellation", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			if _, ok := a.Completion.(core.ActivityCompletedItem); !ok {
				return p.AckWorkItem(ctx, a)
			}
			if err := p.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: a.LockToken, ExtendFor: 1}); err != nil {
				return p.AckWorkItem(ctx, a) // which refuses it
			}
			time.Sleep(meanwhile)
			if err := p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: a.Completion}); err != nil {
				return err
			}
			a.Completion = nil
			return p.AckWorkItem(ctx, a)
		},
	})},
	{"a lease that ends during an ack is no obstacle", "TestConcurrentTakeover", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
			renewal := core.RenewLockParams{LockToken: a.LockToken, ExtendFor: 1}
			if err := p.RenewOrchestrationItemLock(ctx, renewal); err != nil || len(a.HistoryDelta) == 0 {
				return p.AckOrchestrationItem(ctx, a)
			}
			time.Sleep(10 * meanwhile)
			err := p.AckOrchestrationItem(ctx, a)
			if errors.Is(err, core.ErrLockLost) {
				return p.AppendWithExecution(ctx, core.AppendWithExecutionParams{
					Instance: a.HistoryDelta[0].InstanceID, ExecutionID: a.ExecutionID, Events: a.HistoryDelta,
				})
			}
			return err
		},
	})},
	{"an ack schedules activities after it has given up the lock", "TestConcurrentDeletion", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
			late := a.WorkerItems
			if len(a.CancelledActivities) == 0 {
				a.WorkerItems = nil
			} else {
				late = nil
			}
			err := p.AckOrchestrationItem(ctx, a)
			if len(late) > 0 {
				time.Sleep(meanwhile)
			}
			for _, item := range late {
				if err == nil {
					err = p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: item})
				}
			}
			return err
		},
	})},
	{"a result is sent after its activity was given up", "TestConcurrentDeletion", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			result := a.Completion
			a.Completion = nil
			err := p.AckWorkItem(ctx, a)
			if err != nil || result == nil {
				return err
			}
			time.Sleep(meanwhile)
			return p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: result})
		},
	})},
	{"a notification is lost", "TestConcurrentWake", still(broken{
		fetchTurn: deaf(core.Provider.FetchOrchestrationItem, func(a *fetchTurnParams) *time.Duration { return &a.PollTimeout }),
		fetchWork: deaf(core.Provider.FetchWorkItem, func(a *fetchWorkParams) *time.Duration { return &a.PollTimeout }),
	})},
	{"one notification wakes one fetch, and others are lost meanwhile", "TestConcurrentWake", func() broken {
		var waking atomic.Bool
		return broken{fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			if a.PollTimeout > 0 && !waking.CompareAndSwap(false, true) {
				return deaf(core.Provider.FetchWorkItem, func(a *fetchWorkParams) *time.Duration { return &a.PollTimeout })(p, ctx, a)
			}
			return p.FetchWorkItem(ctx, a)
		}}
	}},
}

// deaf is a fetch that sleeps for its whole poll timeout and then looks.
func deaf[P, R any](sound call[P, *R], timeout func(*P) *time.Duration) call[P, *R] {
	return func(p core.Provider, ctx context.Context, a P) (*R, error) {
		wait := *timeout(&a)
		*timeout(&a) = 0
		if r, err := sound(p, ctx, a); r != nil || err != nil || wait == 0 {
			return r, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return sound(p, ctx, a)
	}
}

// elsewhere is broken where the clock is that far ahead.
func elsewhere(b func(ahead time.Duration) broken) func() broken {
	return still(broken{elsewhere: b})
}

// Mutants of processes whose clocks differ.
var skewMutants = []mutant{
	{"a lock is not seen by who is ahead", "TestSkewLocksAreKept", elsewhere(func(ahead time.Duration) broken {
		return broken{fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			item, err := p.FetchWorkItem(ctx, a)
			if item == nil && ahead > 0 {
				return &core.LockedWorkItem{Item: core.ActivityExecuteItem{}, LockToken: "stolen"}, err
			}
			return item, err
		}}
	})},
	{"a lease is a quarter of an hour at most", "TestSkewLocksAreKept", still(broken{
		fetchTurn: given(core.Provider.FetchOrchestrationItem, func(a *fetchTurnParams) { a.LockTimeout = min(a.LockTimeout, 15*time.Minute) }),
		renewTurn: givenAct(core.Provider.RenewOrchestrationItemLock, func(a *core.RenewLockParams) { a.ExtendFor = min(a.ExtendFor, 15*time.Minute) }),
	})},
	{"who is ahead may acknowledge what another process holds", "TestSkewOneWinner", elsewhere(func(time.Duration) broken {
		return broken{ackTurn: pretends(core.Provider.AckOrchestrationItem)}
	})},
	{"an ack asks only its own clock", "TestSkewOneWinner", func() broken {
		var ends memo[string, time.Time]
		return broken{
			fetchWork: answers(core.Provider.FetchWorkItem, func(a fetchWorkParams, item *core.LockedWorkItem) *core.LockedWorkItem {
				if item != nil {
					ends.put(item.LockToken, time.Now().Add(a.LockTimeout))
				}
				return item
			}),
			ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
				err := p.AckWorkItem(ctx, a)
				if errors.Is(err, core.ErrLockLost) && time.Now().Before(ends.get(a.LockToken)) {
					return nil
				}
				return err
			},
		}
	}},
	{"what a process sends is not seen by who is behind", "TestSkewDelivery", elsewhere(func(ahead time.Duration) broken {
		return broken{fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
			if ahead < 0 {
				return nil, nil
			}
			return p.FetchOrchestrationItem(ctx, a)
		}}
	})},
	{"what a process left behind is never taken over by another one", "TestSkewTakeover", elsewhere(func(time.Duration) broken {
		return broken{fetchWork: func(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
			item, err := p.FetchWorkItem(ctx, a)
			if item != nil && item.AttemptCount > 1 {
				giveWorkBack(p, ctx, item)
				return nil, nil
			}
			return item, err
		}}
	})},
	{"a claim on a session is not seen by other processes", "TestSkewSessions", elsewhere(func(time.Duration) broken {
		return broken{fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if a.Session != nil {
				a.Session = &core.SessionFetchConfig{OwnerID: "A", LockTimeout: a.Session.LockTimeout}
			}
		})}
	})},
}
