package validation_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Mutants of activities and of their cancellation.
var workMutants = []mutant{
	{"an activity loses its input", "TestFetchReturnsRunningStateForActiveOrchestration", still(broken{
		fetchWork: onWork(func(item *core.LockedWorkItem) {
			a := item.Item.(core.ActivityExecuteItem)
			a.Input = ""
			item.Item = a
		}),
	})},
	{"activities of ended executions are withheld", "TestFetchReturnsTerminalStateWhenOrchestrationCompleted", func() broken {
		var ended memo[string, bool]
		return broken{
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				if a.Metadata.Status.IsTerminal() && len(a.HistoryDelta) > 0 {
					ended.put(a.HistoryDelta[0].InstanceID, true)
				}
				return p.AckOrchestrationItem(ctx, a)
			},
			fetchWork: answers(core.Provider.FetchWorkItem, func(_ fetchWorkParams, item *core.LockedWorkItem) *core.LockedWorkItem {
				if item != nil && ended.get(item.Item.RoutingInstance()) {
					return nil
				}
				return item
			}),
		}
	}},
	{"the end of an execution takes the locks of its activities", "TestRenewReturnsTerminalWhenOrchestrationCompleted", func() broken {
		var ended memo[string, bool]
		return broken{
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				ended.put("any", ended.get("any") || a.Metadata.Status.IsTerminal())
				return p.AckOrchestrationItem(ctx, a)
			},
			renewWork: refused(core.Provider.RenewWorkItemLock, func(core.Provider, context.Context, core.RenewLockParams) bool { return ended.get("any") }),
		}
	}},
	{"activities of unknown instances are refused", "TestFetchReturnsMissingStateWhenInstanceDeleted", still(broken{
		schedule: refused(core.Provider.EnqueueForWorker, func(p core.Provider, ctx context.Context, a core.EnqueueForWorkerParams) bool {
			events, _ := p.Read(ctx, core.ReadParams{Instance: a.Item.RoutingInstance()})
			return len(events) == 0
		}),
	})},
	{"no activity can be renewed", "TestRenewReturnsRunningWhenOrchestrationActive", still(broken{
		renewWork: refused(core.Provider.RenewWorkItemLock, func(core.Provider, context.Context, core.RenewLockParams) bool { return true }),
	})},
	{"an ack without a completion is refused", "TestAckWorkItemNoneDeletesWithoutEnqueue", still(broken{
		ackWork: refused(core.Provider.AckWorkItem, func(_ core.Provider, _ context.Context, a core.AckWorkItemParams) bool { return a.Completion == nil }),
	})},
	{"an ack ignores that the lease of its activity has ended", "TestWorkerAckFailsAfterLockExpiry", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			err := p.AckWorkItem(ctx, a)
			// What has ended and was not taken over can be abandoned, and so found.
			if err == nil || p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: a.LockToken}) != nil {
				return err
			}
			item, _ := p.FetchWorkItem(ctx, fetchWorkParams{LockTimeout: time.Minute, Tags: core.TagFilter{Mode: core.TagsAny}})
			if item == nil {
				return err
			}
			return p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: item.LockToken, Completion: a.Completion})
		},
	})},
	{"an activity that is gone completes all the same", "TestRenewFailsWhenEntryDeleted", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			err := p.AckWorkItem(ctx, a)
			if err != nil && a.Completion != nil {
				return p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: a.Completion})
			}
			return err
		},
	})},
	{"the lease of an activity lasts too long", "TestWorkerLockRenewalAfterExpiration", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) { a.LockTimeout *= 2 }),
	})},
	{"the lease of an activity ends too early", "TestWorkerLockRenewalSuccess", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) { a.LockTimeout /= 16 }),
	})},
	{"an abandoned activity stays locked", "TestAbandonWorkItemReleasesLock", still(broken{
		abandonWork: idle[core.AbandonParams],
	})},
	{"an attempt at an activity cannot be taken back", "TestAbandonWorkItemIgnoreAttemptDecrements", still(broken{
		abandonWork: givenAct(core.Provider.AbandonWorkItem, func(a *core.AbandonParams) { a.IgnoreAttempt = false }),
	})},
	{"attempts at an activity are counted twice", "TestWorkerAttemptCountStartsAtOne", still(broken{
		fetchWork: onWork(func(item *core.LockedWorkItem) { item.AttemptCount *= 2 }),
	})},
	{"the activity that waits longest is served second", "TestWorkerQueueFifoOrdering", still(broken{
		fetchWork: secondOldest,
	})},
	{"only the first of the cancelled activities goes", "TestBatchCancellationDeletesMultipleActivities", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
			a.CancelledActivities = a.CancelledActivities[:min(len(a.CancelledActivities), 1)]
		}),
	})},
	{"what is not there cannot be cancelled", "TestCancellingNonexistentActivitiesIsIdempotent", still(broken{
		ackTurn: refused(core.Provider.AckOrchestrationItem, func(_ core.Provider, _ context.Context, a ackTurnParams) bool {
			return slices.ContainsFunc(a.CancelledActivities, func(id core.ActivityIdentifier) bool { return id.ActivityID > 90 })
		}),
	})},
	{"the tag filter is off by one", "TestMultiTagFilter", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if len(a.Tags.Tags) > 1 {
				a.Tags.Tags = a.Tags.Tags[1:]
			}
		}),
	})},
	{"a filter of tags also takes untagged activities", "TestTagsFetchesOnlyMatching", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if a.Tags.Mode == core.TagsOnly {
				a.Tags.Mode = core.TagsDefaultAnd
			}
		}),
	})},
	{"the filter that takes none takes any", "TestNoneFilterReturnsNothing", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if a.Tags.Mode == core.TagsNone {
				a.Tags.Mode = core.TagsAny
			}
		}),
	})},
	{"the filter that takes any takes untagged activities", "TestAnyFilterFetchesEverything", still(broken{
		fetchWork: given(core.Provider.FetchWorkItem, func(a *fetchWorkParams) {
			if a.Tags.Mode == core.TagsAny {
				a.Tags.Mode = core.TagsDefaultOnly
			}
		}),
	})},
	{"tags are stored in capitals", "TestTagRoundTripPreservation", still(broken{
		fetchWork: onWork(func(item *core.LockedWorkItem) {
			a := item.Item.(core.ActivityExecuteItem)
			if a.Tag != nil {
				tag := strings.ToUpper(*a.Tag)
				a.Tag = &tag
			}
			item.Item = a
		}),
	})},
}

func secondOldest(p core.Provider, ctx context.Context, a fetchWorkParams) (*core.LockedWorkItem, error) {
	first, err := p.FetchWorkItem(ctx, a)
	if first == nil {
		return nil, err
	}
	a.PollTimeout = 0
	second, err := p.FetchWorkItem(ctx, a)
	if second == nil {
		return first, err
	}
	giveWorkBack(p, ctx, first)
	return second, err
}
