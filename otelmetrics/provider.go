package otelmetrics

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

// Provider returns a provider that does what p does and measures each call. The
// optional abilities of p that hot paths use are measured too; the rest, such as
// [core.Admin], is found as before and not measured. A call whose context was
// cancelled is not recorded.
func (m *Metrics) Provider(p core.Provider) core.Provider {
	return &provider{Provider: p, m: m, next: m.abilities(p)}
}

// provider measures what every provider does.
type provider struct {
	core.Provider
	m *Metrics
	// next has the abilities.
	next core.Provider
}

// Unwrap shows the optional abilities.
func (p *provider) Unwrap() core.Provider { return p.next }

// call makes a call that returns something.
func call[P, R any](ctx context.Context, m *Metrics, op string, f func(context.Context, P) (R, error), params P) (R, error) {
	began := m.clock.Now()
	result, err := f(ctx, params)
	m.called(ctx, op, began, err)
	return result, err
}

// do makes a call that returns nothing.
func do[P any](ctx context.Context, m *Metrics, op string, f func(context.Context, P) error, params P) error {
	began := m.clock.Now()
	err := f(ctx, params)
	m.called(ctx, op, began, err)
	return err
}

func (p *provider) FetchOrchestrationItem(ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	return call(ctx, p.m, opFetchTurn, p.Provider.FetchOrchestrationItem, a)
}

func (p *provider) AckOrchestrationItem(ctx context.Context, a core.AckOrchestrationItemParams) error {
	return do(ctx, p.m, opAckTurn, p.Provider.AckOrchestrationItem, a)
}

func (p *provider) AbandonOrchestrationItem(ctx context.Context, a core.AbandonParams) error {
	return do(ctx, p.m, opAbandonTurn, p.Provider.AbandonOrchestrationItem, a)
}

func (p *provider) RenewOrchestrationItemLock(ctx context.Context, a core.RenewLockParams) error {
	return do(ctx, p.m, opRenewTurn, p.Provider.RenewOrchestrationItemLock, a)
}

func (p *provider) EnqueueForOrchestrator(ctx context.Context, a core.EnqueueForOrchestratorParams) error {
	return do(ctx, p.m, opEnqueueMessage, p.Provider.EnqueueForOrchestrator, a)
}

func (p *provider) EnqueueForWorker(ctx context.Context, a core.EnqueueForWorkerParams) error {
	return do(ctx, p.m, opEnqueueActivity, p.Provider.EnqueueForWorker, a)
}

func (p *provider) FetchWorkItem(ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	return call(ctx, p.m, opFetchActivity, p.Provider.FetchWorkItem, a)
}

func (p *provider) AckWorkItem(ctx context.Context, a core.AckWorkItemParams) error {
	return do(ctx, p.m, opAckActivity, p.Provider.AckWorkItem, a)
}

func (p *provider) RenewWorkItemLock(ctx context.Context, a core.RenewLockParams) error {
	return do(ctx, p.m, opRenewActivity, p.Provider.RenewWorkItemLock, a)
}

func (p *provider) AbandonWorkItem(ctx context.Context, a core.AbandonParams) error {
	return do(ctx, p.m, opAbandonActivity, p.Provider.AbandonWorkItem, a)
}

func (p *provider) Read(ctx context.Context, a core.ReadParams) ([]core.Event, error) {
	return call(ctx, p.m, opRead, p.Provider.Read, a)
}

func (p *provider) ReadWithExecution(ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
	return call(ctx, p.m, opReadExecution, p.Provider.ReadWithExecution, a)
}

func (p *provider) AppendWithExecution(ctx context.Context, a core.AppendWithExecutionParams) error {
	return do(ctx, p.m, opAppend, p.Provider.AppendWithExecution, a)
}

func (p *provider) RenewSessionLock(ctx context.Context, a core.RenewSessionLockParams) (uint64, error) {
	return call(ctx, p.m, opRenewSession, p.Provider.RenewSessionLock, a)
}

func (p *provider) CleanupOrphanedSessions(ctx context.Context, a core.CleanupOrphanedSessionsParams) (uint64, error) {
	return call(ctx, p.m, opCleanUpSessions, p.Provider.CleanupOrphanedSessions, a)
}

func (p *provider) GetCustomStatus(ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
	return call(ctx, p.m, opCustomStatus, p.Provider.GetCustomStatus, a)
}

func (p *provider) GetInstanceStats(ctx context.Context, a core.GetInstanceStatsParams) (*core.SystemStats, error) {
	return call(ctx, p.m, opInstanceStats, p.Provider.GetInstanceStats, a)
}

func (p *provider) GetKVValue(ctx context.Context, a core.GetKVValueParams) (*string, error) {
	return call(ctx, p.m, opKVValue, p.Provider.GetKVValue, a)
}

func (p *provider) GetKVAllValues(ctx context.Context, a core.GetKVAllValuesParams) (map[string]string, error) {
	return call(ctx, p.m, opKVAllValues, p.Provider.GetKVAllValues, a)
}
