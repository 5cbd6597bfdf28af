package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// Runtimes whose clocks are 600 ms apart, ahead of and behind the server's,
// share the work of instances with activities, children and timers.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	const (
		step = durable.Activity[int, int]("step")
		leaf = durable.Orchestration[int, int]("leaf")
		tree = durable.Orchestration[int, int]("tree")
		skew = 300 * time.Millisecond
	)
	w := newWorld(t)
	code := []durable.Registration{
		step.With(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		leaf.With(func(ctx *durable.Context, n int) (int, error) {
			ctx.Sleep(50 * time.Millisecond)
			return step.Call(ctx, n)
		}),
		tree.With(func(ctx *durable.Context, n int) (int, error) {
			for range 3 {
				var err error
				if n, err = leaf.Call(ctx, n); err != nil {
					return 0, err
				}
			}
			return n, nil
		}),
	}
	for _, d := range []time.Duration{skew, -skew} {
		clock := core.OffsetClock(core.SystemClock(), d)
		p := w.provider(t, func(o *pgprovider.Options) {
			o.Clock = clock
			o.LongPoll.RefreshInterval = time.Second
		})
		runOn(t, p, &durable.Options{Clock: clock, InstanceLock: 2 * time.Second, ActivityLock: 2 * time.Second}, code...)
	}
	client := w.client(t)
	var runs []*durable.Run[int]
	for i := range 20 {
		r, err := tree.Start(w.ctx, client, fmt.Sprint("tree-", i), 100*i)
		must(t, err)
		runs = append(runs, r)
	}
	for i, r := range runs {
		n, err := r.Wait(w.ctx)
		must(t, err)
		equal(t, r.InstanceID(), 100*i+3, n)
	}
	w.nothingLeft(t)
}
