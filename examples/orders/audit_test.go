package orders_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/examples/orders"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	charged := orders.Entry{Key: "a/1/7", Order: "a", Kind: orders.Charged, Detail: "tok_visa", Amount: 1250}
	shipped := orders.Entry{Key: "a/shipment/1/4", Order: "a", Kind: orders.Shipped, Detail: "Ghent, BE"}
	expected := []orders.Entry{charged, shipped}

	byOther := charged
	byOther.Worker = "worker-2"
	if diffs := orders.Compare(expected, []orders.Entry{shipped, byOther}); diffs != nil {
		t.Errorf("differences %q", diffs)
	}

	more := charged
	more.Amount = 9900
	again := charged
	again.Key = "a/1/9"
	want := []string{
		"a: history says charged 12.50 EUR (tok_visa), the ledger charged 99.00 EUR (tok_visa) for a (call a/1/7)",
		"a: history says shipped (Ghent, BE), the ledger has nothing (call a/shipment/1/4)",
		"a: the ledger says charged 12.50 EUR (tok_visa), history knows nothing of it (call a/1/9)",
	}
	if diff := cmp.Diff(want, orders.Compare(expected, []orders.Entry{more, again})); diff != "" {
		t.Error(diff)
	}
}

func TestCheckOutcome(t *testing.T) {
	t.Parallel()
	entry := func(kind orders.Kind, detail string, amount orders.Cents) orders.Entry {
		return orders.Entry{Order: "a", Kind: kind, Detail: detail, Amount: amount}
	}
	var (
		other    = orders.Entry{Order: "b", Kind: orders.Charged, Amount: 1}
		reserved = entry(orders.Reserved, "1 x mug", 0)
		released = entry(orders.Released, "1 x mug", 0)
		charged  = entry(orders.Charged, "tok_visa", 1250)
		refunded = entry(orders.Refunded, "tok_visa", 1250)
		shipped  = entry(orders.Shipped, "Ghent, BE", 0)
	)
	for name, test := range map[string]struct {
		outcome orders.Outcome
		ledger  []orders.Entry
		want    []string
	}{
		"completed":       {orders.Completed, []orders.Entry{other, reserved, charged, shipped}, nil},
		"compensated":     {orders.Compensated, []orders.Entry{reserved, charged, refunded, released}, nil},
		"nothing done":    {orders.Compensated, nil, nil},
		"charged twice":   {orders.Completed, []orders.Entry{reserved, charged, charged, shipped}, []string{"a (completed): charged 2 times and refunded 0 times, 25.00 EUR in all instead of 12.50 EUR once"}},
		"not shipped":     {orders.Completed, []orders.Entry{reserved, charged}, []string{"a (completed): shipped 0 times instead of once"}},
		"not refunded":    {orders.Expired, []orders.Entry{reserved, charged, released}, []string{"a (expired): the customer has paid 12.50 EUR instead of nothing"}},
		"shipped for all": {orders.Expired, []orders.Entry{charged, refunded, shipped}, []string{"a (expired): shipped 1 times instead of never"}},
		"not released":    {orders.Compensated, []orders.Entry{reserved}, []string{"a (compensated): 1 x mug is still reserved"}},
		"back and forth":  {orders.Compensated, []orders.Entry{charged, refunded, charged, refunded}, []string{"a (compensated): charged 2 times and refunded 2 times"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := orders.CheckOutcome("a", orders.Result{Outcome: test.outcome, Total: 1250}, test.ledger)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCents(t *testing.T) {
	t.Parallel()
	for cents, want := range map[orders.Cents]string{
		0: "0.00 EUR", 5: "0.05 EUR", 1250: "12.50 EUR", 100_000: "1,000.00 EUR", 123_456_789: "1,234,567.89 EUR", -150: "-1.50 EUR",
	} {
		if got := cents.String(); got != want {
			t.Errorf("%d cents are %q, want %q", int64(cents), got, want)
		}
	}
}
