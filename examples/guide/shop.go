package guide

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Book is what a customer orders.
type Book struct {
	Customer string   `json:"customer"`
	Pictures []string `json:"pictures"`
	Cents    int      `json:"cents"`
}

// Payment is what is charged or refunded.
type Payment struct {
	Customer string `json:"customer"`
	Cents    int    `json:"cents"`
}

// Receipt is the bank's answer.
type Receipt struct {
	Number   string `json:"number,omitempty"`
	Declined bool   `json:"declined,omitempty"`
}

// Job is what a press prints.
type Job struct {
	Book  string   `json:"book"`
	Pages []string `json:"pages"`
}

// The activities. A handle names and types one; the code is bound in [Code].
const (
	Charge = durable.Activity[Payment, Receipt]("charge")
	Refund = durable.Activity[Payment, bool]("refund")
	Scale  = durable.Activity[string, string]("scale picture")
	Print  = durable.Activity[Job, int]("print")
	Bind   = durable.Activity[Job, bool]("bind")
	Scrap  = durable.Activity[Job, bool]("scrap")
	Mail   = durable.Activity[string, bool]("mail")
)

// The orchestrations.
const (
	Order        = durable.Orchestration[Book, string]("order")
	Parcel       = durable.Orchestration[string, string]("parcel")
	Subscription = durable.Orchestration[Plan, int]("subscription")
)

// Bank charges cards. The same key is charged once.
type Bank interface {
	Charge(ctx context.Context, key string, cents int) (number string, err error)
}

// ErrDeclined is the answer of a bank that will not pay.
var ErrDeclined = errors.New("declined")

// Press prints pages.
type Press interface {
	Page(ctx context.Context, book string, page int) error
}

// Shop holds what the activities need.
type Shop struct {
	Bank  Bank
	Press Press
}

func (s *Shop) charge(ctx context.Context, p Payment) (Receipt, error) {
	number, err := s.Bank.Charge(ctx, durable.Info(ctx).IdempotencyKey, p.Cents)
	if errors.Is(err, ErrDeclined) {
		return Receipt{Declined: true}, nil // an answer: asking again does not help
	}
	return Receipt{Number: number}, err
}

func (s *Shop) print(ctx context.Context, j Job) (int, error) {
	for page := range j.Pages {
		if err := durable.Heartbeat(ctx); err != nil {
			return page, err // nobody wants the book any more, or this process stops
		}
		if err := s.Press.Page(ctx, j.Book, page); err != nil {
			return page, err
		}
	}
	return len(j.Pages), nil
}

// done stands for activities whose code does not matter here.
func done[In any](context.Context, In) (bool, error) { return true, nil }

// Code returns the code of the shop, for [durable.Registry.Add].
func (s *Shop) Code() []durable.Registration {
	return []durable.Registration{
		Charge.With(s.charge, durable.StartToClose(10*time.Second)),
		Print.With(s.print, durable.HeartbeatTimeout(time.Minute)),
		Refund.With(done[Payment]), Bind.With(done[Job]), Scrap.With(done[Job]), Mail.With(done[string]),
		Scale.With(func(_ context.Context, name string) (string, error) { return "small " + name, nil }),
		Order.With(order), Order.Version("2.0.0").With(orderInTwoColours),
		Parcel.With(parcel), Subscription.With(subscription),
	}
}

// Serve does the shop's work until ctx ends.
func (s *Shop) Serve(ctx context.Context, provider core.Provider) error {
	reg := durable.NewRegistry()
	if err := reg.Add(s.Code()...); err != nil {
		return err
	}
	rt, err := durable.NewRuntime(provider, reg, &durable.Options{MaxActivities: 64})
	if err != nil {
		return err
	}
	return rt.Run(ctx)
}

// Sell is what the shop's web server calls.
func Sell(ctx context.Context, client *durable.Client, number int, b Book) (string, error) {
	run, err := Order.Start(ctx, client, fmt.Sprint("order-", number), b)
	if err != nil {
		return "", err
	}
	return run.Wait(ctx)
}
