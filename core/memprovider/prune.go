package memprovider

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// PruneExecutions implements [core.AdminPruner].
func (p *Provider) PruneExecutions(ctx context.Context, a core.PruneExecutionsParams) (*core.PruneResult, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil || i.row == nil {
		return nil, core.Permanent("prune_executions", notFound("Instance %s", a.Instance))
	}
	result := &core.PruneResult{}
	i.prune(i.prunable(a.Options), result)
	return result, nil
}

// PruneExecutionsBulk implements [core.AdminPruner]. Instances with something
// to prune come first, so that calls with a limit get through all of them, and
// among those the oldest.
func (p *Provider) PruneExecutionsBulk(ctx context.Context, a core.PruneExecutionsBulkParams) (*core.PruneResult, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	var full, empty []*instance
	for _, i := range p.selected(a.Filter, func(*instance) bool { return true }) {
		if len(i.prunable(a.Options)) > 0 {
			full = append(full, i)
		} else {
			empty = append(empty, i)
		}
	}
	result := &core.PruneResult{}
	for _, i := range limited(append(full, empty...), a.Filter.Limit) {
		i.prune(i.prunable(a.Options), result)
	}
	return result, nil
}

// prunable returns the executions that the options give up, of an instance that
// has a row.
func (i *instance) prunable(o core.PruneOptions) []uint64 {
	if len(i.executions) < 2 {
		return nil // the usual case: the current one at most, and it stays
	}
	ids := slices.Sorted(maps.Keys(i.executions))
	if o.KeepLast != nil {
		kept := min(uint64(*o.KeepLast), uint64(len(ids)))
		ids = ids[:uint64(len(ids))-kept]
	}
	return slices.DeleteFunc(ids, func(id uint64) bool {
		e := i.executions[id]
		return id == i.row.current || e.status == core.StatusRunning || !e.endedBefore(o.CompletedBeforeMs)
	})
}

// prune removes executions with their histories. What belongs to the instance
// stays: key-values, custom status, messages.
func (i *instance) prune(ids []uint64, result *core.PruneResult) {
	for _, id := range ids {
		result.EventsDeleted += uint64(i.histories[id].len())
		delete(i.histories, id)
		delete(i.executions, id)
	}
	i.latest = core.FirstExecutionID
	for id := range i.executions {
		i.latest = max(i.latest, id)
	}
	result.InstancesProcessed++
	result.ExecutionsDeleted += uint64(len(ids))
}

// endedBefore reports whether the execution ended strictly before that time. A
// nil time is no condition.
func (e *execution) endedBefore(ms *uint64) bool {
	return ms == nil || (e != nil && e.completedAt != nil && *e.completedAt < *ms)
}

// selected returns the instances that have a row, pass, and are not excluded by
// the filter, oldest first. The limit is left to the caller.
func (p *Provider) selected(f core.InstanceFilter, pass func(*instance) bool) []*instance {
	var found []*instance
	take := func(i *instance) {
		if i != nil && i.row != nil && i.executions[i.row.current].endedBefore(f.CompletedBeforeMs) && pass(i) {
			found = append(found, i)
		}
	}
	if f.InstanceIDs != nil {
		for _, id := range newIDSet(f.InstanceIDs...).ids {
			take(p.instances[id])
		}
	} else {
		for _, i := range p.instances {
			take(i)
		}
	}
	slices.SortFunc(found, func(a, b *instance) int { return cmp.Compare(a.row.seq, b.row.seq) })
	return found
}

func limited(list []*instance, limit *uint32) []*instance {
	n := uint64(core.DefaultBulkLimit)
	if limit != nil {
		n = uint64(*limit)
	}
	return list[:min(n, uint64(len(list)))]
}
