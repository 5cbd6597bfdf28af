package sqliteprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opListInstances              = "list_instances"
	opListInstancesByStatus      = "list_instances_by_status"
	opListExecutions             = "list_executions"
	opReadHistory                = "read_history"
	opReadHistoryWithExecutionID = "read_history_with_execution_id"
	opLatestExecutionID          = "latest_execution_id"
	opGetInstanceInfo            = "get_instance_info"
	opGetExecutionInfo           = "get_execution_info"
	opGetSystemMetrics           = "get_system_metrics"
	opGetQueueDepths             = "get_queue_depths"
	opListChildren               = "list_children"
	opGetParentID                = "get_parent_id"

	sqlListInstances = `
SELECT instance_id FROM instances ORDER BY seq DESC`
	sqlListInstancesByStatus = `
SELECT i.instance_id
  FROM instances i
  LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE coalesce(e.status, 'Unknown') = ?
 ORDER BY i.seq DESC`
	sqlListChildren = `
SELECT instance_id FROM instances WHERE parent_instance_id = ? ORDER BY seq DESC`
	sqlListExecutions = `
SELECT execution_id FROM executions WHERE instance_id = ? ORDER BY execution_id`
	sqlGetInstanceInfo = `
SELECT i.orchestration_name, i.orchestration_version, i.current_execution_id, coalesce(e.status, 'Unknown'),
       e.output, i.created_at, i.updated_at, i.parent_instance_id
  FROM instances i
  LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.instance_id = ?`
	sqlGetExecutionInfo = `
SELECT status, output, started_at, completed_at,
       (SELECT count(*) FROM history h
         WHERE h.instance_id = e.instance_id AND h.execution_id = e.execution_id)
  FROM executions e
 WHERE instance_id = ? AND execution_id = ?`
	sqlGetParentID = `
SELECT parent_instance_id FROM instances WHERE instance_id = ?`
	sqlGetSystemMetrics = `
SELECT count(*),
       (SELECT count(*) FROM executions),
       count(*) FILTER (WHERE e.status = 'Running'),
       count(*) FILTER (WHERE e.status = 'Completed'),
       count(*) FILTER (WHERE e.status = 'Failed'),
       (SELECT count(*) FROM history)
  FROM instances i
  LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id`
	sqlGetQueueDepths = `
SELECT (SELECT count(*) FROM orchestrator_queue q
         WHERE q.visible_at <= ?1
           AND NOT EXISTS (SELECT 1 FROM instance_locks l
                            WHERE l.lock_token = q.lock_token AND l.locked_until > ?1)),
       (SELECT count(*) FROM worker_queue
         WHERE visible_at <= ?1 AND (lock_token IS NULL OR locked_until <= ?1))`
)

// ListInstances implements [core.AdminReader].
func (p *Provider) ListInstances(ctx context.Context) ([]string, error) {
	return list[string](ctx, p, opListInstances, sqlListInstances)
}

// ListInstancesByStatus implements [core.AdminReader].
func (p *Provider) ListInstancesByStatus(ctx context.Context, a core.ListInstancesByStatusParams) ([]string, error) {
	return list[string](ctx, p, opListInstancesByStatus, sqlListInstancesByStatus, string(a.Status))
}

// ListChildren implements [core.AdminReader].
func (p *Provider) ListChildren(ctx context.Context, a core.ListChildrenParams) ([]string, error) {
	return list[string](ctx, p, opListChildren, sqlListChildren, a.Instance)
}

// ListExecutions implements [core.AdminReader].
func (p *Provider) ListExecutions(ctx context.Context, a core.ListExecutionsParams) ([]uint64, error) {
	return list[uint64](ctx, p, opListExecutions, sqlListExecutions, a.Instance)
}

