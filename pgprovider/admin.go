package pgprovider

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

	sqlListInstances query = `
SELECT instance_id FROM @.list_instances()`
	sqlListInstancesByStatus query = `
SELECT instance_id FROM @.list_instances_by_status($1::text)`
	sqlListExecutions query = `
SELECT execution_id FROM @.list_executions($1::text)`
	sqlLatestExecutionID query = `
SELECT @.latest_execution_id($1::text)`
	sqlGetInstanceInfo query = `
SELECT instance_id, orchestration_name, orchestration_version, current_execution_id, status, output,
       (extract(epoch FROM created_at) * 1000)::bigint, (extract(epoch FROM updated_at) * 1000)::bigint,
       parent_instance_id
  FROM @.get_instance_info($1::text)`
	sqlGetExecutionInfo query = `
SELECT execution_id, status, output, (extract(epoch FROM started_at) * 1000)::bigint,
       (extract(epoch FROM completed_at) * 1000)::bigint, event_count
  FROM @.get_execution_info($1::text, $2::bigint)`
	sqlGetSystemMetrics query = `
SELECT total_instances, total_executions, running_instances, completed_instances, failed_instances, total_events
  FROM @.get_system_metrics()`
	sqlGetQueueDepths query = `
SELECT orchestrator_queue, worker_queue FROM @.get_queue_depths($1::bigint)`
	sqlListChildren query = `
SELECT child_instance_id FROM @.list_children($1::text)`
	sqlGetParentID query = `
SELECT @.get_parent_id($1::text)`

	// statusUnknown is shown when the row of the current execution is missing.
	statusUnknown core.ExecutionStatus = "Unknown"
)

// ListInstances implements [core.AdminReader].
func (p *Provider) ListInstances(ctx context.Context) ([]string, error) {
	return p.listIDs(ctx, opListInstances, sqlListInstances)
}

// ListInstancesByStatus implements [core.AdminReader].
func (p *Provider) ListInstancesByStatus(ctx context.Context, params core.ListInstancesByStatusParams) ([]string, error) {
	if err := checkText("Status", string(params.Status)); err != nil {
		return nil, classify(ctx, opListInstancesByStatus, err)
	}
	return p.listIDs(ctx, opListInstancesByStatus, sqlListInstancesByStatus, string(params.Status))
}

// ListChildren implements [core.AdminReader].
func (p *Provider) ListChildren(ctx context.Context, params core.ListChildrenParams) ([]string, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opListChildren, err)
	}
	return p.listIDs(ctx, opListChildren, sqlListChildren, params.Instance)
}

func (p *Provider) listIDs(ctx context.Context, op string, q query, args ...any) ([]string, error) {
	var ids []string
	if err := p.run(ctx, call{op: op, query: q, args: args, read: column(&ids)}); err != nil {
		return nil, err
	}
	return ids, nil
}

// ListExecutions implements [core.AdminReader].
func (p *Provider) ListExecutions(ctx context.Context, params core.ListExecutionsParams) ([]uint64, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opListExecutions, err)
	}
	var signed []int64
	err := p.run(ctx, call{
		op: opListExecutions, query: sqlListExecutions, args: []any{params.Instance}, read: column(&signed),
	})
	if err != nil {
		return nil, err
	}
	ids := make([]uint64, len(signed))
	for i, id := range signed {
		ids[i] = uint64(id)
	}
	return ids, nil
}

// ReadHistory implements [core.AdminReader].
func (p *Provider) ReadHistory(ctx context.Context, params core.ReadHistoryParams) ([]core.Event, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opReadHistory, err)
	}
	return p.readEvents(ctx, opReadHistory, sqlRead, params.Instance)
}

// ReadHistoryWithExecutionID implements [core.AdminReader].
func (p *Provider) ReadHistoryWithExecutionID(ctx context.Context, params core.ReadHistoryWithExecutionIDParams) ([]core.Event, error) {
	return p.readExecution(ctx, opReadHistoryWithExecutionID, params.Instance, params.ExecutionID)
}

// LatestExecutionID implements [core.AdminReader].
func (p *Provider) LatestExecutionID(ctx context.Context, params core.LatestExecutionIDParams) (uint64, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return 0, classify(ctx, opLatestExecutionID, err)
	}
	var id *int64
	err := p.run(ctx, call{
		op: opLatestExecutionID, query: sqlLatestExecutionID, args: []any{params.Instance}, read: exactlyOne(&id),
	})
	switch {
	case err != nil:
		return 0, err
	case id == nil:
		return core.FirstExecutionID, nil
	}
	return uint64(*id), nil
}

