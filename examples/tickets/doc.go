// Package tickets sells seats, with a table of its own beside the workflows: a
// sale and the workflow that it starts are one transaction, and so are the seat
// that an activity takes and the activity's result.
//
//	shop, err := tickets.New(ctx, pool, provider, "shop")
//	err = reg.Add(shop.Code()...)
//	err = shop.Sell(ctx, "sale-1", "row 7")
//
// docs/transactions.md explains it.
package tickets
