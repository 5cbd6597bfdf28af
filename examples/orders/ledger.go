package orders

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Ledger is what the shop's services keep for themselves, apart from any
// history: what was done, each under the idempotency key of the attempt that did
// it. So a call that is delivered twice acts once, and everything can be
// checked afterwards. It is safe for concurrent use.
type Ledger interface {
	// Deliver notes that an activity was handed to a worker.
	Deliver(ctx context.Context, d Delivery) error
	// Find returns the entry under a key; ok is false when there is none.
	Find(ctx context.Context, key string) (e Entry, ok bool, err error)
	// Count returns how many entries of a kind an order has.
	Count(ctx context.Context, order string, kind Kind) (int, error)
	// Record stores an entry unless its key is there already, and returns what
	// the ledger holds under the key.
	Record(ctx context.Context, e Entry) (Entry, error)
}

// Kind says what an [Entry] is about.
type Kind string

// The kinds of entries.
const (
	Reserved     Kind = "reserved"
	Released     Kind = "released"
	ChargeFailed Kind = "charge_failed" // the payment service did not answer
	Declined     Kind = "declined"      // the bank said no
	Charged      Kind = "charged"
	Refunded     Kind = "refunded"
	Shipped      Kind = "shipped"
)

// Entry is one thing that was done.
type Entry struct {
	// Key is the idempotency key of the attempt.
	Key   string
	Order string
	Kind  Kind
	// Detail is the item, the reason or the tracking number.
	Detail string
	Amount Cents
	// Worker is the process that did it. It is not part of what is done: see
	// [Entry.Same].
	Worker string
}

// Same reports whether both say that the same was done, whoever did it.
func (e Entry) Same(other Entry) bool {
	e.Worker, other.Worker = "", ""
	return e == other
}

// Delivery is one hand-over of an activity to a worker.
type Delivery struct {
	// Key is the idempotency key: the same for all deliveries of one attempt.
	Key      string
	Instance string
	Activity string
	Attempt  uint32
	Worker   string
}

// OrderID returns the order that an instance, parent or child, works on.
func OrderID(instance string) string {
	id, _, _ := strings.Cut(instance, "/")
	return id
}

// MemoryLedger is a [Ledger] in memory, for tests. The zero value is empty.
type MemoryLedger struct {
	mu         sync.Mutex
	entries    map[string]Entry
	deliveries []Delivery
}

var _ Ledger = (*MemoryLedger)(nil)

// Deliver implements [Ledger].
func (l *MemoryLedger) Deliver(_ context.Context, d Delivery) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliveries = append(l.deliveries, d)
	return nil
}

// Find implements [Ledger].
func (l *MemoryLedger) Find(_ context.Context, key string) (Entry, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[key]
	return e, ok, nil
}

// Count implements [Ledger].
func (l *MemoryLedger) Count(_ context.Context, order string, kind Kind) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.entries {
		if e.Order == order && e.Kind == kind {
			n++
		}
	}
	return n, nil
}

// Record implements [Ledger].
func (l *MemoryLedger) Record(_ context.Context, e Entry) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, ok := l.entries[e.Key]; ok {
		return have, nil
	}
	if l.entries == nil {
		l.entries = map[string]Entry{}
	}
	l.entries[e.Key] = e
	return e, nil
}

// Entries returns all entries by key.
func (l *MemoryLedger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Values(l.entries), func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
}

// Deliveries returns all deliveries in the order in which they came.
func (l *MemoryLedger) Deliveries() []Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.deliveries)
}
