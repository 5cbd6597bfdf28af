package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// Calls that are tried again keep to their policy, on sessions, over executions,
// and side by side.
func TestRetries(t *testing.T) {
	// order is what the activity is to do: succeed at its Good-th call.
	type order struct {
		Key  string
		Good int
	}
	type receipt struct {
		Calls   int
		Session string
	}
	const flaky = durable.Activity[order, receipt]("flaky")
	backoff := new(core.FixedBackoff(5 * time.Millisecond))
	retry := func(attempts int) durable.ActivityOption {
		return durable.Retry(durable.RetryPolicy{MaxAttempts: attempts, Backoff: backoff})
	}
	call := func(good, attempts int, options ...durable.ActivityOption) func(ctx *durable.Context, id string) (string, error) {
		return func(ctx *durable.Context, id string) (string, error) {
			r, err := flaky.Call(ctx, order{id, good}, append(options, retry(attempts))...)
			return fmt.Sprint(r), err
		}
	}
	flows := map[string]flow{
		"at once":             {code: call(1, 3), want: "{1 }", end: records(core.TypeActivityScheduled, 1)},
		"at the third":        {code: call(3, 3), want: "{3 }", end: records(core.TypeActivityScheduled, 3)},
		"never":               {code: call(99, 3), fail: "call 3", end: records(core.TypeActivityScheduled, 3)},
		"on a session":        {code: call(2, 3, durable.OnSession("s1")), want: "{2 s1}"},
		"on a session, never": {code: call(99, 2, durable.OnSession("s2")), fail: "call 2"},
		"twenty attempts":     {code: call(20, 20), want: "{20 }", end: records(core.TypeActivityScheduled, 20)},
		"a time-out ends a call": {code: func(ctx *durable.Context, id string) (string, error) {
			_, err := flaky.Call(ctx, order{id, 1}, nobody(), durable.Retry(durable.RetryPolicy{MaxAttempts: 5, Timeout: 10 * time.Millisecond}))
			return fmt.Sprint(errors.Is(err, durable.ErrTimeout)), nil
		}, want: "true", end: records(core.TypeActivityScheduled, 1)},
		"a time-out in each execution": {code: func(ctx *durable.Context, id string) (string, error) {
			_, err := flaky.Call(ctx, order{id, 1}, nobody(), durable.Retry(durable.RetryPolicy{Timeout: 10 * time.Millisecond}))
			if !errors.Is(err, durable.ErrTimeout) {
				return "", fmt.Errorf("unexpected %w", err)
			}
			return fmt.Sprint(ctx.ExecutionID()), again(ctx, id, 3)
		}, want: "3", end: records(core.TypeActivityScheduled, 1)},
	}
	for i := range 8 {
		flows[fmt.Sprint("side by side", i)] = flow{code: call(2, 3), want: "{2 }"}
	}
	onEachStore(t, func(t *testing.T, s *store) {
		var mu sync.Mutex
		calls := map[string]int{}
		s.runFlows(t, flows, cast(flaky.With(func(ctx context.Context, o order) (receipt, error) {
			mu.Lock()
			defer mu.Unlock()
			calls[o.Key]++
			r := receipt{Calls: calls[o.Key]}
			if id := durable.Info(ctx).SessionID; id != nil {
				r.Session = *id
			}
			if r.Calls < o.Good {
				return receipt{}, fmt.Errorf("call %d", r.Calls)
			}
			return r, nil
		}))...)
	})
}
