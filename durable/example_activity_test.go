package durable_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// The key is the same for all attempts, so that the bank charges once.
func ExampleInfo() {
	const (
		charge = durable.Activity[int, string]("charge")
		order  = durable.Orchestration[int, string]("order")
	)
	ctx := context.Background()
	charged := map[string]int{} // what the bank did, by key
	client, stop := serve(ctx,
		charge.With(func(ctx context.Context, cents int) (string, error) {
			key := durable.Info(ctx).IdempotencyKey
			if _, again := charged[key]; again {
				return key, nil
			}
			charged[key] = cents
			return "", errors.New("the answer was lost")
		}),
		order.With(func(ctx *durable.Context, cents int) (string, error) {
			return charge.Call(ctx, cents, durable.Retry(durable.RetryPolicy{Backoff: new(core.NoBackoff())}))
		}))
	defer stop()

	run, err := order.Start(ctx, client, "order-1", 500)
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(charged)
	// Output:
	// order-1/1/2 <nil>
	// map[order-1/1/2:500]
}

// An attempt that takes too long fails, and is tried again.
func ExampleStartToClose() {
	const (
		fetch = durable.Activity[string, string]("fetch")
		read  = durable.Orchestration[string, string]("read")
	)
	ctx := context.Background()
	attempts := 0
	client, stop := serve(ctx,
		fetch.With(func(ctx context.Context, url string) (string, error) {
			if attempts++; attempts == 1 {
				<-ctx.Done() // the server does not answer
				return "", context.Cause(ctx)
			}
			return "the page", nil
		}, durable.StartToClose(20*time.Millisecond)),
		read.With(func(ctx *durable.Context, url string) (string, error) {
			return fetch.Call(ctx, url, durable.Retry(durable.RetryPolicy{}))
		}))
	defer stop()

	run, err := read.Start(ctx, client, "read-1", "https://example.org")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(attempts, "attempts")
	// Output:
	// the page <nil>
	// 2 attempts
}

// The whole call, with its wait for a worker, all attempts and the waits between
// them, may take so long and no longer.
func ExampleScheduleToClose() {
	const (
		ask    = durable.Activity[string, string]("ask")
		decide = durable.Orchestration[string, string]("decide")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		ask.With(func(context.Context, string) (string, error) { return "", errors.New("nobody is there") }),
		decide.With(func(ctx *durable.Context, question string) (string, error) {
			answer, err := ask.Call(ctx, question,
				durable.Retry(durable.RetryPolicy{MaxAttempts: 1000, Backoff: new(core.FixedBackoff(10 * time.Millisecond))}),
				durable.ScheduleToClose(50*time.Millisecond))
			if errors.Is(err, durable.ErrTimeout) {
				return "decided alone", nil
			}
			return answer, err
		}))
	defer stop()

	run, err := decide.Start(ctx, client, "decide-1", "red or blue?")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: decided alone <nil>
}

// Long work asks between its steps whether it is still wanted.
func ExampleHeartbeat() {
	const (
		convert = durable.Activity[int, int]("convert")
		film    = durable.Orchestration[int, string]("film")
	)
	ctx := context.Background()
	cause := make(chan error, 1)
	client, stop := serve(ctx,
		convert.With(func(ctx context.Context, scenes int) (int, error) {
			for done := range scenes {
				if err := durable.Heartbeat(ctx); err != nil {
					cause <- err
					return done, err
				}
				time.Sleep(time.Millisecond)
			}
			return scenes, nil
		}, durable.HeartbeatTimeout(time.Minute)),
		film.With(func(ctx *durable.Context, scenes int) (string, error) {
			converted, patience := convert.Schedule(ctx, scenes), ctx.Timer(20*time.Millisecond)
			if durable.Race(ctx, converted, patience) == 1 {
				return "too long", nil
			}
			return "converted", nil
		}))
	defer stop()

	run, err := film.Start(ctx, client, "film-1", 1_000_000)
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(errors.Is(<-cause, durable.ErrNotWanted))
	// Output:
	// too long <nil>
	// true
}

// An activity with a tag runs in processes that take the tag. Activities of one
// session run in one process, where the second finds what the first left.
func ExampleWithTag() {
	const (
		download = durable.Activity[string, bool]("download")
		render   = durable.Activity[string, string]("render")
		picture  = durable.Orchestration[string, string]("picture")
	)
	ctx := context.Background()
	provider := memprovider.New(nil)
	process := func(o *durable.Options) func() {
		files := map[string]bool{} // on the disk of this process
		reg := durable.NewRegistry()
		err := reg.Add(
			download.With(func(_ context.Context, name string) (bool, error) { files[name] = true; return true, nil }),
			render.With(func(_ context.Context, name string) (string, error) {
				return fmt.Sprintf("%s on %s, downloaded: %t", name, o.NodeID, files[name]), nil
			}),
			picture.With(func(ctx *durable.Context, name string) (string, error) {
				gpu, here := durable.WithTag("gpu"), durable.OnSession(ctx.InstanceID())
				if _, err := download.Call(ctx, name, gpu, here); err != nil {
					return "", err
				}
				return render.Call(ctx, name, gpu, here)
			}))
		if err != nil {
			panic(err)
		}
		rt, err := durable.NewRuntime(provider, reg, o)
		if err != nil {
			panic(err)
		}
		if err := rt.Start(ctx); err != nil {
			panic(err)
		}
		return func() { _ = rt.Shutdown(ctx) }
	}
	defer process(&durable.Options{NodeID: "web"})()
	defer process(&durable.Options{NodeID: "render farm", Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}}})()

	run, err := picture.Start(ctx, durable.NewClient(provider, nil), "picture-1", "cat.png")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: cat.png on render farm, downloaded: true <nil>
}
