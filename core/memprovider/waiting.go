package memprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

// WatchInstances implements [core.InstanceWatcher]. It is never blind.
func (p *Provider) WatchInstances(ctx context.Context, f func(core.InstanceHint)) error {
	defer p.hints.Add(f)()
	f(core.InstanceHint{})
	<-ctx.Done()
	return context.Cause(ctx)
}

// GetInstanceStates implements [core.InstanceStateReader].
func (p *Provider) GetInstanceStates(ctx context.Context, a core.GetInstanceStatesParams) ([]core.InstanceState, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	var states []core.InstanceState
	for _, id := range a.Instances {
		i := p.instances[id]
		if i == nil || i.row == nil {
			continue
		}
		status, output := i.status()
		states = append(states, core.InstanceState{
			InstanceID: id, ExecutionID: i.row.current, Status: status, Output: output,
			CustomStatus: clonePtr(i.row.customStatus), CustomStatusVersion: i.row.customStatusVersion,
		})
	}
	return states, nil
}
