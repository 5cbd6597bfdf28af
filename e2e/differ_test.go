package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// Two processes share a schema, and only one of them has the code for some of the
// work. The other one is woken first, as Go is before Rust, and is busy with what
// both can do. It leaves that work to the one that has its code before the attempts
// are used up.
func TestProcessesDiffer(t *testing.T) {
	t.Parallel()
	const (
		seldom  = durable.Orchestration[string, string]("seldom")
		often   = durable.Orchestration[string, string]("often")
		asks    = durable.Orchestration[string, string]("asks")
		special = durable.Activity[string, string]("special")
	)
	w := newWorld(t)
	o := &durable.Options{UnregisteredBackoff: 200 * time.Millisecond, MaxAttempts: 3}
	echo := func(_ *durable.Context, in string) (string, error) { return in, nil }
	ask := func(ctx *durable.Context, in string) (string, error) { return special.Call(ctx, in) }
	answer := func(_ context.Context, in string) (string, error) { return in, nil }
	late := w.provider(t, func(o *pgprovider.Options) { o.LongPoll.Grace = 100 * time.Millisecond })
	runOn(t, late, o, seldom.With(echo), often.With(echo), asks.With(ask), special.With(answer))
	w.run(t, o, often.With(echo), asks.With(ask))

	client := w.client(t)
	var runs []*durable.Run[string]
	for i := range 10 {
		for _, orchestration := range []durable.Orchestration[string, string]{seldom, asks, often} {
			id := fmt.Sprint(orchestration, i)
			run, err := orchestration.Start(w.ctx, client, id, id)
			must(t, err)
			runs = append(runs, run)
		}
	}
	for _, run := range runs {
		out, err := run.Wait(w.ctx)
		must(t, err)
		equal(t, "output", run.InstanceID(), out)
	}
	w.nothingLeft(t)
}
