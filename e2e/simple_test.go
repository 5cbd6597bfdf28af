package e2e_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// A pool of the caller with the simple protocol, as behind a pooler in
// transaction mode, which cannot listen.
func TestSimpleProtocol(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config, err := pgxpool.ParseConfig(w.URL)
	must(t, err)
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	o := &pgprovider.Options{Schema: w.Schema}
	o.LongPoll.Disabled = true
	p, err := pgprovider.New(t.Context(), pool, o)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	runOn(t, p, nil, greet.With(greetCode), hello.With(helloCode))

	client := durable.NewClient(p, nil)
	const name = `O'Brien \ "$1" {}`
	for i := range 5 {
		run, err := hello.Start(w.ctx, client, fmt.Sprint("greet-", i), name)
		must(t, err)
		out, err := run.Wait(w.ctx)
		must(t, err)
		equal(t, "output", "Hello, "+name+"!", out)
	}
	w.nothingLeft(t)
}
