package durabletest_test

import (
	"context"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// Order is the input of the shop's workflow, which the tests of this package
// use.
type Order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

const (
	charge   = durable.Activity[Order, string]("charge")
	refund   = durable.Activity[string, bool]("refund")
	ship     = durable.Activity[string, string]("ship")
	checkout = durable.Orchestration[Order, string]("checkout")
)

// runCheckout charges, waits three days for an approval, and ships or refunds.
func runCheckout(ctx *durable.Context, o Order) (string, error) {
	receipt, err := charge.Call(ctx, o)
	if err != nil {
		return "", err
	}
	approval, deadline := durable.WaitEvent[string](ctx, "approve"), ctx.Timer(72*time.Hour)
	if durable.Race(ctx, approval, deadline) == 1 {
		_, err := refund.Call(ctx, receipt)
		return "expired", err
	}
	ctx.SetStatus("approved")
	return ship.Call(ctx, o.ID)
}

// shop is a registry with the workflow and, in the place of its code if given,
// other code.
func shop(t *testing.T, other ...durable.Registration) *durable.Registry {
	t.Helper()
	reg := durable.NewRegistry()
	if err := reg.Add(
		charge.With(func(_ context.Context, o Order) (string, error) { return "receipt of " + o.ID, nil }),
		refund.With(func(context.Context, string) (bool, error) { return true, nil }),
		ship.With(func(_ context.Context, id string) (string, error) { return "shipped " + id, nil }),
		checkout.With(runCheckout),
	); err != nil {
		t.Fatal(err)
	}
	if err := reg.Replace(other...); err != nil {
		t.Fatal(err)
	}
	return reg
}
