package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// slowPoll is how long a client waits at most before it looks by itself.
const slowPoll = 5 * time.Second

// beginAll makes running instances, i1 to in, as another process would.
func (w *world) beginAll(t *testing.T, n int) {
	t.Helper()
	w.exec(t, `INSERT INTO @.instances (instance_id, orchestration_name, orchestration_version, created_at, updated_at)
		SELECT 'i' || n, 'o', '1.0.0', now(), now() FROM generate_series(1, $1::integer) n`, n)
	w.exec(t, `INSERT INTO @.executions (instance_id, execution_id, status, started_at)
		SELECT 'i' || n, 1, 'Running', now() FROM generate_series(1, $1::integer) n`, n)
}

// endAll completes all of them, with their ids as the output.
func (w *world) endAll(t *testing.T) {
	t.Helper()
	w.exec(t, `UPDATE @.executions SET status = 'Completed', output = instance_id, completed_at = now()`)
}

// mute makes the database tell nobody of instances.
func (w *world) mute(t *testing.T) {
	t.Helper()
	w.exec(t, `ALTER TABLE @.executions DISABLE TRIGGER USER`)
}

// waitAll waits for i1 to in, and returns what waits for the answers.
func (w *world) waitAll(t *testing.T, c *durable.Client, n int) (answers func()) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		id := fmt.Sprint("i", i+1)
		all.Go(func() {
			s, err := c.Wait(w.ctx, id)
			if err != nil || s.Output != id {
				t.Errorf("%s: %+v, %v", id, s, err)
			}
		})
	}
	return all.Wait
}

// tracedClient has a provider that listens, whose queries are counted.
func (w *world) tracedClient(t *testing.T) (*durable.Client, *pgprovider.Provider, *queryCounter) {
	t.Helper()
	config, err := pgxpool.ParseConfig(w.URL)
	must(t, err)
	queries := &queryCounter{counts: map[string]*queryCount{}}
	config.MaxConns = 4
	config.ConnConfig.Tracer = queries
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	p, err := pgprovider.New(t.Context(), pool, &pgprovider.Options{Schema: w.Schema})
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	must(t, p.Notifier().WaitListening(w.ctx))
	return durable.NewClient(p, nil), p, queries
}

// waited waits until the client has asked for all that it waits for, and a while
// more, in which there is nothing to ask.
func (w *world) waited(t *testing.T, queries *queryCounter, before int) {
	t.Helper()
	until(t, w.ctx, "nobody waits", func() bool { return queries.total() >= before+2 }) // being told, and the states
	time.Sleep(500 * time.Millisecond)
}

// total is how many queries there were so far.
func (c *queryCounter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, q := range c.counts {
		n += q.n
	}
	return n
}

// A thousand waits in one process cost a handful of queries, and their answers,
// which another process records, a few more.
func TestThousandWaits(t *testing.T) {
	t.Parallel()
	const n = 1000
	w := newWorld(t)
	c, p, queries := w.tracedClient(t)
	w.beginAll(t, n)
	before := queries.total()
	answers := w.waitAll(t, c, n)
	w.waited(t, queries, before)
	waiting := queries.total() - before
	w.endAll(t)
	answers()
	total := queries.total() - before
	t.Logf("%d queries while waiting, %d in all", waiting, total)
	if waiting > n/20 || total > n/5 {
		t.Errorf("%d queries while waiting, %d in all: want at most %d and %d", waiting, total, n/20, n/5)
	}
	equal(t, "instances that the database told of", n, int(p.Notifier().Status().Notifications))
}

// The connection that listens is lost, and whatever comes meanwhile is found.
func TestWaitOutlivesTheListener(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, p, queries := w.tracedClient(t)
	w.beginAll(t, 20)
	before := queries.total()
	answers := w.waitAll(t, c, 20)
	w.waited(t, queries, before)
	_, changed := p.Notifier().Listening()
	killed := value[int](t, w, `SELECT count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(pid))
		FROM pg_catalog.pg_stat_activity WHERE query LIKE 'LISTEN "' || $1 || '%'`, w.Schema)
	equal(t, "listeners", 1, killed)
	receive(t, w.ctx, "the loss", changed)
	w.endAll(t)
	answers()
}

// Nobody is told, and the slow poll finds it.
func TestWaitOutlivesNotifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _, queries := w.tracedClient(t)
	w.beginAll(t, 20)
	before := queries.total()
	answers := w.waitAll(t, c, 20)
	w.waited(t, queries, before)
	w.mute(t)
	w.endAll(t)
	answers()
}

// A runtime and a client with one provider need no notification.
func TestWaitInOneProcess(t *testing.T) {
	t.Parallel()
	const echo = durable.Orchestration[int, int]("echo")
	w := newWorld(t)
	c, p, _ := w.tracedClient(t)
	w.mute(t)
	runOn(t, p, nil, echo.With(func(ctx *durable.Context, n int) (int, error) {
		_, err := durable.WaitEvent[int](ctx, "go").Await(ctx)
		return n, err
	}))
	run, err := echo.Start(w.ctx, c, "i", 5)
	must(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := run.Wait(w.ctx)
		done <- err
	}()
	until(t, w.ctx, "it does not begin", func() bool {
		return value[int](t, w, `SELECT count(*) FROM @.history WHERE event_type = 'ExternalSubscribed'`) == 1
	})
	must(t, c.RaiseEvent(w.ctx, "i", "go", 1))
	until(t, w.ctx, "it does not end", func() bool {
		return value[int](t, w, `SELECT count(*) FROM @.executions WHERE status = 'Completed'`) == 1
	})
	ended, cancel := context.WithTimeout(w.ctx, slowPoll/2)
	defer cancel()
	must(t, receive(t, ended, "the end is not known at once", done))
}
