package e2e_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// Events and messages come from a client that shares nothing with the runtime
// but the database.
func TestEventsAndMessages(t *testing.T) {
	t.Parallel()
	type approval struct {
		By string
		OK bool
	}
	const order = durable.Orchestration[string, string]("order")
	w := newWorld(t)
	w.run(t, nil, order.With(func(ctx *durable.Context, item string) (string, error) {
		event := durable.WaitEvent[approval](ctx, "approval")
		ctx.SetStatus("waiting")
		a, err := event.Await(ctx)
		if err != nil {
			return "", err
		}
		sum := 0
		for range 3 {
			n, err := durable.Dequeue[int](ctx, "amounts").Await(ctx)
			if err != nil {
				return "", err
			}
			sum += n
		}
		return fmt.Sprintf("%d %s for %s: %t", sum, item, a.By, a.OK), nil
	}))
	client := w.client(t)
	run, err := order.Start(w.ctx, client, "order", "apples")
	must(t, err)
	must(t, client.EnqueueMessage(w.ctx, "order", "amounts", 1)) // before anybody reads
	_, err = client.WaitStatusChange(w.ctx, "order", 0)
	must(t, err)
	must(t, client.RaiseEvent(w.ctx, "order", "approval", approval{By: "Ann", OK: true}))
	must(t, client.EnqueueMessage(w.ctx, "order", "amounts", 20))
	must(t, client.EnqueueMessage(w.ctx, "order", "amounts", 300))
	out, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "output", "321 apples for Ann: true", out)
	must(t, client.EnqueueMessage(w.ctx, "order", "amounts", 4000)) // too late, and consumed
	w.nothingLeft(t)
}
