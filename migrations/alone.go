package migrations

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// applyAlone runs each statement of a file in a transaction of its own, and
// records the file after the last. The statements must bear repetition: a run
// that ended in between begins the file again.
func (r *runner) applyAlone(ctx context.Context, m *migration) (left, error) {
	restore, err := r.setSession(ctx)
	if err != nil {
		return nothing, err
	}
	defer restore(ctx)
	for i := range m.statements {
		if err := r.execAlone(ctx, m, &m.statements[i]); err != nil {
			return some, err
		}
	}
	return some, pgx.BeginTxFunc(ctx, r.conn, readWrite, func(tx pgx.Tx) error {
		if err := checkLock(ctx, tx, lockKey(r.schema)); err != nil {
			return err
		}
		return r.record(ctx, m)
	})
}

// execAlone runs one statement outside a transaction.
func (r *runner) execAlone(ctx context.Context, m *migration, s *statement) error {
	if err := checkLock(ctx, r.conn, lockKey(r.schema)); err != nil {
		return err
	}
	timeout := r.lockTimeout
	if index := s.concurrentIndex(); index != "" {
		// It waits for every older transaction, but nobody waits for it.
		timeout = 0
		if err := r.dropInvalid(ctx, index); err != nil {
			return &statementError{s, fmt.Errorf("drop the invalid index %s: %w", index, err)}
		}
	}
	if err := exec(ctx, r.conn, fmt.Sprintf(`SET lock_timeout TO %d`, timeout.Milliseconds())); err != nil {
		return err
	}
	r.log.InfoContext(ctx, "migration runs a statement outside a transaction",
		"file", m.Name, "line", s.line, "statement", s.summary())
	return r.execStatement(ctx, s)
}

// aloneSettings are what statements outside a transaction run with, whatever
// the defaults of the role. A large index takes its time.
func (r *runner) aloneSettings() [][2]string {
	return [][2]string{
		{"search_path", r.quoted() + ", pg_temp"},
		{"lock_timeout", "0"},
		{"statement_timeout", "0"},
		{"default_transaction_isolation", "'read committed'"},
		{"default_transaction_read_only", "off"},
	}
}

// setSession changes the session and returns what changes it back.
func (r *runner) setSession(ctx context.Context) (restore func(context.Context), err error) {
	before := map[string]string{}
	restore = func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		for _, name := range sortedKeys(before) {
			if r.conn.IsClosed() {
				return
			}
			_, err := r.conn.Exec(ctx, `SELECT pg_catalog.set_config($1, $2, false)`, pgx.QueryExecModeExec, name, before[name])
			if err != nil {
				r.log.WarnContext(ctx, "could not restore the session, closing the connection", "setting", name, "error", err)
				_ = r.conn.Close(ctx)
			}
		}
	}
	for _, setting := range r.aloneSettings() {
		name, value := setting[0], ""
		err := r.conn.QueryRow(ctx, `SELECT pg_catalog.current_setting($1)`, pgx.QueryExecModeExec, name).Scan(&value)
		if err == nil {
			before[name] = value
			err = exec(ctx, r.conn, fmt.Sprintf(`SET %s TO %s`, name, setting[1]))
		}
		if err != nil {
			restore(ctx)
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	return restore, nil
}

// invalidIndexSQL tells whether an index was left behind by a statement that did
// not come to its end.
const invalidIndexSQL = `EXISTS (
    SELECT 1
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND NOT i.indisvalid)`

// dropInvalid removes an index that cannot be used and that IF NOT EXISTS would
// take for the real one.
func (r *runner) dropInvalid(ctx context.Context, index string) error {
	var invalid bool
	err := r.conn.QueryRow(ctx, `SELECT `+invalidIndexSQL, pgx.QueryExecModeExec, r.schema, index).Scan(&invalid)
	if err != nil || !invalid {
		return err
	}
	r.log.WarnContext(ctx, "dropping an invalid index that an interrupted migration left", "index", index)
	return exec(ctx, r.conn, `DROP INDEX CONCURRENTLY IF EXISTS `+pgx.Identifier{r.schema, index}.Sanitize())
}

// summary is the beginning of a statement, on one line.
func (s *statement) summary() string {
	const length = 80
	fields := strings.Join(strings.Fields(s.text), " ")
	if runes := []rune(fields); len(runes) > length {
		return string(runes[:length-1]) + "…"
	}
	return fields
}
