package sqliteprovider

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opEnqueueWorker   = "enqueue_worker_work"
	opFetchWorkItem   = "fetch_work_item"
	opAckWorkItem     = "ack_work_item"
	opRenewWorkItem   = "renew_work_item_lock"
	opAbandonWorkItem = "abandon_work_item"

	sqlEnqueueActivity = `
INSERT INTO worker_queue (instance_id, execution_id, activity_id, session_id, tag, work_item, visible_at, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)`
	sqlCancelActivity = `
DELETE FROM worker_queue WHERE instance_id = ? AND execution_id = ? AND activity_id = ?`

	sqlLockActivity = `
UPDATE worker_queue SET lock_token = ?2, locked_until = ?3, attempt_count = attempt_count + 1
 WHERE id = ?1
RETURNING work_item, session_id, attempt_count`
	sqlAckActivity = `
DELETE FROM worker_queue WHERE lock_token = ? AND locked_until > ?
RETURNING session_id`
	sqlRenewActivity = `
UPDATE worker_queue SET locked_until = max(locked_until, ?3)
 WHERE lock_token = ?1 AND locked_until > ?2
RETURNING session_id`
	sqlAbandonActivity = `
UPDATE worker_queue
   SET lock_token = NULL, locked_until = NULL, visible_at = ?2, attempt_count = max(attempt_count - ?3, 0)
 WHERE lock_token = ?1`
)

// An activity is what goes into the worker queue.
type activity struct {
	core.ActivityExecuteItem
	text string
}

func newActivity(field string, item core.WorkItem) (activity, error) {
	a, ok := item.(core.ActivityExecuteItem)
	if !ok {
		return activity{}, fmt.Errorf("%w: %s: %T does not go to the worker queue", core.ErrInvalidItem, field, item)
	}
	if err := checkID(field+".ExecutionID", a.ExecutionID); err != nil {
		return activity{}, err
	}
	if err := checkID(field+".ID", a.ID); err != nil {
		return activity{}, err
	}
	text, err := encodeItem(field, item)
	return activity{a, text}, err
}

func enqueueActivity(t *tx, a *activity) error {
	_, err := t.exec(sqlEnqueueActivity, a.Instance, int64(a.ExecutionID), int64(a.ID), a.SessionID, a.Tag, a.text, t.now)
	t.work = true
	return err
}

func cancelActivity(t *tx, id core.ActivityIdentifier) error {
	if checkID("", id.ExecutionID) != nil || checkID("", id.ActivityID) != nil {
		return nil // no such row can be there
	}
	_, err := t.exec(sqlCancelActivity, id.Instance, int64(id.ExecutionID), int64(id.ActivityID))
	return err
}

// EnqueueForWorker implements [core.WorkerQueue].
func (p *Provider) EnqueueForWorker(ctx context.Context, a core.EnqueueForWorkerParams) error {
	item, err := newActivity("Item", a.Item)
	if err != nil {
		return classify(ctx, opEnqueueWorker, err)
	}
	return p.write(ctx, opEnqueueWorker, func(t *tx) error { return enqueueActivity(t, &item) })
}

// FetchWorkItem implements [core.WorkerQueue]. It waits up to PollTimeout for
// work. An item that cannot be decoded is an error, and stays locked, so that
// the others get their turn.
func (p *Provider) FetchWorkItem(ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	if err := checkWorkFetch(&a); err != nil {
		return nil, classify(ctx, opFetchWorkItem, err)
	}
	if a.Tags.Mode == core.TagsNone {
		return nil, p.checkOpen(ctx, opFetchWorkItem)
	}
	s := newSelection(&a)
	type claim struct {
		item *core.LockedWorkItem
		bad  error
	}
	claimed, err := poll(ctx, p, queue[claim]{
		op: opFetchWorkItem, bell: p.work,
		look: func(ctx context.Context, c *conn, now int64) (bool, int64, error) {
			_, found, err := s.oldest(ctx, c, now)
			if found || err != nil {
				return found, never, err
			}
			next, err := due(ctx, c, sqlWorkDue, now)
			return false, next, err
		},
		claim: func(t *tx) (*claim, error) {
			id, found, err := s.oldest(t.ctx, t.conn, t.now)
			if err != nil || !found {
				return nil, err
			}
			item, bad, err := lockActivity(t, id, &a)
			return &claim{item, bad}, err
		},
	}, a.PollTimeout)
	switch {
	case err != nil || claimed == nil:
		return nil, err
	case claimed.bad != nil:
		return nil, core.Permanent(opFetchWorkItem, claimed.bad)
	}
	return claimed.item, nil
}

