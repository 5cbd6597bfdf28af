package e2e_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// patience bounds what happens soon; only a failure waits for it.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if config := os.Getenv(killWorkerEnv); config != "" {
		os.Exit(killWorker(config))
	}
	if config := os.Getenv(txWorkerEnv); config != "" {
		os.Exit(txWorker(config))
	}
	goleak.VerifyTestMain(m)
}

// world is the schema of one test with what most tests want of it.
type world struct {
	*migrationstest.DB
	ctx    context.Context   // ends after patience
	policy migrations.Policy // of its providers
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &world{DB: migrationstest.New(t), ctx: ctx}
}

// provider opens a provider with a pool of its own, as another process would.
func (w *world) provider(t testing.TB, configure ...func(*pgprovider.Options)) *pgprovider.Provider {
	t.Helper()
	o := &pgprovider.Options{Schema: w.Schema, Migrations: w.policy}
	for _, f := range configure {
		f(o)
	}
	p, err := pgprovider.NewFromURL(t.Context(), w.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// client opens a client with a provider of its own.
func (w *world) client(t testing.TB) *durable.Client {
	t.Helper()
	return durable.NewClient(w.provider(t, func(o *pgprovider.Options) { o.LongPoll.Disabled = true }), nil)
}

// sql puts the schema in the place of each "@." of a statement.
func (w *world) sql(text string) string {
	return strings.ReplaceAll(text, "@.", pgx.Identifier{w.Schema}.Sanitize()+".")
}

// withParam adds a parameter to a database URL.
func withParam(t testing.TB, raw, key, value string) string {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// exec runs a statement that has no result.
func (w *world) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	if _, err := w.Pool.Exec(w.ctx, w.sql(text), args...); err != nil {
		t.Fatal(err)
	}
}

// run starts a runtime on a provider of its own. It is shut down after the test.
func (w *world) run(t testing.TB, o *durable.Options, code ...durable.Registration) *durable.Runtime {
	t.Helper()
	return runOn(t, w.provider(t), o, code...)
}

func runOn(t testing.TB, p core.Provider, o *durable.Options, code ...durable.Registration) *durable.Runtime {
	t.Helper()
	reg := durable.NewRegistry()
	must(t, reg.Add(code...))
	return runRegistry(t, p, o, reg)
}

func runRegistry(t testing.TB, p core.Provider, o *durable.Options, reg *durable.Registry) *durable.Runtime {
	t.Helper()
	rt, err := durable.NewRuntime(p, reg, o)
	must(t, err)
	must(t, rt.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// value is the value of the first column of the only row of a query.
func value[T any](t testing.TB, w *world, text string, args ...any) T {
	t.Helper()
	rows, err := w.Pool.Query(w.ctx, w.sql(text), args...)
	must(t, err)
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	must(t, err)
	return v
}

// until asks until the answer is yes, for what nobody signals: the state of the
// database. It fails the test when ctx ends first.
func until(t testing.TB, ctx context.Context, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, context.Cause(ctx))
		}
	}
}

// receive takes a value from a channel, or fails the test when ctx ends first.
func receive[T any](t testing.TB, ctx context.Context, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
		t.Fatalf("%s: %v", what, context.Cause(ctx))
		panic("unreachable")
	}
}

// nothingLeft waits until the queues are empty and checks that no lock stayed.
func (w *world) nothingLeft(t testing.TB) {
	t.Helper()
	until(t, w.ctx, "queues do not become empty", func() bool {
		return value[int](t, w, `SELECT (SELECT count(*) FROM @.worker_queue) + (SELECT count(*) FROM @.orchestrator_queue)
			+ (SELECT count(*) FROM @.instance_locks)`) == 0
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t testing.TB, what string, want, got T, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
