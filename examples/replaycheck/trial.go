package replaycheck

import (
	"context"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Customer is the input of [Trial].
type Customer struct {
	Email string `json:"email"`
	// Price is what a month costs after the trial, in cents.
	Price int `json:"price"`
}

// The workflow and its activities.
const (
	Trial  = durable.Orchestration[Customer, string]("trial")
	Remind = durable.Activity[Customer, bool]("remind")
	Charge = durable.Activity[Customer, string]("charge")
	Close  = durable.Activity[Customer, bool]("close account")
)

// CancelEvent ends a trial while it lasts.
const CancelEvent = "cancel"

const day = 24 * time.Hour

// trial reminds after 25 days and charges after 30, unless the customer cancels
// in between or the card is refused for a day.
func trial(ctx *durable.Context, c Customer) (string, error) {
	ctx.Sleep(25 * day)
	if _, err := Remind.Call(ctx, c); err != nil {
		return "", err
	}
	cancelled, over := durable.WaitEvent[string](ctx, CancelEvent), ctx.Timer(5*day)
	if durable.Race(ctx, cancelled, over) == 0 {
		_, err := Close.Call(ctx, c)
		return "cancelled", err
	}
	backoff := core.FixedBackoff(8 * time.Hour)
	receipt, err := Charge.Call(ctx, c, durable.Retry(durable.RetryPolicy{MaxAttempts: 4, Backoff: &backoff}))
	if err != nil {
		ctx.SetStatus("card refused: " + err.Error())
		_, err := Close.Call(ctx, c)
		return "closed", err
	}
	return "subscribed: " + receipt, nil
}

// Register adds the code to a registry.
func Register(reg *durable.Registry) error {
	return reg.Add(
		Trial.With(trial),
		Remind.With(func(context.Context, Customer) (bool, error) { return true, nil }),
		Close.With(func(context.Context, Customer) (bool, error) { return true, nil }),
		Charge.With(func(ctx context.Context, c Customer) (string, error) {
			return fmt.Sprintf("%s: %d cents", durable.Info(ctx).IdempotencyKey, c.Price), nil
		}),
	)
}
