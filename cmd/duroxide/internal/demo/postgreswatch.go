package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresWatch looks straight at the tables of a schema.
type postgresWatch struct {
	pool      *pgxpool.Pool
	statuses  string // SQL
	inFlight  string
	takenOver string
}

func newPostgresWatch(pool *pgxpool.Pool, schema string) *postgresWatch {
	in := func(sql string) string { return strings.ReplaceAll(sql, "@", pgx.Identifier{schema}.Sanitize()) }
	return &postgresWatch{
		pool: pool,
		statuses: in(`
			SELECT i.instance_id, coalesce(i.custom_status, ''), e.status
			  FROM @.instances i
			  JOIN @.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id`),
		// An activity is being run while its row is locked; who runs it is in
		// the services' own notes.
		inFlight: in(`
			SELECT d.idempotency_key, d.instance_id, d.activity, d.worker, l.idempotency_key IS NOT NULL
			  FROM @.worker_queue q
			 CROSS JOIN LATERAL (SELECT q.work_item::jsonb -> 'ActivityExecute' AS item) w
			  JOIN @.demo_deliveries d
			    ON d.idempotency_key = concat_ws('/', w.item ->> 'instance', w.item ->> 'execution_id', w.item ->> 'id')
			   AND d.attempt = q.attempt_count
			  LEFT JOIN @.demo_ledger l ON l.idempotency_key = d.idempotency_key
			 WHERE q.lock_token IS NOT NULL
			 ORDER BY q.id`),
		takenOver: in(`
			SELECT DISTINCT d.idempotency_key, d.worker FROM @.demo_deliveries d
			 WHERE d.idempotency_key = ANY ($1) AND d.worker <> $2`),
	}
}

func (w *postgresWatch) states(ctx context.Context) ([]state, error) {
	return collect[state](ctx, w.pool, w.statuses)
}

func (w *postgresWatch) running(ctx context.Context) ([]running, error) {
	return collect[running](ctx, w.pool, w.inFlight)
}

func (w *postgresWatch) takeovers(ctx context.Context, keys []string, dead string) ([]takeover, error) {
	return collect[takeover](ctx, w.pool, w.takenOver, keys, dead)
}

func collect[T any](ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) ([]T, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("watch the orders: %w", err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("watch the orders: %w", err)
	}
	return values, nil
}
