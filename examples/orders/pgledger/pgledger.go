package pgledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/examples/orders"
)

// Ledger is an [orders.Ledger] in a schema of PostgreSQL. It is safe for
// concurrent use, by many processes.
type Ledger struct {
	pool               *pgxpool.Pool
	ledger, deliveries string // qualified and quoted
}

var _ orders.Ledger = (*Ledger)(nil)

// New returns the ledger in a schema that exists. The pool stays the caller's.
func New(pool *pgxpool.Pool, schema string) (*Ledger, error) {
	if pool == nil || schema == "" {
		return nil, errors.New("pgledger: New needs a pool and a schema")
	}
	return &Ledger{
		pool:       pool,
		ledger:     pgx.Identifier{schema, "demo_ledger"}.Sanitize(),
		deliveries: pgx.Identifier{schema, "demo_deliveries"}.Sanitize(),
	}, nil
}

// Create makes the tables unless they are there.
func (l *Ledger) Create(ctx context.Context) error {
	for _, sql := range []string{
		`CREATE TABLE IF NOT EXISTS ` + l.ledger + ` (
			idempotency_key text PRIMARY KEY,
			order_id        text NOT NULL,
			kind            text NOT NULL,
			detail          text NOT NULL,
			cents           bigint NOT NULL,
			worker          text NOT NULL,
			created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
		)`,
		`CREATE INDEX IF NOT EXISTS demo_ledger_order_idx ON ` + l.ledger + ` (order_id, kind)`,
		`CREATE TABLE IF NOT EXISTS ` + l.deliveries + ` (
			id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			idempotency_key text NOT NULL,
			instance_id     text NOT NULL,
			activity        text NOT NULL,
			attempt         bigint NOT NULL,
			worker          text NOT NULL,
			created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
		)`,
	} {
		if _, err := l.pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create the ledger: %w", err)
		}
	}
	return nil
}

// Deliver implements [orders.Ledger].
func (l *Ledger) Deliver(ctx context.Context, d orders.Delivery) error {
	_, err := l.pool.Exec(ctx,
		`INSERT INTO `+l.deliveries+` (idempotency_key, instance_id, activity, attempt, worker) VALUES ($1, $2, $3, $4, $5)`,
		d.Key, d.Instance, d.Activity, int64(d.Attempt), d.Worker)
	if err != nil {
		return fmt.Errorf("note the delivery: %w", err)
	}
	return nil
}

const columns = `idempotency_key, order_id, kind, detail, cents, worker`

// Find implements [orders.Ledger].
func (l *Ledger) Find(ctx context.Context, key string) (orders.Entry, bool, error) {
	rows, err := l.pool.Query(ctx, `SELECT `+columns+` FROM `+l.ledger+` WHERE idempotency_key = $1`, key)
	if err != nil {
		return orders.Entry{}, false, fmt.Errorf("read the ledger: %w", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[orders.Entry])
	if errors.Is(err, pgx.ErrNoRows) {
		return orders.Entry{}, false, nil
	}
	if err != nil {
		return orders.Entry{}, false, fmt.Errorf("read the ledger: %w", err)
	}
	return e, true, nil
}

// Count implements [orders.Ledger].
func (l *Ledger) Count(ctx context.Context, order string, kind orders.Kind) (int, error) {
	var n int
	err := l.pool.QueryRow(ctx, `SELECT count(*) FROM `+l.ledger+` WHERE order_id = $1 AND kind = $2`, order, string(kind)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read the ledger: %w", err)
	}
	return n, nil
}

// Record implements [orders.Ledger]. The primary key decides which of two
// deliveries of the same call acts.
func (l *Ledger) Record(ctx context.Context, e orders.Entry) (orders.Entry, error) {
	tag, err := l.pool.Exec(ctx,
		`INSERT INTO `+l.ledger+` (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		e.Key, e.Order, string(e.Kind), e.Detail, int64(e.Amount), e.Worker)
	if err != nil {
		return orders.Entry{}, fmt.Errorf("write the ledger: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return e, nil
	}
	have, ok, err := l.Find(ctx, e.Key)
	if err == nil && !ok {
		err = fmt.Errorf("write the ledger: the entry %s is gone", e.Key)
	}
	return have, err
}

// Entries returns all entries by key.
func (l *Ledger) Entries(ctx context.Context) ([]orders.Entry, error) {
	rows, err := l.pool.Query(ctx, `SELECT `+columns+` FROM `+l.ledger+` ORDER BY idempotency_key`)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[orders.Entry])
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return entries, nil
}

// Deliveries returns all deliveries in the order in which they came.
func (l *Ledger) Deliveries(ctx context.Context) ([]orders.Delivery, error) {
	rows, err := l.pool.Query(ctx, `SELECT idempotency_key, instance_id, activity, attempt, worker FROM `+l.deliveries+` ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	deliveries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[orders.Delivery])
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	return deliveries, nil
}
