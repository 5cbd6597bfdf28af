package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/duroxide/duroxide-go/examples/orders"
)

const (
	sqlCreateLedger = `CREATE TABLE IF NOT EXISTS demo_ledger (
		idempotency_key TEXT NOT NULL PRIMARY KEY,
		order_id        TEXT NOT NULL,
		kind            TEXT NOT NULL,
		detail          TEXT NOT NULL,
		cents           INTEGER NOT NULL,
		worker          TEXT NOT NULL,
		created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
	) STRICT`
	sqlCreateIndex      = `CREATE INDEX IF NOT EXISTS demo_ledger_order_idx ON demo_ledger (order_id, kind)`
	sqlCreateDeliveries = `CREATE TABLE IF NOT EXISTS demo_deliveries (
		id              INTEGER PRIMARY KEY,
		idempotency_key TEXT NOT NULL,
		instance_id     TEXT NOT NULL,
		activity        TEXT NOT NULL,
		attempt         INTEGER NOT NULL,
		worker          TEXT NOT NULL,
		created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
	) STRICT`

	sqlDeliver    = `INSERT INTO demo_deliveries (idempotency_key, instance_id, activity, attempt, worker) VALUES (?, ?, ?, ?, ?)`
	sqlDeliveries = `SELECT idempotency_key, instance_id, activity, attempt, worker FROM demo_deliveries ORDER BY id`

	columns    = `idempotency_key, order_id, kind, detail, cents, worker`
	sqlFind    = `SELECT ` + columns + ` FROM demo_ledger WHERE idempotency_key = ?`
	sqlEntries = `SELECT ` + columns + ` FROM demo_ledger ORDER BY idempotency_key`
	sqlCount   = `SELECT count(*) FROM demo_ledger WHERE order_id = ? AND kind = ?`
	sqlRecord  = `INSERT INTO demo_ledger (` + columns + `) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
)

// Ledger is an [orders.Ledger] in SQLite. It is safe for concurrent use, by
// many processes.
type Ledger struct{ db *sql.DB }

var _ orders.Ledger = (*Ledger)(nil)

// New returns the ledger in a database of SQLite, which stays the caller's.
func New(db *sql.DB) (*Ledger, error) {
	if db == nil {
		return nil, errors.New("sqliteledger: New needs a database")
	}
	return &Ledger{db}, nil
}

// Create makes the tables unless they are there.
func (l *Ledger) Create(ctx context.Context) error {
	for _, query := range []string{sqlCreateLedger, sqlCreateIndex, sqlCreateDeliveries} {
		if _, err := l.db.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("create the ledger: %w", err)
		}
	}
	return nil
}

// Deliver implements [orders.Ledger].
func (l *Ledger) Deliver(ctx context.Context, d orders.Delivery) error {
	if _, err := l.db.ExecContext(ctx, sqlDeliver, d.Key, d.Instance, d.Activity, d.Attempt, d.Worker); err != nil {
		return fmt.Errorf("note the delivery: %w", err)
	}
	return nil
}

// Find implements [orders.Ledger].
func (l *Ledger) Find(ctx context.Context, key string) (orders.Entry, bool, error) {
	e, err := scanEntry(l.db.QueryRowContext(ctx, sqlFind, key))
	if errors.Is(err, sql.ErrNoRows) {
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
	if err := l.db.QueryRowContext(ctx, sqlCount, order, string(kind)).Scan(&n); err != nil {
		return 0, fmt.Errorf("read the ledger: %w", err)
	}
	return n, nil
}

// Record implements [orders.Ledger]. The primary key decides which of two
// deliveries of the same call acts.
func (l *Ledger) Record(ctx context.Context, e orders.Entry) (orders.Entry, error) {
	result, err := l.db.ExecContext(ctx, sqlRecord, e.Key, e.Order, string(e.Kind), e.Detail, int64(e.Amount), e.Worker)
	if err != nil {
		return orders.Entry{}, fmt.Errorf("write the ledger: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return orders.Entry{}, fmt.Errorf("write the ledger: %w", err)
	}
	if n == 1 {
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
	entries, err := collect(ctx, l.db, sqlEntries, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return entries, nil
}

// Deliveries returns all deliveries in the order in which they came.
func (l *Ledger) Deliveries(ctx context.Context) ([]orders.Delivery, error) {
	deliveries, err := collect(ctx, l.db, sqlDeliveries, func(row scanner) (d orders.Delivery, err error) {
		err = row.Scan(&d.Key, &d.Instance, &d.Activity, &d.Attempt, &d.Worker)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	return deliveries, nil
}

// scanner is a row of a query.
type scanner interface{ Scan(dst ...any) error }

func scanEntry(row scanner) (e orders.Entry, err error) {
	err = row.Scan(&e.Key, &e.Order, &e.Kind, &e.Detail, &e.Amount, &e.Worker)
	return e, err
}

func collect[T any](ctx context.Context, db *sql.DB, query string, scan func(scanner) (T, error)) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
