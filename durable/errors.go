package durable

import (
	"errors"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/dispatch"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Sentinels to branch on with [errors.Is].
var (
	// ErrCancelled: the orchestration was cancelled. Errors of a cancelled
	// child and of a run that ended so match it.
	ErrCancelled = errors.New("cancelled")
	// ErrTimeout: an activity took longer than its call or its code allows. It is
	// also the cause of an activity's context.
	ErrTimeout error = dispatch.ErrTimeout
	// ErrDropped: the future lost a race or was cancelled, or its block ended.
	ErrDropped = replay.ErrDropped
	// ErrNotWanted is the cause of an activity's context when its
	// orchestration no longer wants the result.
	ErrNotWanted = dispatch.ErrNotWanted
	// ErrShutdown is the cause of an activity's context when the runtime is
	// shutting down. The activity will run again.
	ErrShutdown = dispatch.ErrShutdown
	// ErrLockExpired is the cause of an activity's context when its lock could
	// not be kept. Another worker may run the activity.
	ErrLockExpired = dispatch.ErrLockExpired
	// ErrInstanceNotFound: there is no such instance.
	ErrInstanceNotFound = errors.New("instance not found")
	// ErrInstanceExists: a start with [FailIfExists] met an instance of that id.
	ErrInstanceExists = errors.New("instance exists")
	// ErrInvalidInput: an argument breaks a rule that the text names.
	ErrInvalidInput = errors.New("invalid input")
	// ErrNotSupported: the provider lacks the ability.
	ErrNotSupported = core.ErrNotSupported
)

// ActivityError is an activity's failure as its orchestration sees it. Its text
// is that of the error which the activity returned.
type ActivityError struct {
	// Name is the activity's name, EventID the id of its scheduling event.
	Name    string
	EventID uint64
	// Details are what was recorded.
	Details core.ErrorDetails
}

// Error returns the display text of the details.
func (e *ActivityError) Error() string { return e.Details.Error() }

// Is makes an activity whose code timed out match [ErrTimeout].
func (e *ActivityError) Is(target error) bool {
	a, ok := e.Details.(core.ApplicationError)
	return target == ErrTimeout && ok && dispatch.IsTimeout(a.Message)
}

// ChildError is a sub-orchestration's failure as its parent sees it.
type ChildError struct {
	// Name is the orchestration's name, EventID the id of its scheduling event.
	Name    string
	EventID uint64
	// Details are what was recorded.
	Details core.ErrorDetails
}

// Error returns the display text of the details.
func (e *ChildError) Error() string { return e.Details.Error() }

// Is makes a cancelled child match [ErrCancelled].
func (e *ChildError) Is(target error) bool {
	return target == ErrCancelled && isCancelled(e.Details)
}

// RunError is how a client sees an orchestration that failed.
type RunError struct {
	// InstanceID is the instance.
	InstanceID string
	// Details are what was recorded.
	Details core.ErrorDetails
}

// Error returns the instance and the display text of the details.
func (e *RunError) Error() string {
	return "orchestration " + e.InstanceID + ": " + e.Details.Error()
}

// Is makes a cancelled run match [ErrCancelled].
func (e *RunError) Is(target error) bool {
	return target == ErrCancelled && isCancelled(e.Details)
}

func isCancelled(d core.ErrorDetails) bool {
	a, ok := d.(core.ApplicationError)
	return ok && a.Kind.Name == "Cancelled"
}
