package memprovider

import (
	"context"
	"fmt"
	"math"

	"github.com/duroxide/duroxide-go/core"
)

// FetchOrchestrationItem implements [core.OrchestrationQueue]. It waits up to
// PollTimeout for work.
func (p *Provider) FetchOrchestrationItem(ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	if err := requirePositive("LockTimeout", a.LockTimeout); err != nil {
		return nil, core.Permanent("fetch_orchestration_item", err)
	}
	return poll(ctx, p, &p.turns.bell, a.PollTimeout, func(now uint64) (*core.OrchestrationItem, uint64) {
		for {
			i, next := p.turns.candidate(a.Filter, now)
			if i == nil {
				return nil, next
			}
			p.lock(i, now, after(now, a.LockTimeout))
			item := i.item(a.HistoryLimit)
			if item.AwaitsStart() {
				if start := i.hiddenStart(); start != nil {
					p.postpone(i, now, start.visibleAt)
					continue
				}
			}
			if !item.IsOrphanBatch() {
				return item, 0
			}
			p.dropOrphans(i, now)
		}
	})
}

func (p *Provider) lock(i *instance, now, until uint64) {
	i.turn.leave(i)
	delete(p.turns.tokens, i.token)
	i.lock(now, until)
	p.turns.tokens[i.token] = i
	p.turns.file(i, now)
}

// dropOrphans deletes a batch that holds nothing but queue messages for an
// instance of which nothing else is known: nobody will ever read them.
func (p *Provider) dropOrphans(i *instance, now uint64) {
	p.log.Warn("dropped queue messages for an unknown instance", "instance", i.id, "messages", len(i.batch))
	p.release(i, now, i.unlock)
}

// hiddenStart returns the start of the instance that is not visible yet, nil if
// there is none.
func (i *instance) hiddenStart() *message {
	for _, m := range i.waiting.items {
		if _, ok := m.item.(core.StartOrchestrationItem); ok {
			return m
		}
	}
	return nil
}

// postpone gives a batch back uncounted and hides it until a time.
func (p *Provider) postpone(i *instance, now, until uint64) {
	p.release(i, now, func() {
		for _, m := range i.batch {
			m.attempts, m.visibleAt = m.attempts-1, until
		}
		i.putBack()
	})
}

// release takes a locked instance out of the index, lets free end the lock and
// make its changes, and files it anew.
func (p *Provider) release(i *instance, now uint64, free func()) {
	i.turn.leave(i)
	delete(p.turns.tokens, i.token)
	free()
	p.turns.file(i, now)
	if i.isEmpty() {
		delete(p.instances, i.id)
	}
}

// item describes the locked turn.
func (i *instance) item(historyLimit uint64) *core.OrchestrationItem {
	item := &core.OrchestrationItem{
		Instance:    i.id,
		ExecutionID: core.FirstExecutionID,
		Messages:    make([]core.WorkItem, 0, len(i.batch)),
		KVSnapshot:  map[string]core.KVEntry{},
		LockToken:   i.token,
	}
	undecodable := 0
	for _, m := range i.batch {
		if m.corrupt {
			undecodable++
		} else {
			message, _ := cloneItem(m.item)
			item.Messages = append(item.Messages, message)
		}
		item.AttemptCount = max(item.AttemptCount, m.attempts)
	}
	// Without a row the history found is reported under the first execution.
	h := i.histories[i.latest]
	if i.row != nil {
		item.ExecutionID = i.row.current
		h = i.histories[i.row.current]
	}
	item.LastEventID = h.lastID()
	var err error
	switch {
	case undecodable > 0:
		err = fmt.Errorf("%d messages: %w", undecodable, core.ErrUndecodable)
	case i.row != nil && historyLimit != 0 && item.LastEventID > historyLimit:
		item.HistoryOmitted = true
	default:
		item.History, err = h.read()
	}
	if err != nil {
		item.HistoryError = err.Error()
	} else {
		item.KVSnapshot = i.kv.snapshot()
	}
	if i.row != nil {
		item.OrchestrationName, item.Version, item.TurnToken = i.row.name, i.row.version, i.row.turnToken
		return item
	}
	item.OrchestrationName, item.Version = deriveName(item.History, item.Messages)
	return item
}

// deriveName finds out what an instance without a row runs: what its history
// or else a start among its messages says.
func deriveName(events []core.Event, messages []core.WorkItem) (name, version string) {
	for _, e := range events {
		if started, ok := e.Data.(core.OrchestrationStarted); ok {
			return started.Name, started.Version
		}
	}
	for _, m := range messages {
		var name string
		var version *string
		switch m := m.(type) {
		case core.StartOrchestrationItem:
			name, version = m.Orchestration, m.Version
		case core.ContinueAsNewItem:
			name, version = m.Orchestration, m.Version
		default:
			continue
		}
		if version == nil {
			return name, core.UnknownVersion
		}
		return name, *version
	}
	return core.UnknownName, core.UnknownVersion
}

// AbandonOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) AbandonOrchestrationItem(ctx context.Context, a core.AbandonParams) error {
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	i := p.turns.tokens[a.LockToken]
	if i == nil {
		return core.Permanent("abandon_orchestration_item", core.ErrLockLost)
	}
	p.release(i, now, func() {
		for _, m := range i.batch {
			if a.IgnoreAttempt {
				m.attempts = max(m.attempts, 1) - 1
			}
			if a.Delay > 0 {
				m.visibleAt = after(now, a.Delay)
			}
		}
		i.putBack()
	})
	return nil
}

// RenewOrchestrationItemLock implements [core.OrchestrationQueue].
func (p *Provider) RenewOrchestrationItemLock(ctx context.Context, a core.RenewLockParams) error {
	const op = "renew_orchestration_item_lock"
	if err := requirePositive("ExtendFor", a.ExtendFor); err != nil {
		return core.Permanent(op, err)
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
	i.turn.leave(i)
	i.lockedUntil = max(i.lockedUntil, after(now, a.ExtendFor))
	p.turns.file(i, now)
	return nil
}

// EnqueueForOrchestrator implements [core.OrchestrationQueue].
func (p *Provider) EnqueueForOrchestrator(ctx context.Context, a core.EnqueueForOrchestratorParams) error {
	item, err := cloneMessage(a.Item)
	if err != nil {
		return core.Permanent("enqueue_orchestrator_work", err)
	}
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	p.enqueueMessage(item, now, after(now, a.Delay))
	return nil
}

// enqueueMessage takes over item. A timer stays hidden until it is due. One
// that was due long ago gets no precedence over what is waiting: it is as old
// as its message.
func (p *Provider) enqueueMessage(item core.WorkItem, now, visibleAt uint64) {
	if timer, ok := item.(core.TimerFiredItem); ok {
		visibleAt = max(visibleAt, min(timer.FireAtMs, math.MaxInt64))
	}
	i := p.instance(item.RoutingInstance())
	i.turn.leave(i)
	i.waiting.push(&message{id: p.nextID(), item: item, visibleAt: visibleAt})
	p.turns.file(i, now)
}
