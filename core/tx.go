package core

import "context"

// Tx is a transaction that the caller began, with a driver of the caller's
// choice, on the database that a provider keeps its data in. What the provider
// stores in it becomes durable with the caller's own writes or not at all, when
// the caller commits or rolls back; until then nobody else sees it, and nobody
// is woken.
//
// A Tx is opaque: the package of the provider makes it out of what its driver
// calls a transaction, and only that provider knows what is inside. It lasts as
// long as the transaction, and like that is for one goroutine at a time.
type Tx interface {
	// ProviderTx marks the type and does nothing.
	ProviderTx()
}

// TxEnqueuer is the optional ability of a provider to store messages in a
// transaction of the caller's. Find it with [Ability].
type TxEnqueuer interface {
	// EnqueueForOrchestratorTx is EnqueueForOrchestrator of
	// [OrchestrationQueue] in the transaction: the same parameters and checks.
	// It waits for no lock and takes none that another message would wait for,
	// so any number of messages can be stored in any order. The message is
	// visible from the time of the call plus the delay, once it is committed.
	//
	// Nothing is tried again. When the error is the database's, it may have
	// ended the transaction, so the caller rolls back; IsRetryable then speaks
	// of the transaction as a whole. It returns [ErrForeignTx] for a Tx that it
	// cannot use and [ErrNotSupported] when this store has no such
	// transactions; both leave the transaction as it was.
	EnqueueForOrchestratorTx(ctx context.Context, tx Tx, p EnqueueForOrchestratorParams) error
}

// TxAcknowledger is the optional ability of a provider to acknowledge an
// activity in a transaction of the caller's. Find it with [Ability].
type TxAcknowledger interface {
	// AckWorkItemTx is AckWorkItem of [WorkerQueue] in the transaction: the same
	// parameters and checks, and the same [ErrLockLost], after which the caller
	// must roll back. When it returns nil, the item is the transaction's until
	// its end, whatever happens to the lease: nobody else can take or cancel
	// it. Whoever renews, abandons or cancels the item then waits for that end,
	// so acknowledge last and commit at once.
	//
	// Errors are as for EnqueueForOrchestratorTx.
	AckWorkItemTx(ctx context.Context, tx Tx, p AckWorkItemParams) error
}

// OpenTx is a transaction that a [BeginFunc] began, with what ends it.
type OpenTx struct {
	// Tx is the transaction as the provider takes it.
	Tx Tx
	// Commit and Rollback end the transaction. After a commit, also one that
	// failed, Rollback releases what is left and its error means nothing.
	Commit, Rollback func(ctx context.Context) error
}

// BeginFunc begins a transaction on a provider's database, for code that owns
// it from beginning to end. It returns the driver's own handle, through which
// the caller's statements go, beside the transaction. On an error nothing was
// begun. It is safe for concurrent use; the transactions are not.
type BeginFunc[T any] func(ctx context.Context) (handle T, tx OpenTx, err error)
