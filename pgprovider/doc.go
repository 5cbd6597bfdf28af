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
// languages make it. The provider then passes the conformance suite but for three
// races. The shared function that acknowledges a turn looks at the lock before it
// waits for others, and so can commit
//
//   - after another process has taken the instance over, when the lease ends just
//     then (the case TestConcurrentTakeover shows it);
//   - after the instance was deleted, which brings parts of it back
//     (TestConcurrentDeletion);
//
// and one that is repeated while an earlier one of the same turn, whose caller has
// gone away, still runs in the server fails with [core.ErrDuplicateEvent] rather
// than [core.ErrLockLost] (TestContextCancelledAck).
//
// The default, [migrations.Apply], ends all three for every process that uses the
// schema, whatever its language, and makes much of it faster.
//
// # Transactions of the caller
//
// The provider takes part in transactions that the caller begins on the same
// database: [Tx] for pgx, [SQLTx] for database/sql with the driver of pgx or
// lib/pq; see [core.TxEnqueuer] and [core.TxAcknowledger], and for authors of
// workflows StartTx and InTx of the durable module. It calls the same functions
// there as elsewhere, once: nothing is retried, and an error of the server ends
// the transaction as every such error does. The server notifies at the commit.
//
// Any isolation level will do for messages, which are inserted and nothing else:
// no lock is waited for, no order has to be kept, and transactions of level
// SERIALIZABLE that only start instances do not fail each other. An
// acknowledgement deletes the row of the activity. Above READ COMMITTED it fails
// with SQLSTATE 40001 if that row was renewed or cancelled since the transaction
// began. Until the transaction ends, whoever wants the same row waits for it.
//
// Durability is the transaction's own, so with synchronous_commit off a crash of
// the server can lose what it committed last, the user's rows and the workflow
// alike. PostgreSQL refuses PREPARE TRANSACTION after a notification.
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
