package pgprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opRenewSession    = "renew_session_lock"
	opCleanupSessions = "cleanup_orphaned_sessions"

	sqlRenewSession query = `
SELECT @.renew_session_lock($1::text[], $2::bigint, $3::bigint, $4::bigint)`
	sqlCleanupSessions query = `
SELECT @.cleanup_orphaned_sessions($1::bigint)`
)

// RenewSessionLock implements [core.SessionStore].
func (p *Provider) RenewSessionLock(ctx context.Context, params core.RenewSessionLockParams) (uint64, error) {
	if len(params.OwnerIDs) == 0 {
		return 0, p.checkOpen(opRenewSession)
	}
	extendMs, err := positive("ExtendFor", params.ExtendFor)
	if err != nil {
		return 0, classify(ctx, opRenewSession, err)
	}
	if err := checkList("OwnerIDs", params.OwnerIDs); err != nil {
		return 0, classify(ctx, opRenewSession, err)
	}
	var renewed int64
	err = p.run(ctx, call{
		op: opRenewSession, query: sqlRenewSession,
		args: []any{params.OwnerIDs, p.nowMs(), extendMs, milliseconds(params.IdleTimeout)},
		read: exactlyOne(&renewed),
	})
	return uint64(renewed), err
}

// CleanupOrphanedSessions implements [core.SessionStore]. The idle time-out is
// not used: a session that is idle is not renewed, and so expires.
func (p *Provider) CleanupOrphanedSessions(ctx context.Context, _ core.CleanupOrphanedSessionsParams) (uint64, error) {
	var deleted int64
	err := p.run(ctx, call{
		op: opCleanupSessions, query: sqlCleanupSessions,
		args: []any{p.nowMs()}, read: exactlyOne(&deleted),
	})
	return uint64(deleted), err
}
