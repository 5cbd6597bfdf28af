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

// An id is taken once. Options say what a second start of it does.
func ExampleOrchestration_Start() {
	const greet = durable.Orchestration[string, string]("greet")
	ctx := context.Background()
	client, stop := serve(ctx, greet.With(func(_ *durable.Context, name string) (string, error) { return "Hello " + name, nil }))
	defer stop()
	start := func(name string, opts ...durable.StartOption) {
		run, err := greet.Start(ctx, client, "greet-1", name, opts...)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(run.Wait(ctx))
	}

	start("Ada", durable.RequestID("7f3a"))
	start("Bob") // finds the run that is there
	start("Bob", durable.OnConflict(durable.FailIfExists))
	start("Ada", durable.OnConflict(durable.FailIfExists), durable.RequestID("7f3a")) // the first one, sent again
	start("Bob", durable.Reuse(durable.ReuseEnded))
	// Output:
	// Hello Ada <nil>
	// Hello Ada <nil>
	// start greet-1: instance exists
	// Hello Ada <nil>
	// Hello Bob <nil>
}

func ExampleStartAfter() {
	const remind = durable.Orchestration[string, string]("remind")
	ctx := context.Background()
	client, stop := serve(ctx, remind.With(func(_ *durable.Context, what string) (string, error) { return "remember the " + what, nil }))
	defer stop()

	run, err := remind.Start(ctx, client, "remind-1", "milk", durable.StartAfter(50*time.Millisecond))
	if err != nil {
		panic(err)
	}
	_, err = client.Status(ctx, "remind-1")
	fmt.Println(errors.Is(err, durable.ErrInstanceNotFound))
	fmt.Println(run.Wait(ctx))
	// Output:
	// true
	// remember the milk <nil>
}

// An orchestration that is asked to end cleans up first.
func ExampleContext_CancelRequested() {
	const (
		free = durable.Activity[string, bool]("free")
		rent = durable.Orchestration[string, string]("rent")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		free.With(func(context.Context, string) (bool, error) { return true, nil }),
		rent.With(func(ctx *durable.Context, machine string) (string, error) {
			cancelled := ctx.CancelRequested()
			if durable.Race(ctx, ctx.Timer(30*24*time.Hour), cancelled) == 0 {
				return "rented for a month", nil
			}
			reason, err := cancelled.Await(ctx)
			if err != nil {
				return "", err
			}
			_, err = free.Call(ctx, machine)
			return "ended: " + reason, err
		}))
	defer stop()

	run, err := rent.Start(ctx, client, "rent-1", "m-7")
	if err != nil {
		panic(err)
	}
	if err := client.RequestCancel(ctx, "rent-1", "too slow"); err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: ended: too slow <nil>
}

// A hard cancel ends any instance; its code does not run again.
func ExampleClient_Cancel() {
	const wait = durable.Orchestration[string, string]("wait")
	ctx := context.Background()
	client, stop := serve(ctx, wait.With(func(ctx *durable.Context, _ string) (string, error) {
		ctx.Sleep(365 * 24 * time.Hour)
		return "", nil
	}))
	defer stop()

	run, err := wait.Start(ctx, client, "wait-1", "")
	if err != nil {
		panic(err)
	}
	waitFor(ctx, client, "wait-1", core.TypeTimerCreated)
	if err := client.Cancel(ctx, "wait-1", "out of date"); err != nil {
		panic(err)
	}
	_, err = run.Wait(ctx)
	fmt.Println(errors.Is(err, durable.ErrCancelled), err)
	// Output: true orchestration wait-1: canceled: out of date
}

// Values under keys can be read while an orchestration runs and after it ended, by
// clients and by other orchestrations.
func ExampleKVSet() {
	type address struct{ Street, City string }
	const (
		move = durable.Orchestration[address, string]("move")
		send = durable.Orchestration[string, string]("send")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		move.With(func(ctx *durable.Context, to address) (string, error) { return "", durable.KVSet(ctx, "address", to) }),
		send.With(func(ctx *durable.Context, customer string) (string, error) {
			to, known, err := durable.KVGetFrom[address](ctx, customer, "address")
			if err != nil || !known {
				return "address unknown", err
			}
			return "sent to " + to.City, nil
		}))
	defer stop()

	moved, err := move.Start(ctx, client, "ada", address{"Main Street 1", "Turin"})
	if err != nil {
		panic(err)
	}
	if _, err := moved.Wait(ctx); err != nil {
		panic(err)
	}
	sent, err := send.Start(ctx, client, "order-1", "ada")
	if err != nil {
		panic(err)
	}
	fmt.Println(sent.Wait(ctx))
	at, _, err := durable.KVRead[address](ctx, client, "ada", "address")
	fmt.Println(at.Street, err)
	// Output:
	// sent to Turin <nil>
	// Main Street 1 <nil>
}

// New starts keep to a version until the policy is changed.
func ExampleRegistry_SetPolicy() {
	const greet = durable.Orchestration[string, string]("greet")
	ctx := context.Background()
	reg := durable.NewRegistry()
	if err := reg.Add(
		greet.With(func(*durable.Context, string) (string, error) { return "Hello", nil }),
		greet.Version("2.0.0").With(func(*durable.Context, string) (string, error) { return "Good day", nil }),
	); err != nil {
		panic(err)
	}
	client, stop := serveWith(ctx, reg, nil)
	defer stop()

	for i, policy := range []durable.VersionPolicy{durable.Exact("1.0.0"), durable.Latest} {
		if err := reg.SetPolicy("greet", policy); err != nil {
			panic(err)
		}
		run, err := greet.Start(ctx, client, fmt.Sprint("greet-", i), "")
		if err != nil {
			panic(err)
		}
		fmt.Println(run.Wait(ctx))
	}
	// Output:
	// Hello <nil>
	// Good day <nil>
}

// A waiting instance stays suspended in memory: its next turn goes on from there.
// The options here keep at most a thousand, find more than the family does, and
// warn of code that blocks.
func ExampleRuntime_WarmStats() {
	const count = durable.Orchestration[int, int]("count")
	ctx := context.Background()
	reg := durable.NewRegistry()
	if err := reg.Add(count.With(func(ctx *durable.Context, n int) (int, error) {
		for range n {
			ctx.Sleep(time.Millisecond)
		}
		return n, nil
	})); err != nil {
		panic(err)
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, &durable.Options{
		WarmInstances: 1000, WarmBytes: 64 << 20, // -1 instances for none
		StrictReplay: true,
		SlowTurn:     100 * time.Millisecond,
	})
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = rt.Shutdown(ctx) }()

	run, err := count.Start(ctx, durable.NewClient(provider, nil), "count-1", 10)
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(rt.WarmStats().Hits > 0)
	// Output:
	// 10 <nil>
	// true
}
