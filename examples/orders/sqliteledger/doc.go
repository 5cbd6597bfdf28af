// Package sqliteledger keeps the ledger of package orders in SQLite.
//
//	ledger, err := sqliteledger.New(db)
//	err = ledger.Create(ctx)
//	err = orders.Register(reg, orders.Deps{Ledger: ledger})
//
// Its two tables are named demo_ledger and demo_deliveries. They can live in a
// file of duroxide, of which they use nothing.
//
// The database is any [database/sql.DB] whose driver speaks SQLite. Where
// several connections or processes write, open it with a busy timeout, so that
// they wait for each other:
//
//	db, err := sql.Open("sqlite", "file:orders.db?_pragma=busy_timeout(10000)")
package sqliteledger
