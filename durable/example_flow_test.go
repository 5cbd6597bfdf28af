package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// serve starts a runtime with the given code on a store in memory. A program
// has its own provider instead.
func serve(ctx context.Context, code ...durable.Registration) (*durable.Client, func()) {
	reg := durable.NewRegistry()
	if err := reg.Add(code...); err != nil {
		panic(err)
	}
	return serveWith(ctx, reg, nil)
}

func serveWith(ctx context.Context, reg *durable.Registry, o *durable.Options) (*durable.Client, func()) {
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, o)
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	return durable.NewClient(provider, nil), func() { _ = rt.Shutdown(ctx) }
}

// Approval with a deadline: whoever comes first wins, and the loser is given
// up.
func ExampleRace() {
	type approval struct{ By string }
	const approve = durable.Orchestration[time.Duration, string]("approve")
	ctx := context.Background()
	client, stop := serve(ctx, approve.With(func(ctx *durable.Context, patience time.Duration) (string, error) {
		approved, deadline := durable.WaitEvent[approval](ctx, "approval"), ctx.Timer(patience)
		switch durable.Race(ctx, approved, deadline) {
		case 0:
			a, err := approved.Await(ctx)
			return "approved by " + a.By, err
		default:
			return "expired", nil
		}
	}))
	defer stop()

	quick, err := approve.Start(ctx, client, "invoice-1", 10*time.Millisecond)
	if err != nil {
		panic(err)
	}
	fmt.Println(quick.Wait(ctx))

	patient, err := approve.Start(ctx, client, "invoice-2", 72*time.Hour)
	if err != nil {
		panic(err)
	}
	waitFor(ctx, client, "invoice-2", core.TypeExternalSubscribed)
	if err := client.RaiseEvent(ctx, "invoice-2", "approval", approval{By: "Ann"}); err != nil {
		panic(err)
	}
	fmt.Println(patient.Wait(ctx))
	// Output:
	// expired <nil>
	// approved by Ann <nil>
}

