package sqliteprovider

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// sqlMainFile is the file of the database in which names are looked for, empty
// for one in memory.
const sqlMainFile = `
SELECT file FROM pragma_database_list WHERE name = 'main'`

var (
	_ core.TxEnqueuer     = (*Provider)(nil)
	_ core.TxAcknowledger = (*Provider)(nil)
)

// Tx makes a transaction of database/sql one that the provider can take part in.
// It has to be on the provider's file, opened as the main database with the
// driver of modernc.org/sqlite: another build of SQLite in the same process
// would break the locks of both.
func Tx(tx *sql.Tx) core.Tx { return userTx{tx} }

// Begin returns what begins transactions of database/sql, for durable.InTx. Nil
// options are the driver's defaults. The transaction rolls back by itself when
// the context ends with which it began.
func Begin(db *sql.DB, o *sql.TxOptions) core.BeginFunc[*sql.Tx] {
	return func(ctx context.Context) (*sql.Tx, core.OpenTx, error) {
		tx, err := db.BeginTx(ctx, o)
		if err != nil {
			return nil, core.OpenTx{}, err
		}
		return tx, core.OpenTx{
			Tx:       Tx(tx),
			Commit:   func(context.Context) error { return tx.Commit() },
			Rollback: func(context.Context) error { return tx.Rollback() },
		}, nil
	}
}

// EnqueueForOrchestratorTx implements [core.TxEnqueuer].
func (p *Provider) EnqueueForOrchestratorTx(ctx context.Context, user core.Tx, a core.EnqueueForOrchestratorParams) error {
	m, err := newMessage("Item", a.Item)
	if err != nil {
		return classify(ctx, opEnqueueOrchestrator, err)
	}
	return p.within(ctx, opEnqueueOrchestrator, user, func(t *tx) error {
		return enqueueMessage(t, m, after(t.now, a.Delay))
	})
}

// AckWorkItemTx implements [core.TxAcknowledger].
func (p *Provider) AckWorkItemTx(ctx context.Context, user core.Tx, a core.AckWorkItemParams) error {
	completion, err := newCompletion(a.Completion)
	if err != nil {
		return classify(ctx, opAckWorkItem, err)
	}
	return p.within(ctx, opAckWorkItem, user, func(t *tx) error { return ackActivity(t, a.LockToken, completion) })
}

type userTx struct{ tx *sql.Tx }

// ProviderTx implements [core.Tx].
func (userTx) ProviderTx() {}

// within calls f in a transaction of the caller's. How long it waits for another
// writer is the business of the caller's connection, and nobody is woken here:
// the fetches of this provider notice the commit as they notice those of other
// processes.
func (p *Provider) within(ctx context.Context, op string, user core.Tx, f func(*tx) error) error {
	if err := p.checkOpen(ctx, op); err != nil {
		return err
	}
	if p.file == "" {
		err := fmt.Errorf("%w: a database in memory has no connection but the provider's", core.ErrNotSupported)
		return core.Permanent(op, err)
	}
	own, ok := user.(userTx)
	if !ok {
		return core.Permanent(op, fmt.Errorf("%w: it is a %T, and this provider takes those of sqliteprovider.Tx", core.ErrForeignTx, user))
	}
	if own.tx == nil {
		return core.Permanent(op, fmt.Errorf("%w: the *sql.Tx is nil", core.ErrForeignTx))
	}
	t := &tx{
		ctx: context.WithoutCancel(ctx), now: p.nowMs(),
		conn: &conn{on: own.tx, prepared: map[string]*sql.Stmt{}}, // which the transaction closes
	}
	var file string
	if _, err := t.row(sqlMainFile, nil, &file); err != nil {
		return classify(ctx, op, err)
	}
	if file != p.file {
		return core.Permanent(op, fmt.Errorf("%w: its main file is %q, the provider's is %q", core.ErrForeignTx, file, p.file))
	}
	return classify(ctx, op, f(t))
}
