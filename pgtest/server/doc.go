// Package server finds or starts a PostgreSQL server for tests, demonstrations
// and benchmarks.
//
//	srv, err := server.Start(ctx, nil)
//	if err != nil {
//		return err
//	}
//	defer srv.Stop()
//	log.Print(srv.Description) // PostgreSQL 15.18 from /usr/lib/postgresql/15/bin on port 41234 (fsync off)
//	pool, err := pgxpool.New(ctx, srv.URL)
//
// [Start] looks in this order and takes the first that works:
//
//   - url: the server that DATABASE_URL names. It is used as it is and never
//     stopped. If it cannot be reached that is an error: a server that was
//     named is never silently replaced by another one.
//   - local: server programs found on this machine.
//   - embedded: server programs fetched from Maven Central by the library
//     embedded-postgres and kept in the user's cache directory.
//
// Two environment variables narrow the choice. PGTEST_SOURCE=url, local or
// embedded allows one source only. PGTEST_VERSION, such as 17 or 16.4, refuses
// every other version of the server. They and DATABASE_URL may also stand in a
// file .env in the working directory or in a parent of it, up to the root of
// the repository; the environment wins.
//
// A started server listens on a free port of 127.0.0.1 with a random password
// and keeps its data in a temporary directory. It runs as the user of the
// process or, because PostgreSQL refuses root, as an unprivileged user if that
// is root. It ends with [Server.Stop], and also when the process that started
// it is killed: a watchdog beside it then stops it and removes the directory.
package server
