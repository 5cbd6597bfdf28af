package pgprovider_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/lib/pq"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// shop is a schema in which a user keeps rows of his own beside a provider's.
type shop struct {
	*pgprovider.Provider
	db *migrationstest.DB
}

func openShop(t *testing.T, options ...func(*pgprovider.Options)) *shop {
	t.Helper()
	p, db := openDB(t, append([]func(*pgprovider.Options){noLongPoll}, options...)...)
	s := &shop{p, db}
	_, err := db.Pool.Exec(t.Context(), `CREATE TABLE `+s.orders()+` (id text PRIMARY KEY)`)
	must(t, err)
	return s
}

func (s *shop) orders() string { return pgx.Identifier{s.db.Schema, "orders"}.Sanitize() }

// count returns how many rows a table of the schema has.
func (s *shop) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	must(t, s.db.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+pgx.Identifier{s.db.Schema, table}.Sanitize()).Scan(&n))
	return n
}

// locked makes an activity and takes it.
func (s *shop) locked(t *testing.T) *core.LockedWorkItem {
	t.Helper()
	must(t, s.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{Item: core.ActivityExecuteItem{
		Instance: "a", ExecutionID: 1, ID: 7, Name: "Act", Input: "in",
	}}))
	return mustFetchWork(t, s.Provider)
}

func (s *shop) ack(ctx context.Context, tx core.Tx, token string) error {
	return s.AckWorkItemTx(ctx, tx, core.AckWorkItemParams{LockToken: token, Completion: core.ActivityCompletedItem{
		Instance: "a", ExecutionID: 1, ID: 7, Result: "out",
	}})
}

func (s *shop) start(ctx context.Context, tx core.Tx, instance string) error {
	return s.EnqueueForOrchestratorTx(ctx, tx, core.EnqueueForOrchestratorParams{Item: start(instance)})
}

// ownTx is a transaction of the user's, of any driver.
type ownTx struct {
	core.OpenTx
	exec func(ctx context.Context, statement string, args ...any) error
}

// insert writes a row of the user's.
func (s *shop) insert(ctx context.Context, tx ownTx, id string) error {
	return tx.exec(ctx, `INSERT INTO `+s.orders()+` VALUES ($1)`, id)
}

// beginner begins transactions.
type beginner func(context.Context) (ownTx, error)

// drivers are the ways to begin a transaction at an isolation level.
var drivers = map[string]func(t *testing.T, s *shop, level string) beginner{
	"pgx": func(t *testing.T, s *shop, level string) beginner {
		return pgxTx(t, s, level, nil)
	},
	"pgx, simple protocol": func(t *testing.T, s *shop, level string) beginner {
		return pgxTx(t, s, level, mode(pgx.QueryExecModeSimpleProtocol))
	},
	"pgx, other path": func(t *testing.T, s *shop, level string) beginner {
		return pgxTx(t, s, level, param("search_path", "public, pg_temp"))
	},
	"database/sql, pgx": func(t *testing.T, s *shop, level string) beginner {
		return sqlTx(t, s, level, "pgx")
	},
	"database/sql, lib/pq": func(t *testing.T, s *shop, level string) beginner {
		return sqlTx(t, s, level, "postgres")
	},
}

func pgxTx(t *testing.T, s *shop, level string, configure func(*pgxpool.Config)) beginner {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.db.URL)
	must(t, err)
	if configure != nil {
		configure(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	begin := pgprovider.Begin(pool, pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(level)})
	return func(ctx context.Context) (ownTx, error) {
		tx, open, err := begin(ctx)
		return ownTx{open, func(ctx context.Context, statement string, args ...any) error {
			_, err := tx.Exec(ctx, statement, args...)
			return err
		}}, err
	}
}

func sqlTx(t *testing.T, s *shop, level, driver string) beginner {
	t.Helper()
	db, err := stdsql.Open(driver, s.db.URL)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	begin := pgprovider.BeginSQL(db, &stdsql.TxOptions{Isolation: map[string]stdsql.IsolationLevel{
		"read committed": stdsql.LevelReadCommitted, "repeatable read": stdsql.LevelRepeatableRead, "serializable": stdsql.LevelSerializable,
	}[level]})
	return func(ctx context.Context) (ownTx, error) {
		tx, open, err := begin(ctx)
		return ownTx{open, func(ctx context.Context, statement string, args ...any) error {
			_, err := tx.ExecContext(ctx, statement, args...)
			return err
		}}, err
	}
}

