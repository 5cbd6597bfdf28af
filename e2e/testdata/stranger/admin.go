package stranger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

func (i *instance) status() (core.ExecutionStatus, *string) {
	e := i.executions[i.row.current]
	if e == nil {
		return "Unknown", nil
	}
	return e.status, clone(e.output)
}

// select returns the ids of the instances that have a row and pass, newest first.
func (t *tables) selectIDs(pass func(id string, i *instance) bool) []string {
	var ids []string
	for id, i := range t.instances {
		if i.row != nil && pass(id, i) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Compare(t.instances[b].row.created, t.instances[a].row.created)
	})
	return ids
}

func (p *Provider) list(ctx context.Context, op string, pass func(i *instance) bool) (ids []string, err error) {
	err = p.transaction(ctx, op, func(uint64) error {
		ids = p.selectIDs(func(_ string, i *instance) bool { return pass(i) })
		return nil
	})
	return ids, err
}

// withRow is a transaction on an instance that has a row.
func (p *Provider) withRow(ctx context.Context, op, id string, f func(i *instance) error) error {
	return p.transaction(ctx, op, func(uint64) error {
		i := p.instance(id)
		if i.row == nil {
			return fmt.Errorf("Instance %s %w", id, core.ErrNotFound)
		}
		return f(i)
	})
}

// ListInstances implements [core.AdminReader].
func (p *Provider) ListInstances(ctx context.Context) ([]string, error) {
	return p.list(ctx, "list_instances", func(*instance) bool { return true })
}

// ListInstancesByStatus implements [core.AdminReader].
func (p *Provider) ListInstancesByStatus(ctx context.Context, a core.ListInstancesByStatusParams) ([]string, error) {
	return p.list(ctx, "list_instances_by_status", func(i *instance) bool {
		status, _ := i.status()
		return status == a.Status
	})
}

// ListChildren implements [core.AdminReader].
func (p *Provider) ListChildren(ctx context.Context, a core.ListChildrenParams) ([]string, error) {
	return p.list(ctx, "list_children", func(i *instance) bool { return i.row.parent != nil && *i.row.parent == a.Instance })
}

// ListExecutions implements [core.AdminReader].
func (p *Provider) ListExecutions(ctx context.Context, a core.ListExecutionsParams) (ids []uint64, err error) {
	err = p.transaction(ctx, "list_executions", func(uint64) error {
		ids = slices.Sorted(maps.Keys(p.instance(a.Instance).executions))
		return nil
	})
	return ids, err
}

// ReadHistory implements [core.AdminReader].
func (p *Provider) ReadHistory(ctx context.Context, a core.ReadHistoryParams) ([]core.Event, error) {
	return p.Read(ctx, core.ReadParams(a))
}

// ReadHistoryWithExecutionID implements [core.AdminReader].
func (p *Provider) ReadHistoryWithExecutionID(ctx context.Context, a core.ReadHistoryWithExecutionIDParams) ([]core.Event, error) {
	return p.ReadWithExecution(ctx, core.ReadWithExecutionParams(a))
}

// LatestExecutionID implements [core.AdminReader].
func (p *Provider) LatestExecutionID(ctx context.Context, a core.LatestExecutionIDParams) (id uint64, err error) {
	err = p.transaction(ctx, "latest_execution_id", func(uint64) error {
		id = p.instance(a.Instance).latest()
		return nil
	})
	return id, err
}

// GetInstanceInfo implements [core.AdminReader].
func (p *Provider) GetInstanceInfo(ctx context.Context, a core.GetInstanceInfoParams) (info *core.InstanceInfo, err error) {
	err = p.withRow(ctx, "get_instance_info", a.Instance, func(i *instance) error {
		info = &core.InstanceInfo{
			InstanceID: a.Instance, OrchestrationName: i.row.name, OrchestrationVersion: i.row.version,
			CurrentExecutionID: i.row.current, ParentInstanceID: clone(i.row.parent),
			CreatedAtMs: i.row.createdAt, UpdatedAtMs: i.row.updatedAt,
		}
		info.Status, info.Output = i.status()
		return nil
	})
	return info, err
}

// GetExecutionInfo implements [core.AdminReader].
func (p *Provider) GetExecutionInfo(ctx context.Context, a core.GetExecutionInfoParams) (info *core.ExecutionInfo, err error) {
	err = p.transaction(ctx, "get_execution_info", func(uint64) error {
		i := p.instance(a.Instance)
		e := i.executions[a.ExecutionID]
		if e == nil {
			return fmt.Errorf("Execution %d of instance %s %w", a.ExecutionID, a.Instance, core.ErrNotFound)
		}
		info = &core.ExecutionInfo{
			ExecutionID: a.ExecutionID, Status: e.status, Output: clone(e.output), StartedAtMs: e.startedAt,
			CompletedAtMs: clone(e.completedAt), EventCount: uint64(len(i.history[a.ExecutionID])),
		}
		return nil
	})
	return info, err
}

// GetParentID implements [core.AdminReader].
func (p *Provider) GetParentID(ctx context.Context, a core.GetParentIDParams) (parent *string, err error) {
	err = p.withRow(ctx, "get_parent_id", a.Instance, func(i *instance) error {
		parent = clone(i.row.parent)
		return nil
	})
	return parent, err
}

// GetSystemMetrics implements [core.AdminReader].
func (p *Provider) GetSystemMetrics(ctx context.Context) (*core.SystemMetrics, error) {
	m := &core.SystemMetrics{}
	err := p.transaction(ctx, "get_system_metrics", func(uint64) error {
		for _, i := range p.instances {
			m.TotalExecutions += uint64(len(i.executions))
			for _, events := range i.history {
				m.TotalEvents += uint64(len(events))
			}
			if i.row == nil {
				continue
			}
			m.TotalInstances++
			switch status, _ := i.status(); status {
			case core.StatusRunning:
				m.RunningInstances++
			case core.StatusCompleted:
				m.CompletedInstances++
			case core.StatusFailed:
				m.FailedInstances++
			}
		}
		return nil
	})
	return m, err
}

// GetQueueDepths implements [core.AdminReader].
func (p *Provider) GetQueueDepths(ctx context.Context) (*core.QueueDepths, error) {
	d := &core.QueueDepths{}
	err := p.transaction(ctx, "get_queue_depths", func(now uint64) error {
		for _, m := range p.messages {
			i := p.instance(m.instance)
			if m.visibleAt <= now && (m.token == "" || m.token != i.token || i.lockedUntil <= now) {
				d.OrchestratorQueue++
			}
		}
		for _, a := range p.activities {
			if a.visibleAt <= now && a.lockedUntil <= now {
				d.WorkerQueue++
			}
		}
		return nil
	})
	return d, err
}
