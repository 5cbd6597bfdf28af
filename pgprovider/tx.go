package pgprovider

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
)

var (
	_ core.TxEnqueuer     = (*Provider)(nil)
	_ core.TxAcknowledger = (*Provider)(nil)
)

// Tx makes a transaction of pgx one that the provider can take part in. It has
// to be on the provider's database; which pool it comes from does not matter. A
// savepoint, which is what Begin of a pgx.Tx returns, is a transaction too.
func Tx(tx pgx.Tx) core.Tx { return pgxTx{tx} }

// SQLTx is [Tx] for a transaction of database/sql, whose driver may be lib/pq or
// the one of pgx.
func SQLTx(tx *sql.Tx) core.Tx { return sqlTx{tx} }

// Begin returns what begins transactions of pgx, for durable.InTx. Each takes a
// connection of the pool until its end, so the pool needs one for every activity
// that runs in a transaction at the same time, beside those of the provider if
// that uses the pool too.
func Begin(pool *pgxpool.Pool, o pgx.TxOptions) core.BeginFunc[pgx.Tx] {
	return func(ctx context.Context) (pgx.Tx, core.OpenTx, error) {
		tx, err := pool.BeginTx(ctx, o)
		if err != nil {
			return nil, core.OpenTx{}, err
		}
		return tx, core.OpenTx{Tx: Tx(tx), Commit: tx.Commit, Rollback: tx.Rollback}, nil
	}
}

// BeginSQL is [Begin] for database/sql. Nil options are the driver's defaults.
// The transaction rolls back by itself when the context ends with which it
// began.
func BeginSQL(db *sql.DB, o *sql.TxOptions) core.BeginFunc[*sql.Tx] {
	return func(ctx context.Context) (*sql.Tx, core.OpenTx, error) {
		tx, err := db.BeginTx(ctx, o)
		if err != nil {
			return nil, core.OpenTx{}, err
		}
		return tx, core.OpenTx{
			Tx:       SQLTx(tx),
			Commit:   func(context.Context) error { return tx.Commit() },
			Rollback: func(context.Context) error { return tx.Rollback() },
		}, nil
	}
}

// EnqueueForOrchestratorTx implements [core.TxEnqueuer].
func (p *Provider) EnqueueForOrchestratorTx(ctx context.Context, tx core.Tx, params core.EnqueueForOrchestratorParams) error {
	c, err := p.enqueueCall(params)
	if err != nil {
		return classify(ctx, opEnqueueOrchestrator, err)
	}
	return p.runIn(ctx, tx, c)
}

// AckWorkItemTx implements [core.TxAcknowledger].
func (p *Provider) AckWorkItemTx(ctx context.Context, tx core.Tx, params core.AckWorkItemParams) error {
	c, err := p.ackWorkCall(params)
	if err != nil {
		return classify(ctx, opAckWorker, err)
	}
	return p.runIn(ctx, tx, c)
}

// runIn is run in a transaction of the caller's. Nothing is tried again, since
// an error of the server ends the transaction.
func (p *Provider) runIn(ctx context.Context, tx core.Tx, c call) error {
	if p.closing.Err() != nil {
		return classify(ctx, c.op, core.ErrClosed)
	}
	own, ok := tx.(executor)
	if !ok {
		return classify(ctx, c.op, fmt.Errorf("%w: it is a %T, and this provider takes those of pgprovider.Tx and SQLTx", core.ErrForeignTx, tx))
	}
	err := own.execute(ctx, c.query.in(p.prefix), c.args)
	if hasState(err, stateUnknownSchema) {
		text := fmt.Sprintf("%v: it has no schema %s", core.ErrForeignTx, p.schema)
		err = &core.ProviderError{Err: &databaseError{text: text, sentinel: core.ErrForeignTx, cause: err}}
	}
	return classify(ctx, c.op, err)
}

// executor is a transaction of one of the drivers.
type executor interface {
	core.Tx
	execute(ctx context.Context, statement string, args []any) error
}

type pgxTx struct{ tx pgx.Tx }

// ProviderTx implements [core.Tx].
func (pgxTx) ProviderTx() {}

func (t pgxTx) execute(ctx context.Context, statement string, args []any) error {
	if t.tx == nil {
		return fmt.Errorf("%w: the pgx.Tx is nil", core.ErrForeignTx)
	}
	_, err := t.tx.Exec(ctx, statement, args...)
	if err == nil || isEnd(ctx, err) || errors.Is(err, pgx.ErrTxClosed) {
		return err
	}
	if c := t.tx.Conn(); c != nil && c.IsClosed() {
		return &lostError{err}
	}
	return err
}

type sqlTx struct{ tx *sql.Tx }

// ProviderTx implements [core.Tx].
func (sqlTx) ProviderTx() {}

func (t sqlTx) execute(ctx context.Context, statement string, args []any) error {
	if t.tx == nil {
		return fmt.Errorf("%w: the *sql.Tx is nil", core.ErrForeignTx)
	}
	_, err := t.tx.ExecContext(ctx, statement, args...)
	switch _, network := errors.AsType[net.Error](err); {
	case err == nil || isEnd(ctx, err):
		return err
	case ctx.Err() != nil && hasState(err, stateQueryCanceled):
		return ctx.Err() // lib/pq says what the server said of it
	case network, errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF):
		return &lostError{err}
	}
	return err
}
