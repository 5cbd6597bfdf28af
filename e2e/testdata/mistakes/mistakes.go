// Package mistakes makes ten mistakes in orchestrations, each on a line that ends
// in a comment with its number.
package mistakes

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// Order is what is ordered, in pieces by city.
type Order struct {
	ID     string
	Pieces map[string]int
}

const (
	charge = durable.Activity[Order, string]("charge")
	refund = durable.Activity[string, bool]("refund")
	ship   = durable.Activity[string, string]("ship")
	notify = durable.Activity[string, bool]("notify")
)

var checkouts int

func checkout(ctx *durable.Context, o Order) (string, error) {
	checkouts++                       // 1
	fmt.Println("checkout", label(o)) // 2, 3

	receipt, err := charge.Call(ctx, o)
	if err != nil {
		return "", err
	}
	defer func() { _, _ = refund.Call(ctx, receipt) }() // 4

	go audit(o) // 5
	approved := make(chan bool)
	select { // 6
	case <-approved:
	case <-time.After(time.Hour): // 7
		return "expired", nil
	}

	for city := range o.Pieces {
		if _, err := ship.Call(ctx, city); err != nil { // 8
			return "", err
		}
	}
	notify.Schedule(ctx, o.ID)      // 9
	config, err := prices("latest") // 10
	return receipt + config, err
}

// label names an order.
func label(o Order) string { return o.ID + "-" + suffix() }

func suffix() string { return rand.Text() }

func audit(Order) {}

func prices(name string) (string, error) {
	b, err := os.ReadFile(name)
	return string(b), err
}

// chargeCard is an activity, and may do all of it.
func chargeCard(ctx context.Context, o Order) (string, error) {
	checkouts++
	fmt.Println("charging", label(o), "at", time.Now())
	go audit(o)
	select {
	case <-time.After(time.Second):
		return prices("latest")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Register binds the code.
func Register(reg *durable.Registry) error {
	const c = durable.Orchestration[Order, string]("checkout")
	return reg.Add(c.With(checkout), charge.With(chargeCard))
}
