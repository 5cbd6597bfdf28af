package migrations_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

// The benchmarks of the performance improvements, on the shared lineage alone and
// after them. Sizes are such that each takes seconds; the ratios grow with them.

// bench is a schema of one sub-benchmark.
type bench struct {
	*testing.B
	*migrationstest.DB
	improved bool
}

func benchBoth(b *testing.B, run func(b bench)) {
	for _, name := range []string{"plain", "improved"} {
		b.Run(name, func(b *testing.B) {
			version := migrations.SharedVersion
			if name == "improved" {
				version = lastVersion()
			}
			run(bench{b, migrationstest.NewAt(b, version), name == "improved"})
		})
	}
}

func (b bench) sql(text string) string {
	return strings.ReplaceAll(text, "{S}", pgx.Identifier{b.Schema}.Sanitize())
}

func (b bench) exec(text string, args ...any) {
	b.Helper()
	if _, err := b.Pool.Exec(b.Context(), b.sql(text), args...); err != nil {
		b.Fatalf("%s: %v", text, err)
	}
}

// fillActivities is that of variant, in batches, for large tables.
func (b bench) fillActivities(n, claimed int) {
	b.Helper()
	text := fillActivities
	if b.improved {
		text = strings.NewReplacer(
			"locked_until)", "locked_until, dxgo_instance_id, dxgo_execution_id, dxgo_activity_id, dxgo_claimed_until)",
			"$3::bigint END", "$3::bigint END, 'i' || n % 100, 1, n, CASE WHEN n <= $2::integer THEN $3::bigint END",
		).Replace(text)
	}
	b.exec(text, n, claimed, nowMs()+3_600_000)
	b.exec(`ANALYZE {S}.worker_queue`)
}

// undone measures a statement that leaves no trace.
func (b bench) undone(text string, args func() []any) {
	b.Helper()
	conn, err := b.Pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	text = b.sql(text)
	for b.Loop() {
		tx, err := conn.Begin(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Exec(b.Context(), text, args()...); err != nil {
			b.Fatalf("%s: %v", text, err)
		}
		if err := tx.Rollback(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// Ready instances with a history, fetched by one client and by eight. A claim
// takes 2 ms until it is committed, as on a disk that flushes or over a network.
func BenchmarkP1FetchConvoy(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			benchBoth(b, func(b bench) {
				const instances, events = 1000, 50
				b.exec(`INSERT INTO {S}.instances (instance_id, orchestration_name, orchestration_version, created_at, updated_at)
					SELECT 'i' || n, 'A', '1', now(), now() FROM generate_series(1, $1::integer) n`, instances)
				b.exec(`INSERT INTO {S}.executions (instance_id, execution_id, started_at)
					SELECT 'i' || n, 1, now() FROM generate_series(1, $1::integer) n`, instances)
				b.exec(`INSERT INTO {S}.history
					SELECT 'i' || n, 1, e, 'Event', '{"type": "ExternalEvent", "event_id": ' || e || ', "name": "n", "data": "d"}', now()
					  FROM generate_series(1, $1::integer) n, generate_series(1, $2::integer) e`, instances, events)
				b.exec(fillMessages, instances, 0)
				b.exec(`ANALYZE {S}.orchestrator_queue, {S}.instances, {S}.executions, {S}.history`)

				fetch := b.sql(`SELECT f.out_lock_token FROM {S}.fetch_orchestration_item($1, 60000) f, LATERAL (SELECT pg_sleep(0.002) WHERE f.out_attempt_count > 0) s`)
				giveBack := b.sql(abandonSQL)
				var left, deadlocks atomic.Int64
				turn := func() error {
					var token string
					if err := b.Pool.QueryRow(b.Context(), fetch, nowMs()).Scan(&token); err != nil {
						return err
					}
					_, err := b.Pool.Exec(b.Context(), giveBack, token, nowMs(), nil, true)
					return err
				}
				for b.Loop() { // 100 turns by all clients together
					left.Store(100)
					var wg sync.WaitGroup
					for range clients {
						wg.Go(func() {
							for left.Add(-1) >= 0 {
								switch err := turn(); {
								case code(err) == "40P01":
									deadlocks.Add(1) // a client tries again
								case err != nil:
									b.Error(err)
								}
							}
						})
					}
					wg.Wait()
				}
				b.ReportMetric(float64(int64(100*b.N)-deadlocks.Load())/b.Elapsed().Seconds(), "turns/s")
				b.ReportMetric(float64(deadlocks.Load()), "deadlocks")
			})
		})
	}
}

func BenchmarkP2BulkStart(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.exec(fillMessages, 20_000, 0)
		b.exec(`ANALYZE {S}.orchestrator_queue`)
		b.undone(fetchSQL, func() []any { return []any{nowMs(), 60_000} })
	})
}