// eachDriver runs f with every driver at every isolation level.
func eachDriver(t *testing.T, f func(t *testing.T, s *shop, begin func() ownTx)) {
	t.Helper()
	for name, driver := range drivers {
		for _, level := range []string{"read committed", "repeatable read", "serializable"} {
			t.Run(name+", "+level, func(t *testing.T) {
				t.Parallel()
				s := openShop(t)
				begin := driver(t, s, level)
				f(t, s, func() ownTx {
					tx, err := begin(t.Context())
					must(t, err)
					t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
					return tx
				})
			})
		}
	}
}

// A message and the user's row are there after a commit, neither of them before
// it or after a rollback.
func TestTxEnqueue(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *shop, begin func() ownTx) {
		tx := begin()
		must(t, s.insert(t.Context(), tx, "a"))
		must(t, s.start(t.Context(), tx.Tx, "a"))
		if fetch(t, s.Provider) != nil {
			t.Error("the message is visible before the commit")
		}
		must(t, tx.Rollback(t.Context()))
		if fetch(t, s.Provider) != nil || s.count(t, "orders") != 0 {
			t.Error("something is left after a rollback")
		}

		tx = begin()
		must(t, s.insert(t.Context(), tx, "a"))
		must(t, s.start(t.Context(), tx.Tx, "a"))
		must(t, s.start(t.Context(), tx.Tx, "b"))
		must(t, tx.Commit(t.Context()))
		equal(t, "orders", 1, s.count(t, "orders"))
		equal(t, "first instance", "a", mustFetch(t, s.Provider).Instance)
		equal(t, "second instance", "b", mustFetch(t, s.Provider).Instance)
	})
}

// An acknowledgement is the transaction's until its end, undone by a rollback and
// done by a commit.
func TestTxAck(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *shop, begin func() ownTx) {
		item := s.locked(t)
		tx := begin()
		must(t, s.insert(t.Context(), tx, "a"))
		must(t, s.ack(t.Context(), tx.Tx, item.LockToken))
		if fetch(t, s.Provider) != nil {
			t.Error("the completion is visible before the commit")
		}
		must(t, tx.Rollback(t.Context()))
		must(t, s.RenewWorkItemLock(t.Context(), core.RenewLockParams{LockToken: item.LockToken, ExtendFor: lease}))

		tx = begin()
		must(t, s.insert(t.Context(), tx, "a"))
		must(t, s.ack(t.Context(), tx.Tx, item.LockToken))
		must(t, tx.Commit(t.Context()))
		equal(t, "orders", 1, s.count(t, "orders"))
		equal(t, "activities", 0, s.count(t, "worker_queue"))
		equal(t, "messages", []core.WorkItem{core.ActivityCompletedItem{Instance: "a", ExecutionID: 1, ID: 7, Result: "out"}}, mustFetch(t, s.Provider).Messages)
		if err := s.AckWorkItem(t.Context(), core.AckWorkItemParams{LockToken: item.LockToken}); !errors.Is(err, core.ErrLockLost) {
			t.Errorf("a second acknowledgement: %v", err)
		}
	})
}

// A lock that somebody else has by now refuses the acknowledgement, and takes the
// user's writes with it.
func TestTxAckFenced(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *shop, begin func() ownTx) {
		item := s.locked(t)
		must(t, s.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: item.LockToken}))
		second := mustFetchWork(t, s.Provider)

		tx := begin()
		must(t, s.insert(t.Context(), tx, "a"))
		err := s.ack(t.Context(), tx.Tx, item.LockToken)
		var pe *core.ProviderError
		if !errors.Is(err, core.ErrLockLost) || !errors.As(err, &pe) || pe.Retryable {
			t.Errorf("an acknowledgement with a lost lock: %v", err)
		}
		if err := tx.Commit(t.Context()); err == nil {
			t.Error("the transaction could be committed after it was refused")
		}
		equal(t, "orders", 0, s.count(t, "orders"))
		must(t, s.AckWorkItem(t.Context(), core.AckWorkItemParams{LockToken: second.LockToken}))
	})
}

// A renewal after the transaction began is seen at READ COMMITTED. Above it the
// row is not the one that the transaction sees, which the server refuses.
func TestTxAckAfterRenewal(t *testing.T) {
	t.Parallel()
	for name, driver := range drivers {
		for level, state := range map[string]string{"read committed": "", "repeatable read": "40001", "serializable": "40001"} {
			t.Run(name+", "+level, func(t *testing.T) {
				t.Parallel()
				s := openShop(t)
				item := s.locked(t)
				tx, err := driver(t, s, level)(t.Context())
				must(t, err)
				defer tx.Rollback(context.WithoutCancel(t.Context())) // after the end it fails
				must(t, s.insert(t.Context(), tx, "a"))
				must(t, s.RenewWorkItemLock(t.Context(), core.RenewLockParams{LockToken: item.LockToken, ExtendFor: lease}))
				err = s.ack(t.Context(), tx.Tx, item.LockToken)
				equal(t, "SQLSTATE", state, stateOf(err))
				if state != "" && errors.Is(err, core.ErrLockLost) {
					t.Errorf("it looks like a lost lock: %v", err)
				}
				if state == "" {
					must(t, err)
				}
			})
		}
	}
}

