package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// An activity that fails is called again after a durable pause, and its last
// error is the caller's.
func TestRetry(t *testing.T) {
	t.Parallel()
	const (
		flaky    = durable.Activity[int, int]("flaky")
		stubborn = durable.Orchestration[int, string]("stubborn")
	)
	var calls atomic.Int32
	w := newWorld(t)
	w.run(t, nil,
		flaky.With(func(_ context.Context, good int) (int, error) {
			n := int(calls.Add(1))
			if n < good {
				return 0, fmt.Errorf("call %d", n)
			}
			return n, nil
		}),
		stubborn.With(func(ctx *durable.Context, good int) (string, error) {
			n, err := flaky.Call(ctx, good, durable.Retry(durable.RetryPolicy{
				MaxAttempts: 3, Backoff: new(core.FixedBackoff(10 * time.Millisecond)),
			}))
			if failed := (*durable.ActivityError)(nil); errors.As(err, &failed) {
				return "gave up: " + failed.Error(), nil
			}
			return fmt.Sprint("good: ", n), err
		}))
	client := w.client(t)
	for i, c := range []struct {
		good int
		want string
	}{{3, "good: 3"}, {100, "gave up: call 6"}} {
		run, err := stubborn.Start(w.ctx, client, fmt.Sprint("retry-", i), c.good)
		must(t, err)
		out, err := run.Wait(w.ctx)
		must(t, err)
		equal(t, "output", c.want, out)
	}
	equal(t, "timers", 4, value[int](t, w, `SELECT count(*) FROM @.history WHERE event_type = 'TimerFired'`))
	w.nothingLeft(t)
}
