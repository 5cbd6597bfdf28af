package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv("DATABASE_URL"), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, args []string) error {
	if url == "" || len(args) == 0 {
		return errors.New("set DATABASE_URL, and name an order id, or approve and an order id")
	}
	provider, err := pgprovider.NewFromURL(ctx, url, &pgprovider.Options{Schema: "quickstart"})
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close() }()
	client := durable.NewClient(provider, nil)
	if len(args) == 2 && args[0] == "approve" {
		return client.RaiseEvent(ctx, args[1], "approve", "Ada")
	}

	shop := payments{currency: "EUR"}
	reg := durable.NewRegistry()
	if err := reg.Add(charge.With(shop.charge), refund.With(shop.refund), checkout.With(runCheckout)); err != nil {
		return err
	}
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		return err
	}
	if err := rt.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = rt.Shutdown(context.WithoutCancel(ctx)) }()

	// A second start of the same id finds the instance that is there.
	order, err := checkout.Start(ctx, client, args[0], Order{ID: args[0], Cents: 4250})
	if err != nil {
		return err
	}
	receipt, err := order.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Println(receipt)
	return nil
}
