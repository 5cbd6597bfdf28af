// Command duroxide is the operator's tool for durable workflows on PostgreSQL.
//
//	duroxide demo                              # a workflow that survives a crash, on a server of its own
//	duroxide demo --store sqlite               # the same on a SQLite file
//	duroxide migrate up --schema orders        # bring a schema up to date
//	duroxide migrate verify --schema orders    # check it and change nothing
//	duroxide export --sample 20 --redact       # histories of live instances, for tests of the next release
//	duroxide export --check ./program          # whether a release goes on with what runs
//
// The database is the one that --database-url names, else DATABASE_URL; the demo
// can do without.
//
// The exit code is 0 when all was done, 1 when it failed, 2 for a wrong usage,
// 3 when something that was named does not exist, 4 when the schema cannot be
// used as it is, and 5 when the database cannot be reached.
package main
