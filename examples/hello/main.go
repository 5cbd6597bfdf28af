package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// Handles name the code and its types; the code itself is bound below.
const (
	greet = durable.Activity[string, string]("greet")
	hello = durable.Orchestration[string, string]("hello")
)

// sayHello is the orchestration: deterministic, it only decides.
func sayHello(ctx *durable.Context, name string) (string, error) {
	greeting, err := greet.Call(ctx, name)
	if err != nil {
		return "", err
	}
	ctx.Sleep(50 * time.Millisecond) // survives a restart, with a provider that does
	return greeting + " It is " + ctx.Now().UTC().Weekday().String() + ".", nil
}

// makeGreeting is the activity: it may do anything.
func makeGreeting(_ context.Context, name string) (string, error) {
	return "Hello, " + name + "!", nil
}

func main() {
	name := "world"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if err := run(context.Background(), os.Stdout, name); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	reg := durable.NewRegistry()
	if err := reg.Add(greet.With(makeGreeting), hello.With(sayHello)); err != nil {
		return err
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		return err
	}
	if err := rt.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = rt.Shutdown(ctx) }()

	started, err := hello.Start(ctx, durable.NewClient(provider, nil), "hello-1", name)
	if err != nil {
		return err
	}
	greeting, err := started.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, greeting)
	return nil
}
