package sqliteprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opRenewSession    = "renew_session_lock"
	opCleanupSessions = "cleanup_orphaned_sessions"

	// sqlClaimSession needs no condition: the activity was chosen so that
	// nobody else owns its session.
	sqlClaimSession = `
INSERT INTO sessions (session_id, worker_id, locked_until, last_activity_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (session_id) DO UPDATE
   SET worker_id = excluded.worker_id, locked_until = excluded.locked_until,
       last_activity_at = excluded.last_activity_at`
	sqlTouchSession = `
UPDATE sessions SET last_activity_at = ?2 WHERE session_id = ?1 AND locked_until > ?2`
	sqlRenewSessions = `
UPDATE sessions SET locked_until = ?3
 WHERE worker_id = ?1 AND locked_until > ?2 AND last_activity_at > ?4`
	sqlCleanupSessions = `
DELETE FROM sessions
 WHERE locked_until < ?
   AND NOT EXISTS (SELECT 1 FROM worker_queue w WHERE w.session_id = sessions.session_id)`
)

func claimSession(t *tx, session string, f *core.SessionFetchConfig) error {
	_, err := t.exec(sqlClaimSession, session, f.OwnerID, after(t.now, f.LockTimeout), t.now)
	return err
}

// RenewSessionLock implements [core.SessionStore].
func (p *Provider) RenewSessionLock(ctx context.Context, a core.RenewSessionLockParams) (renewed uint64, err error) {
	if err := requirePositive("ExtendFor", a.ExtendFor); err != nil {
		return 0, classify(ctx, opRenewSession, err)
	}
	if len(a.OwnerIDs) == 0 {
		return 0, p.checkOpen(ctx, opRenewSession)
	}
	err = p.lease(ctx, opRenewSession, func(t *tx) error {
		idleSince := t.now - after(0, a.IdleTimeout)
		done := map[string]bool{}
		for _, owner := range a.OwnerIDs {
			if done[owner] {
				continue
			}
			done[owner] = true
			n, err := t.exec(sqlRenewSessions, owner, t.now, after(t.now, a.ExtendFor), idleSince)
			if err != nil {
				return err
			}
			renewed += uint64(n)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return renewed, nil
}

// CleanupOrphanedSessions implements [core.SessionStore]. The idle time-out
// plays no part: a session that is idle is not renewed, and so expires.
func (p *Provider) CleanupOrphanedSessions(ctx context.Context, _ core.CleanupOrphanedSessionsParams) (removed uint64, err error) {
	err = p.write(ctx, opCleanupSessions, func(t *tx) error {
		n, err := t.exec(sqlCleanupSessions, t.now)
		removed = uint64(n)
		return err
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}
