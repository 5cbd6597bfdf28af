package orders

import (
	"errors"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Checkout takes an order from its validation to its shipment. Start it with
// the order's id as the instance id.
const Checkout = durable.Orchestration[Request, Result]("checkout")

// ApprovalQueue is the queue of an order that takes an [Approval]. A message
// there waits until the order asks for it.
const ApprovalQueue = "approval"

// The custom statuses that others wait for.
const (
	StatusAwaitingApproval = "awaiting approval"
	StatusUndoing          = "undoing"
)

// errExpired is why an order ends when nobody approved it.
var errExpired = errors.New("nobody approved it in time")

// again is how often each activity is tried.
func again() durable.ActivityOption {
	backoff := core.ExponentialBackoff(100*time.Millisecond, 2, 5*time.Second)
	return durable.Retry(durable.RetryPolicy{MaxAttempts: 4, Backoff: &backoff})
}

func checkout(ctx *durable.Context, in Request) (Result, error) {
	var steps saga
	result, failure := fulfil(ctx, in, &steps)
	if failure == nil {
		ctx.SetStatus(string(Completed))
		return result, nil
	}
	ctx.SetStatus(StatusUndoing + ": " + failure.Error())
	if err := steps.compensate(ctx); err != nil {
		// Nobody but an operator can help now.
		return Result{}, fmt.Errorf("%w; not everything could be undone: %w", failure, err)
	}
	result.Outcome, result.Reason = Compensated, failure.Error()
	if errors.Is(failure, errExpired) {
		result.Outcome = Expired
	}
	ctx.SetStatus(string(result.Outcome) + ": " + result.Reason)
	return result, nil
}

// fulfil does the steps in order and returns the error of the first one that
// cannot be done.
func fulfil(ctx *durable.Context, in Request, steps *saga) (Result, error) {
	order := in.Order

	ctx.SetStatus("validating")
	quote, err := Validate.Call(ctx, order, again())
	if err != nil {
		return Result{}, err
	}
	if quote.Problem != "" {
		return Result{}, errors.New(quote.Problem)
	}
	result := Result{Total: quote.Total}

	ctx.SetStatus(fmt.Sprintf("reserving, %d to do", len(order.Items)))
	if err := reserveAll(ctx, order, steps); err != nil {
		return result, err
	}

	ctx.SetStatus("charging " + quote.Total.String())
	payment := Payment{Order: order.ID, Card: order.Card, Amount: quote.Total}
	receipt, err := Charge.Call(ctx, payment, again())
	if err != nil {
		return result, err
	}
	if receipt.Declined != "" {
		return result, fmt.Errorf("payment declined: %s", receipt.Declined)
	}
	steps.done(func(ctx *durable.Context) error {
		_, err := Refund.Call(ctx, payment, again())
		return err
	})

	if quote.Total > in.Policy.ApprovalAbove {
		ctx.SetStatus(StatusAwaitingApproval)
		if err := approved(ctx, in.Policy.ApprovalWithin); err != nil {
			return result, err
		}
	}

	ctx.SetStatus("shipping")
	result.Tracking, err = Shipment.Call(ctx, Parcel{Order: order.ID, To: order.ShipTo}, durable.WithInstanceID(ShipmentID(order.ID)))
	if err != nil {
		return result, fmt.Errorf("not shipped: %w", err)
	}
	result.Outcome = Completed
	return result, nil
}

// reserveAll reserves every item in parallel. It waits for all of them even if
// one is refused, so that those which were reserved can be released.
func reserveAll(ctx *durable.Context, order Order, steps *saga) error {
	futures := make([]*durable.Future[Reservation], len(order.Items))
	for i, item := range order.Items {
		futures[i] = Reserve.Schedule(ctx, Line{Order: order.ID, Item: item}, again())
	}
	var errs []error
	for i, reserved := range durable.Join(ctx, futures...) {
		line := Line{Order: order.ID, Item: order.Items[i]}
		switch {
		case reserved.Err != nil:
			errs = append(errs, reserved.Err)
		case reserved.Value.Refused != "":
			errs = append(errs, errors.New(reserved.Value.Refused))
		default:
			steps.done(func(ctx *durable.Context) error {
				_, err := Release.Call(ctx, line, again())
				return err
			})
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("out of stock: %w", errs[0])
}

// approved waits for somebody to approve, until the deadline.
func approved(ctx *durable.Context, within time.Duration) error {
	approval, deadline := durable.Dequeue[Approval](ctx, ApprovalQueue), ctx.Timer(within)
	if durable.Race(ctx, approval, deadline) == 1 {
		return errExpired
	}
	a, err := approval.Await(ctx)
	if err != nil {
		return err
	}
	if !a.Approved {
		return fmt.Errorf("rejected by %s", a.By)
	}
	ctx.SetStatus("approved by " + a.By)
	return nil
}
