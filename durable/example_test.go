package durable_test

import (
	"context"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

const (
	Greet = durable.Activity[string, string]("greet")
	Hello = durable.Orchestration[string, string]("hello")
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	reg := durable.NewRegistry()
	err := reg.Add(
		Greet.With(func(_ context.Context, name string) (string, error) { return "Hello, " + name + "!", nil }),
		Hello.With(func(ctx *durable.Context, name string) (string, error) { return Greet.Call(ctx, name) }),
	)
	if err != nil {
		panic(err)
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = rt.Shutdown(ctx) }()

	run, err := Hello.Start(ctx, durable.NewClient(provider, nil), "greet-1", "Bob")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: Hello, Bob! <nil>
}
