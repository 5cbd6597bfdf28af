package pgledger_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/examples/orders"
	"github.com/duroxide/duroxide-go/examples/orders/pgledger"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) *pgledger.Ledger {
	t.Helper()
	db := migrationstest.NewEmpty(t)
	ledger, err := pgledger.New(db.Pool, db.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if err := ledger.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return ledger
}

// Of deliveries of one call at the same time, one acts and all see what it did.
func TestRecordOnce(t *testing.T) {
	t.Parallel()
	ledger := setup(t)
	const deliveries = 8
	var all sync.WaitGroup
	got := make([]orders.Entry, deliveries)
	for i := range deliveries {
		all.Go(func() {
			var err error
			got[i], err = ledger.Record(t.Context(), orders.Entry{
				Key: "a/1/7", Order: "a", Kind: orders.Charged, Detail: "tok_visa", Amount: orders.Cents(100 + i), Worker: "w",
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, err := ledger.Entries(t.Context())
	if err != nil || len(entries) != 1 {
		t.Fatalf("entries %v, error %v", entries, err)
	}
	for _, e := range got {
		if e != entries[0] {
			t.Errorf("a delivery saw %v, the ledger has %v", e, entries[0])
		}
	}
	if n, err := ledger.Count(t.Context(), "a", orders.Charged); n != 1 || err != nil {
		t.Errorf("count %d, error %v", n, err)
	}
	if n, err := ledger.Count(t.Context(), "a", orders.Refunded); n != 0 || err != nil {
		t.Errorf("count of another kind %d, error %v", n, err)
	}
	if e, ok, err := ledger.Find(t.Context(), "a/1/7"); e != entries[0] || !ok || err != nil {
		t.Errorf("found %v, %v, error %v", e, ok, err)
	}
	if _, ok, err := ledger.Find(t.Context(), "a/1/8"); ok || err != nil {
		t.Errorf("found what is not there: %v, error %v", ok, err)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	ledger := setup(t)
	want := []orders.Delivery{
		{Key: "a/1/2", Instance: "a", Activity: "reserve", Attempt: 1, Worker: "worker-1"},
		{Key: "a/1/2", Instance: "a", Activity: "reserve", Attempt: 2, Worker: "worker-2"},
	}
	for _, d := range want {
		if err := ledger.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ledger.Deliveries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	if _, err := pgledger.New(nil, "x"); err == nil {
		t.Error("a ledger without a pool")
	}
	ledger := setup(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ledger.Deliver(ended, orders.Delivery{}); err == nil {
		t.Error("a delivery after the context ended")
	}
	if _, err := ledger.Record(ended, orders.Entry{}); err == nil {
		t.Error("an entry after the context ended")
	}
}
