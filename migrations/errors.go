package migrations

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a run refuses. Match with [errors.Is]; the text of the returned error
// adds the particulars and what to do.
var (
	// ErrInvalidSchemaName is returned by [ValidateSchemaName] and by a run
	// with such a name.
	ErrInvalidSchemaName = errors.New("invalid schema name")

	// ErrNoSchema is returned when the schema does not exist and the run does
	// not create it: under [Verify], and always for the schema public.
	ErrNoSchema = errors.New("schema does not exist")

	// ErrNoLedger is returned by [Verify] for a schema that was never migrated.
	ErrNoLedger = errors.New("schema is not migrated")

	// ErrBehind is returned by [Verify] when migrations are pending.
	ErrBehind = errors.New("schema is behind this program")

	// ErrUnknownVersion is returned when the ledger records versions that this
	// program does not have.
	ErrUnknownVersion = errors.New("schema is ahead of this program")

	// ErrGap is returned when the ledger records a version but not all
	// versions before it.
	ErrGap = errors.New("ledger has a gap")

	// ErrForeignLineage is returned when the ledger records other migrations
	// under this program's numbers.
	ErrForeignLineage = errors.New("schema belongs to another lineage")

	// ErrTables is returned when the tables in the schema are not those of the
	// recorded version.
	ErrTables = errors.New("tables do not fit the ledger")

	// ErrSession is returned when the connection lost the session that holds
	// the migration lock.
	ErrSession = errors.New("connection does not keep its session")
)

// FileError is returned when a migration file could not be applied. The files
// before it are applied, it and those after it are not.
type FileError struct {
	// File is the migration that failed.
	File File
	// Line is the line of File that the server complained about, or 0.
	Line int
	// Err is the reason.
	Err error
}

func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %v", e.File.Name, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File.Name, e.Err)
}

// Unwrap returns the reason.
func (e *FileError) Unwrap() error {
	return e.Err
}

// newFileError finds the line of the file to which the error of a statement
// belongs.
func newFileError(file File, s *statement, err error) *FileError {
	e := &FileError{File: file, Line: s.line, Err: err}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Position > 0 {
		if line := lineOf(s.text, int(pgErr.Position)); line > 0 {
			e.Line += line - 1
		}
	}
	return e
}

// lineOf returns the line of the character at position, counted from 1 as the
// server does.
func lineOf(sql string, position int) int {
	if position > utf8.RuneCountInString(sql) {
		return 0
	}
	before := string([]rune(sql)[:position-1])
	return 1 + strings.Count(before, "\n")
}
