package durable_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/duroxide/duroxide-go/durable"
)

// Counting what becomes of activities, and how many turns executions take.
func ExampleObserver() {
	var activities, turns atomic.Int64
	observer := &durable.Observer{
		ActivityEnded: func(_ context.Context, a durable.ActivityEnded) {
			if a.Outcome == durable.ActivitySucceeded {
				activities.Add(1)
			}
		},
		ExecutionEnded: func(_ context.Context, e durable.ExecutionEnded) { turns.Add(int64(e.Turns)) },
	}

	const (
		step = durable.Activity[int, int]("step")
		job  = durable.Orchestration[int, int]("job")
	)
	reg := durable.NewRegistry()
	if err := reg.Add(
		step.With(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		job.With(func(ctx *durable.Context, n int) (int, error) {
			for range 2 {
				var err error
				if n, err = step.Call(ctx, n); err != nil {
					return 0, err
				}
			}
			return n, nil
		}),
	); err != nil {
		panic(err)
	}
	ctx := context.Background()
	client, stop := serveWith(ctx, reg, &durable.Options{Observer: observer})
	run, err := job.Start(ctx, client, "job-1", 40)
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	stop() // nothing is told any more
	fmt.Println(activities.Load(), "activities,", turns.Load(), "turns")
	// Output:
	// 42 <nil>
	// 2 activities, 3 turns
}
