package orders_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	ledger := &orders.MemoryLedger{}
	reg := durable.NewRegistry()
	if err := orders.Register(reg, orders.Deps{Ledger: ledger}); err != nil {
		panic(err)
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = rt.Shutdown(ctx) }()

	order := orders.Order{
		ID: "ord-7", Customer: "Ada Byron", Account: "private", Card: "tok_visa",
		Items:  []orders.Item{{SKU: "bike-cargo", Quantity: 1}},
		ShipTo: orders.Address{Street: "Veldstraat 1", City: "Ghent", Country: "BE"},
	}
	client := durable.NewClient(provider, nil)
	run, err := orders.Checkout.Start(ctx, client, order.ID, orders.Request{Order: order, Policy: orders.DefaultPolicy()})
	if err != nil {
		panic(err)
	}
	// A bicycle is above the limit, so that the order waits for this.
	err = client.EnqueueMessage(ctx, order.ID, orders.ApprovalQueue, orders.Approval{Approved: true, By: "Grace"})
	if err != nil {
		panic(err)
	}
	result, err := run.Wait(ctx)
	fmt.Println(result.Outcome, result.Total, result.Tracking, err)
	// Output: completed 2,490.00 EUR DXORD7BE <nil>
}

func ExampleParse() {
	good, refused, err := orders.Parse(strings.NewReader(
		`{"id":"a","customer":"Ada","account":"private","card":"tok_visa","items":[{"sku":"mug","quantity":-1}],"ship_to":{"street":"Kouter 1","city":"Ghent","country":"BE"}}`))
	fmt.Println(len(good), err)
	for _, r := range refused {
		fmt.Printf("line %d, %s: %s\n", r.Line, r.ID, r.Reason)
	}
	// Output:
	// 0 <nil>
	// line 1, a: unknown product "mug"; negative quantity -1 of mug
}
