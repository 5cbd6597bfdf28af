package e2e_test

import (
	"context"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

const (
	greet = durable.Activity[string, string]("greet")
	hello = durable.Orchestration[string, string]("hello")
)

func greetCode(_ context.Context, name string) (string, error) { return "Hello, " + name + "!", nil }

func helloCode(ctx *durable.Context, name string) (string, error) { return greet.Call(ctx, name) }

// One process starts an instance, another one runs it, and history says how.
func TestHello(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, nil, greet.With(greetCode), hello.With(helloCode))
	client := w.client(t)
	run, err := hello.Start(w.ctx, client, "greet-1", "Bob")
	must(t, err)
	out, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "output", "Hello, Bob!", out)

	events, err := client.History(w.ctx, "greet-1")
	must(t, err)
	var types []string
	for _, ev := range events {
		types = append(types, ev.Data.EventType())
	}
	equal(t, "history", []string{
		core.TypeOrchestrationStarted, core.TypeActivityScheduled, core.TypeActivityCompleted, core.TypeOrchestrationCompleted,
	}, types)
	w.nothingLeft(t)
}

// A runtime whose schema is dropped under it can still be shut down, and the
// schema is gone.
func TestSchemaDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.provider(t)
	rt := runOn(t, p, nil, greet.With(greetCode), hello.With(helloCode))
	run, err := hello.Start(w.ctx, w.client(t), "greet-1", "Bob")
	must(t, err)
	_, err = run.Wait(w.ctx)
	must(t, err)
	must(t, p.CleanupSchema(w.ctx))
	must(t, rt.Shutdown(w.ctx))
	equal(t, "schemas", 0, value[int](t, w, `SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1`, w.Schema))
}
