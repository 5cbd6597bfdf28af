package validation_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// The first mutants of the suite, one or two for each category.
var variousMutants = []mutant{
	{"a lease of an instance lasts too long", "TestExclusiveInstanceLock", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.LockTimeout *= 2
			return p.FetchOrchestrationItem(ctx, a)
		},
	})},
	{"a lease of an instance ends too early", "TestMultiThreadedLockExpirationRecovery", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.LockTimeout /= 10
			return p.FetchOrchestrationItem(ctx, a)
		},
	})},
	{"a refused ack releases the lock", "TestAtomicityFailureRollback", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			err := p.AckOrchestrationItem(ctx, a)
			if err != nil {
				_ = p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: a.LockToken})
			}
			return err
		},
	})},
	{"a refused ack schedules its activities", "TestAtomicityFailureRollback", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			for _, item := range a.WorkerItems {
				if err := p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: item}); err != nil {
					return err
				}
			}
			a.WorkerItems = nil
			return p.AckOrchestrationItem(ctx, a)
		},
	})},
	{"the messages of an ack come in reverse", "TestMultiOperationAtomicAck", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			a.OrchestratorItems = slices.Clone(a.OrchestratorItems)
			slices.Reverse(a.OrchestratorItems)
			return p.AckOrchestrationItem(ctx, a)
		},
	})},
	{"a refused ack seems to succeed", "TestInvalidLockTokenOnAck", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			_ = p.AckOrchestrationItem(ctx, a)
			return nil
		},
	})},
	{"the loss of a lock looks curable", "TestAckWorkItemFailsWhenEntryDeleted", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			if err := p.AckWorkItem(ctx, a); err != nil {
				return core.Retryable("ack_work_item", core.ErrLockLost)
			}
			return nil
		},
	})},
	{"a history that cannot be decoded reads as empty", "TestReadCorruptedHistoryReturnsError", still(broken{
		read: func(p core.Provider, ctx context.Context, a core.ReadParams) ([]core.Event, error) {
			events, err := p.Read(ctx, a)
			if errors.Is(err, core.ErrUndecodable) {
				return nil, nil
			}
			return events, err
		},
	})},
	{"the first execution is taken for the latest", "TestLatestExecutionDetection", still(broken{
		read: func(p core.Provider, ctx context.Context, a core.ReadParams) ([]core.Event, error) {
			return p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: a.Instance, ExecutionID: 1})
		},
	})},
	{"events are stamped anew", "TestQueueReplayVersionStampRoundtrip", still(broken{
		readOne: func(p core.Provider, ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
			events, err := p.ReadWithExecution(ctx, a)
			for i := range events {
				events[i].DuroxideVersion = "0.1.32"
			}
			return events, err
		},
	})},
	{"the delay of a message is ignored", "TestTimerDelayedVisibility", still(broken{
		send: func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
			a.Delay = 0
			return p.EnqueueForOrchestrator(ctx, a)
		},
	})},
	{"the delay of an abandoned activity is ignored", "TestAbandonWorkItemWithDelay", still(broken{
		abandonWork: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			a.Delay = 0
			return p.AbandonWorkItem(ctx, a)
		},
	})},
	{"an attempt cannot be taken back", "TestAbandonOrchestrationItemIgnoreAttemptDecrements", still(broken{
		abandonTurn: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			a.IgnoreAttempt = false
			return p.AbandonOrchestrationItem(ctx, a)
		},
	})},
	{"every attempt is the first", "TestWorkerAttemptCountIncrementsOnLockExpiry", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			item, err := p.FetchWorkItem(ctx, a)
			if item != nil {
				item.AttemptCount = 1
			}
			return item, err
		},
	})},
	{"the completion of an activity is lost", "TestWorkerAckAtomicity", still(broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			a.Completion = nil
			return p.AckWorkItem(ctx, a)
		},
	})},
	{"a renewal of an activity always seems to succeed", "TestRenewFailsWhenEntryDeleted", still(broken{
		renewWork: func(p core.Provider, ctx context.Context, a core.RenewLockParams) error {
			_ = p.RenewWorkItemLock(ctx, a)
			return nil
		},
	})},
	{"a renewal of an activity does nothing", "TestWorkerLockRenewalExtendsTimeout", still(broken{
		renewWork: func(p core.Provider, ctx context.Context, a core.RenewLockParams) error {
			a.ExtendFor = time.Millisecond
			return p.RenewWorkItemLock(ctx, a)
		},
	})},
	{"cancelled activities stay", "TestCancelledActivitiesDeletedFromWorkerQueue", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			a.CancelledActivities = nil
			return p.AckOrchestrationItem(ctx, a)
		},
	})},
	{"activities are cancelled before those of the ack are scheduled", "TestSameActivityInWorkerItemsAndCancelledIsNoop", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			late := a.WorkerItems
			a.WorkerItems = nil
			err := p.AckOrchestrationItem(ctx, a)
			for _, item := range late {
				if err == nil {
					err = p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: item})
				}
			}
			return err
		},
	})},
	{"the version filter is ignored", "TestFetchWithIncompatibleFilterSkipsItem", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.Filter = nil
			return p.FetchOrchestrationItem(ctx, a)
		},
	})},
	{"every range of the version filter counts", "TestFetchSingleRangeOnlyUsesFirstRange", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			for a.Filter != nil && len(a.Filter.SupportedVersions) > 1 {
				if item, err := p.FetchOrchestrationItem(ctx, a); item != nil || err != nil {
					return item, err
				}
				a.Filter = &core.CapabilityFilter{SupportedVersions: a.Filter.SupportedVersions[1:]}
			}
			return p.FetchOrchestrationItem(ctx, a)
		},
	})},
	{"a version filter without ranges is none", "TestFilterWithEmptySupportedVersionsReturnsNothing", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			if a.Filter != nil && len(a.Filter.SupportedVersions) == 0 {
				a.Filter = nil
			}
			return p.FetchOrchestrationItem(ctx, a)
		},
	})},
	{"a pinned version is written once", "TestProviderUpdatesPinnedVersionWhenTold", still(broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			if len(a.HistoryDelta) == 0 { // not the first ack
				a.Metadata.PinnedDuroxideVersion = nil
			}
			return p.AckOrchestrationItem(ctx, a)
		},
	})},
	{"an activity with a tag is taken for one without", "TestTagPreservedThroughAckOrchestrationItem", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			if a.Tags.Mode == core.TagsDefaultOnly {
				a.Tags.Mode = core.TagsAny
			}
			return p.FetchWorkItem(ctx, a)
		},
	})},
	{"all session owners are one", "TestSessionAffinityBlocksOtherWorker", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			if a.Session != nil {
				a.Session = &core.SessionFetchConfig{OwnerID: "everybody", LockTimeout: a.Session.LockTimeout}
			}
			return p.FetchWorkItem(ctx, a)
		},
	})},
	{"idle sessions are renewed", "TestAckUpdatesSessionLastActivity", still(broken{
		renew: func(p core.Provider, ctx context.Context, a core.RenewSessionLockParams) (uint64, error) {
			a.IdleTimeout = time.Hour
			return p.RenewSessionLock(ctx, a)
		},
	})},
	{"nothing is cleaned up", "TestCleanupRemovesExpiredNoItems", still(broken{
		cleanup: func(core.Provider, context.Context, core.CleanupOrphanedSessionsParams) (uint64, error) {
			return 0, nil
		},
	})},
	{"the known version of a status is ignored", "TestCustomStatusPollingNoChange", still(broken{
		status: func(p core.Provider, ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
			a.LastSeenVersion = 0
			return p.GetCustomStatus(ctx, a)
		},
	})},
	{"the snapshot holds what the running execution has set", "TestKvDeltaSnapshotExcludesCurrentExecution", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			item, err := p.FetchOrchestrationItem(ctx, a)
			if item == nil {
				return item, err
			}
			all, err := p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: item.Instance})
			for key, value := range all {
				item.KVSnapshot[key] = core.KVEntry{Value: value}
			}
			return item, err
		},
	})},
	{"the empty text is no value", "TestKvEmptyValue", still(broken{
		value: func(p core.Provider, ctx context.Context, a core.GetKVValueParams) (*string, error) {
			v, err := p.GetKVValue(ctx, a)
			if v != nil && *v == "" {
				v = nil
			}
			return v, err
		},
	})},
	{"a fetch does not wait", "TestLongPollWorkItemWaitsForTimeout", still(broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			a.PollTimeout = 0
			return p.FetchWorkItem(ctx, a)
		},
	})},
	{"a fetch waits too long", "TestFetchRespectsTimeoutUpperBound", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.PollTimeout *= 2
			return p.FetchOrchestrationItem(ctx, a)
		},
	})},
	{"a fetch panics", "TestCorruptedSerializationData", still(broken{
		fetchTurn: func(core.Provider, context.Context, core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			panic("not implemented")
		},
	})},
}
