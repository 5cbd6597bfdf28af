package stranger

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// FetchOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) FetchOrchestrationItem(ctx context.Context, a core.FetchOrchestrationItemParams) (item *core.OrchestrationItem, err error) {
	err = p.poll(ctx, "fetch_orchestration_item", a.PollTimeout, func(now uint64) (bool, error) {
		if err := positive("LockTimeout", a.LockTimeout); err != nil {
			return false, err
		}
		for item == nil {
			id, ok := p.candidate(now, a.Filter)
			if !ok {
				return false, nil
			}
			item = p.lock(id, now, a.LockTimeout)
		}
		return true, nil
	})
	return item, err
}

// candidate returns the instance of the oldest message that can be fetched. The
// filter comes before the lock: what it excludes is not touched at all.
func (t *tables) candidate(now uint64, f *core.CapabilityFilter) (id string, ok bool) {
	for _, m := range t.messages {
		i := t.instance(m.instance)
		if m.visibleAt <= now && i.lockedUntil <= now && supports(f, i) {
			return m.instance, true
		}
	}
	return "", false
}

// supports looks at the first range only, as every provider of the family does.
func supports(f *core.CapabilityFilter, i *instance) bool {
	if f == nil {
		return true
	}
	if len(f.SupportedVersions) == 0 {
		return false
	}
	if i.row == nil || i.executions[i.row.current] == nil || i.executions[i.row.current].pinned == nil {
		return true
	}
	pinned, only := *i.executions[i.row.current].pinned, f.SupportedVersions[0]
	return only.Min.Packed() <= pinned && pinned <= only.Max.Packed()
}

// lock marks every visible message of an instance and describes the turn. It
// returns nil, and drops the messages, if they are for a queue that nobody will
// ever read.
func (t *tables) lock(id string, now uint64, timeout time.Duration) *core.OrchestrationItem {
	i := t.instance(id)
	i.token, i.lockedUntil = newToken(), after(now, timeout)
	item := &core.OrchestrationItem{
		Instance: id, ExecutionID: core.FirstExecutionID, LockToken: i.token, KVSnapshot: maps.Clone(i.store),
	}
	execution, orphan := i.latest(), true
	if i.row != nil {
		item.ExecutionID, execution = i.row.current, i.row.current
	}
	for _, m := range t.messages {
		if m.instance != id || m.visibleAt > now {
			continue
		}
		m.token = i.token
		m.attempts++
		item.AttemptCount = max(item.AttemptCount, m.attempts)
		work, err := core.DecodeWorkItem(m.item)
		if err != nil {
			item.HistoryError = err.Error()
			continue
		}
		item.Messages = append(item.Messages, work)
		_, queued := work.(core.QueueMessageItem)
		orphan = orphan && queued
	}
	var err error
	if item.History, err = i.events(execution); err != nil {
		item.HistoryError = err.Error()
	}
	if item.HistoryError != "" {
		item.History, item.KVSnapshot = nil, map[string]core.KVEntry{}
	}
	item.OrchestrationName, item.Version = i.runs(item)
	if orphan && item.OrchestrationName == "Unknown" && item.HistoryError == "" && len(item.History) == 0 {
		t.messages = slices.DeleteFunc(t.messages, func(m *message) bool { return m.token == i.token })
		i.unlock()
		return nil
	}
	return item
}

func (i *instance) unlock() { i.token, i.lockedUntil = "", 0 }

// runs says what an instance runs: its row, else its history, else a start
// among the messages.
func (i *instance) runs(item *core.OrchestrationItem) (name, version string) {
	if i.row != nil {
		return i.row.name, i.row.version
	}
	for _, e := range item.History {
		if started, ok := e.Data.(core.OrchestrationStarted); ok {
			return started.Name, started.Version
		}
	}
	unknown := core.UnknownVersion
	orUnknown := func(v *string) string {
		if v == nil {
			return unknown
		}
		return *v
	}
	for _, m := range item.Messages {
		switch m := m.(type) {
		case core.StartOrchestrationItem:
			return m.Orchestration, orUnknown(m.Version)
		case core.ContinueAsNewItem:
			return m.Orchestration, orUnknown(m.Version)
		}
	}
	return "Unknown", unknown
}

// locked returns the instance that a token locks. An expired lock is found too,
// for as long as nobody has taken the instance over.
func (t *tables) locked(token string) (*instance, error) {
	for _, i := range t.instances {
		if i.token == token && token != "" {
			return i, nil
		}
	}
	return nil, core.ErrLockLost
}

// live is locked without the expired ones.
func (t *tables) live(token string, now uint64) (*instance, error) {
	i, err := t.locked(token)
	if err == nil && i.lockedUntil <= now {
		err = core.ErrLockLost
	}
	return i, err
}

// AckOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) AckOrchestrationItem(ctx context.Context, a core.AckOrchestrationItemParams) error {
	return p.transaction(ctx, "ack_orchestration_item", func(now uint64) error {
		// All that can fail comes first, and changes nothing.
		i, err := p.live(a.LockToken, now)
		if err != nil {
			return err
		}
		history, err := i.encode(a.ExecutionID, a.HistoryDelta)
		if err != nil {
			return err
		}
		activities, err := newActivities(a.WorkerItems, now)
		if err != nil {
			return err
		}
		messages, err := newMessages(a.OrchestratorItems, now)
		if err != nil {
			return err
		}

		p.messages = slices.DeleteFunc(p.messages, func(m *message) bool { return m.token == a.LockToken })
		p.describe(i, a.ExecutionID, a.Metadata, now)
		i.append(a.ExecutionID, history)
		i.apply(a.HistoryDelta, now)
		if a.Metadata.Status.IsTerminal() {
			i.merge()
		}
		p.activities = append(p.activities, activities...)
		for _, id := range a.CancelledActivities { // those of this turn too
			p.activities = slices.DeleteFunc(p.activities, func(act *activity) bool { return act.id == id })
		}
		p.messages = append(p.messages, messages...)
		i.unlock()
		return nil
	})
}

// describe stores what a turn says about its instance and its execution.
func (t *tables) describe(i *instance, id uint64, m core.ExecutionMetadata, now uint64) {
	if m.OrchestrationName != nil && m.OrchestrationVersion != nil {
		if i.row == nil {
			t.created++
			i.row = &row{created: t.created, parent: clone(m.ParentInstanceID), createdAt: now}
		}
		i.row.name, i.row.version = *m.OrchestrationName, *m.OrchestrationVersion
	}
	if i.row != nil {
		i.row.current, i.row.updatedAt = max(i.row.current, id), now
	}
	e := i.executions[id]
	if e == nil {
		e = &execution{status: core.StatusRunning, startedAt: now}
		i.executions[id] = e
	}
	if m.PinnedDuroxideVersion != nil {
		e.pinned = new(m.PinnedDuroxideVersion.Packed())
	}
	if m.Status != "" {
		e.status, e.output, e.completedAt = m.Status, clone(m.Output), nil
		if m.Status.IsTerminal() {
			e.completedAt = &now
		}
	}
}

// AbandonOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) AbandonOrchestrationItem(ctx context.Context, a core.AbandonParams) error {
	return p.transaction(ctx, "abandon_orchestration_item", func(now uint64) error {
		i, err := p.locked(a.LockToken)
		if err != nil {
			return err
		}
		for _, m := range p.messages {
			if m.token != a.LockToken {
				continue // came during the turn
			}
			m.token = ""
			if a.Delay > 0 {
				m.visibleAt = after(now, a.Delay)
			}
			if a.IgnoreAttempt {
				m.attempts--
			}
		}
		i.unlock()
		return nil
	})
}

// RenewOrchestrationItemLock implements [core.OrchestrationQueue].
func (p *Provider) RenewOrchestrationItemLock(ctx context.Context, a core.RenewLockParams) error {
	return p.transaction(ctx, "renew_orchestration_item_lock", func(now uint64) error {
		i, err := p.live(a.LockToken, now)
		if err == nil {
			err = positive("ExtendFor", a.ExtendFor)
		}
		if err == nil {
			i.lockedUntil = max(i.lockedUntil, after(now, a.ExtendFor))
		}
		return err
	})
}

// EnqueueForOrchestrator implements [core.OrchestrationQueue].
func (p *Provider) EnqueueForOrchestrator(ctx context.Context, a core.EnqueueForOrchestratorParams) error {
	return p.transaction(ctx, "enqueue_orchestrator_work", func(now uint64) error {
		messages, err := newMessages([]core.WorkItem{a.Item}, after(now, a.Delay))
		p.messages = append(p.messages, messages...)
		return err
	})
}

// newMessages makes rows of items. A timer is hidden until it is due.
func newMessages(items []core.WorkItem, visibleAt uint64) ([]*message, error) {
	var rows []*message
	for _, item := range items {
		if _, ok := item.(core.ActivityExecuteItem); ok {
			return nil, fmt.Errorf("%w: %s is for workers", core.ErrInvalidItem, item.ItemType())
		}
		data, err := core.EncodeWorkItem(item)
		if err != nil {
			return nil, err
		}
		m := &message{instance: item.RoutingInstance(), item: data, visibleAt: visibleAt}
		if timer, ok := item.(core.TimerFiredItem); ok {
			m.visibleAt = max(m.visibleAt, min(timer.FireAtMs, math.MaxInt64))
		}
		rows = append(rows, m)
	}
	return rows, nil
}
