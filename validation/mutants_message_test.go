package validation_test

import (
	"context"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Mutants of messages, attempts, histories, versions and status.
var messageMutants = []mutant{
	{"the messages of a turn come in reverse", "TestCompletionsArrivingDuringLockBlocked", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { slices.Reverse(item.Messages) }),
	})},
	{"a turn has one message", "TestAckOnlyAffectsLockedMessages", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.Messages = item.Messages[:1] }),
	})},
	{"the instance that waits longest is served second", "TestCrossInstanceLockIsolation", still(broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a fetchTurnParams) (*core.OrchestrationItem, error) {
			first, err := p.FetchOrchestrationItem(ctx, a)
			if first == nil {
				return nil, err
			}
			a.PollTimeout = 0
			second, err := p.FetchOrchestrationItem(ctx, a)
			if second == nil {
				return first, err
			}
			giveBack(p, ctx, first)
			return second, err
		},
	})},
	{"attempts are counted twice", "TestOrchestrationAttemptCountStartsAtOne", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.AttemptCount *= 2 }),
	})},
	{"every attempt at a turn is the first", "TestMaxAttemptCountAcrossMessageBatch", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.AttemptCount = 1 }),
	})},
	{"the attempts of an abandoned turn are never counted", "TestOrchestrationAttemptCountIncrementsOnRefetch", still(broken{
		abandonTurn: givenAct(core.Provider.AbandonOrchestrationItem, func(a *core.AbandonParams) { a.IgnoreAttempt = true }),
	})},
	{"the last event of an ack is lost", "TestMultiOperationAtomicAck", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
			a.HistoryDelta = a.HistoryDelta[:max(len(a.HistoryDelta), 1)-1]
		}),
	})},
	{"a fetch brings no history", "TestExecutionIsolation", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.History = nil }),
		readOne: answers(core.Provider.ReadWithExecution, func(_ core.ReadWithExecutionParams, events []core.Event) []core.Event {
			return events[:min(len(events), 1)]
		}),
	})},
	{"every execution is the first", "TestExecutionIdSequencing", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.ExecutionID = 1 }),
	})},
	{"a message creates its instance", "TestNoInstanceCreationOnEnqueue", still(broken{
		send: func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
			err := p.EnqueueForOrchestrator(ctx, a)
			item, _ := p.FetchOrchestrationItem(ctx, fetchTurnParams{LockTimeout: time.Minute})
			if err == nil && item != nil && item.Instance == a.Item.RoutingInstance() && len(item.History) == 0 {
				name := "mutant"
				_ = p.AckOrchestrationItem(ctx, ackTurnParams{
					LockToken: item.LockToken, ExecutionID: 1, OrchestratorItems: item.Messages,
					Metadata: core.ExecutionMetadata{OrchestrationName: &name, OrchestrationVersion: &name},
				})
				return nil
			}
			giveBack(p, ctx, item)
			return err
		},
	})},
	{"an instance has no version", "TestInstanceCreationViaMetadata", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.Version = core.UnknownVersion }),
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
			none := ""
			a.Metadata.OrchestrationVersion = &none
		}),
	})},
	{"the parent of an instance is not stored", "TestDeleteGetParentId", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) { a.Metadata.ParentInstanceID = nil }),
	})},
	{"queue messages for nobody are kept", "TestOrphanQueueMessagesDropped", still(broken{
		send: func(p core.Provider, ctx context.Context, a core.EnqueueForOrchestratorParams) error {
			if m, ok := a.Item.(core.QueueMessageItem); ok {
				a.Item = core.ExternalRaisedItem(m)
			}
			return p.EnqueueForOrchestrator(ctx, a)
		},
	})},
	{"the pinned version is not stored", "TestFetchWithIncompatibleFilterSkipsItem", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) { a.Metadata.PinnedDuroxideVersion = nil }),
	})},
	{"the custom status is not stored", "TestCustomStatusSet", still(broken{
		status: func(core.Provider, context.Context, core.GetCustomStatusParams) (*core.CustomStatus, error) {
			return nil, nil
		},
	})},
	{"the custom status cannot be cleared", "TestCustomStatusClear", still(broken{
		ackTurn: onDelta(func(d core.EventData) core.EventData {
			if s, ok := d.(core.CustomStatusUpdated); ok && s.Status == nil {
				return nil
			}
			return d
		}),
	})},
	{"everybody has a custom status", "TestCustomStatusNonexistentInstance", still(broken{
		status: answers(core.Provider.GetCustomStatus, func(_ core.GetCustomStatusParams, s *core.CustomStatus) *core.CustomStatus {
			if s == nil {
				return &core.CustomStatus{}
			}
			return s
		}),
	})},
}