// waitFor waits until an instance has recorded an event of that type.
func waitFor(ctx context.Context, client *durable.Client, id, eventType string) {
	for {
		history, err := client.History(ctx, id)
		if err != nil {
			panic(err)
		}
		for _, ev := range history {
			if ev.Data.EventType() == eventType {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

func ExampleRetry() {
	const (
		charge   = durable.Activity[int, string]("charge")
		checkout = durable.Orchestration[int, string]("checkout")
	)
	ctx := context.Background()
	attempts := 0
	client, stop := serve(ctx,
		charge.With(func(_ context.Context, cents int) (string, error) {
			if attempts++; attempts < 3 {
				return "", errors.New("the bank does not answer")
			}
			return fmt.Sprintf("%d cents charged", cents), nil
		}),
		checkout.With(func(ctx *durable.Context, cents int) (string, error) {
			return charge.Call(ctx, cents, durable.Retry(durable.RetryPolicy{
				MaxAttempts: 5,
				Backoff:     new(core.FixedBackoff(time.Millisecond)),
				Timeout:     time.Minute, // of each attempt
			}))
		}))
	defer stop()

	run, err := checkout.Start(ctx, client, "order-7", 1250)
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: 1250 cents charged <nil>
}

// Fan out, fan in: every outcome, in the order of the calls.
func ExampleJoin() {
	const (
		thumbnail = durable.Activity[string, string]("thumbnail")
		album     = durable.Orchestration[[]string, []string]("album")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		thumbnail.With(func(_ context.Context, url string) (string, error) {
			if url == "" {
				return "", errors.New("no picture")
			}
			return "small " + url, nil
		}),
		album.With(func(ctx *durable.Context, urls []string) ([]string, error) {
			var pictures []*durable.Future[string]
			for _, url := range urls {
				pictures = append(pictures, thumbnail.Schedule(ctx, url))
			}
			var out []string
			for _, p := range durable.Join(ctx, pictures...) {
				if p.Err != nil {
					p.Value = "(" + p.Err.Error() + ")"
				}
				out = append(out, p.Value)
			}
			return out, nil
		}))
	defer stop()

	run, err := album.Start(ctx, client, "album-1", []string{"cat.png", "", "dog.png"})
	if err != nil {
		panic(err)
	}
	out, err := run.Wait(ctx)
	fmt.Println(strings.Join(out, ", "), err)
	// Output: small cat.png, (no picture), small dog.png <nil>
}

// A saga undoes what it did, in reverse, as ordinary code on the error path.
// Never put that into a deferred function: those also run when an orchestration
// merely stops waiting.
func Example_saga() {
	const (
		book   = durable.Activity[string, string]("book")
		undo   = durable.Activity[string, string]("undo")
		travel = durable.Orchestration[[]string, string]("travel")
	)
	ctx := context.Background()
	client, stop := serve(ctx,
		book.With(func(_ context.Context, what string) (string, error) {
			if what == "car" {
				return "", errors.New("no cars left")
			}
			fmt.Println("booked", what)
			return what + "-booking", nil
		}),
		undo.With(func(_ context.Context, booking string) (string, error) {
			fmt.Println("cancelled", booking)
			return "", nil
		}),
		travel.With(func(ctx *durable.Context, parts []string) (string, error) {
			var booked []string
			for _, part := range parts {
				booking, err := book.Call(ctx, part)
				if err == nil {
					booked = append(booked, booking)
					continue
				}
				for len(booked) > 0 {
					last := booked[len(booked)-1]
					booked = booked[:len(booked)-1]
					if _, undoErr := undo.Call(ctx, last, durable.Retry(durable.RetryPolicy{})); undoErr != nil {
						err = errors.Join(err, undoErr)
					}
				}
				return "", err
			}
			return "bon voyage", nil
		}))
	defer stop()

	run, err := travel.Start(ctx, client, "trip-1", []string{"flight", "hotel", "car"})
	if err != nil {
		panic(err)
	}
	_, err = run.Wait(ctx)
	fmt.Println(err)
	// Output:
	// booked flight
	// booked hotel
	// cancelled hotel-booking
	// cancelled flight-booking
	// orchestration trip-1: no cars left
}

// An orchestration without end starts over from time to time, with an empty
// history. Messages that were not read yet go on to the next execution.
func ExampleOrchestration_ContinueAsNew() {
	const cart = durable.Orchestration[int, int]("cart")
	ctx := context.Background()
	client, stop := serve(ctx, cart.With(func(ctx *durable.Context, total int) (int, error) {
		price, err := durable.Dequeue[int](ctx, "prices").Await(ctx)
		if err != nil || price == 0 {
			return total, err
		}
		return 0, cart.ContinueAsNew(total + price)
	}))
	defer stop()

	run, err := cart.Start(ctx, client, "cart-1", 0)
	if err != nil {
		panic(err)
	}
	waitFor(ctx, client, "cart-1", core.TypeOrchestrationStarted)
	for _, price := range []int{300, 250, 75, 0} {
		if err := client.EnqueueMessage(ctx, "cart-1", "prices", price); err != nil {
			panic(err)
		}
	}
	fmt.Println(run.Wait(ctx))
	// Output: 625 <nil>
}

// Code under a new version serves new starts; what runs keeps its version.
func ExampleOrchestration_Version() {
	const greet = durable.Orchestration[string, string]("greet")
	ctx := context.Background()
	client, stop := serve(ctx,
		greet.With(func(_ *durable.Context, name string) (string, error) { return "Hello " + name, nil }),
		greet.Version("2.0.0").With(func(_ *durable.Context, name string) (string, error) { return "Good day, " + name, nil }))
	defer stop()

	latest, err := greet.Start(ctx, client, "a", "Bob")
	if err != nil {
		panic(err)
	}
	exact, err := greet.Version("1.0.0").Start(ctx, client, "b", "Bob")
	if err != nil {
		panic(err)
	}
	fmt.Println(latest.Wait(ctx))
	fmt.Println(exact.Wait(ctx))
	// Output:
	// Good day, Bob <nil>
	// Hello Bob <nil>
}

func ExampleClient_WaitStatusChange() {
	const deploy = durable.Orchestration[string, string]("deploy")
	ctx := context.Background()
	client, stop := serve(ctx, deploy.With(func(ctx *durable.Context, version string) (string, error) {
		ctx.SetStatus("waiting for a go")
		if _, err := durable.WaitEvent[string](ctx, "go").Await(ctx); err != nil {
			return "", err
		}
		return version + " is live", nil
	}))
	defer stop()

	if _, err := deploy.Start(ctx, client, "deploy-1", "v7"); err != nil {
		panic(err)
	}
	s, err := client.WaitStatusChange(ctx, "deploy-1", 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.State, *s.CustomStatus)

	if err := client.RaiseEvent(ctx, "deploy-1", "go", ""); err != nil {
		panic(err)
	}
	s, err = client.Wait(ctx, "deploy-1")
	if err != nil {
		panic(err)
	}
	fmt.Println(s.State, s.Output)
	// Output:
	// Running waiting for a go
	// Completed v7 is live
}
