package pgprovider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/core"
)

// The SQLSTATEs that the provider treats by name.
const (
	stateDeadlock            = "40P01"
	stateSerialization       = "40001"
	stateUniqueViolation     = "23505"
	stateForeignKey          = "23503"
	stateRaised              = "P0001" // RAISE EXCEPTION of a stored function
	stateCachedPlan          = "0A000"
	stateUnknownStatement    = "26000"
	stateDuplicateStatement  = "42P05"
	stateQueryCanceled       = "57014"
	stateAdminShutdown       = "57P01"
	stateCrashShutdown       = "57P02"
	stateCannotConnectNow    = "57P03"
	stateLockNotAvailable    = "55P03"
	stateReadOnlyTransaction = "25006"
	stateUnknownSchema       = "3F000"
	classConnection          = "08"
	classResources           = "53"
)

// severity is what is known of one SQLSTATE: the words in front of the server's
// message and whether the same call may succeed later.
type severity struct {
	prefix    string
	retryable bool
}

// severities are the states with a class of their own. A serialization failure
// is permanent by the family's convention; it cannot happen at READ COMMITTED.
var severities = map[string]severity{
	stateDeadlock:            {"Deadlock detected", true},
	stateCachedPlan:          {"Cached plan invalidated", true},
	stateUnknownStatement:    {"Cached plan invalidated", true},
	stateDuplicateStatement:  {"Cached plan invalidated", true},
	stateQueryCanceled:       {"Query canceled", true}, // a time-out or an operator; our own end shows in the context
	stateAdminShutdown:       {"Server unavailable", true},
	stateCrashShutdown:       {"Server unavailable", true},
	stateCannotConnectNow:    {"Server unavailable", true},
	stateLockNotAvailable:    {"Lock not available", true},
	stateReadOnlyTransaction: {"Server is read-only", true}, // after a fail-over
	stateSerialization:       {"Serialization failure", false},
	stateUniqueViolation:     {"Duplicate detected", false},
	stateForeignKey:          {"Foreign key violation", false},
}

// raised maps the messages of the stored functions, which are part of the
// family's interface, to sentinels. The first match counts.
var raised = []struct {
	substring string
	sentinel  error
}{
	{"Invalid lock token", core.ErrLockLost}, // also "… or already acked"
	{"Lock token invalid", core.ErrLockLost}, // both renewals
	{"Worker queue item not found", core.ErrLockLost},
	{"is Running", core.ErrStillRunning},
	{"Orphan detected", core.ErrOrphan},
	{"not found", core.ErrNotFound},
	{"Invalid event_id", core.ErrInvalidArgument},
}

// databaseError is an error of the server or of the connection with the text
// that the family uses. It keeps the sentinel and the driver's error.
type databaseError struct {
	text     string
	sentinel error // may be nil
	cause    error
}

func (e *databaseError) Error() string { return e.text }

func (e *databaseError) Unwrap() []error {
	if e.sentinel == nil {
		return []error{e.cause}
	}
	return []error{e.sentinel, e.cause}
}

// acquireError is a failure to get a connection out of the pool.
type acquireError struct{ err error }

func (e *acquireError) Error() string { return e.err.Error() }
func (e *acquireError) Unwrap() error { return e.err }

// lostError is an error after which the connection was gone. What was sent
// before may have taken effect.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// classify makes the error of a method out of what do returned.
func classify(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if isEnd(ctx, err) {
		return err
	}
	classified, retryable := describe(err)
	// Not core.Retryable: a time-out inside the driver looks like the error of
	// an ended context, which that function passes through.
	return &core.ProviderError{Op: op, Retryable: retryable, Err: classified}
}

// isEnd reports whether err is that the context ended.
func isEnd(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

func describe(err error) (classified error, retryable bool) {
	if pe, ok := errors.AsType[*core.ProviderError](err); ok {
		return pe.Err, pe.Retryable
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return describeState(pgErr, pgErr)
	}
	if e, ok := errors.AsType[sqlError](err); ok {
		return describeState(&pgconn.PgError{Code: e.SQLState(), Message: e.Get('M'), TableName: e.Get('t')}, err)
	}
	var acquire *acquireError
	var lost *lostError
	switch {
	case errors.Is(err, core.ErrClosed), errors.Is(err, core.ErrInvalidArgument),
		errors.Is(err, core.ErrInvalidItem), errors.Is(err, core.ErrUndecodable), errors.Is(err, core.ErrNotFound),
		errors.Is(err, core.ErrSubOrchestration), errors.Is(err, core.ErrForeignTx):
		return err, false
	case errors.As(err, &acquire):
		return opaque("Connection pool error", err), true
	case errors.As(err, &lost):
		return opaque("I/O error", err), true
	}
	return opaque("Unexpected error", err), false
}

// sqlError is an error of the server as lib/pq shows it, by the letters of the
// fields in the protocol.
type sqlError interface {
	error
	SQLState() string
	Get(field byte) string
}

// describeState describes an error of the server; cause is what errors.As finds.
func describeState(err *pgconn.PgError, cause error) (classified error, retryable bool) {
	if err.Code == stateRaised {
		for _, r := range raised {
			if strings.Contains(err.Message, r.substring) {
				return &databaseError{text: err.Message, sentinel: r.sentinel, cause: cause}, false
			}
		}
	}
	s, known := severities[err.Code]
	switch {
	case known:
	case strings.HasPrefix(err.Code, classConnection):
		s = severity{"Connection error", true}
	case strings.HasPrefix(err.Code, classResources):
		s = severity{"Server out of resources", true}
	default:
		s = severity{"Database error", false}
	}
	var sentinel error
	if err.Code == stateUniqueViolation && err.TableName == "history" {
		sentinel = core.ErrDuplicateEvent
	}
	// Only the message: the details can hold stored data.
	text := fmt.Sprintf("%s: %s (SQLSTATE %s)", s.prefix, err.Message, err.Code)
	return &databaseError{text: text, sentinel: sentinel, cause: cause}, s.retryable
}

// opaque describes an error of the driver. One that looks like an ended context
// is not kept as the cause, because the caller's context has not ended.
func opaque(prefix string, err error) error {
	text := prefix + ": " + err.Error()
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New(text)
	}
	return &databaseError{text: text, cause: err}
}

// isStaleStatement reports whether a prepared statement has to be prepared
// again: its result type changed, the session does not have it, or another
// session behind a pooler made one of that name.
func isStaleStatement(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case stateCachedPlan, stateUnknownStatement, stateDuplicateStatement:
		return true
	}
	return false
}

// isAmbiguous reports whether a call that failed may have taken effect.
func isAmbiguous(err error) bool {
	if _, ok := errors.AsType[*lostError](err); ok {
		return !pgconn.SafeToRetry(err)
	}
	if _, ok := errors.AsType[*acquireError](err); ok {
		return false
	}
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) &&
		(strings.HasPrefix(pgErr.Code, "57P") || strings.HasPrefix(pgErr.Code, classConnection))
}

// isDeadlock reports whether the server undid a call to end a deadlock.
func isDeadlock(err error) bool { return hasState(err, stateDeadlock) }

// hasState reports whether the server reported that SQLSTATE.
func hasState(err error, state string) bool {
	e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	return ok && e.SQLState() == state
}