// list reads a result of one column.
func list[T any](ctx context.Context, p *Provider, op, query string, args ...any) (all []T, err error) {
	err = p.read(ctx, op, func(ctx context.Context, c *conn) error {
		all = nil
		return c.rows(ctx, query, args, column(&all))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ReadHistory implements [core.AdminReader].
func (p *Provider) ReadHistory(ctx context.Context, a core.ReadHistoryParams) ([]core.Event, error) {
	return p.readLatest(ctx, opReadHistory, a.Instance)
}

// ReadHistoryWithExecutionID implements [core.AdminReader].
func (p *Provider) ReadHistoryWithExecutionID(ctx context.Context, a core.ReadHistoryWithExecutionIDParams) ([]core.Event, error) {
	return p.readRange(ctx, opReadHistoryWithExecutionID, core.ReadHistoryRangeParams{Instance: a.Instance, ExecutionID: a.ExecutionID})
}

// LatestExecutionID implements [core.AdminReader].
func (p *Provider) LatestExecutionID(ctx context.Context, a core.LatestExecutionIDParams) (uint64, error) {
	var id int64
	err := p.read(ctx, opLatestExecutionID, func(ctx context.Context, c *conn) (err error) {
		id, err = latestExecution(ctx, c, a.Instance)
		return err
	})
	return unsigned(id), err
}

// readRow reads at most one row.
func (p *Provider) readRow(ctx context.Context, op, query string, args []any, dst ...any) (found bool, err error) {
	err = p.read(ctx, op, func(ctx context.Context, c *conn) (err error) {
		found, err = c.row(ctx, query, args, dst...)
		return err
	})
	return found, err
}

// GetInstanceInfo implements [core.AdminReader].
func (p *Provider) GetInstanceInfo(ctx context.Context, a core.GetInstanceInfoParams) (*core.InstanceInfo, error) {
	info := &core.InstanceInfo{InstanceID: a.Instance}
	var status string
	found, err := p.readRow(ctx, opGetInstanceInfo, sqlGetInstanceInfo, []any{a.Instance},
		&info.OrchestrationName, &info.OrchestrationVersion, &info.CurrentExecutionID, &status,
		&info.Output, &info.CreatedAtMs, &info.UpdatedAtMs, &info.ParentInstanceID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, core.Permanent(opGetInstanceInfo, notFound("Instance %s", a.Instance))
	}
	info.Status = core.ExecutionStatus(status)
	return info, nil
}

// GetExecutionInfo implements [core.AdminReader].
func (p *Provider) GetExecutionInfo(ctx context.Context, a core.GetExecutionInfoParams) (*core.ExecutionInfo, error) {
	info := &core.ExecutionInfo{ExecutionID: a.ExecutionID}
	var found bool
	var status string
	var err error
	if checkID("ExecutionID", a.ExecutionID) != nil {
		err = p.checkOpen(ctx, opGetExecutionInfo)
	} else {
		found, err = p.readRow(ctx, opGetExecutionInfo, sqlGetExecutionInfo, []any{a.Instance, int64(a.ExecutionID)},
			&status, &info.Output, &info.StartedAtMs, &info.CompletedAtMs, &info.EventCount)
	}
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, core.Permanent(opGetExecutionInfo, notFound("Execution %d of instance %s", a.ExecutionID, a.Instance))
	}
	info.Status = core.ExecutionStatus(status)
	return info, nil
}

// GetParentID implements [core.AdminReader].
func (p *Provider) GetParentID(ctx context.Context, a core.GetParentIDParams) (parent *string, err error) {
	found, err := p.readRow(ctx, opGetParentID, sqlGetParentID, []any{a.Instance}, &parent)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, core.Permanent(opGetParentID, notFound("Instance %s", a.Instance))
	}
	return parent, nil
}

// GetSystemMetrics implements [core.AdminReader].
func (p *Provider) GetSystemMetrics(ctx context.Context) (*core.SystemMetrics, error) {
	m := &core.SystemMetrics{}
	_, err := p.readRow(ctx, opGetSystemMetrics, sqlGetSystemMetrics, nil,
		&m.TotalInstances, &m.TotalExecutions, &m.RunningInstances, &m.CompletedInstances, &m.FailedInstances, &m.TotalEvents)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// GetQueueDepths implements [core.AdminReader]. It counts messages that are
// visible and not themselves under a live lock; those that arrive for an
// instance while it takes a turn count.
func (p *Provider) GetQueueDepths(ctx context.Context) (*core.QueueDepths, error) {
	d := &core.QueueDepths{}
	_, err := p.readRow(ctx, opGetQueueDepths, sqlGetQueueDepths, []any{p.nowMs()}, &d.OrchestratorQueue, &d.WorkerQueue)
	if err != nil {
		return nil, err
	}
	return d, nil
}
