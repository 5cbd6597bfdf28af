package pgprovider_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// holding runs a call while another transaction has locked rows of instances,
// until the call waits for them; then what remains of the transaction.
func holding(t *testing.T, db *migrationstest.DB, lock string, call func() error, rest func(pgx.Tx)) error {
	t.Helper()
	return during(t, db, func(tx pgx.Tx) {
		_, err := tx.Exec(t.Context(), in(db, `SELECT FROM @.instances WHERE instance_id = $1 FOR UPDATE`), lock)
		must(t, err)
	}, call, rest)
}

// during runs a call in the middle of another transaction: it begins, the call
// waits for it, and it ends.
func during(t *testing.T, db *migrationstest.DB, begins func(pgx.Tx), call func() error, ends func(pgx.Tx)) error {
	t.Helper()
	tx, err := db.Pool.Begin(t.Context())
	must(t, err)
	defer tx.Rollback(t.Context())
	// When the two wait for each other, the call is the victim.
	_, err = tx.Exec(t.Context(), `SET LOCAL deadlock_timeout = '1min'`)
	must(t, err)
	begins(tx)
	done := make(chan error, 1)
	go func() { done <- call() }()
	waitFor(t, "the call to wait", func() bool {
		return sqlValue[bool](t, db, `SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity
			WHERE pg_catalog.pg_blocking_pids(pid) @> ARRAY[$1::integer])`, int32(tx.Conn().PgConn().PID()))
	})
	ends(tx)
	must(t, tx.Commit(t.Context()))
	return <-done
}

// A child that begins after the tree was looked at is found by the next attempt.
func TestDeleteInstanceWithANewChild(t *testing.T) {
	t.Parallel()
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		for name, call := range map[string]func() (*core.DeleteInstanceResult, error){
			"one": func() (*core.DeleteInstanceResult, error) {
				return p.DeleteInstance(t.Context(), core.DeleteInstanceParams{Instance: "root"})
			},
			"bulk": func() (*core.DeleteInstanceResult, error) {
				return p.DeleteInstanceBulk(t.Context(), core.DeleteInstanceBulkParams{})
			},
		} {
			insert(t, db, "root", "", core.StatusCompleted, 1)
			var result *core.DeleteInstanceResult
			err := holding(t, db, "root", func() (err error) { result, err = call(); return err }, func(pgx.Tx) {
				insert(t, db, "child", "root", core.StatusCompleted, 1)
			})
			must(t, err)
			equal(t, name, 2, result.InstancesDeleted)
		}
		nothingLeft(t, db)
	})
}

// The ids of one call are the caller's choice: a child that begins is refused.
func TestDeleteInstancesAtomicWithANewChild(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, noLongPoll)
	insert(t, db, "root", "", core.StatusCompleted, 1)
	err := holding(t, db, "root", func() error {
		_, err := p.DeleteInstancesAtomic(t.Context(), core.DeleteInstancesAtomicParams{Instances: []string{"root"}, Force: true})
		return err
	}, func(pgx.Tx) { insert(t, db, "child", "root", core.StatusCompleted, 1) })
	wantOp(t, "delete_instances_atomic", err, core.ErrOrphan)
	equal(t, "instances", []string{"child", "root"}, instances(t, p))
}

// The result of an activity that is being recorded goes with its instance: the
// next one that takes the id would get it.
func TestDeletionTakesTheResultOfTheMoment(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, noLongPoll)
	create(t, p, "i")
	enqueueWork(t, p, activity(1))
	token := mustFetchWork(t, p).LockToken
	completion := `{"ActivityCompleted":{"instance":"i","execution_id":1,"id":1,"result":"stale"}}`
	err := during(t, db, func(tx pgx.Tx) {
		_, err := tx.Exec(t.Context(), in(db, `SELECT @.ack_worker($1, 'i', $2, (extract(epoch FROM now()) * 1000)::bigint)`), token, completion)
		must(t, err)
	}, func() error {
		_, err := p.DeleteInstance(t.Context(), core.DeleteInstanceParams{Instance: "i", Force: true})
		return err
	}, func(pgx.Tx) {})
	must(t, err)
	nothingLeft(t, db)
}