func checkWorkFetch(a *core.FetchWorkItemParams) error {
	if err := requirePositive("LockTimeout", a.LockTimeout); err != nil {
		return err
	}
	if a.Session != nil {
		if err := requirePositive("Session.LockTimeout", a.Session.LockTimeout); err != nil {
			return err
		}
		if err := checkText("Session.OwnerID", a.Session.OwnerID); err != nil {
			return err
		}
	}
	if err := a.Tags.Validate(); err != nil {
		return fmt.Errorf("the field Tags: %w", err)
	}
	return nil
}

// lockActivity locks a row and claims its session. bad says why the row, which
// is locked then too, cannot be decoded.
func lockActivity(t *tx, id int64, a *core.FetchWorkItemParams) (item *core.LockedWorkItem, bad, err error) {
	item = &core.LockedWorkItem{LockToken: newToken()}
	var text []byte
	var session *string
	var attempts int64
	_, err = t.row(sqlLockActivity, []any{id, item.LockToken, after(t.now, a.LockTimeout)}, &text, &session, &attempts)
	if err != nil {
		return nil, nil, err
	}
	if session != nil {
		if err := claimSession(t, *session, a.Session); err != nil {
			return nil, nil, err
		}
	}
	item.AttemptCount = attemptCount(attempts)
	if item.Item, err = core.DecodeWorkItem(text); err != nil {
		return nil, fmt.Errorf("%w: row %d of the worker queue: %v", core.ErrUndecodable, id, err), nil
	}
	return item, nil, nil
}

// AckWorkItem implements [core.WorkerQueue].
func (p *Provider) AckWorkItem(ctx context.Context, a core.AckWorkItemParams) error {
	completion, err := newCompletion(a.Completion)
	if err != nil {
		return classify(ctx, opAckWorkItem, err)
	}
	return p.write(ctx, opAckWorkItem, func(t *tx) error { return ackActivity(t, a.LockToken, completion) })
}

// newCompletion is the message of a completion, nil for none.
func newCompletion(item core.WorkItem) (*message, error) {
	switch item.(type) {
	case nil:
		return nil, nil
	case core.ActivityCompletedItem, core.ActivityFailedItem:
		m, err := newMessage("Completion", item)
		return &m, err
	}
	return nil, fmt.Errorf("%w: the field Completion: %s does not complete an activity", core.ErrInvalidItem, item.ItemType())
}

// ackActivity deletes a locked activity and sends its completion.
func ackActivity(t *tx, token string, completion *message) error {
	if err := t.useActivity(sqlAckActivity, token, t.now); err != nil {
		return err
	}
	if completion == nil {
		return nil
	}
	return enqueueMessage(t, *completion, t.now)
}

// RenewWorkItemLock implements [core.WorkerQueue]. It never shortens a lock.
func (p *Provider) RenewWorkItemLock(ctx context.Context, a core.RenewLockParams) error {
	if err := requirePositive("ExtendFor", a.ExtendFor); err != nil {
		return classify(ctx, opRenewWorkItem, err)
	}
	return p.lease(ctx, opRenewWorkItem, func(t *tx) error {
		return t.useActivity(sqlRenewActivity, a.LockToken, t.now, after(t.now, a.ExtendFor))
	})
}

// useActivity runs a statement on an activity whose lock must live, and records
// the activity on its session.
func (t *tx) useActivity(query string, args ...any) error {
	var session sql.NullString
	found, err := t.row(query, args, &session)
	switch {
	case err != nil:
		return err
	case !found:
		return core.ErrLockLost
	case !session.Valid:
		return nil
	}
	_, err = t.exec(sqlTouchSession, session.String, t.now)
	return err
}

// AbandonWorkItem implements [core.WorkerQueue].
func (p *Provider) AbandonWorkItem(ctx context.Context, a core.AbandonParams) error {
	return p.write(ctx, opAbandonWorkItem, func(t *tx) error {
		n, err := t.exec(sqlAbandonActivity, a.LockToken, after(t.now, a.Delay), a.IgnoreAttempt)
		if err == nil && n == 0 {
			err = core.ErrLockLost
		}
		t.work = true
		return err
	})
}
