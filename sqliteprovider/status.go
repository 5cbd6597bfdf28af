package sqliteprovider

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetCustomStatus  = "get_custom_status"
	opGetInstanceStats = "get_instance_stats"

	sqlGetCustomStatus = `
SELECT custom_status, custom_status_version FROM instances WHERE instance_id = ? AND custom_status_version > ?`

	// sqlInstanceStats is one statement, so that all numbers are of one moment.
	// The first event comes as text, NULL if there is none.
	sqlInstanceStats = `
SELECT h.events, h.bytes, kv.keys, kv.bytes,
       (SELECT event_data FROM history
         WHERE instance_id = i.instance_id AND execution_id = i.current_execution_id AND event_id = 1)
  FROM instances i,
       (SELECT count(*) AS events, coalesce(sum(octet_length(event_data)), 0) AS bytes
          FROM history
         WHERE instance_id = ?1
           AND execution_id = (SELECT current_execution_id FROM instances WHERE instance_id = ?1)) h,
       (SELECT count(*) AS keys, coalesce(sum(octet_length(value)), 0) AS bytes
          FROM (` + sqlLiveValues + `)) kv
 WHERE i.instance_id = ?1`
)

// GetCustomStatus implements [core.StatusStore].
func (p *Provider) GetCustomStatus(ctx context.Context, a core.GetCustomStatusParams) (*core.CustomStatus, error) {
	var found bool
	var status *string
	var version int64
	err := p.read(ctx, opGetCustomStatus, func(ctx context.Context, c *conn) (err error) {
		found, err = c.row(ctx, sqlGetCustomStatus, []any{a.Instance, signed(a.LastSeenVersion)}, &status, &version)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	return &core.CustomStatus{Status: status, Version: unsigned(version)}, nil
}

// GetInstanceStats implements [core.StatusStore].
func (p *Provider) GetInstanceStats(ctx context.Context, a core.GetInstanceStatsParams) (*core.SystemStats, error) {
	var found bool
	var events, bytes, keys, valueBytes int64
	var first sql.NullString
	err := p.read(ctx, opGetInstanceStats, func(ctx context.Context, c *conn) (err error) {
		found, err = c.row(ctx, sqlInstanceStats, []any{a.Instance}, &events, &bytes, &keys, &valueBytes, &first)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	stats := &core.SystemStats{
		HistoryEventCount: unsigned(events), HistorySizeBytes: unsigned(bytes),
		KVUserKeyCount: unsigned(keys), KVTotalValueBytes: unsigned(valueBytes),
	}
	if !first.Valid {
		return stats, nil
	}
	e, err := core.DecodeEvent([]byte(first.String))
	if err != nil {
		return nil, core.Permanent(opGetInstanceStats, fmt.Errorf("%w: event 1: %v", core.ErrUndecodable, err))
	}
	if started, ok := e.Data.(core.OrchestrationStarted); ok {
		stats.QueuePendingCount = uint64(len(started.CarryForwardEvents))
	}
	return stats, nil
}
