package sqliteprovider

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	sqlBeginWrite = `BEGIN IMMEDIATE`
	sqlCommit     = `COMMIT`
	sqlRollback   = `ROLLBACK`
	sqlFlush      = `PRAGMA synchronous = FULL`
	sqlNoFlush    = `PRAGMA synchronous = NORMAL`

	// readers is how many connections read a file beside the one that writes.
	readers = 4

	minBusyDelay = time.Millisecond
	maxBusyDelay = 25 * time.Millisecond
)

// conn is a connection with the statements that were prepared on it. One
// goroutine has it at a time.
//
// Statements run under a context that does not end: they take no longer than a
// moment, and an interrupted one would leave open what became of it. What a
// caller's context bounds is the wait before the first statement.
type conn struct {
	*sql.Conn // nil for a transaction of the caller's
	// on is where statements are prepared: the connection, or such a transaction.
	on       preparer
	prepared map[string]*sql.Stmt
	// flush is the statement that says whether commits go through to the disk.
	flush string
}

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, on: c, prepared: map[string]*sql.Stmt{}}, nil
}

type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statement returns the prepared statement of a query, which is a constant.
func (c *conn) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := c.prepared[query]; s != nil {
		return s, nil
	}
	s, err := c.on.PrepareContext(ctx, query)
	if err == nil {
		c.prepared[query] = s
	}
	return s, err
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row scans the first row and reports whether there was one.
func (c *conn) row(ctx context.Context, query string, args []any, dst ...any) (bool, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(ctx, args...).Scan(dst...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// rows calls scan for every row.
func (c *conn) rows(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	s, err := c.statement(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// column collects a result of one column.
func column[T any](dst *[]T) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var v T
		err := rows.Scan(&v)
		*dst = append(*dst, v)
		return err
	}
}

// A pool holds connections, those that are not in use in free.
type pool struct {
	free chan *conn
	size int
}

func newPool(limit int) *pool { return &pool{free: make(chan *conn, limit)} }

// add puts a new connection in, before the pool is used.
func (p *pool) add(c *conn) {
	p.size++
	p.free <- c
}

func (p *pool) release(c *conn) { p.free <- c }

// drain takes all connections out as they come back.
func (p *pool) drain() {
	for range p.size {
		c := <-p.free
		_ = c.Close()
	}
}

// acquire takes a connection out of a pool.
func (p *Provider) acquire(ctx context.Context, from *pool) (*conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if p.closing.Err() != nil {
		return nil, core.ErrClosed
	}
	select {
	case c := <-from.free:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.closing.Done():
		return nil, core.ErrClosed
	}
}

// read calls f with a connection that only reads.
func (p *Provider) read(ctx context.Context, op string, f func(ctx context.Context, c *conn) error) error {
	c, err := p.acquire(ctx, p.readers)
	if err != nil {
		return classify(ctx, op, err)
	}
	defer p.readers.release(c)
	return classify(ctx, op, p.whileBusy(ctx, func() error { return f(context.WithoutCancel(ctx), c) }))
}

// tx is a transaction that writes.
type tx struct {
	*conn
	ctx context.Context //nolint:containedctx // the life of the transaction
	// now is the time after the lock was taken, epoch milliseconds: a lease
	// that began before the wait could be over already.
	now int64
	// claim marks a transaction that only takes or extends leases. Its commit
	// is not flushed to the disk: a machine that loses it has lost their
	// holders too. It goes there with the next that is.
	claim bool
	// turns and work say which queue has something new once this is committed.
	turns, work bool
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	return t.conn.exec(t.ctx, query, args...)
}

func (t *tx) row(query string, args []any, dst ...any) (bool, error) {
	return t.conn.row(t.ctx, query, args, dst...)
}

func (t *tx) rows(query string, args []any, scan func(*sql.Rows) error) error {
	return t.conn.rows(t.ctx, query, args, scan)
}

// write calls f in a transaction, which is committed unless f returns an error,
// and wakes those who wait for what it brought.
func (p *Provider) write(ctx context.Context, op string, f func(*tx) error) error {
	return p.writeTx(ctx, op, &tx{ctx: context.WithoutCancel(ctx)}, f)
}

// lease is write for a transaction that only takes or extends leases.
func (p *Provider) lease(ctx context.Context, op string, f func(*tx) error) error {
	return p.writeTx(ctx, op, &tx{ctx: context.WithoutCancel(ctx), claim: true}, f)
}

func (p *Provider) writeTx(ctx context.Context, op string, t *tx, f func(*tx) error) error {
	if err := p.transact(ctx, sqlBeginWrite, t, f); err != nil {
		return classify(ctx, op, err)
	}
	if t.turns {
		p.turns.ring()
	}
	if t.work {
		p.work.ring()
	}
	return nil
}

func (p *Provider) transact(ctx context.Context, begin string, t *tx, f func(*tx) error) (err error) {
	if t.conn, err = p.acquire(ctx, p.writer); err != nil {
		return err
	}
	defer p.writer.release(t.conn)
	flush := sqlFlush
	if t.claim || p.noFlush {
		flush = sqlNoFlush
	}
	if t.flush != flush {
		if _, err := t.exec(flush); err != nil {
			return err
		}
		t.flush = flush
	}
	err = p.whileBusy(ctx, func() error {
		_, err := t.exec(begin)
		return err
	})
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			_, rollbackErr := t.exec(sqlRollback)
			if rollbackErr != nil {
				p.log.DebugContext(ctx, "rolling back", "error", rollbackErr)
			}
		}
	}()
	t.now = p.nowMs()
	if err := f(t); err != nil {
		return err
	}
	_, err = t.exec(sqlCommit)
	committed = err == nil
	return err
}

// whileBusy repeats f while somebody else holds the lock that it needs.
func (p *Provider) whileBusy(ctx context.Context, f func() error) error {
	var waited time.Duration
	for delay := minBusyDelay; ; delay = min(2*delay, maxBusyDelay) {
		err := f()
		if !isBusy(err) || waited >= p.busyTimeout {
			return err
		}
		// Between a half and the whole, so that processes get out of step.
		d := delay/2 + rand.N(delay/2+1)
		waited += d
		timer := p.clock.NewTimer(d)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-p.closing.Done():
			timer.Stop()
			return core.ErrClosed
		}
	}
}
