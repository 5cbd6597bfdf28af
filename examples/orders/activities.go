package orders

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// The activities of a checkout and of a shipment. A refusal that trying again
// cannot change, such as a product that is sold out, is part of the result; an
// error means that it is worth another try.
const (
	Validate = durable.Activity[Order, Quote]("validate")
	Reserve  = durable.Activity[Line, Reservation]("reserve")
	Release  = durable.Activity[Line, struct{}]("release")
	Charge   = durable.Activity[Payment, Receipt]("charge")
	Refund   = durable.Activity[Payment, struct{}]("refund")
	Book     = durable.Activity[Parcel, Booking]("book-carrier")
	HandOver = durable.Activity[Parcel, string]("hand-over")
)

// Quote is the checked order with its price.
type Quote struct {
	Total Cents `json:"total"`
	// Problem says why the order cannot be taken.
	Problem string `json:"problem,omitempty"`
}

// Line is one item of one order.
type Line struct {
	Order string `json:"order"`
	Item  Item   `json:"item"`
}

// Reservation is the outcome of [Reserve].
type Reservation struct {
	// Refused says why there is none.
	Refused string `json:"refused,omitempty"`
}

// Payment is an amount on a card.
type Payment struct {
	Order  string `json:"order"`
	Card   string `json:"card"`
	Amount Cents  `json:"amount"`
}

// Receipt is the outcome of [Charge].
type Receipt struct {
	// Declined says why the bank refused.
	Declined string `json:"declined,omitempty"`
}

// Parcel is what the carrier gets.
type Parcel struct {
	Order string  `json:"order"`
	To    Address `json:"to"`
}

// Booking is the outcome of [Book].
type Booking struct {
	Tracking string `json:"tracking,omitempty"`
	// Refused says why the carrier does not take it.
	Refused string `json:"refused,omitempty"`
}

// Deps are what the activities need.
type Deps struct {
	// Ledger is where the services keep what they did.
	Ledger Ledger
	// Worker names this process in the ledger.
	Worker string
	// Latency is how long the simulated services take to answer.
	Latency time.Duration
}

// services are the simulated warehouse, payment service and carrier.
type services struct{ Deps }

// call wraps an activity's code with what the services have in common: they
// note the delivery, and they take their time, both before they act and before
// their answer is there.
func call[In, Out any](s services, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		info := durable.Info(ctx)
		err = s.Ledger.Deliver(ctx, Delivery{
			Key: key(ctx), Instance: info.InstanceID, Activity: info.Name, Attempt: info.Attempt, Worker: s.Worker,
		})
		if err != nil {
			return out, err
		}
		if err := pause(ctx, s.Latency/2); err != nil {
			return out, err
		}
		out, err = fn(ctx, in)
		if wait := pause(ctx, s.Latency/2); wait != nil {
			return out, wait
		}
		return out, err
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// key names one attempt of one call, which history records as an activity of its
// own: the ledger is compared with history, and its payment service may answer
// each attempt differently. A real service is given [durable.ActivityInfo]'s
// IdempotencyKey, which the attempts of one call share.
func key(ctx context.Context) string {
	info := durable.Info(ctx)
	return fmt.Sprintf("%s/%d/%d", info.InstanceID, info.ExecutionID, info.ActivityID)
}

// record writes what was done under the key of this attempt. Another delivery of
// it gets what the first one wrote.
func (s services) record(ctx context.Context, order string, kind Kind, detail string, amount Cents) (Entry, error) {
	return s.Ledger.Record(ctx, Entry{
		Key: key(ctx), Order: order, Kind: kind, Detail: detail, Amount: amount, Worker: s.Worker,
	})
}

func (s services) validate(_ context.Context, o Order) (Quote, error) {
	products := Catalogue()
	if err := check(o, products); err != nil {
		return Quote{Problem: strings.ReplaceAll(err.Error(), "\n", "; ")}, nil
	}
	var q Quote
	for _, item := range o.Items {
		q.Total += products[item.SKU].Price * Cents(item.Quantity)
	}
	return q, nil
}

func (s services) reserve(ctx context.Context, l Line) (Reservation, error) {
	stock := Catalogue()[l.Item.SKU].Stock
	switch {
	case stock == 0:
		return Reservation{Refused: l.Item.SKU + " is sold out"}, nil
	case l.Item.Quantity > stock:
		return Reservation{Refused: fmt.Sprintf("only %d of %s in stock", stock, l.Item.SKU)}, nil
	}
	_, err := s.record(ctx, l.Order, Reserved, l.Item.String(), 0)
	return Reservation{}, err
}

func (s services) release(ctx context.Context, l Line) (struct{}, error) {
	_, err := s.record(ctx, l.Order, Released, l.Item.String(), 0)
	return struct{}{}, err
}

// timedOut is the reason of entries of the kind [ChargeFailed].
const timedOut = "the payment service timed out"

// charge asks the payment service. What it answers depends on the card, and
// for some cards on how often it was asked before.
func (s services) charge(ctx context.Context, p Payment) (Receipt, error) {
	entry, ok, err := s.Ledger.Find(ctx, key(ctx))
	if err != nil {
		return Receipt{}, err
	}
	if !ok {
		if entry, err = s.decide(ctx, p); err != nil {
			return Receipt{}, err
		}
	}
	switch entry.Kind {
	case ChargeFailed:
		return Receipt{}, fmt.Errorf("%s", entry.Detail)
	case Declined:
		return Receipt{Declined: entry.Detail}, nil
	}
	return Receipt{}, nil
}

func (s services) decide(ctx context.Context, p Payment) (Entry, error) {
	var outages int // how many calls fail before one succeeds
	switch p.Card {
	case "tok_insufficient_funds":
		return s.record(ctx, p.Order, Declined, "insufficient funds", p.Amount)
	case "tok_stolen":
		return s.record(ctx, p.Order, Declined, "card reported stolen", p.Amount)
	case "tok_bank_slow":
		outages = 1
	case "tok_bank_slower":
		outages = 2
	case "tok_bank_down":
		outages = 1000
	}
	failed, err := s.Ledger.Count(ctx, p.Order, ChargeFailed)
	if err != nil {
		return Entry{}, err
	}
	if failed < outages {
		return s.record(ctx, p.Order, ChargeFailed, timedOut, p.Amount)
	}
	return s.record(ctx, p.Order, Charged, p.Card, p.Amount)
}

func (s services) refund(ctx context.Context, p Payment) (struct{}, error) {
	_, err := s.record(ctx, p.Order, Refunded, p.Card, p.Amount)
	return struct{}{}, err
}

func (s services) book(_ context.Context, p Parcel) (Booking, error) {
	if !served(p.To.Country) {
		return Booking{Refused: "no carrier goes to " + p.To.City + ", " + p.To.Country}, nil
	}
	return Booking{Tracking: "DX" + strings.ToUpper(strings.ReplaceAll(p.Order, "-", "")) + p.To.Country}, nil
}

func (s services) handOver(ctx context.Context, p Parcel) (string, error) {
	_, err := s.record(ctx, p.Order, Shipped, p.To.City+", "+p.To.Country, 0)
	return p.To.City, err
}

// String returns the item such as "2 x mug-enamel".
func (i Item) String() string { return fmt.Sprintf("%d x %s", i.Quantity, i.SKU) }
