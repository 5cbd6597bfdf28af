package memprovider

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// statusUnknown is the status of an instance whose current execution has no row.
const statusUnknown core.ExecutionStatus = "Unknown"

// status returns the status and output of the current execution of an
// instance that has a row.
func (i *instance) status() (core.ExecutionStatus, *string) {
	e := i.executions[i.row.current]
	if e == nil {
		return statusUnknown, nil
	}
	return e.status, clonePtr(e.output)
}

// list returns the ids of the instances that have a row and pass, newest first.
func (p *Provider) list(ctx context.Context, pass func(*instance) bool) ([]string, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	var found []*instance
	for _, i := range p.instances {
		if i.row != nil && pass(i) {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, func(a, b *instance) int { return cmp.Compare(b.row.seq, a.row.seq) })
	ids := make([]string, len(found))
	for n, i := range found {
		ids[n] = i.id
	}
	return ids, nil
}

// ListInstances implements [core.AdminReader].
func (p *Provider) ListInstances(ctx context.Context) ([]string, error) {
	return p.list(ctx, func(*instance) bool { return true })
}

// ListInstancesByStatus implements [core.AdminReader].
func (p *Provider) ListInstancesByStatus(ctx context.Context, a core.ListInstancesByStatusParams) ([]string, error) {
	return p.list(ctx, func(i *instance) bool {
		status, _ := i.status()
		return status == a.Status
	})
}

// ListChildren implements [core.AdminReader].
func (p *Provider) ListChildren(ctx context.Context, a core.ListChildrenParams) ([]string, error) {
	return p.list(ctx, func(i *instance) bool { return i.row.parent != nil && *i.row.parent == a.Instance })
}

// ListExecutions implements [core.AdminReader].
func (p *Provider) ListExecutions(ctx context.Context, a core.ListExecutionsParams) ([]uint64, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(i.executions)), nil
}

// ReadHistory implements [core.AdminReader].
func (p *Provider) ReadHistory(ctx context.Context, a core.ReadHistoryParams) ([]core.Event, error) {
	return p.read(ctx, "read_history", a.Instance, nil)
}

// ReadHistoryWithExecutionID implements [core.AdminReader].
func (p *Provider) ReadHistoryWithExecutionID(ctx context.Context, a core.ReadHistoryWithExecutionIDParams) ([]core.Event, error) {
	return p.read(ctx, "read_history_with_execution_id", a.Instance, &a.ExecutionID)
}

// LatestExecutionID implements [core.AdminReader].
func (p *Provider) LatestExecutionID(ctx context.Context, a core.LatestExecutionIDParams) (uint64, error) {
	if _, err := p.begin(ctx); err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	if i := p.instances[a.Instance]; i != nil {
		return i.latest, nil
	}
	return core.FirstExecutionID, nil
}

// GetInstanceInfo implements [core.AdminReader].
func (p *Provider) GetInstanceInfo(ctx context.Context, a core.GetInstanceInfoParams) (*core.InstanceInfo, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil || i.row == nil {
		return nil, core.Permanent("get_instance_info", notFound("Instance %s", a.Instance))
	}
	status, output := i.status()
	return &core.InstanceInfo{
		InstanceID:           i.id,
		OrchestrationName:    i.row.name,
		OrchestrationVersion: i.row.version,
		CurrentExecutionID:   i.row.current,
		Status:               status,
		Output:               output,
		CreatedAtMs:          i.row.createdAt,
		UpdatedAtMs:          i.row.updatedAt,
		ParentInstanceID:     clonePtr(i.row.parent),
	}, nil
}

// GetExecutionInfo implements [core.AdminReader].
func (p *Provider) GetExecutionInfo(ctx context.Context, a core.GetExecutionInfoParams) (*core.ExecutionInfo, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil || i.executions[a.ExecutionID] == nil {
		return nil, core.Permanent("get_execution_info", notFound("Execution %d of instance %s", a.ExecutionID, a.Instance))
	}
	e := i.executions[a.ExecutionID]
	return &core.ExecutionInfo{
		ExecutionID:   a.ExecutionID,
		Status:        e.status,
		Output:        clonePtr(e.output),
		StartedAtMs:   e.startedAt,
		CompletedAtMs: clonePtr(e.completedAt),
		EventCount:    uint64(i.histories[a.ExecutionID].len()),
	}, nil
}

// GetParentID implements [core.AdminReader].
func (p *Provider) GetParentID(ctx context.Context, a core.GetParentIDParams) (*string, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil || i.row == nil {
		return nil, core.Permanent("get_parent_id", notFound("Instance %s", a.Instance))
	}
	return clonePtr(i.row.parent), nil
}

// GetSystemMetrics implements [core.AdminReader].
func (p *Provider) GetSystemMetrics(ctx context.Context) (*core.SystemMetrics, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	m := &core.SystemMetrics{}
	for _, i := range p.instances {
		m.TotalExecutions += uint64(len(i.executions))
		for _, h := range i.histories {
			m.TotalEvents += uint64(h.len())
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
	return m, nil
}

// GetQueueDepths implements [core.AdminReader]. It counts messages that are
// visible and not themselves under a live lock, as the PostgreSQL provider
// does; those that arrive for an instance while it takes a turn count.
func (p *Provider) GetQueueDepths(ctx context.Context) (*core.QueueDepths, error) {
	now, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	d := &core.QueueDepths{}
	for _, i := range p.instances {
		for _, m := range i.waiting.items {
			if m.visibleAt <= now {
				d.OrchestratorQueue++
			}
		}
		if i.lockedUntil <= now {
			d.OrchestratorQueue += uint64(len(i.batch))
		}
	}
	p.work.expire(now)
	for _, shelf := range p.work.lanes {
		for _, lanes := range shelf {
			for _, l := range lanes.items {
				d.WorkerQueue += uint64(l.items.len())
			}
		}
	}
	return d, nil
}
