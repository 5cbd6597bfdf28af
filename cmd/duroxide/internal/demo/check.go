package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// record is all that is known of one order at the end.
type record struct {
	order   orders.Order
	history []core.Event // of the order
	child   []core.Event // of its shipment; empty if it did not come so far
	result  orders.Result
	failure core.ErrorDetails // of an order that ended in no outcome at all
}

// load reads what became of an order.
func (s *show) load(ctx context.Context, order orders.Order) (record, error) {
	r := record{order: order}
	var err error
	if r.history, err = s.client.History(ctx, order.ID); err != nil {
		return r, fmt.Errorf("read the history of %s: %w", order.ID, err)
	}
	if r.child, err = s.client.History(ctx, orders.ShipmentID(order.ID)); err != nil {
		return r, fmt.Errorf("read the history of %s: %w", orders.ShipmentID(order.ID), err)
	}
	if len(r.history) == 0 {
		return r, fmt.Errorf("%s has no history", order.ID)
	}
	switch d := r.history[len(r.history)-1].Data.(type) {
	case core.OrchestrationCompleted:
		if err := json.Unmarshal([]byte(d.Output), &r.result); err != nil {
			return r, fmt.Errorf("result of %s: %w", order.ID, err)
		}
	case core.OrchestrationFailed:
		r.failure = d.Details
	default:
		return r, fmt.Errorf("%s has not ended: its last event is %s", order.ID, d.EventType())
	}
	return r, nil
}

// verdict is what the check found.
type verdict struct {
	effects     int // that histories call for
	redelivered map[string]int
	differences []string
}

// judge compares the histories of the orders with the ledger that the activities
// kept, and each outcome with what the ledger adds up to.
func judge(records []record, ledger []orders.Entry, deliveries []orders.Delivery) (verdict, error) {
	v := verdict{redelivered: map[string]int{}}
	var expected []orders.Entry
	var errs []error
	byOrder := map[string][]orders.Entry{}
	for _, e := range ledger {
		byOrder[e.Order] = append(byOrder[e.Order], e)
	}
	for _, r := range records {
		for _, history := range [][]core.Event{r.history, r.child} {
			entries, err := orders.Expected(history)
			errs = append(errs, err)
			expected = append(expected, entries...)
		}
		if r.failure != nil {
			v.differences = append(v.differences, fmt.Sprintf("%s: the orchestration failed: %s", r.order.ID, r.failure))
			continue
		}
		v.differences = append(v.differences, orders.CheckOutcome(r.order.ID, r.result, byOrder[r.order.ID])...)
	}
	v.effects = len(expected)
	v.differences = append(orders.Compare(expected, ledger), v.differences...)
	for _, d := range deliveries {
		if d.Attempt > 1 {
			v.redelivered[d.Key]++
		}
	}
	return v, errors.Join(errs...)
}
