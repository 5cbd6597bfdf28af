package sqliteprovider

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opFetchOrchestration   = "fetch_orchestration_item"
	opAbandonOrchestration = "abandon_orchestration_item"
	opRenewOrchestration   = "renew_orchestration_item_lock"
	opEnqueueOrchestrator  = "enqueue_orchestrator_work"

	// sqlCandidate finds the instance with the oldest visible message of those
	// that no live lock and no filter (?2 to ?3, NULL for none) excludes.
	sqlCandidate = `
SELECT q.instance_id
  FROM orchestrator_queue q
 WHERE q.visible_at <= ?1
   AND NOT EXISTS (SELECT 1 FROM instance_locks l
                    WHERE l.instance_id = q.instance_id AND l.locked_until > ?1)
   AND (?2 IS NULL OR NOT EXISTS (
          SELECT 1 FROM instances i
            JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
           WHERE i.instance_id = q.instance_id AND e.pinned_version NOT BETWEEN ?2 AND ?3))
 ORDER BY q.visible_at, q.id
 LIMIT 1`

	// sqlTurnDue is the next time at which a message becomes visible or a lock
	// ends by itself, whether that helps a filtered fetch or not.
	sqlTurnDue = `
SELECT min(due) FROM (
  SELECT min(visible_at) AS due FROM orchestrator_queue WHERE visible_at > ?1
  UNION ALL
  SELECT min(locked_until) FROM instance_locks WHERE locked_until > ?1)`

	sqlLockInstance = `
INSERT INTO instance_locks (instance_id, lock_token, locked_until, locked_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (instance_id) DO UPDATE
   SET lock_token = excluded.lock_token, locked_until = excluded.locked_until, locked_at = excluded.locked_at`
	sqlUnlockInstance = `
DELETE FROM instance_locks WHERE instance_id = ?`
	sqlMarkBatch = `
UPDATE orchestrator_queue SET lock_token = ?2, attempt_count = attempt_count + 1
 WHERE instance_id = ?1 AND visible_at <= ?3
RETURNING id, work_item, attempt_count`
	sqlDeleteBatch = `
DELETE FROM orchestrator_queue WHERE instance_id = ? AND lock_token = ?`
	sqlGiveBatchBack = `
UPDATE orchestrator_queue
   SET lock_token = NULL, visible_at = coalesce(?3, visible_at), attempt_count = max(attempt_count - ?4, 0)
 WHERE instance_id = ?1 AND lock_token = ?2`

	// sqlHiddenStart finds when the start of an instance becomes visible.
	sqlHiddenStart = `
SELECT visible_at FROM orchestrator_queue
 WHERE instance_id = ? AND visible_at > ? AND work_item LIKE '{"StartOrchestration":%'
 ORDER BY visible_at LIMIT 1`

	// sqlLockOwner finds the instance of a lock that lives at a time.
	sqlLockOwner = `
SELECT instance_id FROM instance_locks WHERE lock_token = ? AND locked_until > ?`
	sqlRenewInstance = `
UPDATE instance_locks SET locked_until = max(locked_until, ?3) WHERE lock_token = ?1 AND locked_until > ?2`
	sqlEnqueueMessage = `
INSERT INTO orchestrator_queue (instance_id, work_item, visible_at, created_at) VALUES (?, ?, ?, ?)`
)

// versionRange is a filter as the queries take it; both are nil without one.
type versionRange struct{ low, high any }

// FetchOrchestrationItem implements [core.OrchestrationQueue]. It waits up to
// PollTimeout for work. Messages that cannot be decoded are left out of the item
// and reported in HistoryError, so that the poison rules end the instance
// instead of the fetch.
func (p *Provider) FetchOrchestrationItem(ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	if err := requirePositive("LockTimeout", a.LockTimeout); err != nil {
		return nil, classify(ctx, opFetchOrchestration, err)
	}
	var filter versionRange
	if a.Filter != nil {
		if len(a.Filter.SupportedVersions) == 0 {
			return nil, p.checkOpen(ctx, opFetchOrchestration)
		}
		first := a.Filter.SupportedVersions[0]
		filter.low, filter.high = packMin(first.Min), packMax(first.Max)
	}
	return poll(ctx, p, queue[core.OrchestrationItem]{
		op: opFetchOrchestration, bell: p.turns,
		look: func(ctx context.Context, c *conn, now int64) (bool, int64, error) {
			var instance string
			ready, err := c.row(ctx, sqlCandidate, []any{now, filter.low, filter.high}, &instance)
			if ready || err != nil {
				return ready, never, err
			}
			next, err := due(ctx, c, sqlTurnDue, now)
			return false, next, err
		},
		claim: func(t *tx) (*core.OrchestrationItem, error) {
			return p.claimTurn(t, filter, after(t.now, a.LockTimeout), a.HistoryLimit)
		},
	}, a.PollTimeout)
}

// due runs a query for the next time at which something may change.
func due(ctx context.Context, c *conn, query string, now int64) (int64, error) {
	var next sql.NullInt64
	_, err := c.row(ctx, query, []any{now}, &next)
	if !next.Valid {
		return never, err
	}
	return next.Int64, err
}

