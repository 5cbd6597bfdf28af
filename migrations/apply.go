package migrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// readWrite is explicit because a role or a server can have other defaults.
var readWrite = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}

// apply applies one file, again if a lock could not be had in time.
func (r *runner) apply(ctx context.Context, m *migration) error {
	once := r.applyInTransaction
	if !m.transactional {
		once = r.applyAlone
	}
	for attempt := 1; ; attempt++ {
		start := time.Now()
		left, err := once(ctx, m)
		if err == nil {
			r.ownLedger = r.ownLedger || !m.Shared()
			r.log.InfoContext(ctx, "applied migration", "file", m.Name, "duration", time.Since(start))
			return nil
		}
		if !isLockConflict(err) {
			return r.partialError(m, left, err)
		}
		blockers := r.blockers(ctx)
		if attempt == lockAttempts {
			return r.partialError(m, left, fmt.Errorf("%w, tried %d times for %v: %s", err, attempt, r.lockTimeout, blockers))
		}
		r.log.WarnContext(ctx, "migration waits for locks, trying again",
			"file", m.Name, "attempt", attempt, "blockers", blockers, "error", err)
		select {
		case <-ctx.Done():
			return r.partialError(m, left, context.Cause(ctx))
		case <-time.After(r.lockTimeout): // for the queries that queued behind it
		}
	}
}

// applyInTransaction runs a file and its record in one transaction.
func (r *runner) applyInTransaction(ctx context.Context, m *migration) (left, error) {
	committing := false
	err := pgx.BeginTxFunc(ctx, r.conn, readWrite, func(tx pgx.Tx) error {
		if err := checkLock(ctx, tx, lockKey(r.schema)); err != nil {
			return err
		}
		// The functions keep this path. With pg_temp last, no temporary object
		// can stand in for a table or a function.
		settings := fmt.Sprintf(`SET LOCAL search_path TO %s, pg_temp; SET LOCAL lock_timeout TO %d`,
			r.quoted(), r.lockTimeout.Milliseconds())
		if err := exec(ctx, r.conn, settings); err != nil {
			return err
		}
		for i := range m.statements {
			if err := r.execStatement(ctx, &m.statements[i]); err != nil {
				return err
			}
		}
		if err := r.record(ctx, m); err != nil {
			return err
		}
		committing = true
		return nil
	})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); committing && err != nil && (!ok || pgErr.SeverityUnlocalized != "ERROR") {
		return unknown, fmt.Errorf("commit: %w", err)
	}
	return nothing, err
}

func (r *runner) execStatement(ctx context.Context, s *statement) error {
	if err := exec(ctx, r.conn, s.text); err != nil {
		return &statementError{s, err}
	}
	return nil
}

// record adds a file to its ledger, in the schema that search_path leads to.
func (r *runner) record(ctx context.Context, m *migration) error {
	if !m.Shared() && !r.ownLedger {
		if err := exec(ctx, r.conn, ownLedgerSQL); err != nil {
			return fmt.Errorf("make the ledger %s: %w", ownLedger, err)
		}
	}
	if err := exec(ctx, r.conn, recordSQL(m)); err != nil {
		return fmt.Errorf("record the version: %w", err)
	}
	return nil
}

// exec runs statements by the simple protocol, which takes any of them, and
// several at once.
func exec(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// isLockConflict tells whether the server gave up on a lock: by time-out or to
// resolve a deadlock.
func isLockConflict(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains([]string{"55P03", "40P01"}, pgErr.Code)
}
