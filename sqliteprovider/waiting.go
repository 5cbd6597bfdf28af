package sqliteprovider

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetInstanceStates = "get_instance_states"
	opWatchInstances    = "watch_instances"

	sqlGetInstanceStates = `
SELECT i.instance_id, i.current_execution_id, coalesce(e.status, 'Unknown'), e.output,
       i.custom_status, i.custom_status_version
  FROM instances i
  LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.instance_id IN (SELECT value FROM json_each(?))`
)

// WatchInstances implements [core.InstanceWatcher]. On a file it is blind: another
// process may write to it too.
func (p *Provider) WatchInstances(ctx context.Context, f func(core.InstanceHint)) error {
	defer p.hints.Add(f)()
	f(core.InstanceHint{Blind: p.readers != p.writer})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.closing.Done():
		return core.Permanent(opWatchInstances, core.ErrClosed)
	}
}

// GetInstanceStates implements [core.InstanceStateReader].
func (p *Provider) GetInstanceStates(ctx context.Context, a core.GetInstanceStatesParams) (states []core.InstanceState, err error) {
	ids, err := json.Marshal(a.Instances)
	if err != nil {
		return nil, classify(ctx, opGetInstanceStates, err)
	}
	err = p.read(ctx, opGetInstanceStates, func(ctx context.Context, c *conn) error {
		states = nil
		return c.rows(ctx, sqlGetInstanceStates, []any{string(ids)}, func(rows *sql.Rows) error {
			var s core.InstanceState
			var execution, version int64
			if err := rows.Scan(&s.InstanceID, &execution, &s.Status, &s.Output, &s.CustomStatus, &version); err != nil {
				return err
			}
			s.ExecutionID, s.CustomStatusVersion = unsigned(execution), unsigned(version)
			states = append(states, s)
			return nil
		})
	})
	return states, err
}
