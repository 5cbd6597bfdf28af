package stranger

import (
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// EnqueueForWorker implements [core.WorkerQueue].
func (p *Provider) EnqueueForWorker(ctx context.Context, a core.EnqueueForWorkerParams) error {
	return p.transaction(ctx, "enqueue_worker_work", func(now uint64) error {
		activities, err := newActivities([]core.WorkItem{a.Item}, now)
		p.activities = append(p.activities, activities...)
		return err
	})
}

func newActivities(items []core.WorkItem, now uint64) ([]*activity, error) {
	var rows []*activity
	for _, item := range items {
		data, err := core.EncodeWorkItem(item)
		if err != nil {
			return nil, err
		}
		a, ok := item.(core.ActivityExecuteItem)
		if !ok {
			return nil, fmt.Errorf("%w: %s is not for workers", core.ErrInvalidItem, item.ItemType())
		}
		rows = append(rows, &activity{
			id:      core.ActivityIdentifier{Instance: a.Instance, ExecutionID: a.ExecutionID, ActivityID: a.ID},
			session: clone(a.SessionID), tag: clone(a.Tag), item: data, visibleAt: now,
		})
	}
	return rows, nil
}

// FetchWorkItem implements [core.WorkerQueue].
func (p *Provider) FetchWorkItem(ctx context.Context, a core.FetchWorkItemParams) (found *core.LockedWorkItem, err error) {
	err = p.poll(ctx, "fetch_work_item", a.PollTimeout, func(now uint64) (bool, error) {
		if err := checkFetch(a); err != nil {
			return false, err
		}
		for _, act := range p.activities {
			if act.visibleAt > now || act.lockedUntil > now || !a.Tags.Matches(act.tag) || !p.mayTake(act.session, a.Session, now) {
				continue
			}
			act.token, act.lockedUntil = newToken(), after(now, a.LockTimeout)
			act.attempts++
			if act.session != nil {
				p.sessions[*act.session] = &session{
					owner: a.Session.OwnerID, lockedUntil: after(now, a.Session.LockTimeout), lastActivity: now,
				}
			}
			// A row that cannot be decoded stays locked: it must not stop those behind it.
			item, err := core.DecodeWorkItem(act.item)
			found = &core.LockedWorkItem{Item: item, LockToken: act.token, AttemptCount: act.attempts}
			return err == nil, err
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func checkFetch(a core.FetchWorkItemParams) error {
	if err := positive("LockTimeout", a.LockTimeout); err != nil {
		return err
	}
	if a.Session != nil {
		if err := positive("Session.LockTimeout", a.Session.LockTimeout); err != nil {
			return err
		}
	}
	return a.Tags.Validate()
}

// mayTake reports whether a fetch may take an activity of that session: it must
// be asked for, and free or its own.
func (t *tables) mayTake(id *string, fetch *core.SessionFetchConfig, now uint64) bool {
	if id == nil || fetch == nil {
		return id == nil
	}
	s := t.sessions[*id]
	return s == nil || s.lockedUntil <= now || s.owner == fetch.OwnerID
}

// lockedActivity returns the activity that a token locks, or locked and nobody
// else has taken since.
func (t *tables) lockedActivity(token string) (*activity, error) {
	for _, act := range t.activities {
		if act.token == token && token != "" {
			return act, nil
		}
	}
	return nil, core.ErrLockLost
}

// liveActivity is lockedActivity without the expired ones. It notes that the
// session is in use.
func (t *tables) liveActivity(token string, now uint64) (*activity, error) {
	act, err := t.lockedActivity(token)
	if err != nil || act.lockedUntil <= now {
		return nil, core.ErrLockLost
	}
	if act.session != nil {
		if s := t.sessions[*act.session]; s != nil && s.lockedUntil > now {
			s.lastActivity = now
		}
	}
	return act, nil
}

// AckWorkItem implements [core.WorkerQueue].
func (p *Provider) AckWorkItem(ctx context.Context, a core.AckWorkItemParams) error {
	return p.transaction(ctx, "ack_work_item", func(now uint64) error {
		var answer []*message
		switch a.Completion.(type) {
		case nil:
		case core.ActivityCompletedItem, core.ActivityFailedItem:
			var err error
			if answer, err = newMessages([]core.WorkItem{a.Completion}, now); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: %T completes no activity", core.ErrInvalidItem, a.Completion)
		}
		act, err := p.liveActivity(a.LockToken, now)
		if err != nil {
			return err
		}
		p.activities = slices.DeleteFunc(p.activities, func(other *activity) bool { return other == act })
		p.messages = append(p.messages, answer...)
		return nil
	})
}

// RenewWorkItemLock implements [core.WorkerQueue].
func (p *Provider) RenewWorkItemLock(ctx context.Context, a core.RenewLockParams) error {
	return p.transaction(ctx, "renew_work_item_lock", func(now uint64) error {
		if err := positive("ExtendFor", a.ExtendFor); err != nil {
			return err
		}
		act, err := p.liveActivity(a.LockToken, now)
		if err == nil {
			act.lockedUntil = max(act.lockedUntil, after(now, a.ExtendFor))
		}
		return err
	})
}

// AbandonWorkItem implements [core.WorkerQueue].
func (p *Provider) AbandonWorkItem(ctx context.Context, a core.AbandonParams) error {
	return p.transaction(ctx, "abandon_work_item", func(now uint64) error {
		act, err := p.lockedActivity(a.LockToken)
		if err != nil {
			return err
		}
		act.token, act.lockedUntil, act.visibleAt = "", 0, after(now, a.Delay)
		if a.IgnoreAttempt {
			act.attempts--
		}
		return nil
	})
}

// RenewSessionLock implements [core.SessionStore].
func (p *Provider) RenewSessionLock(ctx context.Context, a core.RenewSessionLockParams) (renewed uint64, err error) {
	err = p.transaction(ctx, "renew_session_lock", func(now uint64) error {
		if err := positive("ExtendFor", a.ExtendFor); err != nil {
			return err
		}
		for _, s := range p.sessions {
			live := s.lockedUntil > now && after(s.lastActivity, a.IdleTimeout) > now
			if live && slices.Contains(a.OwnerIDs, s.owner) {
				s.lockedUntil = after(now, a.ExtendFor)
				renewed++
			}
		}
		return nil
	})
	return renewed, err
}

// CleanupOrphanedSessions implements [core.SessionStore].
func (p *Provider) CleanupOrphanedSessions(ctx context.Context, _ core.CleanupOrphanedSessionsParams) (removed uint64, err error) {
	err = p.transaction(ctx, "cleanup_orphaned_sessions", func(now uint64) error {
		for id, s := range p.sessions {
			needed := slices.ContainsFunc(p.activities, func(a *activity) bool { return a.session != nil && *a.session == id })
			if s.lockedUntil < now && !needed {
				delete(p.sessions, id)
				removed++
			}
		}
		return nil
	})
	return removed, err
}
