package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// One of two runtimes is shut down in the middle of its work. What it is
// working on is given back, not lost, not counted as an attempt, and taken up by
// the other one long before its lock would have expired.
func TestShutdownInMidWork(t *testing.T) {
	t.Parallel()
	const (
		step    = durable.Activity[int, int]("step")
		climb   = durable.Orchestration[int, int]("climb")
		climber = 12
		slots   = 4
	)
	w := newWorld(t)
	code := func(work func(ctx context.Context) error) []durable.Registration {
		return []durable.Registration{
			step.With(func(ctx context.Context, n int) (int, error) {
				if attempt := durable.Info(ctx).Attempt; attempt != 1 {
					return 0, fmt.Errorf("attempt %d", attempt)
				}
				return n + 1, work(ctx)
			}),
			climb.With(func(ctx *durable.Context, n int) (int, error) {
				for range 3 {
					var err error
					if n, err = step.Call(ctx, n); err != nil {
						return 0, err
					}
				}
				return n, nil
			}),
		}
	}
	// The locks would outlast the test if they were left to expire.
	o := &durable.Options{InstanceLock: time.Hour, ActivityLock: time.Hour, SessionIdleTimeout: 2 * time.Hour, MaxActivities: slots}
	run := func(work func(ctx context.Context) error) *durable.Runtime {
		p := w.provider(t)
		return runOn(t, p, o, code(work)...)
	}
	busy := make(chan struct{}, climber*3)
	leaving := run(func(ctx context.Context) error {
		busy <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	})
	client := w.client(t)
	var runs []*durable.Run[int]
	for i := range climber {
		r, err := climb.Start(w.ctx, client, fmt.Sprint("climb-", i), 100*i)
		must(t, err)
		runs = append(runs, r)
	}
	for range slots {
		receive(t, w.ctx, "no activities", busy)
	}
	run(func(context.Context) error { return nil })
	at, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	if err := leaving.Shutdown(at); err == nil {
		t.Error("the runtime says that everything finished")
	}
	for i, r := range runs {
		n, err := r.Wait(w.ctx)
		must(t, err)
		equal(t, r.InstanceID(), 100*i+3, n)
	}
	w.nothingLeft(t)
}
