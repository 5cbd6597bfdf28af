package migrations

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	lockPoll   = 50 * time.Millisecond
	lockReport = 10 * time.Second
	// unlockTimeout bounds the release after the caller's context ended.
	unlockTimeout = 5 * time.Second
)

// lockKey returns the key of the advisory lock that serialises the migrations
// of a schema, among all members of the family.
func lockKey(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("duroxide_pg_opt:migrations:" + schema))
	return int64(h.Sum64())
}

// acquireLock waits for the lock by asking again, not inside the server: a
// statement that waits there holds a snapshot, for which an index that the
// holder builds concurrently would wait in turn, and it would run into time-outs
// that are set for the role.
func acquireLock(ctx context.Context, conn *pgx.Conn, key int64, log *slog.Logger) error {
	start, reported := time.Now(), time.Time{}
	for {
		var locked bool
		err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_lock($1)`, pgx.QueryExecModeExec, key).Scan(&locked)
		if ctx.Err() != nil && err != nil {
			return fmt.Errorf("wait for the migration lock: %w", context.Cause(ctx))
		}
		if err != nil {
			return fmt.Errorf("take the migration lock: %w", err)
		}
		if locked {
			return nil
		}
		if now := time.Now(); now.Sub(reported) > lockReport {
			log.InfoContext(ctx, "waiting for another process that migrates the schema",
				"waited", now.Sub(start), "advisory_lock", key)
			reported = now
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the migration lock: %w", context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}

// releaseLock gives the lock back. If it cannot, it closes the connection,
// which makes the server release it; a connection that went back to a pool with
// the lock would block every later run.
func releaseLock(ctx context.Context, conn *pgx.Conn, key int64, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	var released bool
	if !conn.IsClosed() {
		err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_advisory_unlock($1)`, pgx.QueryExecModeExec, key).Scan(&released)
		if err == nil && released {
			return
		}
		log.WarnContext(ctx, "could not release the migration lock, closing the connection",
			"advisory_lock", key, "error", err)
	}
	_ = conn.Close(ctx)
}

// queryer is a connection or a transaction.
type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// checkLock fails if this session does not hold the lock.
func checkLock(ctx context.Context, db queryer, key int64) error {
	var held bool
	err := db.QueryRow(ctx,
		`SELECT EXISTS (
		    SELECT 1
		      FROM pg_catalog.pg_locks l
		     WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
		       AND l.pid = pg_catalog.pg_backend_pid()
		       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
		       AND l.classid::bigint = $1 AND l.objid::bigint = $2)`,
		pgx.QueryExecModeExec, int64(uint64(key)>>32), int64(uint32(key))).Scan(&held)
	if err != nil {
		return fmt.Errorf("check the migration lock: %w", err)
	}
	if !held {
		return fmt.Errorf("%w: the migration lock is gone; a pooler in transaction mode does this, "+
			"so migrate over a direct connection", ErrSession)
	}
	return nil
}
