package e2e_test

import (
	"context"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// Activities that run side by side in two runtimes come back in the order of
// their calls.
func TestFanOut(t *testing.T) {
	t.Parallel()
	const (
		square  = durable.Activity[int, int]("square")
		squares = durable.Orchestration[int, []int]("squares")
		width   = 40
	)
	w := newWorld(t)
	code := []durable.Registration{
		square.With(func(_ context.Context, n int) (int, error) { return n * n, nil }),
		squares.With(func(ctx *durable.Context, n int) ([]int, error) {
			var all []*durable.Future[int]
			for i := range n {
				all = append(all, square.Schedule(ctx, i))
			}
			return durable.JoinAll(ctx, all...)
		}),
	}
	w.run(t, nil, code...)
	w.run(t, nil, code...)
	run, err := squares.Start(w.ctx, w.client(t), "fan", width)
	must(t, err)
	out, err := run.Wait(w.ctx)
	must(t, err)
	var want []int
	for i := range width {
		want = append(want, i*i)
	}
	equal(t, "output", want, out)
	w.nothingLeft(t)
}