// stateOf returns the SQLSTATE that the error of either driver has.
func stateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return string(e.Code)
	}
	return ""
}

// Serializable transactions that only start instances never fail each other.
func TestTxEnqueueSerializable(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	begin := drivers["pgx"](t, s, "serializable")
	var open []ownTx
	for range 3 {
		tx, err := begin(t.Context())
		must(t, err)
		open = append(open, tx)
	}
	for _, id := range []string{"a", "b", "c"} { // the same instances, in crossing orders
		for n, tx := range open {
			must(t, s.start(t.Context(), tx.Tx, id))
			must(t, s.start(t.Context(), tx.Tx, []string{"c", "a", "b"}[n]))
		}
	}
	for _, tx := range open {
		must(t, tx.Commit(t.Context()))
	}
	equal(t, "messages", 18, s.count(t, "orchestrator_queue"))
}

// What a savepoint undoes was never sent.
func TestTxSavepoint(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	must(t, pgx.BeginFunc(t.Context(), s.db.Pool, func(tx pgx.Tx) error {
		must(t, s.start(t.Context(), pgprovider.Tx(tx), "a"))
		undone, err := tx.Begin(t.Context())
		must(t, err)
		must(t, s.start(t.Context(), pgprovider.Tx(undone), "b"))
		must(t, undone.Rollback(t.Context()))
		kept, err := tx.Begin(t.Context())
		must(t, err)
		must(t, s.start(t.Context(), pgprovider.Tx(kept), "c"))
		return kept.Commit(t.Context())
	}))
	equal(t, "instance", "a", mustFetch(t, s.Provider).Instance)
	equal(t, "instance", "c", mustFetch(t, s.Provider).Instance)
	equal(t, "messages", 2, s.count(t, "orchestrator_queue"))
}

// The server notifies at the commit and not before, and that alone wakes a fetch
// that waits.
func TestTxNotifiesAtCommit(t *testing.T) {
	t.Parallel()
	s := openShop(t, hintsOnly)
	listening(t, s.Provider)
	listener, err := s.db.Pool.Acquire(t.Context())
	must(t, err)
	defer listener.Release()
	for _, channel := range []string{s.db.Schema + "_orch_work", s.db.Schema + "_marker"} {
		_, err := listener.Exec(t.Context(), `LISTEN `+pgx.Identifier{channel}.Sanitize())
		must(t, err)
	}
	next := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		n, err := listener.Conn().WaitForNotification(ctx)
		must(t, err)
		return strings.TrimPrefix(n.Channel, s.db.Schema)
	}
	found := waiting(t, func(ctx context.Context) (*core.OrchestrationItem, error) {
		return s.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: longPoll})
	})

	tx, err := drivers["database/sql, lib/pq"](t, s, "read committed")(t.Context())
	must(t, err)
	must(t, s.start(t.Context(), tx.Tx, "a"))
	_, err = s.db.Pool.Exec(t.Context(), `SELECT pg_notify($1, '')`, s.db.Schema+"_marker")
	must(t, err)
	equal(t, "first notification", "_marker", next())
	must(t, tx.Commit(t.Context()))
	equal(t, "second notification", "_orch_work", next())
	r := <-found
	must(t, r.err)
	if r.item == nil || r.item.Instance != "a" || r.took > patience {
		t.Errorf("the fetch that waited found %v after %v", r.item, r.took)
	}
}

// The client's clock decides when a message is visible.
func TestTxClock(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	ahead := openOn(t, s.db.URL, s.db.Schema, noLongPoll, func(o *pgprovider.Options) {
		o.Clock = core.OffsetClock(core.SystemClock(), time.Hour)
	})
	must(t, pgx.BeginFunc(t.Context(), s.db.Pool, func(tx pgx.Tx) error {
		return ahead.EnqueueForOrchestratorTx(t.Context(), pgprovider.Tx(tx), core.EnqueueForOrchestratorParams{
			Item: start("a"), Delay: time.Minute,
		})
	}))
	var in time.Duration
	must(t, s.db.Pool.QueryRow(t.Context(), `SELECT visible_at - now() FROM `+pgx.Identifier{s.db.Schema, "orchestrator_queue"}.Sanitize()).Scan(&in))
	if in < time.Hour || in > time.Hour+time.Minute {
		t.Errorf("visible in %v, want an hour and a minute", in)
	}
}

