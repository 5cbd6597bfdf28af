package sqliteprovider

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"github.com/duroxide/duroxide-go/core"
)

// The result codes of SQLite that are told apart. The low byte of an extended
// code is its class.
const (
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeNoMemory   = 7
	codeReadOnly   = 8
	codeInterrupt  = 9
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeProtocol   = 15
	codeSchema     = 17
	codeTooBig     = 18
	codeConstraint = 19
	codeNotADB     = 26

	codePrimaryKey = codeConstraint | 6<<8

	codeClass = 0xff
)

// retryableClasses can be over the next time: other processes, the disk.
var retryableClasses = map[int]bool{
	codeBusy: true, codeLocked: true, codeNoMemory: true, codeInterrupt: true, codeIO: true, codeFull: true,
	codeCantOpen: true, codeProtocol: true, codeSchema: true,
}

// prefixes stand before SQLite's own text.
var prefixes = map[int]string{
	codePerm:       "Access denied",
	codeBusy:       "Database is busy",
	codeLocked:     "Database is locked",
	codeNoMemory:   "Out of memory",
	codeReadOnly:   "Database is read-only",
	codeInterrupt:  "Interrupted",
	codeIO:         "I/O error",
	codeCorrupt:    "Database is damaged",
	codeFull:       "Disk is full",
	codeCantOpen:   "Database cannot be opened",
	codeProtocol:   "Locking failed",
	codeSchema:     "Schema changed",
	codeTooBig:     "Value is too large",
	codeConstraint: "Constraint violated",
	codeNotADB:     "Not a database",
}

// classify makes the error of a method out of what its statements returned.
func classify(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*core.ProviderError](err); ok {
		return err
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return err
	}
	classified, retryable := describe(err)
	return &core.ProviderError{Op: op, Retryable: retryable, Err: classified}
}

func describe(err error) (classified error, retryable bool) {
	code, ok := codeOf(err)
	switch {
	case ok:
		class := code & codeClass
		prefix := prefixes[class]
		if prefix == "" {
			prefix = "Database error"
		}
		return fmt.Errorf("%s: %w", prefix, err), retryableClasses[class]
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return fmt.Errorf("Connection lost: %w", err), true //nolint:staticcheck // like the prefixes
	}
	return err, false // one of ours
}

// codeOf returns the extended result code of an error of SQLite.
func codeOf(err error) (code int, ok bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return 0, false
	}
	return e.Code(), true
}

// isBusy reports whether somebody else held a lock.
func isBusy(err error) bool {
	code, ok := codeOf(err)
	return ok && (code&codeClass == codeBusy || code&codeClass == codeLocked)
}

// isDuplicateKey reports whether a row with that primary key is stored already.
func isDuplicateKey(err error) bool {
	code, ok := codeOf(err)
	return ok && code == codePrimaryKey
}
