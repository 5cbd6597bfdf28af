package stranger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// tree returns the ids with all that descends from them.
func (t *tables) tree(ids ...string) []string {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for n := 0; n < len(ids); n++ {
		ids = append(ids, t.selectIDs(func(id string, i *instance) bool {
			return i.row.parent != nil && *i.row.parent == ids[n] && !slices.Contains(ids, id)
		})...)
	}
	return ids
}

// delete removes exactly the given instances, or nothing.
func (t *tables) delete(ids []string, force bool) (*core.DeleteInstanceResult, error) {
	for id, i := range t.instances {
		if i.row == nil {
			continue
		}
		status, _ := i.status()
		if slices.Contains(ids, id) && status == core.StatusRunning && !force {
			return nil, fmt.Errorf("%s: %w", id, core.ErrStillRunning)
		}
		if i.row.parent != nil && slices.Contains(ids, *i.row.parent) && !slices.Contains(ids, id) {
			return nil, fmt.Errorf("%s, a child of %s: %w", id, *i.row.parent, core.ErrOrphan)
		}
	}
	result := &core.DeleteInstanceResult{}
	for _, id := range ids {
		i := t.instance(id)
		if i.row != nil {
			result.InstancesDeleted++
		}
		result.ExecutionsDeleted += uint64(len(i.executions))
		for _, events := range i.history {
			result.EventsDeleted += uint64(len(events))
		}
		// With the tokens gone, turns and activities in flight come to nothing.
		delete(t.instances, id)
	}
	before := len(t.messages) + len(t.activities)
	t.messages = slices.DeleteFunc(t.messages, func(m *message) bool { return slices.Contains(ids, m.instance) })
	t.activities = slices.DeleteFunc(t.activities, func(a *activity) bool { return slices.Contains(ids, a.id.Instance) })
	result.QueueMessagesDeleted = uint64(before - len(t.messages) - len(t.activities))
	return result, nil
}

// filtered returns the instances that pass and that the filter selects.
func (t *tables) filtered(f core.InstanceFilter, pass func(*instance) bool) []string {
	ids := t.selectIDs(func(id string, i *instance) bool {
		return (f.InstanceIDs == nil || slices.Contains(f.InstanceIDs, id)) &&
			i.executions[i.row.current].endedBefore(f.CompletedBeforeMs) && pass(i)
	})
	limit := uint32(core.DefaultBulkLimit)
	if f.Limit != nil {
		limit = *f.Limit
	}
	return ids[:min(len(ids), int(limit))]
}

// endedBefore reports whether an execution ended before that time; nil is no
// condition.
func (e *execution) endedBefore(ms *uint64) bool {
	return ms == nil || (e != nil && e.completedAt != nil && *e.completedAt < *ms)
}

// GetInstanceTree implements [core.AdminDeleter].
func (p *Provider) GetInstanceTree(ctx context.Context, a core.GetInstanceTreeParams) (tree *core.InstanceTree, err error) {
	err = p.transaction(ctx, "get_instance_tree", func(uint64) error {
		tree = &core.InstanceTree{RootID: a.Instance, AllIDs: p.tree(a.Instance)}
		return nil
	})
	return tree, err
}

// DeleteInstancesAtomic implements [core.AdminDeleter].
func (p *Provider) DeleteInstancesAtomic(ctx context.Context, a core.DeleteInstancesAtomicParams) (result *core.DeleteInstanceResult, err error) {
	err = p.transaction(ctx, "delete_instances_atomic", func(uint64) (err error) {
		result, err = p.delete(a.Instances, a.Force)
		return err
	})
	return result, err
}

// DeleteInstance implements [core.AdminDeleter].
func (p *Provider) DeleteInstance(ctx context.Context, a core.DeleteInstanceParams) (result *core.DeleteInstanceResult, err error) {
	err = p.withRow(ctx, "delete_instance", a.Instance, func(i *instance) (err error) {
		if i.row.parent != nil {
			return fmt.Errorf("%s: %w", a.Instance, core.ErrSubOrchestration)
		}
		result, err = p.delete(p.tree(a.Instance), a.Force)
		return err
	})
	return result, err
}

// DeleteInstanceBulk implements [core.AdminDeleter].
func (p *Provider) DeleteInstanceBulk(ctx context.Context, a core.DeleteInstanceBulkParams) (result *core.DeleteInstanceResult, err error) {
	err = p.transaction(ctx, "delete_instance_bulk", func(uint64) (err error) {
		roots := p.filtered(a.Filter, func(i *instance) bool {
			status, _ := i.status()
			return i.row.parent == nil && status.IsTerminal()
		})
		result, err = p.delete(p.tree(roots...), true)
		return err
	})
	return result, err
}

// PruneExecutions implements [core.AdminPruner].
func (p *Provider) PruneExecutions(ctx context.Context, a core.PruneExecutionsParams) (*core.PruneResult, error) {
	result := &core.PruneResult{}
	err := p.withRow(ctx, "prune_executions", a.Instance, func(i *instance) error {
		i.prune(a.Options, result)
		return nil
	})
	return result, err
}

// PruneExecutionsBulk implements [core.AdminPruner].
func (p *Provider) PruneExecutionsBulk(ctx context.Context, a core.PruneExecutionsBulkParams) (*core.PruneResult, error) {
	result := &core.PruneResult{}
	err := p.transaction(ctx, "prune_executions_bulk", func(uint64) error {
		for _, id := range p.filtered(a.Filter, func(*instance) bool { return true }) {
			p.instance(id).prune(a.Options, result)
		}
		return nil
	})
	return result, err
}

func (i *instance) prune(o core.PruneOptions, result *core.PruneResult) {
	result.InstancesProcessed++
	ids := slices.Sorted(maps.Keys(i.executions))
	if o.KeepLast != nil {
		ids = ids[:max(0, len(ids)-int(*o.KeepLast))]
	}
	for _, id := range ids {
		e := i.executions[id]
		if id == i.row.current || e.status == core.StatusRunning || !e.endedBefore(o.CompletedBeforeMs) {
			continue
		}
		result.ExecutionsDeleted++
		result.EventsDeleted += uint64(len(i.history[id]))
		delete(i.executions, id)
		delete(i.history, id)
	}
}