func BenchmarkP4Cancellation(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.fillActivities(20_000, 0)
		b.exec(`SELECT {S}.enqueue_orchestrator_work('i1', '{"CancelInstance": {}}', to_timestamp(0), 0)`)
		var token string
		if err := b.Pool.QueryRow(b.Context(), b.sql(`SELECT out_lock_token FROM {S}.fetch_orchestration_item($1, 3600000)`), nowMs()).Scan(&token); err != nil {
			b.Fatal(err)
		}
		b.undone(`SELECT {S}.ack_orchestration_item($1, $2, 1, '[]', '[]', '[]', '{}', '[{"execution_id": 1, "activity_id": 101},
			{"execution_id": 1, "activity_id": 201}, {"execution_id": 1, "activity_id": 301}, {"execution_id": 1, "activity_id": 401},
			{"execution_id": 1, "activity_id": 501}]')`, func() []any { return []any{token, nowMs()} })
	})
}

func BenchmarkP4Deletion(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.fillActivities(20_000, 0)
		b.undone(deleteSQL, func() []any { return []any{[]string{"i1"}, true} })
	})
}

func BenchmarkP5FetchPastClaimedRows(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.fillActivities(20_000, 19_000)
		b.undone(`SELECT * FROM {S}.fetch_work_item($1, 60000)`, func() []any { return []any{nowMs()} })
	})
}

func BenchmarkP6LookAhead(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.exec(`INSERT INTO {S}.orchestrator_queue (instance_id, work_item, visible_at, created_at)
			SELECT 'i' || n, '1', now() + interval '1 h' + n * interval '1 ms', now() FROM generate_series(1, 40000) n`)
		b.exec(`ANALYZE {S}.orchestrator_queue`)
		query := `SELECT * FROM {S}.dxgo_due_times($1, $2)`
		if !b.improved {
			query = `SELECT (extract(epoch FROM visible_at) * 1000)::bigint FROM {S}.orchestrator_queue
				WHERE (extract(epoch FROM visible_at) * 1000)::bigint > $1 AND (extract(epoch FROM visible_at) * 1000)::bigint <= $2
				  AND lock_token IS NULL`
		}
		b.undone(query, func() []any { return []any{nowMs(), nowMs() + 60_000} })
	})
}

// One statement that starts a thousand instances, and the part of the trigger in it.
func BenchmarkP9BulkInsert(b *testing.B) {
	benchBoth(b, func(b bench) {
		listener, err := b.Pool.Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer func() {
			_ = listener.Conn().Close(context.WithoutCancel(b.Context())) // it listens: not for the pool
			listener.Release()
		}()
		if _, err := listener.Exec(b.Context(), `LISTEN `+pgx.Identifier{b.Schema + "_orch_work"}.Sanitize()); err != nil {
			b.Fatal(err)
		}
		text := b.sql(`EXPLAIN (ANALYZE, FORMAT JSON) ` + fillMessages)
		var triggers float64
		for n := 0; b.Loop(); n++ {
			if n%10 == 0 {
				b.StopTimer()
				b.exec(`TRUNCATE {S}.orchestrator_queue`)
				b.StartTimer()
			}
			var plans []struct {
				Triggers []struct {
					Time float64 // ms
				}
			}
			if err := b.Pool.QueryRow(b.Context(), text, 1000, 0).Scan(&plans); err != nil {
				b.Fatal(err)
			}
			triggers += plans[0].Triggers[0].Time
		}
		b.ReportMetric(triggers/float64(b.N), "trigger-ms/op")
	})
}

