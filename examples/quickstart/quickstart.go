package main

import (
	"context"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// Order is what is bought.
type Order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

const (
	charge   = durable.Activity[Order, string]("charge")
	refund   = durable.Activity[string, bool]("refund")
	checkout = durable.Orchestration[Order, string]("checkout")
)

func runCheckout(ctx *durable.Context, o Order) (string, error) {
	receipt, err := charge.Call(ctx, o, durable.Retry(durable.RetryPolicy{MaxAttempts: 5}))
	if err != nil {
		return "", err
	}
	approval, deadline := durable.WaitEvent[string](ctx, "approve"), ctx.Timer(72*time.Hour)
	if durable.Race(ctx, approval, deadline) == 0 {
		return receipt, nil
	}
	_, err = refund.Call(ctx, receipt)
	return "expired", err
}

// payments is where the activities get what they need. A real one calls a
// payment service and passes it [durable.ActivityInfo]'s IdempotencyKey, which is
// the same for all attempts.
type payments struct{ currency string }

func (p payments) charge(_ context.Context, o Order) (string, error) {
	return fmt.Sprintf("%s: %d.%02d %s", o.ID, o.Cents/100, o.Cents%100, p.currency), nil
}

func (p payments) refund(context.Context, string) (bool, error) { return true, nil }