// strange is a transaction of another provider.
type strange struct{}

func (strange) ProviderTx() {}

// A transaction that cannot be used is refused before it is touched.
func TestTxRefused(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for name, tx := range map[string]core.Tx{
		"nothing": nil, "another provider's": strange{}, "a nil pgx.Tx": pgprovider.Tx(nil), "a nil *sql.Tx": pgprovider.SQLTx(nil),
	} {
		for _, err := range []error{s.start(t.Context(), tx, "a"), s.ack(t.Context(), tx, "token")} {
			var pe *core.ProviderError
			if !errors.Is(err, core.ErrForeignTx) || !errors.As(err, &pe) || pe.Retryable {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	tx, err := drivers["pgx"](t, s, "")(t.Context())
	must(t, err)
	for want, err := range map[error]error{
		core.ErrInvalidItem: s.EnqueueForOrchestratorTx(t.Context(), tx.Tx, core.EnqueueForOrchestratorParams{
			Item: core.ActivityExecuteItem{Instance: "a"},
		}),
		core.ErrInvalidArgument: s.ack(t.Context(), tx.Tx, "a\x00b"),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	must(t, s.start(t.Context(), tx.Tx, "a")) // it goes on
	must(t, tx.Commit(t.Context()))
	if err := s.start(t.Context(), tx.Tx, "b"); !errors.Is(err, pgx.ErrTxClosed) || core.IsRetryable(err) {
		t.Errorf("after the end: %v", err)
	}

	other := openShop(t)
	_, err = other.db.Pool.Exec(t.Context(), `DROP SCHEMA `+pgx.Identifier{other.db.Schema}.Sanitize()+` CASCADE`)
	must(t, err)
	for name, driver := range drivers {
		tx, err := driver(t, s, "")(t.Context())
		must(t, err)
		if err := other.start(t.Context(), tx.Tx, "a"); !errors.Is(err, core.ErrForeignTx) || stateOf(err) != "3F000" {
			t.Errorf("%s: a database without the schema: %v", name, err)
		}
		must(t, tx.Rollback(t.Context()))
	}

	must(t, s.Close())
	if err := s.start(t.Context(), pgprovider.Tx(nil), "a"); !errors.Is(err, core.ErrClosed) {
		t.Errorf("a closed provider: %v", err)
	}
}

// Errors of the server are those of the other methods, with the driver's own
// error, whichever it is. The end of a context stays what it is.
func TestTxErrors(t *testing.T) {
	t.Parallel()
	for name, driver := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item := s.locked(t)
			holder, err := s.db.Pool.Begin(t.Context())
			must(t, err)
			defer holder.Rollback(context.WithoutCancel(t.Context())) // after the end it fails
			must(t, s.ack(t.Context(), pgprovider.Tx(holder), item.LockToken))
			begin := driver(t, s, "read committed")

			tx, err := begin(t.Context())
			must(t, err)
			must(t, tx.exec(t.Context(), `SET LOCAL lock_timeout = '10ms'`))
			err = s.ack(t.Context(), tx.Tx, item.LockToken)
			if stateOf(err) != "55P03" || !core.IsRetryable(err) || !strings.HasPrefix(err.Error(), "ack_worker: Lock not available: ") {
				t.Errorf("a lock that is not free: %v", err)
			}
			err = s.start(t.Context(), tx.Tx, "a")
			if stateOf(err) != "25P02" || core.IsRetryable(err) {
				t.Errorf("after an error: %v", err)
			}
			must(t, tx.Rollback(t.Context()))

			tx, err = begin(t.Context())
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := s.ack(ctx, tx.Tx, item.LockToken); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*core.ProviderError)) {
				t.Errorf("an ended context: %v", err)
			}
			_ = tx.Rollback(t.Context())

			tx, err = begin(t.Context())
			must(t, err)
			must(t, tx.exec(t.Context(), `SELECT set_config('application_name', $1, true)`, "victim of "+s.db.Schema))
			_, err = s.db.Pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1`, "victim of "+s.db.Schema)
			must(t, err)
			if err := s.start(t.Context(), tx.Tx, "a"); !core.IsRetryable(err) {
				t.Errorf("a broken connection: %v", err)
			}
			_ = tx.Rollback(t.Context())
		})
	}
}
