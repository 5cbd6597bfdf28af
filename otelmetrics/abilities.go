package otelmetrics

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

// abilities returns p behind a decorator for each of its abilities that is
// measured. One that p lacks gets none, because [core.Ability] takes the first
// that it finds for the provider's.
func (m *Metrics) abilities(p core.Provider) core.Provider {
	next := p
	if a, ok := core.Ability[core.HistoryRangeReader](p); ok {
		next = &historyRangeReader{Provider: next, m: m, reader: a}
	}
	if a, ok := core.Ability[core.InstanceStateReader](p); ok {
		next = &instanceStateReader{Provider: next, m: m, reader: a}
	}
	if a, ok := core.Ability[core.TxEnqueuer](p); ok {
		next = &txEnqueuer{Provider: next, m: m, enqueuer: a}
	}
	if a, ok := core.Ability[core.TxAcknowledger](p); ok {
		next = &txAcknowledger{Provider: next, m: m, acknowledger: a}
	}
	return next
}

type historyRangeReader struct {
	core.Provider
	m      *Metrics
	reader core.HistoryRangeReader
}

func (a *historyRangeReader) Unwrap() core.Provider { return a.Provider }

func (a *historyRangeReader) ReadHistoryRange(ctx context.Context, p core.ReadHistoryRangeParams) ([]core.Event, error) {
	return call(ctx, a.m, opReadRange, a.reader.ReadHistoryRange, p)
}

type instanceStateReader struct {
	core.Provider
	m      *Metrics
	reader core.InstanceStateReader
}

func (a *instanceStateReader) Unwrap() core.Provider { return a.Provider }

func (a *instanceStateReader) GetInstanceStates(ctx context.Context, p core.GetInstanceStatesParams) ([]core.InstanceState, error) {
	return call(ctx, a.m, opInstanceStates, a.reader.GetInstanceStates, p)
}

type txEnqueuer struct {
	core.Provider
	m        *Metrics
	enqueuer core.TxEnqueuer
}

func (a *txEnqueuer) Unwrap() core.Provider { return a.Provider }

func (a *txEnqueuer) EnqueueForOrchestratorTx(ctx context.Context, tx core.Tx, p core.EnqueueForOrchestratorParams) error {
	return do(ctx, a.m, opEnqueueTx, func(ctx context.Context, p core.EnqueueForOrchestratorParams) error {
		return a.enqueuer.EnqueueForOrchestratorTx(ctx, tx, p)
	}, p)
}

type txAcknowledger struct {
	core.Provider
	m            *Metrics
	acknowledger core.TxAcknowledger
}

func (a *txAcknowledger) Unwrap() core.Provider { return a.Provider }

func (a *txAcknowledger) AckWorkItemTx(ctx context.Context, tx core.Tx, p core.AckWorkItemParams) error {
	return do(ctx, a.m, opAckActivityTx, func(ctx context.Context, p core.AckWorkItemParams) error {
		return a.acknowledger.AckWorkItemTx(ctx, tx, p)
	}, p)
}
