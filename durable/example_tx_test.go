package durable_test

import (
	"context"
	"database/sql"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// A row and the workflow that it is about, both or neither.
func ExampleOrchestration_StartTx() {
	invite := func(ctx context.Context, db *sql.DB, client *durable.Client, asTx func(*sql.Tx) core.Tx, guest string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after the commit it does nothing
		if _, err := tx.ExecContext(ctx, `INSERT INTO guests VALUES ($1)`, guest); err != nil {
			return err
		}
		// asTx is pgprovider.SQLTx or sqliteprovider.Tx.
		if _, err := Hello.StartTx(ctx, client, asTx(tx), "greet "+guest, guest); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = invite
}

// An activity whose write and result are one.
func ExampleInTx() {
	const reserve = durable.Activity[string, int]("reserve")
	// begin is that of the provider, such as pgprovider.BeginSQL(db, nil).
	code := func(begin core.BeginFunc[*sql.Tx]) durable.Registration {
		return reserve.With(func(ctx context.Context, item string) (int, error) {
			return durable.InTx(ctx, begin, func(tx *sql.Tx) (int, error) {
				var left int
				err := tx.QueryRowContext(ctx, `UPDATE stock SET n = n - 1 WHERE item = $1 RETURNING n`, item).Scan(&left)
				return left, err
			})
		})
	}
	_ = code
}
