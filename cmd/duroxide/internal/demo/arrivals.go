package demo

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// starters is how many orders may be on their way into the database at the same
// time, so that a slow disk does not hold up those behind.
const starters = 4

// maxOpen is how many orders are under way at most. On a slow machine they would
// otherwise all wait for the same step, and all end at the same time.
const maxOpen = 60

// startOrders starts the orders as they arrive. It returns when all are started,
// or with the first error.
func (s *show) startOrders(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, starters)
	tick := time.NewTicker(arrival)
	defer tick.Stop()
	for _, order := range s.Orders {
		select {
		case <-ctx.Done():
		case slots <- struct{}{}:
			s.started.Add(1)
			wg.Go(func() {
				defer func() { <-slots }()
				if err := s.startOrder(ctx, order); err != nil {
					cancel(err)
				}
			})
		}
		for waiting := true; waiting && ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-tick.C:
				waiting = s.started.Load()-s.ended.Load() >= maxOpen
			}
		}
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// startOrder starts one order under its id. The input holds no id twice, so
// that none is taken.
func (s *show) startOrder(ctx context.Context, order orders.Order) error {
	policy := orders.DefaultPolicy()
	policy.ApprovalWithin = approveWithin
	_, err := orders.Checkout.Start(ctx, s.client, order.ID, orders.Request{Order: order, Policy: policy},
		durable.OnConflict(durable.UseExisting))
	return err
}
