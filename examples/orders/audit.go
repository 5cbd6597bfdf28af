package orders

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// Expected returns the entries that the ledger must hold if a history is true:
// one for each call that history says has acted. Their Worker is empty.
func Expected(history []core.Event) ([]Entry, error) {
	calls := map[uint64]core.ActivityScheduled{}
	var entries []Entry
	for _, ev := range history {
		var entry Entry
		var err error
		switch d := ev.Data.(type) {
		case core.ActivityScheduled:
			calls[ev.ID] = d
			continue
		case core.ActivityCompleted:
			entry, err = completed(calls[deref(ev.SourceID)], d.Result)
		case core.ActivityFailed:
			entry, err = failed(calls[deref(ev.SourceID)], d.Details)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, event %d: %w", ev.InstanceID, ev.ID, err)
		}
		if entry.Kind != "" {
			entry.Key = fmt.Sprintf("%s/%d/%d", ev.InstanceID, ev.ExecutionID, deref(ev.SourceID))
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// completed returns what a call that succeeded has done; the zero value if it
// only looked.
func completed(call core.ActivityScheduled, result string) (Entry, error) {
	switch call.Name {
	case string(Reserve):
		var reservation Reservation
		line, err := both[Line](call.Input, result, &reservation)
		if reservation.Refused != "" {
			return Entry{}, err
		}
		return Entry{Order: line.Order, Kind: Reserved, Detail: line.Item.String()}, err
	case string(Release):
		line, err := both[Line](call.Input, result, nil)
		return Entry{Order: line.Order, Kind: Released, Detail: line.Item.String()}, err
	case string(Charge):
		var receipt Receipt
		p, err := both[Payment](call.Input, result, &receipt)
		if receipt.Declined != "" {
			return Entry{Order: p.Order, Kind: Declined, Detail: receipt.Declined, Amount: p.Amount}, err
		}
		return Entry{Order: p.Order, Kind: Charged, Detail: p.Card, Amount: p.Amount}, err
	case string(Refund):
		p, err := both[Payment](call.Input, result, nil)
		return Entry{Order: p.Order, Kind: Refunded, Detail: p.Card, Amount: p.Amount}, err
	case string(HandOver):
		p, err := both[Parcel](call.Input, result, nil)
		return Entry{Order: p.Order, Kind: Shipped, Detail: p.To.City + ", " + p.To.Country}, err
	}
	return Entry{}, nil
}

// failed returns what a call that failed has left: only a payment that timed
// out leaves anything.
func failed(call core.ActivityScheduled, details core.ErrorDetails) (Entry, error) {
	if call.Name != string(Charge) || details.Error() != timedOut {
		return Entry{}, nil
	}
	p, err := both[Payment](call.Input, "", nil)
	return Entry{Order: p.Order, Kind: ChargeFailed, Detail: timedOut, Amount: p.Amount}, err
}

// both reads the input of a call and, unless out is nil, its result.
func both[In any](input, result string, out any) (in In, err error) {
	if err := json.Unmarshal([]byte(input), &in); err != nil {
		return in, fmt.Errorf("input: %w", err)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(result), out); err != nil {
			return in, fmt.Errorf("result: %w", err)
		}
	}
	return in, nil
}

// Compare returns what differs between the entries that histories call for and
// those that the ledger holds, one line each; none if they agree.
func Compare(expected, ledger []Entry) []string {
	var diffs []string
	held := map[string]Entry{}
	for _, e := range ledger {
		held[e.Key] = e
	}
	called := map[string]bool{}
	for _, want := range expected {
		called[want.Key] = true
		have, ok := held[want.Key]
		switch {
		case !ok:
			diffs = append(diffs, fmt.Sprintf("%s: history says %s, the ledger has nothing (call %s)", want.Order, want.what(), want.Key))
		case !want.Same(have):
			diffs = append(diffs, fmt.Sprintf("%s: history says %s, the ledger %s for %s (call %s)", want.Order, want.what(), have.what(), have.Order, want.Key))
		}
	}
	for _, have := range ledger {
		if !called[have.Key] {
			diffs = append(diffs, fmt.Sprintf("%s: the ledger says %s, history knows nothing of it (call %s)", have.Order, have.what(), have.Key))
		}
	}
	slices.Sort(diffs)
	return diffs
}

// CheckOutcome returns what is wrong with the entries of one order that ended
// so, one line each: a completed order is charged and shipped exactly once, and
// of any other nothing remains.
func CheckOutcome(order string, result Result, ledger []Entry) []string {
	var diffs []string
	count := map[Kind]int{}
	var paid Cents
	goods := map[string]int{} // reserved less released, by item
	for _, e := range ledger {
		if e.Order != order {
			continue
		}
		count[e.Kind]++
		switch e.Kind {
		case Charged:
			paid += e.Amount
		case Refunded:
			paid -= e.Amount
		case Reserved:
			goods[e.Detail]++
		case Released:
			goods[e.Detail]--
		}
	}
	bad := func(format string, args ...any) {
		diffs = append(diffs, fmt.Sprintf("%s (%s): %s", order, result.Outcome, fmt.Sprintf(format, args...)))
	}
	if result.Outcome == Completed {
		if count[Charged] != 1 || count[Refunded] != 0 || paid != result.Total {
			bad("charged %d times and refunded %d times, %s in all instead of %s once", count[Charged], count[Refunded], paid, result.Total)
		}
		if count[Shipped] != 1 {
			bad("shipped %d times instead of once", count[Shipped])
		}
		return diffs
	}
	if paid != 0 {
		bad("the customer has paid %s instead of nothing", paid)
	}
	if count[Charged] > 1 || count[Refunded] > 1 {
		bad("charged %d times and refunded %d times", count[Charged], count[Refunded])
	}
	if count[Shipped] != 0 {
		bad("shipped %d times instead of never", count[Shipped])
	}
	for item, n := range goods {
		if n != 0 {
			bad("%s is still reserved", item)
		}
	}
	slices.SortFunc(diffs, cmp.Compare)
	return diffs
}

// what says what was done, such as "charged 12.50 EUR (tok_visa)".
func (e Entry) what() string {
	parts := []string{string(e.Kind)}
	if e.Amount != 0 {
		parts = append(parts, e.Amount.String())
	}
	return strings.Join(append(parts, "("+e.Detail+")"), " ")
}

func deref(id *uint64) uint64 {
	if id == nil {
		return 0
	}
	return *id
}
