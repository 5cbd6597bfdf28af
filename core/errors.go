package core

import (
	"context"
	"errors"
)

// Sentinels that callers branch on with [errors.Is]. A provider wraps them in
// a [ProviderError].
var (
	// ErrLockLost: the lock token is unknown, expired, or was taken over,
	// released, cancelled or deleted (contract 5.1). Nothing was changed. Its
	// text holds the words that every provider of the family uses.
	ErrLockLost = errors.New("Invalid lock token") //nolint:staticcheck // the text is shared with other languages
	// ErrNotFound: the instance or execution does not exist.
	ErrNotFound = errors.New("not found")
	// ErrDuplicateEvent: an event with that id is already stored.
	ErrDuplicateEvent = errors.New("duplicate event")
	// ErrInvalidItem: the work item is of a kind that this call does not take.
	ErrInvalidItem = errors.New("invalid work item")
	// ErrInvalidArgument: an argument breaks a rule that the text names.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrUndecodable: stored data cannot be decoded.
	ErrUndecodable = errors.New("undecodable data")
	// ErrStillRunning: the instance is running and the call was not forced.
	ErrStillRunning = errors.New("instance is still running")
	// ErrSubOrchestration: only a root can be deleted, not a child.
	ErrSubOrchestration = errors.New("instance is a sub-orchestration: delete the root instead")
	// ErrOrphan: a deletion would leave a child without its parent.
	ErrOrphan = errors.New("deletion would orphan a child outside the tree")
	// ErrClosed: the provider was closed.
	ErrClosed = errors.New("provider is closed")
	// ErrNotSupported: the provider, or the store that it was opened on, lacks
	// the ability that was asked for.
	ErrNotSupported = errors.New("not supported by the provider")
	// ErrForeignTx: a [Tx] is nil, of another kind than the provider takes, or a
	// transaction of another database than the provider's.
	ErrForeignTx = errors.New("not a transaction of the provider's database")
)

// ProviderError is the error of every provider method.
type ProviderError struct {
	// Op is the method in the family's spelling, such as "ack_work_item".
	Op string
	// Retryable reports whether the same call may succeed later: storage that
	// was busy or unreachable, as against a call that can never succeed.
	Retryable bool
	// Err is the cause; never nil.
	Err error
}

// Error returns "<operation>: <message>".
func (e *ProviderError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ProviderError) Unwrap() error { return e.Err }

// Details returns the error in its stored form.
func (e *ProviderError) Details() ErrorDetails {
	return InfrastructureError{Operation: e.Op, Message: e.Err.Error(), Retryable: e.Retryable}
}

// Permanent wraps err as a [ProviderError] that a retry cannot cure. A nil err
// stays nil, and so does a context error stay what it is.
func Permanent(op string, err error) error { return providerError(op, false, err) }

// Retryable wraps err as a [ProviderError] that a retry may cure. A nil err
// stays nil, and so does a context error stay what it is.
func Retryable(op string, err error) error { return providerError(op, true, err) }

func providerError(op string, retryable bool, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &ProviderError{Op: op, Retryable: retryable, Err: err}
}

// IsRetryable reports whether the same call may succeed later. Only a
// [ProviderError] says so; every other error, nil included, is not retryable.
func IsRetryable(err error) bool {
	var pe *ProviderError
	return errors.As(err, &pe) && pe.Retryable
}
