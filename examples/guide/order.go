package guide

import (
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

const day = 24 * time.Hour

// order sells a book: it is charged, approved by the customer, printed and sent.
func order(ctx *durable.Context, b Book) (string, error) {
	return sell(ctx, b, printBook)
}

func sell(ctx *durable.Context, b Book, produce func(*durable.Context, Job) error) (string, error) {
	payment := Payment{b.Customer, b.Cents}
	receipt, err := Charge.Call(ctx, payment, patiently, durable.ScheduleToClose(day))
	if err != nil || receipt.Declined {
		return "not paid", err
	}
	pages, err := scaleAll(ctx, b.Pictures)
	if err == nil {
		err = approved(ctx, b.Customer)
	}
	if err == nil {
		err = produce(ctx, Job{ctx.InstanceID(), pages})
	}
	if err != nil {
		// What was done is undone by ordinary code on the way out.
		_, undone := Refund.Call(ctx, payment, patiently)
		return "refunded: " + err.Error(), undone
	}
	tracking, err := Parcel.Call(ctx, b.Customer)
	if err != nil {
		return "", err
	}
	ctx.SetStatus("sent")
	return tracking, nil
}

// patiently tries again for almost half an hour.
var patiently = durable.Retry(durable.RetryPolicy{
	MaxAttempts: 12,
	Backoff:     new(core.ExponentialBackoff(time.Second, 2, 10*time.Minute)),
	Jitter:      0.2,
})

// scaleAll works on all pictures at the same time.
func scaleAll(ctx *durable.Context, pictures []string) ([]string, error) {
	var small []*durable.Future[string]
	for _, p := range pictures {
		small = append(small, Scale.Schedule(ctx, p, durable.WithTag("graphics")))
	}
	return durable.JoinAll(ctx, small...)
}

// Decision is a customer's word on the proof.
type Decision struct {
	Fine bool `json:"fine"`
}

var errNotApproved = errors.New("not approved")

// approved waits for the customer, with a reminder every three days.
func approved(ctx *durable.Context, customer string) error {
	for range 3 {
		ctx.SetStatus("waiting for " + customer)
		decision, patience := durable.Dequeue[Decision](ctx, "decisions"), ctx.Timer(3*day)
		if durable.Race(ctx, decision, patience) == 0 {
			d, err := decision.Await(ctx)
			if err == nil && !d.Fine {
				err = errNotApproved
			}
			return err
		}
		if _, err := Mail.Call(ctx, "Dear "+customer+", is the proof fine?"); err != nil {
			return err
		}
	}
	return errNotApproved
}

var errCancelled = errors.New("cancelled")

// printBook prints and binds on the same machine, unless it is cancelled.
func printBook(ctx *durable.Context, j Job) error {
	ctx.SetStatus("printing")
	here := durable.OnSession(j.Book)
	printing := Print.Schedule(ctx, j, here)
	if durable.Race(ctx, printing, ctx.CancelRequested()) == 1 {
		_, err := Scrap.Call(ctx, j, here)
		return errors.Join(errCancelled, err)
	}
	if _, err := printing.Await(ctx); err != nil {
		return err
	}
	_, err := Bind.Call(ctx, j, here)
	return err
}

// orderInTwoColours is version 2 of order: it prints twice.
func orderInTwoColours(ctx *durable.Context, b Book) (string, error) {
	return sell(ctx, b, func(ctx *durable.Context, j Job) error {
		for range 2 {
			if _, err := Print.Call(ctx, j); err != nil {
				return err
			}
		}
		return nil
	})
}
