package pgprovider_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// wire watches the connections of a pool and can break one.
type wire struct {
	trips atomic.Int64 // round trips
	cut   atomic.Bool  // lose the next reply
}

func (w *wire) use(c *pgxpool.Config) {
	var d net.Dialer
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &wireConn{Conn: conn, wire: w}, nil
	}
}

type wireConn struct {
	net.Conn
	wire  *wire
	wrote atomic.Bool
}

func (c *wireConn) Write(b []byte) (int, error) {
	c.wrote.Store(true)
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.wrote.Swap(false) {
		c.wire.trips.Add(1)
		if c.wire.cut.CompareAndSwap(true, false) {
			_ = c.Close()
			return 0, io.ErrUnexpectedEOF // the server has done its work
		}
	}
	return n, err
}

// openWire makes a provider whose only traffic is that of calls.
func openWire(t *testing.T, db *migrationstest.DB, configure ...func(*pgxpool.Config)) (*pgprovider.Provider, *wire) {
	t.Helper()
	w := &wire{}
	config, err := pgxpool.ParseConfig(db.URL)
	must(t, err)
	config.MaxConns = 1
	w.use(config)
	for _, f := range configure {
		f(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	p, err := pgprovider.New(t.Context(), pool, &pgprovider.Options{
		Schema: db.Schema, Migrations: migrations.None, LongPoll: pgprovider.LongPoll{Disabled: true},
	})
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p, w
}

// TestRoundTrips: a call is one round trip, with and without a transaction of
// its own, once its statement is prepared.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*pgxpool.Config){
		"isolated":        param("default_transaction_isolation", "read committed"),
		"caller's pool":   func(*pgxpool.Config) {},
		"simple protocol": func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, w := openWire(t, migrationstest.New(t), configure)
			turn := func(instance string) {
				enqueue(t, p, start(instance))
				item := mustFetch(t, p)
				must(t, p.RenewOrchestrationItemLock(t.Context(), core.RenewLockParams{LockToken: item.LockToken, ExtendFor: lease}))
				must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
					LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: []core.Event{started(instance)}, Metadata: named(),
					WorkerItems: []core.WorkItem{activity(2)},
				}))
				work := mustFetchWork(t, p)
				must(t, p.AckWorkItem(t.Context(), core.AckWorkItemParams{LockToken: work.LockToken}))
			}
			turn("a") // prepares
			before := w.trips.Load()
			turn("b")
			equal(t, "round trips of six calls", 6, w.trips.Load()-before)
		})
	}
}

// TestErrorsKeepTheConnection: a pool closes a connection that comes back inside
// a transaction.
func TestErrorsKeepTheConnection(t *testing.T) {
	t.Parallel()
	forBothPools(t, func(t *testing.T, _ *migrationstest.DB, p *pgprovider.Provider, pool *pgxpool.Pool) {
		listening(t, p)
		before := pool.Stat().NewConnsCount()
		for range 5 {
			err := p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: "lock_x", ExecutionID: 1})
			wantError(t, "ack", err, core.ErrLockLost)
		}
		fetch(t, p)
		if made := pool.Stat().NewConnsCount() - before; made > 1 { // the pool may grow to two
			t.Errorf("%d new connections", made)
		}
	})
}

func TestAckThatWasCommittedUnseen(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*pgxpool.Config){
		"isolated":      param("default_transaction_isolation", "read committed"),
		"caller's pool": func(*pgxpool.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := migrationstest.New(t)
			p, w := openWire(t, db, configure)
			create(t, p, "first") // prepares
			enqueue(t, p, start("i"))
			item := mustFetch(t, p)
			w.cut.Store(true)
			err := p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
				LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: []core.Event{started("i")}, Metadata: named(),
			})
			wantError(t, "ack", err, core.ErrLockLost)
			if err == nil || !strings.Contains(err.Error(), "may have committed") {
				t.Errorf("%v does not say that the turn may be committed", err)
			}
			equal(t, "events", 1, sqlValue[int](t, db, `SELECT count(*) FROM @.history WHERE instance_id = 'i'`))
		})
	}
}

// TestRetries: the hot calls survive a connection that breaks, the others report
// it as retryable.
func TestRetries(t *testing.T) {
	t.Parallel()
	p, w := openWire(t, migrationstest.New(t))
	enqueue(t, p, start("i"))
	w.cut.Store(true)
	fetch(t, p) // the claim of the first attempt may have taken it
	w.cut.Store(true)
	err := p.RenewOrchestrationItemLock(t.Context(), core.RenewLockParams{LockToken: "t", ExtendFor: lease})
	wantError(t, "renewal", err, core.ErrLockLost)
	w.cut.Store(true)
	err = p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("j")})
	if !core.IsRetryable(err) || errors.Is(err, core.ErrLockLost) {
		t.Errorf("enqueue: %v", err)
	}
	enqueue(t, p, start("k")) // over a new connection
}
