package memprovider

import (
	"context"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// GetInstanceTree implements [core.AdminDeleter].
func (p *Provider) GetInstanceTree(ctx context.Context, a core.GetInstanceTreeParams) (*core.InstanceTree, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	return &core.InstanceTree{RootID: a.Instance, AllIDs: p.trees(a.Instance).ids}, nil
}

// DeleteInstancesAtomic implements [core.AdminDeleter]. Ids of which nothing is
// known count for nothing.
func (p *Provider) DeleteInstancesAtomic(ctx context.Context, a core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	result, err := p.delete(newIDSet(a.Instances...), a.Force)
	return result, core.Permanent("delete_instances_atomic", err)
}

// DeleteInstance implements [core.AdminDeleter].
func (p *Provider) DeleteInstance(ctx context.Context, a core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
	const op = "delete_instance"
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	switch {
	case i == nil || i.row == nil:
		return nil, core.Permanent(op, notFound("Instance %s", a.Instance))
	case i.row.parent != nil:
		return nil, core.Permanent(op, fmt.Errorf("%s, a child of %s: %w", a.Instance, *i.row.parent, core.ErrSubOrchestration))
	}
	result, err := p.delete(p.trees(a.Instance), a.Force)
	return result, core.Permanent(op, err)
}

// DeleteInstanceBulk implements [core.AdminDeleter]. The oldest roots go first.
func (p *Provider) DeleteInstanceBulk(ctx context.Context, a core.DeleteInstanceBulkParams) (*core.DeleteInstanceResult, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	roots := p.selected(a.Filter, func(i *instance) bool {
		status, _ := i.status()
		return i.row.parent == nil && status.IsTerminal()
	})
	roots = limited(roots, a.Filter.Limit)
	ids := make([]string, len(roots))
	for n, i := range roots {
		ids[n] = i.id
	}
	result, err := p.delete(p.trees(ids...), true)
	return result, core.Permanent("delete_instance_bulk", err)
}

// An idSet holds ids, each once, in the order in which they came.
type idSet struct {
	ids []string
	has map[string]bool
}

func newIDSet(ids ...string) *idSet {
	s := &idSet{has: make(map[string]bool, len(ids))}
	for _, id := range ids {
		s.add(id)
	}
	return s
}

func (s *idSet) add(id string) {
	if !s.has[id] {
		s.has[id] = true
		s.ids = append(s.ids, id)
	}
}

// trees returns the roots and all that descends from them.
func (p *Provider) trees(roots ...string) *idSet {
	children := map[string][]string{}
	for _, i := range p.instances {
		if i.row != nil && i.row.parent != nil {
			children[*i.row.parent] = append(children[*i.row.parent], i.id)
		}
	}
	tree := newIDSet(roots...)
	for n := 0; n < len(tree.ids); n++ {
		for _, child := range children[tree.ids[n]] {
			tree.add(child)
		}
	}
	return tree
}

// delete removes all that is stored under the ids, or nothing.
func (p *Provider) delete(set *idSet, force bool) (*core.DeleteInstanceResult, error) {
	result := &core.DeleteInstanceResult{}
	if len(set.ids) == 0 {
		return result, nil
	}
	for _, id := range set.ids {
		if i := p.instances[id]; i != nil && i.row != nil && !force {
			if status, _ := i.status(); status == core.StatusRunning {
				return nil, fmt.Errorf("%s: %w", id, core.ErrStillRunning)
			}
		}
	}
	for _, i := range p.instances {
		if i.row != nil && i.row.parent != nil && set.has[*i.row.parent] && !set.has[i.id] {
			return nil, fmt.Errorf("%s, a child of %s: %w", i.id, *i.row.parent, core.ErrOrphan)
		}
	}
	for _, id := range set.ids {
		if i := p.instances[id]; i != nil {
			p.drop(i, result)
		}
	}
	for identity, same := range p.work.identities {
		if set.has[identity.Instance] {
			result.QueueMessagesDeleted += uint64(len(same))
			p.work.cancel(identity)
		}
	}
	return result, nil
}

// drop removes an instance, except its activities. Without its token a turn in
// progress cannot bring it back.
func (p *Provider) drop(i *instance, result *core.DeleteInstanceResult) {
	if i.row != nil {
		result.InstancesDeleted++
	}
	result.ExecutionsDeleted += uint64(len(i.executions))
	for _, h := range i.histories {
		result.EventsDeleted += uint64(h.len())
	}
	result.QueueMessagesDeleted += uint64(i.waiting.len() + len(i.batch))
	i.turn.leave(i)
	delete(p.turns.tokens, i.token)
	delete(p.instances, i.id)
}
