package e2e_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Children run in any runtime; their results and their errors reach the parent.
func TestChildren(t *testing.T) {
	t.Parallel()
	const (
		half  = durable.Orchestration[int, int]("half")
		total = durable.Orchestration[[]int, int]("total")
	)
	w := newWorld(t)
	code := []durable.Registration{
		half.With(func(_ *durable.Context, n int) (int, error) {
			if n%2 != 0 {
				return 0, errors.New("odd")
			}
			return n / 2, nil
		}),
		total.With(func(ctx *durable.Context, numbers []int) (int, error) {
			var all []*durable.Future[int]
			for _, n := range numbers {
				all = append(all, half.Schedule(ctx, n))
			}
			sum := 0
			for _, o := range durable.Join(ctx, all...) {
				if failed := (*durable.ChildError)(nil); errors.As(o.Err, &failed) && failed.Error() == "odd" {
					sum += 1000
				} else if o.Err != nil {
					return 0, o.Err
				}
				sum += o.Value
			}
			return sum, nil
		}),
	}
	w.run(t, nil, code...)
	w.run(t, nil, code...)
	run, err := total.Start(w.ctx, w.client(t), "total", []int{2, 4, 5, 6})
	must(t, err)
	sum, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "sum", 1006, sum)
	equal(t, "instances", 5, value[int](t, w, `SELECT count(*) FROM @.instances`))
	w.nothingLeft(t)
}

// Cancelling an instance cancels its child, the child's child, and the activity
// that this one waits for.
func TestCancelCascade(t *testing.T) {
	t.Parallel()
	const (
		endless = durable.Activity[string, string]("endless")
		nest    = durable.Orchestration[int, string]("nest")
	)
	started, ended := make(chan struct{}), make(chan error, 1)
	w := newWorld(t)
	w.run(t, &durable.Options{ActivityLock: time.Second, InstanceLock: time.Second},
		endless.With(func(ctx context.Context, _ string) (string, error) {
			close(started)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return "", context.Cause(ctx)
		}),
		nest.With(func(ctx *durable.Context, depth int) (string, error) {
			if depth == 0 {
				return endless.Call(ctx, "")
			}
			return nest.Call(ctx, depth-1)
		}))
	client := w.client(t)
	run, err := nest.Start(w.ctx, client, "top", 2)
	must(t, err)
	receive(t, w.ctx, "activity does not start", started)
	must(t, client.Cancel(w.ctx, "top", "enough"))
	if _, err := run.Wait(w.ctx); !errors.Is(err, durable.ErrCancelled) {
		t.Errorf("the parent ended with %v", err)
	}
	if err := receive(t, w.ctx, "activity is not told", ended); !errors.Is(err, durable.ErrNotWanted) {
		t.Errorf("the activity ended with %v", err)
	}
	until(t, w.ctx, "children do not end", func() bool {
		return value[int](t, w, `SELECT count(*) FROM @.executions WHERE status = $1`, core.StatusFailed) == 3
	})
	equal(t, "outputs", 3, value[int](t, w, `SELECT count(*) FROM @.executions WHERE output LIKE 'canceled: %'`))
	w.nothingLeft(t)
}
