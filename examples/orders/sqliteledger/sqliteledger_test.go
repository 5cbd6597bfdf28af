package sqliteledger_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/duroxide/duroxide-go/examples/orders"
	"github.com/duroxide/duroxide-go/examples/orders/sqliteledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openFile opens a file as one of several processes would.
func openFile(t *testing.T, path string) *sqliteledger.Ledger {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ledger, err := sqliteledger.New(db)
	if err != nil {
		t.Fatal(err)
	}
	return ledger
}

func setup(t *testing.T, path string) *sqliteledger.Ledger {
	t.Helper()
	ledger := openFile(t, path)
	for range 2 { // the second changes nothing
		if err := ledger.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return ledger
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") }

// Of deliveries of one call at the same time, one acts and all see what it did.
func TestRecordOnce(t *testing.T) {
	t.Parallel()
	path := file(t)
	ledger := setup(t, path)
	const deliveries = 8
	var all sync.WaitGroup
	got := make([]orders.Entry, deliveries)
	for i := range deliveries {
		all.Go(func() {
			var err error
			got[i], err = openFile(t, path).Record(t.Context(), orders.Entry{
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
	ledger := setup(t, file(t))
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
	if _, err := sqliteledger.New(nil); err == nil {
		t.Error("a ledger without a database")
	}
	ledger := setup(t, file(t))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ledger.Deliver(ended, orders.Delivery{}); err == nil {
		t.Error("a delivery after the context ended")
	}
	if _, err := ledger.Record(ended, orders.Entry{}); err == nil {
		t.Error("an entry after the context ended")
	}
}
