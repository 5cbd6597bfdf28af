package memprovider

import (
	"context"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// EnqueueForWorker implements [core.WorkerQueue].
func (p *Provider) EnqueueForWorker(ctx context.Context, a core.EnqueueForWorkerParams) error {
	item, err := cloneActivity(a.Item)
	if err != nil {
		return core.Permanent("enqueue_worker_work", err)
	}
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	p.enqueueActivity(item, now)
	return nil
}

// enqueueActivity takes over item.
func (p *Provider) enqueueActivity(item core.ActivityExecuteItem, now uint64) {
	p.work.add(&activity{id: p.nextID(), item: item, visibleAt: now}, now)
}

// FetchWorkItem implements [core.WorkerQueue]. It waits up to PollTimeout for
// work.
func (p *Provider) FetchWorkItem(ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	const op = "fetch_work_item"
	if err := requirePositive("LockTimeout", a.LockTimeout); err != nil {
		return nil, core.Permanent(op, err)
	}
	if a.Session != nil {
		if err := requirePositive("Session.LockTimeout", a.Session.LockTimeout); err != nil {
			return nil, core.Permanent(op, err)
		}
	}
	if err := a.Tags.Validate(); err != nil {
		return nil, core.Permanent(op, fmt.Errorf("the field Tags: %w", err))
	}
	q := &p.work
	undecodable := false
	found, err := poll(ctx, p, &q.bell, a.PollTimeout, func(now uint64) (*core.LockedWorkItem, uint64) {
		act, next := q.candidate(a.Tags, a.Session, now)
		if act == nil {
			return nil, next
		}
		q.unfile(act)
		q.unlock(act)
		act.token, act.lockedUntil = newToken(), after(now, a.LockTimeout)
		act.attempts++
		q.tokens[act.token] = act
		q.file(act, now)
		if act.item.SessionID != nil {
			q.claim(act.session, a.Session, now)
		}
		undecodable = act.corrupt
		item, _ := cloneItem(act.item)
		return &core.LockedWorkItem{Item: item, LockToken: act.token, AttemptCount: act.attempts}, 0
	})
	if undecodable {
		return nil, core.Permanent(op, core.ErrUndecodable)
	}
	return found, err
}

// AckWorkItem implements [core.WorkerQueue].
func (p *Provider) AckWorkItem(ctx context.Context, a core.AckWorkItemParams) error {
	const op = "ack_work_item"
	completion, err := cloneCompletion(a.Completion)
	if err != nil {
		return core.Permanent(op, fmt.Errorf("the field Completion: %w", err))
	}
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	act := p.work.tokens[a.LockToken]
	if act == nil || act.lockedUntil <= now {
		return core.Permanent(op, core.ErrLockLost)
	}
	act.session.touch(now)
	p.work.remove(act)
	if completion != nil {
		p.enqueueMessage(completion, now, now)
	}
	return nil
}

// cloneCompletion copies what an activity answers; nil stays nil.
func cloneCompletion(item core.WorkItem) (core.WorkItem, error) {
	switch item.(type) {
	case nil:
		return nil, nil
	case core.ActivityCompletedItem, core.ActivityFailedItem:
		return cloneItem(item)
	}
	return nil, fmt.Errorf("%w: %T does not complete an activity", core.ErrInvalidItem, item)
}

// RenewWorkItemLock implements [core.WorkerQueue]. It never shortens a lock.
func (p *Provider) RenewWorkItemLock(ctx context.Context, a core.RenewLockParams) error {
	const op = "renew_work_item_lock"
	if err := requirePositive("ExtendFor", a.ExtendFor); err != nil {
		return core.Permanent(op, err)
	}
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	act := p.work.tokens[a.LockToken]
	if act == nil || act.lockedUntil <= now {
		return core.Permanent(op, core.ErrLockLost)
	}
	p.work.unfile(act)
	act.lockedUntil = max(act.lockedUntil, after(now, a.ExtendFor))
	p.work.file(act, now)
	act.session.touch(now)
	return nil
}

// AbandonWorkItem implements [core.WorkerQueue].
func (p *Provider) AbandonWorkItem(ctx context.Context, a core.AbandonParams) error {
	now, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	act := p.work.tokens[a.LockToken]
	if act == nil {
		return core.Permanent("abandon_work_item", core.ErrLockLost)
	}
	p.work.unfile(act)
	p.work.unlock(act)
	if a.IgnoreAttempt {
		act.attempts = max(act.attempts, 1) - 1
	}
	act.visibleAt = after(now, a.Delay)
	p.work.file(act, now)
	return nil
}
