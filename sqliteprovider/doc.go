// Package sqliteprovider keeps durable workflows in a SQLite database: a file
// or memory, in this process, without cgo and without a server.
package sqliteprovider
