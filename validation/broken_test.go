package validation_test

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// A call is a method of a provider as a function of the provider.
type call[P, R any] = func(p core.Provider, ctx context.Context, a P) (R, error)

// act is a call without a result.
type act[P any] = func(p core.Provider, ctx context.Context, a P) error

// broken is a provider that breaks rules: each function that is set replaces a
// method of the provider below.
type broken struct {
	core.Provider

	fetchTurn   call[core.FetchOrchestrationItemParams, *core.OrchestrationItem]
	ackTurn     act[core.AckOrchestrationItemParams]
	abandonTurn act[core.AbandonParams]
	renewTurn   act[core.RenewLockParams]
	send        act[core.EnqueueForOrchestratorParams]
	schedule    act[core.EnqueueForWorkerParams]
	fetchWork   call[core.FetchWorkItemParams, *core.LockedWorkItem]
	ackWork     act[core.AckWorkItemParams]
	abandonWork act[core.AbandonParams]
	renewWork   act[core.RenewLockParams]
	read        call[core.ReadParams, []core.Event]
	readOne     call[core.ReadWithExecutionParams, []core.Event]
	renew       call[core.RenewSessionLockParams, uint64]
	cleanup     call[core.CleanupOrphanedSessionsParams, uint64]
	status      call[core.GetCustomStatusParams, *core.CustomStatus]
	stats       call[core.GetInstanceStatsParams, *core.SystemStats]
	value       call[core.GetKVValueParams, *string]
	values      call[core.GetKVAllValuesParams, map[string]string]
	appendTo    act[core.AppendWithExecutionParams]

	around func() func() // called around every call, if set
	admin  *brokenAdmin  // nil for a sound one
	// elsewhere is what is broken of a provider on the same store whose clock is
	// that far ahead; nil for nothing.
	elsewhere func(ahead time.Duration) broken
}

func (b *broken) Unwrap() core.Provider { return b.Provider }

func do[P, R any](ctx context.Context, b *broken, broken, sound call[P, R], a P) (R, error) {
	defer b.surround()()
	if broken != nil {
		return broken(b.Provider, ctx, a)
	}
	return sound(b.Provider, ctx, a)
}

func (b *broken) surround() func() {
	if b.around == nil {
		return func() {}
	}
	return b.around()
}

func doAct[P any](ctx context.Context, b *broken, broken, sound act[P], a P) error {
	defer b.surround()()
	if broken != nil {
		return broken(b.Provider, ctx, a)
	}
	return sound(b.Provider, ctx, a)
}

func (b *broken) FetchOrchestrationItem(ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	return do(ctx, b, b.fetchTurn, core.Provider.FetchOrchestrationItem, a)
}

func (b *broken) AckOrchestrationItem(ctx context.Context, a core.AckOrchestrationItemParams) error {
	return doAct(ctx, b, b.ackTurn, core.Provider.AckOrchestrationItem, a)
}

func (b *broken) AbandonOrchestrationItem(ctx context.Context, a core.AbandonParams) error {
	return doAct(ctx, b, b.abandonTurn, core.Provider.AbandonOrchestrationItem, a)
}

func (b *broken) RenewOrchestrationItemLock(ctx context.Context, a core.RenewLockParams) error {
	return doAct(ctx, b, b.renewTurn, core.Provider.RenewOrchestrationItemLock, a)
}

func (b *broken) EnqueueForOrchestrator(ctx context.Context, a core.EnqueueForOrchestratorParams) error {
	return doAct(ctx, b, b.send, core.Provider.EnqueueForOrchestrator, a)
}

func (b *broken) EnqueueForWorker(ctx context.Context, a core.EnqueueForWorkerParams) error {
	return doAct(ctx, b, b.schedule, core.Provider.EnqueueForWorker, a)
}

func (b *broken) FetchWorkItem(ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	return do(ctx, b, b.fetchWork, core.Provider.FetchWorkItem, a)
}

func (b *broken) AckWorkItem(ctx context.Context, a core.AckWorkItemParams) error {
	return doAct(ctx, b, b.ackWork, core.Provider.AckWorkItem, a)
}

func (b *broken) AbandonWorkItem(ctx context.Context, a core.AbandonParams) error {
	return doAct(ctx, b, b.abandonWork, core.Provider.AbandonWorkItem, a)
}

func (b *broken) RenewWorkItemLock(ctx context.Context, a core.RenewLockParams) error {
	return doAct(ctx, b, b.renewWork, core.Provider.RenewWorkItemLock, a)
}

func (b *broken) Read(ctx context.Context, a core.ReadParams) ([]core.Event, error) {
	return do(ctx, b, b.read, core.Provider.Read, a)
}

func (b *broken) ReadWithExecution(ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
	return do(ctx, b, b.readOne, core.Provider.ReadWithExecution, a)
}

func (b *broken) RenewSessionLock(ctx context.Context, a core.RenewSessionLockParams) (uint64, error) {
	return do(ctx, b, b.renew, core.Provider.RenewSessionLock, a)
}

func (b *broken) CleanupOrphanedSessions(ctx context.Context, a core.CleanupOrphanedSessionsParams) (uint64, error) {
	return do(ctx, b, b.cleanup, core.Provider.CleanupOrphanedSessions, a)
}

func (b *broken) GetCustomStatus(ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
	return do(ctx, b, b.status, core.Provider.GetCustomStatus, a)
}

func (b *broken) GetInstanceStats(ctx context.Context, a core.GetInstanceStatsParams) (*core.SystemStats, error) {
	return do(ctx, b, b.stats, core.Provider.GetInstanceStats, a)
}

func (b *broken) GetKVValue(ctx context.Context, a core.GetKVValueParams) (*string, error) {
	return do(ctx, b, b.value, core.Provider.GetKVValue, a)
}

func (b *broken) GetKVAllValues(ctx context.Context, a core.GetKVAllValuesParams) (map[string]string, error) {
	return do(ctx, b, b.values, core.Provider.GetKVAllValues, a)
}

func (b *broken) AppendWithExecution(ctx context.Context, a core.AppendWithExecutionParams) error {
	return doAct(ctx, b, b.appendTo, core.Provider.AppendWithExecution, a)
}