// claimTurn locks the oldest instance that can be locked, nil if there is none.
func (p *Provider) claimTurn(t *tx, filter versionRange, until int64, historyLimit uint64) (*core.OrchestrationItem, error) {
	for {
		var instance string
		found, err := t.row(sqlCandidate, []any{t.now, filter.low, filter.high}, &instance)
		if err != nil || !found {
			return nil, err
		}
		token := newToken()
		if _, err := t.exec(sqlLockInstance, instance, token, until, t.now); err != nil {
			return nil, err
		}
		item, err := readTurn(t, instance, token, historyLimit)
		if err != nil {
			return nil, err
		}
		if item.AwaitsStart() {
			postponed, err := awaitStart(t, instance, token)
			if err != nil {
				return nil, err
			}
			if postponed {
				continue
			}
		}
		if !item.IsOrphanBatch() {
			return item, nil
		}
		p.log.WarnContext(t.ctx, "dropped queue messages for an unknown instance",
			"instance", instance, "messages", len(item.Messages))
		if err := deleteBatch(t, instance, token); err != nil {
			return nil, err
		}
	}
}

// awaitStart gives a batch back that came before its start, if the start is queued
// but hidden, and hides it until then. Its attempt does not count.
func awaitStart(t *tx, instance, token string) (postponed bool, err error) {
	var visible int64
	found, err := t.row(sqlHiddenStart, []any{instance, t.now}, &visible)
	if err != nil || !found {
		return false, err
	}
	if _, err := t.exec(sqlGiveBatchBack, instance, token, visible, true); err != nil {
		return false, err
	}
	_, err = t.exec(sqlUnlockInstance, instance)
	return true, err
}

// deleteBatch ends a turn: its messages and its lock go.
func deleteBatch(t *tx, instance, token string) error {
	if _, err := t.exec(sqlDeleteBatch, instance, token); err != nil {
		return err
	}
	_, err := t.exec(sqlUnlockInstance, instance)
	return err
}

// lockOwner returns the instance of a lock that lives at a time, or
// [core.ErrLockLost].
func lockOwner(t *tx, token string, at int64) (instance string, err error) {
	found, err := t.row(sqlLockOwner, []any{token, at}, &instance)
	if err == nil && !found {
		err = core.ErrLockLost
	}
	return instance, err
}

// AbandonOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) AbandonOrchestrationItem(ctx context.Context, a core.AbandonParams) error {
	return p.write(ctx, opAbandonOrchestration, func(t *tx) error {
		// Its end does not matter as long as nobody has taken the instance over.
		instance, err := lockOwner(t, a.LockToken, math.MinInt64)
		if err != nil {
			return err
		}
		var visible any
		if a.Delay > 0 {
			visible = after(t.now, a.Delay)
		}
		if _, err := t.exec(sqlGiveBatchBack, instance, a.LockToken, visible, a.IgnoreAttempt); err != nil {
			return err
		}
		t.turns = true
		_, err = t.exec(sqlUnlockInstance, instance)
		return err
	})
}

// RenewOrchestrationItemLock implements [core.OrchestrationQueue].
func (p *Provider) RenewOrchestrationItemLock(ctx context.Context, a core.RenewLockParams) error {
	if err := requirePositive("ExtendFor", a.ExtendFor); err != nil {
		return classify(ctx, opRenewOrchestration, err)
	}
	return p.lease(ctx, opRenewOrchestration, func(t *tx) error {
		n, err := t.exec(sqlRenewInstance, a.LockToken, t.now, after(t.now, a.ExtendFor))
		if err == nil && n == 0 {
			err = core.ErrLockLost
		}
		return err
	})
}

// EnqueueForOrchestrator implements [core.OrchestrationQueue].
func (p *Provider) EnqueueForOrchestrator(ctx context.Context, a core.EnqueueForOrchestratorParams) error {
	m, err := newMessage("Item", a.Item)
	if err != nil {
		return classify(ctx, opEnqueueOrchestrator, err)
	}
	return p.write(ctx, opEnqueueOrchestrator, func(t *tx) error {
		return enqueueMessage(t, m, after(t.now, a.Delay))
	})
}

// A message is what goes into the orchestrator queue.
type message struct {
	instance, text string
	due            int64 // of a timer
}

func newMessage(field string, item core.WorkItem) (message, error) {
	if _, ok := item.(core.ActivityExecuteItem); ok {
		return message{}, fmt.Errorf("%w: %s: %s goes to the worker queue", core.ErrInvalidItem, field, item.ItemType())
	}
	text, err := encodeItem(field, item)
	if err != nil {
		return message{}, err
	}
	m := message{instance: item.RoutingInstance(), text: text}
	if timer, ok := item.(core.TimerFiredItem); ok {
		m.due = signed(timer.FireAtMs)
	}
	return m, nil
}

// enqueueMessage stores a message that becomes visible at that time or, if it is
// a timer that is due later, then.
func enqueueMessage(t *tx, m message, at int64) error {
	_, err := t.exec(sqlEnqueueMessage, m.instance, m.text, max(at, m.due), t.now)
	t.turns = true
	return err
}
