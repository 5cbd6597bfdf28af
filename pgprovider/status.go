package pgprovider

import (
	"context"
	"math"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetCustomStatus  = "get_custom_status"
	opGetInstanceStats = "get_instance_stats"

	sqlGetCustomStatus query = `
SELECT out_custom_status, out_custom_status_version FROM @.get_custom_status($1::text, $2::bigint)`
	sqlGetInstanceStats query = `
SELECT out_found, out_history_event_count, out_history_size_bytes, out_queue_pending_count,
       out_kv_user_key_count, out_kv_total_value_bytes
  FROM @.get_instance_stats($1::text)`
)

// GetCustomStatus implements [core.StatusStore].
func (p *Provider) GetCustomStatus(ctx context.Context, params core.GetCustomStatusParams) (*core.CustomStatus, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opGetCustomStatus, err)
	}
	var found bool
	var status *string
	var version int64
	err := p.run(ctx, call{
		op: opGetCustomStatus, query: sqlGetCustomStatus,
		args: []any{params.Instance, int64(min(params.LastSeenVersion, math.MaxInt64))},
		read: one(&found, &status, &version),
	})
	if err != nil || !found {
		return nil, err
	}
	return &core.CustomStatus{Status: status, Version: uint64(version)}, nil
}

// GetInstanceStats implements [core.StatusStore].
func (p *Provider) GetInstanceStats(ctx context.Context, params core.GetInstanceStatsParams) (*core.SystemStats, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opGetInstanceStats, err)
	}
	var found bool
	var events, bytes, pending, keys, valueBytes int64
	err := p.run(ctx, call{
		op: opGetInstanceStats, query: sqlGetInstanceStats, args: []any{params.Instance},
		read: exactlyOne(&found, &events, &bytes, &pending, &keys, &valueBytes),
	})
	if err != nil || !found {
		return nil, err
	}
	return &core.SystemStats{
		HistoryEventCount: uint64(events), HistorySizeBytes: uint64(bytes), QueuePendingCount: uint64(pending),
		KVUserKeyCount: uint64(keys), KVTotalValueBytes: uint64(valueBytes),
	}, nil
}
