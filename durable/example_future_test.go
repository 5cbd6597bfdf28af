package durable_test

import (
	"context"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// Select leaves the others as they are: each round asks for another order, and the
// end of the day stays the same.
func ExampleSelect() {
	const kitchen = durable.Orchestration[int, []string]("kitchen")
	ctx := context.Background()
	client, stop := serve(ctx, kitchen.With(func(ctx *durable.Context, seats int) (orders []string, err error) {
		closing := ctx.Timer(8 * time.Hour)
		for len(orders) < seats {
			order := durable.Dequeue[string](ctx, "orders")
			if durable.Select(ctx, order, closing) == 1 {
				break
			}
			dish, err := order.Await(ctx)
			if err != nil {
				return nil, err
			}
			orders = append(orders, dish)
		}
		return orders, nil
	}))
	defer stop()

	run, err := kitchen.Start(ctx, client, "monday", 2)
	if err != nil {
		panic(err)
	}
	for _, dish := range []string{"soup", "fish"} {
		if err := client.EnqueueMessage(ctx, "monday", "orders", dish); err != nil {
			panic(err)
		}
	}
	fmt.Println(run.Wait(ctx))
	// Output: [soup fish] <nil>
}

// A block is a part of an orchestration with a context of its own.
func ExampleGo() {
	const (
		step  = durable.Activity[string, string]("step")
		build = durable.Orchestration[string, string]("build")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		step.With(func(_ context.Context, what string) (string, error) { return what + " done", nil }),
		build.With(func(ctx *durable.Context, _ string) (string, error) {
			walls := durable.Go(ctx, func(ctx *durable.Context) (string, error) {
				if _, err := step.Call(ctx, "walls"); err != nil {
					return "", err
				}
				return step.Call(ctx, "paint")
			})
			roof := step.Schedule(ctx, "roof")
			parts, err := durable.JoinAll(ctx, walls, roof)
			return fmt.Sprint(parts), err
		}))
	defer stop()

	run, err := build.Start(ctx, client, "house-1", "")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: [paint done roof done] <nil>
}

// Messages wait in a queue of the instance until they are read, also those that
// come before anybody waits.
func ExampleDequeue() {
	const basket = durable.Orchestration[int, int]("basket")
	ctx := context.Background()
	client, stop := serve(ctx, basket.With(func(ctx *durable.Context, n int) (total int, err error) {
		for range n {
			price, err := durable.Dequeue[int](ctx, "prices").Await(ctx)
			if err != nil {
				return 0, err
			}
			total += price
		}
		return total, nil
	}))
	defer stop()

	run, err := basket.Start(ctx, client, "basket-1", 3)
	if err != nil {
		panic(err)
	}
	for _, price := range []int{300, 250, 75} {
		if err := client.EnqueueMessage(ctx, "basket-1", "prices", price); err != nil {
			panic(err)
		}
	}
	fmt.Println(run.Wait(ctx))
	// Output: 625 <nil>
}

// A child is an instance of its own, of which its parent has the result.
func ExampleOrchestration_Call() {
	const (
		pack = durable.Orchestration[string, string]("pack")
		send = durable.Orchestration[[]string, string]("send")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		pack.With(func(ctx *durable.Context, what string) (string, error) {
			parent, _ := ctx.ParentID()
			return what + " packed for " + parent, nil
		}),
		send.With(func(ctx *durable.Context, parts []string) (string, error) {
			first, err := pack.Call(ctx, parts[0])
			if err != nil {
				return "", err
			}
			second, err := pack.Call(ctx, parts[1], durable.WithInstanceID("second-parcel"))
			return first + ", " + second, err
		}))
	defer stop()

	run, err := send.Start(ctx, client, "order-1", []string{"book", "lamp"})
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(pack.Run(client, "second-parcel").Wait(ctx))
	// Output:
	// book packed for order-1, lamp packed for order-1 <nil>
	// lamp packed for order-1 <nil>
}

// Nobody waits for a detached orchestration, and it is not cancelled with the one
// that started it.
func ExampleOrchestration_StartDetached() {
	const (
		survey = durable.Orchestration[string, string]("survey")
		order  = durable.Orchestration[string, string]("order")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		survey.With(func(ctx *durable.Context, customer string) (string, error) {
			ctx.Sleep(10 * time.Millisecond)
			return customer + " was asked", nil
		}),
		order.With(func(ctx *durable.Context, customer string) (string, error) {
			return "sent", survey.StartDetached(ctx, "survey-"+ctx.InstanceID(), customer)
		}))
	defer stop()

	run, err := order.Start(ctx, client, "order-2", "Ada")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(survey.Run(client, "survey-order-2").Wait(ctx))
	// Output:
	// sent <nil>
	// Ada was asked <nil>
}
