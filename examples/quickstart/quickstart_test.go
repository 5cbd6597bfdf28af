package main

import (
	"testing"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

func TestCheckout(t *testing.T) {
	t.Parallel()
	provider := memprovider.New(nil)
	shop := payments{currency: "EUR"}
	reg := durable.NewRegistry()
	if err := reg.Add(charge.With(shop.charge), refund.With(shop.refund), checkout.With(runCheckout)); err != nil {
		t.Fatal(err)
	}
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rt.Shutdown(t.Context()) }()

	client := durable.NewClient(provider, nil)
	order, err := checkout.Start(t.Context(), client, "order-1", Order{ID: "order-1", Cents: 4250})
	if err != nil {
		t.Fatal(err)
	}
	// The approval must not come before the order waits for it.
	for waits := false; !waits; {
		events, err := client.History(t.Context(), "order-1")
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			waits = waits || ev.Data.EventType() == "ExternalSubscribed"
		}
	}
	if err := client.RaiseEvent(t.Context(), "order-1", "approve", "Ada"); err != nil {
		t.Fatal(err)
	}
	receipt, err := order.Wait(t.Context())
	if want := "order-1: 42.50 EUR"; err != nil || receipt != want {
		t.Errorf("got %q and error %v, want %q", receipt, err, want)
	}
}