// GetInstanceInfo implements [core.AdminReader].
func (p *Provider) GetInstanceInfo(ctx context.Context, params core.GetInstanceInfoParams) (*core.InstanceInfo, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opGetInstanceInfo, err)
	}
	var found bool
	var version, status *string
	var current, created, updated int64
	var info core.InstanceInfo
	err := p.run(ctx, call{
		op: opGetInstanceInfo, query: sqlGetInstanceInfo, args: []any{params.Instance},
		read: one(&found, &info.InstanceID, &info.OrchestrationName, &version, &current, &status, &info.Output,
			&created, &updated, &info.ParentInstanceID),
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, core.Permanent(opGetInstanceInfo, notFound("Instance %s", params.Instance))
	}
	info.OrchestrationVersion, info.Status = core.UnknownVersion, statusUnknown
	if version != nil {
		info.OrchestrationVersion = *version
	}
	if status != nil {
		info.Status = core.ExecutionStatus(*status)
	}
	info.CurrentExecutionID = uint64(current)
	info.CreatedAtMs, info.UpdatedAtMs = unsigned(created), unsigned(updated)
	return &info, nil
}

// GetExecutionInfo implements [core.AdminReader].
func (p *Provider) GetExecutionInfo(ctx context.Context, params core.GetExecutionInfoParams) (*core.ExecutionInfo, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opGetExecutionInfo, err)
	}
	missing := core.Permanent(opGetExecutionInfo, notFound("Execution %d of instance %s", params.ExecutionID, params.Instance))
	if checkID("ExecutionID", params.ExecutionID) != nil {
		return nil, missing
	}
	var found bool
	var id, started, events int64
	var completed *int64
	var status string
	var info core.ExecutionInfo
	err := p.run(ctx, call{
		op: opGetExecutionInfo, query: sqlGetExecutionInfo, args: []any{params.Instance, int64(params.ExecutionID)},
		read: one(&found, &id, &status, &info.Output, &started, &completed, &events),
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, missing
	}
	info.ExecutionID, info.Status = uint64(id), core.ExecutionStatus(status)
	info.StartedAtMs, info.EventCount = unsigned(started), unsigned(events)
	if completed != nil {
		ms := unsigned(*completed)
		info.CompletedAtMs = &ms
	}
	return &info, nil
}

// GetSystemMetrics implements [core.AdminReader].
func (p *Provider) GetSystemMetrics(ctx context.Context) (*core.SystemMetrics, error) {
	var instances, executions, running, completed, failed, events int64
	err := p.run(ctx, call{
		op: opGetSystemMetrics, query: sqlGetSystemMetrics,
		read: exactlyOne(&instances, &executions, &running, &completed, &failed, &events),
	})
	if err != nil {
		return nil, err
	}
	return &core.SystemMetrics{
		TotalInstances: uint64(instances), TotalExecutions: uint64(executions), RunningInstances: uint64(running),
		CompletedInstances: uint64(completed), FailedInstances: uint64(failed), TotalEvents: uint64(events),
	}, nil
}

// GetQueueDepths implements [core.AdminReader].
func (p *Provider) GetQueueDepths(ctx context.Context) (*core.QueueDepths, error) {
	var orchestrator, worker int64
	err := p.run(ctx, call{
		op: opGetQueueDepths, query: sqlGetQueueDepths, args: []any{p.nowMs()}, read: exactlyOne(&orchestrator, &worker),
	})
	if err != nil {
		return nil, err
	}
	return &core.QueueDepths{OrchestratorQueue: uint64(orchestrator), WorkerQueue: uint64(worker)}, nil
}

// GetParentID implements [core.AdminReader].
func (p *Provider) GetParentID(ctx context.Context, params core.GetParentIDParams) (*string, error) {
	return p.getParentID(ctx, opGetParentID, params.Instance)
}

func (p *Provider) getParentID(ctx context.Context, op, instance string) (parent *string, err error) {
	if err := checkText("Instance", instance); err != nil {
		return nil, classify(ctx, op, err)
	}
	err = p.run(ctx, call{op: op, query: sqlGetParentID, args: []any{instance}, read: exactlyOne(&parent)})
	return parent, err
}

// unsigned returns a stored number, 0 for a negative one, which only a clock
// before 1970 writes.
func unsigned(v int64) uint64 {
	return uint64(max(v, 0))
}
