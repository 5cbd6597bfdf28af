package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// sqliteWatch looks straight at the tables of a file.
type sqliteWatch struct{ db *sql.DB }

const (
	sqlStates = `
		SELECT i.instance_id, coalesce(i.custom_status, ''), e.status
		  FROM instances i
		  JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id`
	// An activity is being run while its row is locked; who runs it is in the
	// services' own notes.
	sqlRunning = `
		SELECT d.idempotency_key, d.instance_id, d.activity, d.worker, l.idempotency_key IS NOT NULL
		  FROM worker_queue q
		  JOIN demo_deliveries d
		    ON d.idempotency_key = q.instance_id || '/' || q.execution_id || '/' || q.activity_id AND d.attempt = q.attempt_count
		  LEFT JOIN demo_ledger l ON l.idempotency_key = d.idempotency_key
		 WHERE q.lock_token IS NOT NULL
		 ORDER BY q.id`
	// A second delivery has a higher attempt.
	sqlTakeovers = `SELECT DISTINCT idempotency_key, worker FROM demo_deliveries WHERE attempt > 1 AND worker <> ?`
)

func (w sqliteWatch) states(ctx context.Context) ([]state, error) {
	return query(ctx, w.db, sqlStates, nil, func(s *state) []any { return []any{&s.Instance, &s.Custom, &s.Status} })
}

func (w sqliteWatch) running(ctx context.Context) ([]running, error) {
	return query(ctx, w.db, sqlRunning, nil, func(r *running) []any {
		return []any{&r.Key, &r.Instance, &r.Activity, &r.Worker, &r.Acted}
	})
}

func (w sqliteWatch) takeovers(ctx context.Context, keys []string, dead string) ([]takeover, error) {
	all, err := query(ctx, w.db, sqlTakeovers, []any{dead}, func(t *takeover) []any { return []any{&t.Key, &t.Worker} })
	return slices.DeleteFunc(all, func(t takeover) bool { return !slices.Contains(keys, t.Key) }), err
}

// query collects rows, each into the fields that it is given.
func query[T any](ctx context.Context, db *sql.DB, text string, args []any, fields func(*T) []any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("watch the orders: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v T
		if err := rows.Scan(fields(&v)...); err != nil {
			return nil, fmt.Errorf("watch the orders: %w", err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("watch the orders: %w", err)
	}
	return all, nil
}
