// Package pgprovider keeps durable workflows in PostgreSQL. Its schema is the
// one of the family: processes in Go and in Rust can serve it together.
//
//	provider, err := pgprovider.NewFromURL(ctx, os.Getenv("DATABASE_URL"), &pgprovider.Options{
//		Schema: "orders",
//	})
//	if err != nil {
//		return err
//	}
//	defer provider.Close()
//
// [New] takes a pool of the caller instead and never closes it.
//
// # Connections
//
// Every call is one statement and one transaction. Beside the pool the provider
// keeps one connection that listens for new work, so count MaxConns + 1 for
// each process. Without that connection, behind a pooler in transaction mode
// for example, set LongPoll.Disabled; everything works, only slower.
//
// The same connection hears of instances that end, while somebody in the process
// waits for one ([Provider.WatchInstances]): a client that only waits needs it too.
//
// The stored functions need the isolation level READ COMMITTED. A pool that
// [NewFromURL] opens has it as a connection parameter; in a pool of the caller
// each call begins its transaction with it, in the same round trip. All names
// are qualified with the schema, so search_path does not matter. Every
// QueryExecMode of pgx works.
//
// # The schema of the family
//
// With [migrations.ApplyShared] the schema stays as the processes of other
// languages make it. The provider then passes the conformance suite but for two
// races. The shared function that acknowledges a turn looks at the lock before it
// waits for others, and so can commit
//
//   - after another process has taken the instance over, when the lease ends just
//     then (the case TestConcurrentTakeover shows it);
//   - after the instance was deleted, which brings parts of it back
//     (TestConcurrentDeletion).
//
// The default, [migrations.Apply], ends both for every process that uses the
// schema, whatever its language, and makes much of it faster.
//
// # Deletion and pruning
//
// A tree is deleted in one transaction. The bulk operations select first, and
// then delete or prune in transactions of several instances each, so that none
// locks much for long; when one fails, what came before it stays done, and the
// result beside the error counts it. Calls that overlap wait for each other, and
// the victim of a deadlock tries again.
//
// # What cannot be stored
//
// PostgreSQL stores neither U+0000 nor invalid UTF-8 in text, and ids are signed
// there. A call with such a value is refused with [core.ErrInvalidArgument]
// before anything is sent, and the error names the field.
//
// # Errors
//
// Errors are [core.ProviderError]s. Their cause keeps the driver's error, so
// that errors.As finds a *pgconn.PgError. A call that changes something and
// fails because the connection broke may have taken effect; an acknowledgement
// that is repeated after that returns [core.ErrLockLost] and says so.
package pgprovider
