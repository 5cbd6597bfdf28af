package memprovider

import (
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// applyCustomStatus stores the last custom status among the events, one
// version for all of them. Without an instance row it is lost.
func (i *instance) applyCustomStatus(events []core.Event) {
	if i.row == nil {
		return
	}
	for _, event := range slices.Backward(events) {
		if updated, ok := event.Data.(core.CustomStatusUpdated); ok {
			i.row.customStatus = clonePtr(updated.Status)
			i.row.customStatusVersion++
			return
		}
	}
}

// GetCustomStatus implements [core.StatusStore].
func (p *Provider) GetCustomStatus(ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil || i.row == nil || i.row.customStatusVersion <= a.LastSeenVersion {
		return nil, nil
	}
	return &core.CustomStatus{Status: clonePtr(i.row.customStatus), Version: i.row.customStatusVersion}, nil
}

// GetInstanceStats implements [core.StatusStore]. The size of the history is
// that of its wire JSON, as it would be stored elsewhere.
func (p *Provider) GetInstanceStats(ctx context.Context, a core.GetInstanceStatsParams) (*core.SystemStats, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil || i.row == nil {
		return nil, nil
	}
	events, err := i.histories[i.row.current].read()
	stats := &core.SystemStats{HistoryEventCount: uint64(len(events))}
	for _, e := range events {
		var text []byte
		if text, err = core.EncodeEvent(e); err != nil {
			err = fmt.Errorf("event %d: %w", e.ID, err)
			break
		}
		stats.HistorySizeBytes += uint64(len(text))
		if started, ok := e.Data.(core.OrchestrationStarted); ok && e.ID == core.FirstEventID {
			stats.QueuePendingCount = uint64(len(started.CarryForwardEvents))
		}
	}
	if err != nil {
		return nil, core.Permanent("get_instance_stats", err)
	}
	for _, entry := range i.kv.live() {
		stats.KVUserKeyCount++
		stats.KVTotalValueBytes += uint64(len(entry.Value))
	}
	return stats, nil
}
