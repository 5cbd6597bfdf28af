package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/cmd/duroxide/internal/demo"
	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitSchema      = 4
	exitUnreachable = 5
)

// exitCodesHelp is the part of every help text about them.
const exitCodesHelp = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 schema, 5 database unreachable."

// usageError is a command line that cannot be meant.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns a usage error. Its text names the flag and the rule.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// codes maps sentinels to exit codes; the first match counts.
var codes = []struct {
	sentinel error
	code     int
}{
	{fs.ErrNotExist, exitNotFound},
	{core.ErrNotFound, exitNotFound},
	{durable.ErrInstanceNotFound, exitNotFound},
	{migrations.ErrNoSchema, exitSchema},
	{migrations.ErrNoLedger, exitSchema},
	{migrations.ErrBehind, exitSchema},
	{migrations.ErrUnknownVersion, exitSchema},
	{migrations.ErrGap, exitSchema},
	{migrations.ErrForeignLineage, exitSchema},
	{migrations.ErrTables, exitSchema},
	{migrations.ErrUnreadable, exitSchema},
	{demo.ErrSchema, exitSchema},
	{demo.ErrFile, exitSchema},
	{demo.ErrNoServer, exitUnreachable},
}

// exitCode says how an error ends the program.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	for _, c := range codes {
		if errors.Is(err, c.sentinel) {
			return c.code
		}
	}
	if _, ok := errors.AsType[*migrations.PartialError](err); ok {
		return exitSchema
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return exitUnreachable
	}
	return exitFailed
}

// message is the text of an error for the terminal. What the driver says about
// connecting is put on one line.
func message(err error) string {
	text := err.Error()
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		var reasons []string
		for line := range strings.Lines(strings.TrimSpace(connect.Unwrap().Error())) {
			// One address is tried with TLS and without.
			if reason := strings.TrimSpace(line); !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
		text = fmt.Sprintf("the database at %s:%d cannot be reached: %s",
			connect.Config.Host, connect.Config.Port, strings.Join(reasons, "; "))
	}
	return text
}
