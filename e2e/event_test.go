package e2e_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/core"
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

// Events go to the waits of their name, in the order of both. One that nobody
// waits for is lost.
func TestPositionalEvents(t *testing.T) {
	wait := func(ctx *durable.Context) *durable.Future[string] { return durable.WaitEvent[string](ctx, "e") }
	two := func(ctx *durable.Context, _ string) (string, error) {
		a, b := wait(ctx), wait(ctx)
		waits(ctx)
		second, err := b.Await(ctx)
		if err != nil {
			return "", err
		}
		first, err := a.Await(ctx)
		return fmt.Sprint(first, ",", second), err
	}
	raises := func(data ...string) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			s.whenItWaits(t, id)
			for _, d := range data {
				must(t, s.client.RaiseEvent(s.ctx, id, "e", d))
			}
		}
	}
	// goesOn lets the code go on, and returns when it waits again.
	goesOn := func(t *testing.T, s *store, id string) {
		t.Helper()
		sends("go=")(t, s, id)
		_, err := s.client.WaitStatusChange(s.ctx, id, 1)
		must(t, err)
	}
	flows := map[string]flow{
		"in the order of the waits": {code: two, meanwhile: raises("1", "2"), want: "1,2"},
		"two equal ones are two":    {code: two, meanwhile: raises("same", "same"), want: "same,same", end: records(core.TypeExternalEvent, 2)},
		"one from before the wait": {code: func(ctx *durable.Context, _ string) (string, error) {
			waits(ctx)
			if _, err := reads(ctx, "go"); err != nil {
				return "", err
			}
			return listens(ctx, "e")
		}, meanwhile: func(t *testing.T, s *store, id string) {
			raises("early")(t, s, id)
			goesOn(t, s, id)
			must(t, s.client.RaiseEvent(s.ctx, id, "e", "late"))
		}, want: "late", end: records(core.TypeExternalEvent, 2)},
		"a wait that lost takes nothing": {code: func(ctx *durable.Context, _ string) (string, error) {
			lost := wait(ctx)
			waits(ctx)
			if durable.Race(ctx, lost, durable.Dequeue[string](ctx, "go")) == 0 {
				return "there was an event", nil
			}
			return listens(ctx, "e")
		}, meanwhile: func(t *testing.T, s *store, id string) {
			s.whenItWaits(t, id)
			goesOn(t, s, id)
			must(t, s.client.RaiseEvent(s.ctx, id, "e", "1"))
		}, want: "1", end: records(core.TypeExternalSubscribedCancelled, 1)},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, cast()...) })
}
