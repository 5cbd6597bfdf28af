// Package pgxsource listens over pgx.
//
//	n, err := notifier.New(notifier.Options{Schema: "orders", Source: pgxsource.FromPool(pool)})
//
// The connection is one of its own, beside those of the pool. Notifications need
// a session, so a pooler in transaction mode must not stand in between.
package pgxsource