// A turn that schedules 200 activities and 200 messages.
func BenchmarkP10FanOut(b *testing.B) {
	benchBoth(b, func(b bench) {
		var activities, messages []string
		for n := range 200 {
			activities = append(activities, fmt.Sprintf(`{"ActivityExecute": {"instance": "i", "execution_id": 1, "id": %d, "name": "a", "input": "x"}}`, n))
			messages = append(messages, fmt.Sprintf(`{"QueueMessage": {"instance": "j%d", "name": "n", "data": "d"}}`, n))
		}
		b.exec(`SELECT {S}.enqueue_orchestrator_work('i', '{"CancelInstance": {}}', to_timestamp(0), 0)`)
		var token string
		if err := b.Pool.QueryRow(b.Context(), b.sql(`SELECT out_lock_token FROM {S}.fetch_orchestration_item($1, 3600000)`), nowMs()).Scan(&token); err != nil {
			b.Fatal(err)
		}
		worker, orch := "["+strings.Join(activities, ",")+"]", "["+strings.Join(messages, ",")+"]"
		b.undone(`SELECT {S}.ack_orchestration_item($1, $2, 1, '[]', $3::text::jsonb, $4::text::jsonb, '{}')`,
			func() []any { return []any{token, nowMs(), worker, orch} })
	})
}

// What an index costs: a turn that records twenty events, key-values among them.
func BenchmarkP11Indexes(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.exec(`INSERT INTO {S}.history SELECT 'h' || n % 1000, 1, n, 'Event', '{}', now() FROM generate_series(1, 100000) n`)
		b.undone(`INSERT INTO {S}.history SELECT 'h' || n % 1000, 2, n, 'Event', '{"type": "ExternalEvent"}', now() FROM generate_series(1, 1000) n`,
			func() []any { return nil })
	})
}

// A renewal beside many claims: the lock is found by its token.
func BenchmarkP12RenewByToken(b *testing.B) {
	benchBoth(b, func(b bench) {
		b.exec(`INSERT INTO {S}.instance_locks SELECT 'i' || n, 'lock_' || n, $1, 0 FROM generate_series(1, 10000) n`, nowMs()+3_600_000)
		b.exec(`ANALYZE {S}.instance_locks`)
		b.undone(renewSQL, func() []any { return []any{"lock_9000", nowMs(), 1000} })
	})
}

// The life of a message: insert, claim, three renewals, acknowledgement; and how
// much the indexes of queue and locks have grown by it.
func BenchmarkP13Churn(b *testing.B) {
	benchBoth(b, func(b bench) {
		one := b.sql(`SELECT {S}.enqueue_orchestrator_work($1, '{"CancelInstance": {}}', to_timestamp(0), 0)`)
		fetch := b.sql(`SELECT out_lock_token FROM {S}.fetch_orchestration_item($1, 60000)`)
		renew, ack := b.sql(renewSQL), b.sql(`SELECT {S}.ack_orchestration_item($1, $2, 1, '[]', '[]', '[]', '{}')`)
		n := 0
		for b.Loop() {
			n++
			var token string
			if _, err := b.Pool.Exec(b.Context(), one, fmt.Sprint("i", n%1000)); err != nil {
				b.Fatal(err)
			}
			if err := b.Pool.QueryRow(b.Context(), fetch, nowMs()).Scan(&token); err != nil {
				b.Fatal(err)
			}
			for range 3 {
				if _, err := b.Pool.Exec(b.Context(), renew, token, nowMs(), 60_000); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := b.Pool.Exec(b.Context(), ack, token, nowMs()); err != nil {
				b.Fatal(err)
			}
		}
		var bytes int64
		if err := b.Pool.QueryRow(b.Context(), `SELECT sum(pg_indexes_size(c.oid)) FROM pg_class c WHERE c.relnamespace = $1::regnamespace
			AND c.relname IN ('orchestrator_queue', 'instance_locks')`, b.Schema).Scan(&bytes); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(bytes)/float64(n), "index-bytes/turn")
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "turns/s")
	})
}
