package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
)

// watch looks at the running orders, all at once, straight in the tables.
type watch struct {
	pool      *pgxpool.Pool
	statuses  string // SQL
	inFlight  string
	takenOver string
}

func newWatch(pool *pgxpool.Pool, schema string) *watch {
	in := func(sql string) string { return strings.ReplaceAll(sql, "@", pgx.Identifier{schema}.Sanitize()) }
	return &watch{
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

// state is where one instance is.
type state struct {
	Instance string
	Custom   string
	Status   string
}

func (s state) ended() bool { return core.ExecutionStatus(s.Status).IsTerminal() }

// stage is the first words of the custom status.
func (s state) stage() string {
	for _, stage := range stages {
		if strings.HasPrefix(s.Custom, stage) {
			return stage
		}
	}
	return "starting"
}

// stages are those that the progress shows, in this order.
var stages = []string{"starting", "validating", "reserving", "charging", "awaiting approval", "shipping", "undoing"}

// states returns where all instances are.
func (w *watch) states(ctx context.Context) ([]state, error) {
	return collect[state](ctx, w.pool, w.statuses)
}

// running is an activity that a worker is running.
type running struct {
	Key      string
	Instance string
	Activity string
	Worker   string
	// Acted says that its effect is in the ledger already.
	Acted bool
}

// running returns all activities that are being run, or were by a dead worker.
func (w *watch) running(ctx context.Context) ([]running, error) {
	return collect[running](ctx, w.pool, w.inFlight)
}

// takeover is a delivery of an activity to another worker.
type takeover struct{ Key, Worker string }

// takeovers returns which of the calls went to another worker.
func (w *watch) takeovers(ctx context.Context, keys []string, dead string) ([]takeover, error) {
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
