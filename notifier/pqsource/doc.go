// Package pqsource listens over lib/pq, for programs that use database/sql.
//
//	n, err := notifier.New(notifier.Options{Schema: "orders", Source: pqsource.New(dsn)})
//
// Notifications need a session, so a pooler in transaction mode must not stand
// in between.
package pqsource
