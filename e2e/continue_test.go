package e2e_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// Each execution of a chain reads one message and continues as new. Messages
// that were not read, the custom status and the key-values go along.
func TestContinueAsNew(t *testing.T) {
	t.Parallel()
	const (
		collect = durable.Orchestration[[]int, []int]("collect")
		length  = 5
	)
	w := newWorld(t)
	w.run(t, nil, collect.With(func(ctx *durable.Context, have []int) ([]int, error) {
		if len(have) == 0 {
			if _, err := durable.WaitEvent[string](ctx, "go").Await(ctx); err != nil {
				return nil, err
			}
			ctx.SetStatus("going")
			if err := durable.KVSet(ctx, "first", ctx.ExecutionID()); err != nil {
				return nil, err
			}
		}
		n, err := durable.Dequeue[int](ctx, "numbers").Await(ctx)
		if err != nil {
			return nil, err
		}
		if have = append(have, n); len(have) < length {
			return nil, collect.ContinueAsNew(have)
		}
		first, ok, err := durable.KVGet[uint64](ctx, "first")
		if status, _ := ctx.Status(); err != nil || !ok || first != 1 || status != "going" {
			return nil, fmt.Errorf("status %q, first %d, %t, %w", status, first, ok, err)
		}
		return have, nil
	}))
	client := w.client(t)
	run, err := collect.Start(w.ctx, client, "chain", nil)
	must(t, err)
	// All messages are there before the first one is read.
	for n := range length {
		must(t, client.EnqueueMessage(w.ctx, "chain", "numbers", n))
	}
	until(t, w.ctx, "messages are not delivered", func() bool {
		return value[int](t, w, `SELECT count(*) FROM @.history WHERE event_type = 'ExternalEventPersistent'`) == length
	})
	must(t, client.RaiseEvent(w.ctx, "chain", "go", ""))
	out, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "output", []int{0, 1, 2, 3, 4}, out)
	equal(t, "executions", length, value[int](t, w, `SELECT count(*) FROM @.executions`))
	events, err := client.ExecutionHistory(w.ctx, "chain", 1)
	must(t, err)
	if !events[len(events)-1].IsTerminal() {
		t.Errorf("the first execution ends with %s", events[len(events)-1].Data.EventType())
	}
	w.nothingLeft(t)
}
