package pgprovider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
)

const (
	isolationParam = "default_transaction_isolation"
	readCommitted  = "read committed"

	sqlBegin    = `BEGIN ISOLATION LEVEL READ COMMITTED`
	sqlCommit   = `COMMIT`
	sqlRollback = `ROLLBACK`

	// acquireTimeout bounds the wait for a free connection, so that an
	// exhausted pool shows as an error.
	acquireTimeout = 30 * time.Second
	// rollbackTimeout bounds the clean-up after the caller's context ended.
	rollbackTimeout = 5 * time.Second
)

// query is the text of a statement. An @ in front of a dot stands for the schema.
type query string

// in returns the statement for a schema, whose quoted name is prefix.
func (q query) in(prefix string) string {
	return strings.ReplaceAll(string(q), "@.", prefix)
}

// quoteSchema returns the schema as it stands before a name.
func quoteSchema(schema string) string {
	return pgx.Identifier{schema}.Sanitize() + "."
}

// call is one statement of a method.
type call struct {
	op    string // the method in the family's spelling
	query query
	args  []any
	read  func(pgx.Rows) error // may be nil
}

// do runs one statement in a transaction of its own and hands its rows to read,
// which may be nil and only copies: what it returns does not undo the
// statement. A statement that has to be prepared again is run once more.
func (p *Provider) do(ctx context.Context, q query, read func(pgx.Rows) error, args ...any) error {
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	c := conn.Conn()
	sql := q.in(p.prefix)
	err = p.execute(ctx, c, sql, read, args)
	if isStaleStatement(err) && !c.IsClosed() {
		p.log.DebugContext(ctx, "preparing a statement again", "error", err)
		// pgx has dropped the statement. Another one might be stale in the
		// same way, so this time none is kept.
		err = p.executeUnprepared(ctx, c, sql, read, args)
	}
	if err != nil && c.IsClosed() && !isEnd(ctx, err) {
		err = &lostError{err}
	}
	return err
}

func (p *Provider) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if p.closing.Err() != nil {
		return nil, core.ErrClosed
	}
	bounded, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := p.pool.Acquire(bounded)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, err
	case p.closing.Err() != nil:
		return nil, core.ErrClosed
	case bounded.Err() != nil:
		return nil, &acquireError{fmt.Errorf("no free connection within %v", acquireTimeout)}
	}
	return nil, &acquireError{err}
}

// execute runs the statement in one round trip.
func (p *Provider) execute(ctx context.Context, c *pgx.Conn, sql string, read func(pgx.Rows) error, args []any) error {
	if p.isolated {
		rows, _ := c.Query(ctx, sql, args...)
		return drain(rows, read)
	}
	batch := &pgx.Batch{}
	batch.Queue(sqlBegin)
	batch.Queue(sql, args...)
	batch.Queue(sqlCommit)
	results := c.SendBatch(ctx, batch)
	_, err := results.Exec()
	if err == nil {
		rows, _ := results.Query()
		err = drain(rows, read)
	}
	if err == nil {
		_, err = results.Exec()
	}
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	endFailed(ctx, c, err)
	return err
}

// executeUnprepared runs the statement without preparing it under a name.
func (p *Provider) executeUnprepared(ctx context.Context, c *pgx.Conn, sql string, read func(pgx.Rows) error, args []any) error {
	args = append([]any{pgx.QueryExecModeExec}, args...)
	if p.isolated {
		rows, _ := c.Query(ctx, sql, args...)
		return drain(rows, read)
	}
	_, err := c.Exec(ctx, sqlBegin)
	if err == nil {
		rows, _ := c.Query(ctx, sql, args...)
		err = drain(rows, read)
	}
	if err == nil {
		_, err = c.Exec(ctx, sqlCommit)
	}
	endFailed(ctx, c, err)
	return err
}

// endFailed ends a transaction that failed, because the pool closes a
// connection that comes back inside one.
func endFailed(ctx context.Context, c *pgx.Conn, err error) {
	if err == nil || c.IsClosed() || c.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = c.Exec(ctx, sqlRollback)
}

// drain reads all rows. An error of the server counts for more than one of read.
func drain(rows pgx.Rows, read func(pgx.Rows) error) error {
	var readErr error
	if read != nil {
		readErr = read(rows)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	return readErr
}

// one scans the first row and reports whether there was one.
func one(found *bool, dst ...any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		if *found = rows.Next(); !*found {
			return nil
		}
		return rows.Scan(dst...)
	}
}

// column collects a result of one column.
func column[T any](dst *[]T) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			var v T
			if err := rows.Scan(&v); err != nil {
				return err
			}
			*dst = append(*dst, v)
		}
		return nil
	}
}

// exactlyOne is for functions that always return a row.
func exactlyOne(dst ...any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		if !rows.Next() {
			return errors.New("the function returned no row")
		}
		return rows.Scan(dst...)
	}
}
