// Package e2e holds tests that need several modules at once: package durable on
// pgprovider, worker processes that are killed, servers that drop their
// connections, and benchmarks of whole workloads. It is not released.
//
// The tests need a PostgreSQL server in DATABASE_URL.
package e2e
