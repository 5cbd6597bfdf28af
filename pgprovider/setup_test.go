package pgprovider_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// patience is a bound for what happens at once; only a failure waits for it.
const patience = 20 * time.Second

const lease = time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// open makes a provider with a pool of its own on a fresh schema.
func open(t *testing.T, options ...func(*pgprovider.Options)) *pgprovider.Provider {
	t.Helper()
	p, _ := openDB(t, options...)
	return p
}

func openDB(t *testing.T, options ...func(*pgprovider.Options)) (*pgprovider.Provider, *migrationstest.DB) {
	t.Helper()
	db := migrationstest.New(t)
	return openOn(t, db.URL, db.Schema, options...), db
}

func openOn(t *testing.T, url, schema string, options ...func(*pgprovider.Options)) *pgprovider.Provider {
	t.Helper()
	o := &pgprovider.Options{Schema: schema}
	for _, f := range options {
		f(o)
	}
	p, err := pgprovider.NewFromURL(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// openPool makes a provider on a pool of the caller.
func openPool(t *testing.T, db *migrationstest.DB, configure func(*pgxpool.Config)) (*pgprovider.Provider, *pgxpool.Pool) {
	t.Helper()
	config, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 10
	if configure != nil {
		configure(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	p, err := pgprovider.New(t.Context(), pool, &pgprovider.Options{Schema: db.Schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, pool
}

func noLongPoll(o *pgprovider.Options) { o.LongPoll.Disabled = true }

// withParam adds a parameter to a database URL.
func withParam(t *testing.T, raw, key, value string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func mode(m pgx.QueryExecMode) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = m }
}

func param(key, value string) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams[key] = value }
}

func ptr[T any](v T) *T { return &v }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, want, got T, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func start(instance string) core.StartOrchestrationItem {
	return core.StartOrchestrationItem{Instance: instance, Orchestration: "Orch", Input: "in", Version: ptr("1.0.0"), ExecutionID: 1}
}

func enqueue(t *testing.T, p *pgprovider.Provider, items ...core.WorkItem) {
	t.Helper()
	for _, item := range items {
		must(t, p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: item}))
	}
}

func fetch(t *testing.T, p *pgprovider.Provider) *core.OrchestrationItem {
	t.Helper()
	item, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: lease})
	must(t, err)
	return item
}

func mustFetch(t *testing.T, p *pgprovider.Provider) *core.OrchestrationItem {
	t.Helper()
	item := fetch(t, p)
	if item == nil {
		t.Fatal("no orchestration item")
	}
	return item
}

func fetchWork(t *testing.T, p *pgprovider.Provider) *core.LockedWorkItem {
	t.Helper()
	item, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lease})
	must(t, err)
	return item
}

func mustFetchWork(t *testing.T, p *pgprovider.Provider) *core.LockedWorkItem {
	t.Helper()
	item := fetchWork(t, p)
	if item == nil {
		t.Fatal("no work item")
	}
	return item
}

// event makes an event of the first execution.
func event(instance string, id uint64, data core.EventData) core.Event {
	return core.Event{
		ID: id, InstanceID: instance, ExecutionID: 1, TimestampMs: 1700000000123, DuroxideVersion: "0.1.32", Data: data,
	}
}

func started(instance string) core.Event {
	return event(instance, 1, core.OrchestrationStarted{Name: "Orch", Version: "1.0.0", Input: "in"})
}

// create makes an instance with one event.
func create(t *testing.T, p *pgprovider.Provider, instance string, more ...core.Event) {
	t.Helper()
	enqueue(t, p, start(instance))
	item := mustFetch(t, p)
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: append([]core.Event{started(instance)}, more...),
		Metadata: named(),
	}))
}

func named() core.ExecutionMetadata {
	return core.ExecutionMetadata{OrchestrationName: ptr("Orch"), OrchestrationVersion: ptr("1.0.0")}
}