func TestVictimOfADeadlockTriesAgain(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *pgprovider.Provider) error{
		"delete_instances_atomic": func(ctx context.Context, p *pgprovider.Provider) error {
			_, err := p.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{Instances: []string{"b", "a"}})
			return err
		},
		"delete_instance_bulk": func(ctx context.Context, p *pgprovider.Provider) error {
			_, err := p.DeleteInstanceBulk(ctx, core.DeleteInstanceBulkParams{})
			return err
		},
		"prune_executions_bulk": func(ctx context.Context, p *pgprovider.Provider) error {
			_, err := p.PruneExecutionsBulk(ctx, core.PruneExecutionsBulkParams{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := migrationstest.New(t)
			var log bytes.Buffer
			p := openOn(t, withParam(t, db.URL, "deadlock_timeout", "2s"), db.Schema, noLongPoll, func(o *pgprovider.Options) {
				o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			insert(t, db, "a", "", core.StatusCompleted, 1)
			insert(t, db, "b", "", core.StatusCompleted, 1)
			log.Reset()
			err := holding(t, db, "b", func() error { return call(t.Context(), p) }, func(tx pgx.Tx) {
				_, err := tx.Exec(t.Context(), in(db, `SELECT FROM @.instances WHERE instance_id = 'a' FOR UPDATE`))
				must(t, err)
			})
			must(t, err)
			if text := log.String(); !strings.Contains(text, "op="+name) || !strings.Contains(text, "Deadlock detected") {
				t.Errorf("no deadlock: %s", text)
			}
		})
	}
}

// Many delete overlapping sets in every order, and prune; each instance goes
// once and none fails.
func TestOverlappingDeletions(t *testing.T) {
	t.Parallel()
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		const instances, workers = 60, 6
		for n := range instances {
			insert(t, db, fmt.Sprint(n), "", core.StatusCompleted, 1)
			enqueueWork(t, p, core.ActivityExecuteItem{Instance: fmt.Sprint(n), ID: 1})
		}
		var mu sync.Mutex
		var total core.DeleteInstanceResult
		count := func(r *core.DeleteInstanceResult, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			total.InstancesDeleted += r.InstancesDeleted
			total.EventsDeleted += r.EventsDeleted
			total.QueueMessagesDeleted += r.QueueMessagesDeleted
		}
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() {
				if worker == 0 {
					_, err := p.PruneExecutionsBulk(t.Context(), core.PruneExecutionsBulkParams{})
					count(&core.DeleteInstanceResult{}, err)
				}
				for from := 0; from < instances; from += 10 {
					ids := make([]string, 20)
					for n := range ids {
						ids[n] = fmt.Sprint((from + n*(2*worker+1)) % instances)
					}
					count(p.DeleteInstancesAtomic(t.Context(), core.DeleteInstancesAtomicParams{Instances: ids}))
				}
				count(p.DeleteInstanceBulk(t.Context(), core.DeleteInstanceBulkParams{}))
			})
		}
		wg.Wait()
		equal(t, "total", core.DeleteInstanceResult{InstancesDeleted: instances, EventsDeleted: instances, QueueMessagesDeleted: instances}, total)
		nothingLeft(t, db)
	})
}

// interrupter runs something once, before the first statement with that text.
type interrupter struct {
	text string
	once sync.Once
	run  func()
}

func (i *interrupter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, i.text) {
		i.once.Do(i.run)
	}
	return ctx
}

func (*interrupter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// openInterrupted runs something before the first statement with that text.
func openInterrupted(t *testing.T, text, statement string) (*pgprovider.Provider, *migrationstest.DB) {
	t.Helper()
	db := migrationstest.New(t)
	p, _ := openPool(t, db, func(c *pgxpool.Config) {
		param("default_transaction_isolation", "read committed")(c)
		c.ConnConfig.Tracer = &interrupter{text: text, run: func() { sql(t, db, statement) }}
	})
	return p, db
}

// What began to run after it was selected stays, and so does its tree.
func TestBulkLooksAgain(t *testing.T) {
	t.Parallel()
	p, db := openInterrupted(t, "delete_instances_atomic", `
WITH e AS (INSERT INTO @.executions (instance_id, execution_id, status, started_at) VALUES ('continued', 2, 'Running', now()))
UPDATE @.instances SET current_execution_id = 2 WHERE instance_id = 'continued'`)
	insert(t, db, "continued", "", core.StatusContinuedAsNew, 0)
	insert(t, db, "child", "continued", core.StatusCompleted, 1)
	insert(t, db, "done", "", core.StatusCompleted, 1)
	result, err := p.DeleteInstanceBulk(t.Context(), core.DeleteInstanceBulkParams{})
	must(t, err)
	equal(t, "deleted", 1, result.InstancesDeleted)
	equal(t, "instances", []string{"child", "continued"}, instances(t, p))
}

// An instance that is deleted while others are pruned is left out.
func TestBulkPruneLosesAnInstance(t *testing.T) {
	t.Parallel()
	p, db := openInterrupted(t, "prune_executions", `DELETE FROM @.instances WHERE instance_id = 'b'`)
	insert(t, db, "a", "", core.StatusRunning, 0)
	insert(t, db, "b", "", core.StatusRunning, 0)
	result, err := p.PruneExecutionsBulk(t.Context(), core.PruneExecutionsBulkParams{})
	must(t, err)
	equal(t, "result", &core.PruneResult{InstancesProcessed: 1}, result)
}
