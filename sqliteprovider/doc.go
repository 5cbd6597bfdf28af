// Package sqliteprovider keeps durable workflows in a SQLite database: a file or
// memory, in this process, without cgo and without a server.
//
//	provider, err := sqliteprovider.Open(ctx, "orders.db", nil)
//	if err != nil {
//		return err
//	}
//	defer provider.Close()
//
// The path ":memory:" is a database that ends with the provider.
//
// # One file, several processes
//
// Any number of providers and processes may open one file on a local disk; a
// network file system will not do. One of them writes at a time. A call waits for
// its turn up to BusyTimeout and fails after that with an error that can be
// retried. Reading, and fetches that find no work, wait for nobody.
//
// A process that is killed leaves a sound file. What it had claimed can be
// claimed again when its lease ends, so clocks must roughly agree.
//
// Fetches with a PollTimeout wake at once for what their own provider stores or
// gives back, at the moment for what becomes due by itself, and within
// PollInterval for what others store.
//
// A program that opens and closes the file by other means than SQLite, for a
// backup for example, takes away the locks of its process on it: copy it with
// VACUUM INTO.
//
// # Transactions of the caller
//
// A program may keep tables of its own in the file, under other names than the
// provider's, and store messages and acknowledge activities in its transactions:
// open the same path with database/sql and the driver of modernc.org/sqlite, and
// see [Tx] and [Begin]. A database in memory has no second connection, so there
// such calls return [core.ErrNotSupported].
//
//	db, err := sql.Open("sqlite", "file:orders.db?_txlock=immediate&_pragma=busy_timeout(10000)")
//
// The first write of a transaction takes the file's only write lock, or does so
// at once with _txlock=immediate, which cannot fail half-way as an upgrade can.
// From there to the end everything that the provider writes, renewals among it,
// waits: keep transactions short, and call nothing of the provider inside one
// but what takes the transaction. The provider notices the commit within
// PollInterval, as one of another process. How long the transaction waits for
// the lock and whether its commit is flushed say the pragmas busy_timeout and
// synchronous of its own connection.
//
// # What survives
//
// The file uses write-ahead logging. Every outcome is flushed to the disk before
// its call returns: messages, turns, results of activities, deletions. A
// transaction that only claims or renews is not: after a crash of the whole
// machine its lease may be gone, as its holder is, and the attempt uncounted.
//
// Statements are not interrupted. A caller's context bounds how long a call
// waits until it begins; what has begun is finished, and so its outcome is known.
//
// # Long histories
//
// The provider is a [core.TurnTracker] and a [core.HistoryRangeReader]: a runtime
// that kept an instance suspended goes on without its history, which is then not
// read from the file.
//
// # The schema
//
// [Open] applies the embedded [Migrations] in one transaction and records them in
// the table duroxide_go_migrations. A file of a newer program is refused with
// [ErrNewerSchema], one with other tables of these names with [ErrForeignSchema].
// The schema is that of this module alone.
//
// # What cannot be stored
//
// Ids are signed in SQLite, and texts are UTF-8, in which U+0000 may occur. A call
// with another value is refused with [core.ErrInvalidArgument], and the error
// names the field.
//
// # Errors
//
// Errors are [core.ProviderError]s. Their cause keeps the driver's error, so that
// errors.As finds a *sqlite.Error. Locks, the disk and memory may be better the
// next time; a violated constraint or a damaged file will not.
package sqliteprovider
