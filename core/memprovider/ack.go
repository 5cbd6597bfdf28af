package memprovider

import (
	"context"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// AckOrchestrationItem implements [core.OrchestrationQueue]. Everything that
// can fail comes before the first change.
func (p *Provider) AckOrchestrationItem(ctx context.Context, a core.AckOrchestrationItemParams) error {
	const op = "ack_orchestration_item"
	delta, err := cloneEvents(a.HistoryDelta)
	if err != nil {
		return core.Permanent(op, fmt.Errorf("HistoryDelta: %w", err))
	}
	activities := make([]core.ActivityExecuteItem, len(a.WorkerItems))
	for n, item := range a.WorkerItems {
		if activities[n], err = cloneActivity(item); err != nil {
			return core.Permanent(op, fmt.Errorf("WorkerItems[%d]: %w", n, err))
		}
	}
	messages := make([]core.WorkItem, len(a.OrchestratorItems))
	for n, item := range a.OrchestratorItems {
		if messages[n], err = cloneMessage(item); err != nil {
			return core.Permanent(op, fmt.Errorf("OrchestratorItems[%d]: %w", n, err))
		}
	}
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	i := p.turns.tokens[a.LockToken]
	if i == nil || i.lockedUntil <= now {
		return core.Permanent(op, core.ErrLockLost)
	}
	if err := i.histories[a.ExecutionID].checkAppend(delta); err != nil {
		return core.Permanent(op, err)
	}

	p.release(i, now, func() {
		i.unlock()
		p.applyMetadata(i, a.ExecutionID, &a.Metadata, now)
		if i.row != nil {
			i.row.turnToken = a.LockToken
		}
		i.appendHistory(a.ExecutionID, delta)
		i.applyCustomStatus(delta)
		i.kv.apply(delta, now)
		if a.Metadata.Status.IsTerminal() {
			i.kv.merge()
		}
	})
	for _, item := range activities {
		p.enqueueActivity(item, now)
	}
	for _, id := range a.CancelledActivities {
		p.work.cancel(id)
	}
	for _, item := range messages {
		p.enqueueMessage(item, now, now)
	}
	p.hints.Acked(&a)
	return nil
}

// applyMetadata creates and updates the rows of the instance and of the
// execution.
func (p *Provider) applyMetadata(i *instance, executionID uint64, m *core.ExecutionMetadata, now uint64) {
	if m.OrchestrationName != nil && m.OrchestrationVersion != nil {
		if i.row == nil {
			i.row = &instanceRow{seq: p.nextID(), parent: clonePtr(m.ParentInstanceID), createdAt: now}
		}
		i.row.name, i.row.version = *m.OrchestrationName, *m.OrchestrationVersion
	}
	if i.row != nil {
		i.row.current = max(i.row.current, executionID)
		i.row.updatedAt = now
	}
	e := i.executions[executionID]
	if e == nil {
		e = &execution{status: core.StatusRunning, startedAt: now}
		i.executions[executionID] = e
		i.latest = max(i.latest, executionID)
	}
	if v := m.PinnedDuroxideVersion; v != nil {
		e.pinned = pin{set: true, packed: v.Packed()}
	}
	if m.Status != "" {
		e.status, e.output, e.completedAt = m.Status, clonePtr(m.Output), nil
		if m.Status.IsTerminal() {
			e.completedAt = &now
		}
	}
}
