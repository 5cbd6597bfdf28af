package tickets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// Sale is the workflow of a sale: its input is the row that is asked for, its
// output the number of the seat.
const Sale = durable.Orchestration[string, int]("sell a ticket")

const takeSeat = durable.Activity[string, int]("take a seat")

// ErrSoldOut is the error of a sale for whose row there are no seats.
var ErrSoldOut = errors.New("sold out")

// Shop sells tickets. It is safe for concurrent use, by many processes.
type Shop struct {
	pool         *pgxpool.Pool
	client       *durable.Client
	sales, seats string // qualified and quoted
}

// New returns the shop whose tables are in a schema of the database that the
// provider uses, and makes them unless they are there.
func New(ctx context.Context, pool *pgxpool.Pool, provider core.Provider, schema string) (*Shop, error) {
	s := &Shop{
		pool:   pool,
		client: durable.NewClient(provider, nil),
		sales:  pgx.Identifier{schema, "demo_sales"}.Sanitize(),
		seats:  pgx.Identifier{schema, "demo_seats"}.Sanitize(),
	}
	_, err := pool.Exec(ctx, `
CREATE TABLE IF NOT EXISTS `+s.sales+` (id text PRIMARY KEY, wanted text NOT NULL);
CREATE TABLE IF NOT EXISTS `+s.seats+` (line text, number int, sale text, PRIMARY KEY (line, number));`)
	if err != nil {
		return nil, fmt.Errorf("make the tables of the shop: %w", err)
	}
	return s, nil
}

// Code is what a worker registers.
func (s *Shop) Code() []durable.Registration {
	return []durable.Registration{Sale.With(sell), takeSeat.With(s.takeSeat)}
}

func sell(ctx *durable.Context, line string) (int, error) { return takeSeat.Call(ctx, line) }

// Sell stores a sale and starts its workflow, both or neither.
func (s *Shop) Sell(ctx context.Context, id, line string) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO `+s.sales+` VALUES ($1, $2)`, id, line); err != nil {
			return err
		}
		_, err := Sale.StartTx(ctx, s.client, pgprovider.Tx(tx), id, line)
		return err
	})
}

// SellSQL is Sell for a program that uses database/sql.
func (s *Shop) SellSQL(ctx context.Context, db *sql.DB, id, line string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	if _, err := tx.ExecContext(ctx, `INSERT INTO `+s.sales+` VALUES ($1, $2)`, id, line); err != nil {
		return err
	}
	if _, err := Sale.StartTx(ctx, s.client, pgprovider.SQLTx(tx), id, line); err != nil {
		return err
	}
	return tx.Commit()
}

// takeSeat takes the next free seat of a row. The seat is taken exactly if the
// activity has its number as the result.
func (s *Shop) takeSeat(ctx context.Context, line string) (int, error) {
	return durable.InTx(ctx, pgprovider.Begin(s.pool, pgx.TxOptions{}), func(tx pgx.Tx) (int, error) {
		var number int
		err := tx.QueryRow(ctx, `
UPDATE `+s.seats+` SET sale = $2
 WHERE line = $1 AND sale IS NULL
   AND number = (SELECT number FROM `+s.seats+` WHERE line = $1 AND sale IS NULL ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING number`, line, durable.Info(ctx).InstanceID).Scan(&number)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, ErrSoldOut
		}
		return number, err
	})
}
