package validation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/validation"
)

// A mutant breaks one rule, and is killed by the cases that fail on it.
type mutant struct {
	name   string
	killer string // one of the cases
	broken broken
}

var mutants = []mutant{
	{"a lease of an instance lasts too long", "TestExclusiveInstanceLock", broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.LockTimeout *= 2
			return p.FetchOrchestrationItem(ctx, a)
		},
	}},
	{"a lease of an instance ends too early", "TestMultiThreadedLockExpirationRecovery", broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.LockTimeout /= 10
			return p.FetchOrchestrationItem(ctx, a)
		},
	}},
	{"a refused ack releases the lock", "TestAtomicityFailureRollback", broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			err := p.AckOrchestrationItem(ctx, a)
			if err != nil {
				_ = p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: a.LockToken})
			}
			return err
		},
	}},
	{"a refused ack schedules its activities", "TestAtomicityFailureRollback", broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			for _, item := range a.WorkerItems {
				if err := p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: item}); err != nil {
					return err
				}
			}
			a.WorkerItems = nil
			return p.AckOrchestrationItem(ctx, a)
		},
	}},
	{"the messages of an ack come in reverse", "TestMultiOperationAtomicAck", broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			a.OrchestratorItems = slices.Clone(a.OrchestratorItems)
			slices.Reverse(a.OrchestratorItems)
			return p.AckOrchestrationItem(ctx, a)
		},
	}},
	{"a refused ack seems to succeed", "TestInvalidLockTokenOnAck", broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			_ = p.AckOrchestrationItem(ctx, a)
			return nil
		},
	}},
	{"the loss of a lock looks curable", "TestAckWorkItemFailsWhenEntryDeleted", broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			if err := p.AckWorkItem(ctx, a); err != nil {
				return core.Retryable("ack_work_item", core.ErrLockLost)
			}
			return nil
		},
	}},
	{"a history that cannot be decoded reads as empty", "TestReadCorruptedHistoryReturnsError", broken{
		read: func(p core.Provider, ctx context.Context, a core.ReadParams) ([]core.Event, error) {
			events, err := p.Read(ctx, a)
			if errors.Is(err, core.ErrUndecodable) {
				return nil, nil
			}
			return events, err
		},
	}},
	{"the first execution is taken for the latest", "TestLatestExecutionDetection", broken{
		read: func(p core.Provider, ctx context.Context, a core.ReadParams) ([]core.Event, error) {
			return p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: a.Instance, ExecutionID: 1})
		},
	}},
	{"events are stamped anew", "TestQueueReplayVersionStampRoundtrip", broken{
		readOne: func(p core.Provider, ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
			events, err := p.ReadWithExecution(ctx, a)
			for i := range events {
				events[i].DuroxideVersion = "0.1.32"
			}
			return events, err
		},
	}},
	{"the delay of a message is ignored", "TestTimerDelayedVisibility", broken{
		send: func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
			a.Delay = 0
			return p.EnqueueForOrchestrator(ctx, a)
		},
	}},
	{"the delay of an abandoned activity is ignored", "TestAbandonWorkItemWithDelay", broken{
		abandonWork: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			a.Delay = 0
			return p.AbandonWorkItem(ctx, a)
		},
	}},
	{"an attempt cannot be taken back", "TestAbandonOrchestrationItemIgnoreAttemptDecrements", broken{
		abandonTurn: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
			a.IgnoreAttempt = false
			return p.AbandonOrchestrationItem(ctx, a)
		},
	}},
	{"every attempt is the first", "TestWorkerAttemptCountIncrementsOnLockExpiry", broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			item, err := p.FetchWorkItem(ctx, a)
			if item != nil {
				item.AttemptCount = 1
			}
			return item, err
		},
	}},
	{"the completion of an activity is lost", "TestWorkerAckAtomicity", broken{
		ackWork: func(p core.Provider, ctx context.Context, a core.AckWorkItemParams) error {
			a.Completion = nil
			return p.AckWorkItem(ctx, a)
		},
	}},
	{"a renewal of an activity always seems to succeed", "TestRenewFailsWhenEntryDeleted", broken{
		renewWork: func(p core.Provider, ctx context.Context, a core.RenewLockParams) error {
			_ = p.RenewWorkItemLock(ctx, a)
			return nil
		},
	}},
	{"a renewal of an activity does nothing", "TestWorkerLockRenewalExtendsTimeout", broken{
		renewWork: func(p core.Provider, ctx context.Context, a core.RenewLockParams) error {
			a.ExtendFor = time.Millisecond
			return p.RenewWorkItemLock(ctx, a)
		},
	}},
	{"cancelled activities stay", "TestCancelledActivitiesDeletedFromWorkerQueue", broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			a.CancelledActivities = nil
			return p.AckOrchestrationItem(ctx, a)
		},
	}},
	{"activities are cancelled before those of the ack are scheduled", "TestSameActivityInWorkerItemsAndCancelledIsNoop", broken{
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
	}},
	{"the version filter is ignored", "TestFetchWithIncompatibleFilterSkipsItem", broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.Filter = nil
			return p.FetchOrchestrationItem(ctx, a)
		},
	}},
	{"every range of the version filter counts", "TestFetchSingleRangeOnlyUsesFirstRange", broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			for a.Filter != nil && len(a.Filter.SupportedVersions) > 1 {
				if item, err := p.FetchOrchestrationItem(ctx, a); item != nil || err != nil {
					return item, err
				}
				a.Filter = &core.CapabilityFilter{SupportedVersions: a.Filter.SupportedVersions[1:]}
			}
			return p.FetchOrchestrationItem(ctx, a)
		},
	}},
	{"a version filter without ranges is none", "TestFilterWithEmptySupportedVersionsReturnsNothing", broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			if a.Filter != nil && len(a.Filter.SupportedVersions) == 0 {
				a.Filter = nil
			}
			return p.FetchOrchestrationItem(ctx, a)
		},
	}},
	{"a pinned version is written once", "TestProviderUpdatesPinnedVersionWhenTold", broken{
		ackTurn: func(p core.Provider, ctx context.Context, a core.AckOrchestrationItemParams) error {
			if len(a.HistoryDelta) == 0 { // not the first ack
				a.Metadata.PinnedDuroxideVersion = nil
			}
			return p.AckOrchestrationItem(ctx, a)
		},
	}},
	{"an activity with a tag is taken for one without", "TestTagPreservedThroughAckOrchestrationItem", broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			if a.Tags.Mode == core.TagsDefaultOnly {
				a.Tags.Mode = core.TagsAny
			}
			return p.FetchWorkItem(ctx, a)
		},
	}},
	{"all session owners are one", "TestSessionAffinityBlocksOtherWorker", broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			if a.Session != nil {
				a.Session = &core.SessionFetchConfig{OwnerID: "everybody", LockTimeout: a.Session.LockTimeout}
			}
			return p.FetchWorkItem(ctx, a)
		},
	}},
	{"idle sessions are renewed", "TestAckUpdatesSessionLastActivity", broken{
		renew: func(p core.Provider, ctx context.Context, a core.RenewSessionLockParams) (uint64, error) {
			a.IdleTimeout = time.Hour
			return p.RenewSessionLock(ctx, a)
		},
	}},
	{"nothing is cleaned up", "TestCleanupRemovesExpiredNoItems", broken{
		cleanup: func(core.Provider, context.Context, core.CleanupOrphanedSessionsParams) (uint64, error) {
			return 0, nil
		},
	}},
	{"the known version of a status is ignored", "TestCustomStatusPollingNoChange", broken{
		status: func(p core.Provider, ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
			a.LastSeenVersion = 0
			return p.GetCustomStatus(ctx, a)
		},
	}},
	{"the snapshot holds what the running execution has set", "TestKvDeltaSnapshotExcludesCurrentExecution", broken{
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
	}},
	{"the empty text is no value", "TestKvEmptyValue", broken{
		value: func(p core.Provider, ctx context.Context, a core.GetKVValueParams) (*string, error) {
			v, err := p.GetKVValue(ctx, a)
			if v != nil && *v == "" {
				v = nil
			}
			return v, err
		},
	}},
	{"a fetch does not wait", "TestLongPollWorkItemWaitsForTimeout", broken{
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			a.PollTimeout = 0
			return p.FetchWorkItem(ctx, a)
		},
	}},
	{"a fetch waits too long", "TestFetchRespectsTimeoutUpperBound", broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.PollTimeout *= 2
			return p.FetchOrchestrationItem(ctx, a)
		},
	}},
	{"a fetch panics", "TestCorruptedSerializationData", broken{
		fetchTurn: func(core.Provider, context.Context, core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			panic("not implemented")
		},
	}},
}

// TestMutants has each mutant meet the case that must kill it.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			result := virtually(t, breaking(memory(), m.broken), caseNamed(t, m.killer))
			if result.Outcome != validation.Failed {
				t.Fatalf("survives: %v", result)
			}
			t.Log(strings.Join(result.Failures, "\n"))
		})
	}
}
