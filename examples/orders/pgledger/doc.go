// Package pgledger keeps the ledger of package orders in PostgreSQL.
//
//	ledger, err := pgledger.New(pool, "shop")
//	err = ledger.Create(ctx)
//	err = orders.Register(reg, orders.Deps{Ledger: ledger})
//
// Its two tables are named demo_ledger and demo_deliveries. They can live in a
// schema of duroxide, of which they use nothing.
package pgledger
