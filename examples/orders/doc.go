// Package orders is the workflow of a small shop: check an order, reserve its
// items in parallel, charge the card, ask for approval of a large amount, and
// ship through a sub-orchestration. What was done is undone in reverse order
// when a later step cannot be.
//
//	reg := durable.NewRegistry()
//	err := orders.Register(reg, orders.Deps{Ledger: ledger})
//	rt, err := durable.NewRuntime(provider, reg, nil)
//	err = rt.Start(ctx)
//
//	client := durable.NewClient(provider, nil)
//	run, err := orders.Checkout.Start(ctx, client, order.ID, orders.Request{Order: order, Policy: orders.DefaultPolicy()})
//	err = client.EnqueueMessage(ctx, order.ID, orders.ApprovalQueue, orders.Approval{Approved: true, By: "Ada"})
//	result, err := run.Wait(ctx)
//
// # Where to look
//
// checkout.go is the workflow, shipment.go its child, saga.go how steps are
// undone. activities.go is what touches the world, made safe against being
// delivered twice by the [Ledger]. input.go reads orders from JSON lines,
// 200 of which come with the package, and audit.go compares what histories say
// with what the ledger holds.
//
// The package imports durable and nothing that knows a database; the packages
// pgledger and sqliteledger below it keep the ledger in PostgreSQL and in
// SQLite.
package orders
