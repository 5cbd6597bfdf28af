package orders_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// shop is a running workflow with its ledger in memory.
type shop struct {
	t      *testing.T
	ctx    context.Context
	client *durable.Client
	ledger *orders.MemoryLedger
}

func setup(t *testing.T) *shop {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	s := &shop{t: t, ctx: ctx, ledger: &orders.MemoryLedger{}}
	reg := durable.NewRegistry()
	if err := orders.Register(reg, orders.Deps{Ledger: s.ledger, Worker: "test"}); err != nil {
		t.Fatal(err)
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, &durable.Options{Nondeterminism: durable.Fail})
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := rt.Shutdown(grace); err != nil {
			t.Error(err)
		}
	})
	s.client = durable.NewClient(provider, nil)
	return s
}

func (s *shop) start(order orders.Order, within time.Duration) *durable.Run[orders.Result] {
	s.t.Helper()
	policy := orders.DefaultPolicy()
	policy.ApprovalWithin = within
	run, err := orders.Checkout.Start(s.ctx, s.client, order.ID, orders.Request{Order: order, Policy: policy})
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// finish waits for the end and checks the ledger against the histories.
func (s *shop) finish(run *durable.Run[orders.Result]) orders.Result {
	s.t.Helper()
	result, err := run.Wait(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	var expected []orders.Entry
	for _, id := range []string{run.InstanceID(), orders.ShipmentID(run.InstanceID())} {
		history, err := s.client.History(s.ctx, id)
		if err != nil {
			s.t.Fatal(err)
		}
		more, err := orders.Expected(history)
		if err != nil {
			s.t.Fatal(err)
		}
		expected = append(expected, more...)
	}
	diffs := orders.Compare(expected, s.ledger.Entries())
	diffs = append(diffs, orders.CheckOutcome(run.InstanceID(), result, s.ledger.Entries())...)
	if len(diffs) > 0 {
		s.t.Errorf("ledger and history differ:\n%s", strings.Join(diffs, "\n"))
	}
	return result
}

// effects returns the kinds of entries in the order in which history has them.
func (s *shop) effects(run *durable.Run[orders.Result]) []string {
	s.t.Helper()
	var kinds []string
	for _, id := range []string{run.InstanceID(), orders.ShipmentID(run.InstanceID())} {
		history, err := s.client.History(s.ctx, id)
		if err != nil {
			s.t.Fatal(err)
		}
		entries, err := orders.Expected(history)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range entries {
			text := string(e.Kind)
			if e.Kind == orders.Released {
				text += " " + e.Detail
			}
			kinds = append(kinds, text)
		}
	}
	return kinds
}

// order is one that nothing is wrong with.
func order(change func(*orders.Order)) orders.Order {
	o := orders.Order{
		ID: "ord-1", Customer: "Ada Byron", Account: "private", Card: "tok_visa",
		Items:  []orders.Item{{SKU: "mug-enamel", Quantity: 2}, {SKU: "teapot-clay", Quantity: 1}},
		ShipTo: orders.Address{Street: "Veldstraat 1", City: "Ghent", Country: "BE"},
	}
	if change != nil {
		change(&o)
	}
	return o
}

func large(o *orders.Order) { o.Items = []orders.Item{{SKU: "bike-cargo", Quantity: 1}} }

func TestCheckout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*orders.Order)
		want    orders.Result
		effects []string
	}{
		"completed": {
			want:    orders.Result{Outcome: orders.Completed, Total: 70_00, Tracking: "DXORD1BE"},
			effects: []string{"reserved", "reserved", "charged", "shipped"},
		},
		"charged after retries": {
			change:  func(o *orders.Order) { o.Card = "tok_bank_slower" },
			want:    orders.Result{Outcome: orders.Completed, Total: 70_00, Tracking: "DXORD1BE"},
			effects: []string{"reserved", "reserved", "charge_failed", "charge_failed", "charged", "shipped"},
		},
		"payment service down": {
			change: func(o *orders.Order) { o.Card = "tok_bank_down" },
			want:   orders.Result{Outcome: orders.Compensated, Total: 70_00, Reason: "the payment service timed out"},
			effects: []string{
				"reserved", "reserved", "charge_failed", "charge_failed", "charge_failed", "charge_failed",
				"released 1 x teapot-clay", "released 2 x mug-enamel",
			},
		},
		"payment declined": {
			change:  func(o *orders.Order) { o.Card = "tok_insufficient_funds" },
			want:    orders.Result{Outcome: orders.Compensated, Total: 70_00, Reason: "payment declined: insufficient funds"},
			effects: []string{"reserved", "reserved", "declined", "released 1 x teapot-clay", "released 2 x mug-enamel"},
		},
		"one item out of stock": {
			change: func(o *orders.Order) {
				o.Items = append(o.Items, orders.Item{SKU: "lamp-brass", Quantity: 1})
			},
			want:    orders.Result{Outcome: orders.Compensated, Total: 199_00, Reason: "out of stock: lamp-brass is sold out"},
			effects: []string{"reserved", "reserved", "released 1 x teapot-clay", "released 2 x mug-enamel"},
		},
		"not shipped": {
			change: func(o *orders.Order) {
				o.ShipTo = orders.Address{Street: "Building 155", City: "McMurdo", Country: "AQ"}
			},
			want: orders.Result{Outcome: orders.Compensated, Total: 70_00, Reason: "not shipped: no carrier goes to McMurdo, AQ"},
			effects: []string{
				"reserved", "reserved", "charged",
				"refunded", "released 1 x teapot-clay", "released 2 x mug-enamel",
			},
		},
		"invalid": {
			change: func(o *orders.Order) { o.Items[0].Quantity = -1 },
			want:   orders.Result{Outcome: orders.Compensated, Reason: "negative quantity -1 of mug-enamel"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			run := s.start(order(test.change), time.Hour)
			if diff := cmp.Diff(test.want, s.finish(run)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.effects, s.effects(run)); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}

// waitStatus waits until the custom status is as wanted.
func (s *shop) waitStatus(id, want string) {
	s.t.Helper()
	for version := uint64(0); ; {
		status, err := s.client.WaitStatusChange(s.ctx, id, version)
		if err != nil {
			s.t.Fatal(err)
		}
		if status.CustomStatus != nil && *status.CustomStatus == want {
			return
		}
		if status.Done() {
			s.t.Fatalf("%s ended before it was %q", id, want)
		}
		version = status.CustomStatusVersion
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		approval *orders.Approval
		early    bool
		within   time.Duration
		want     orders.Result
		effects  []string
	}{
		"given": {
			approval: &orders.Approval{Approved: true, By: "Ada"}, within: time.Hour,
			want:    orders.Result{Outcome: orders.Completed, Total: 2_490_00, Tracking: "DXORD1BE"},
			effects: []string{"reserved", "charged", "shipped"},
		},
		"given before it is asked for": {
			approval: &orders.Approval{Approved: true, By: "Ada"}, early: true, within: time.Hour,
			want:    orders.Result{Outcome: orders.Completed, Total: 2_490_00, Tracking: "DXORD1BE"},
			effects: []string{"reserved", "charged", "shipped"},
		},
		"refused": {
			approval: &orders.Approval{By: "Ada"}, within: time.Hour,
			want:    orders.Result{Outcome: orders.Compensated, Total: 2_490_00, Reason: "rejected by Ada"},
			effects: []string{"reserved", "charged", "refunded", "released 1 x bike-cargo"},
		},
		"expired": {
			within:  20 * time.Millisecond,
			want:    orders.Result{Outcome: orders.Expired, Total: 2_490_00, Reason: "nobody approved it in time"},
			effects: []string{"reserved", "charged", "refunded", "released 1 x bike-cargo"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			run := s.start(order(large), test.within)
			if test.approval != nil {
				if !test.early {
					s.waitStatus("ord-1", orders.StatusAwaitingApproval)
				}
				if err := s.client.EnqueueMessage(s.ctx, "ord-1", orders.ApprovalQueue, test.approval); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, s.finish(run)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.effects, s.effects(run)); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegisterNeedsALedger(t *testing.T) {
	t.Parallel()
	if err := orders.Register(durable.NewRegistry(), orders.Deps{}); err == nil {
		t.Error("no error")
	}
}
