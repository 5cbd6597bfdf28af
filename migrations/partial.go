package migrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PartialError is returned when a migration could not be applied. It tells what
// is in the database now.
type PartialError struct {
	// Applied are the migrations that this run applied before, in order.
	Applied []File
	// Failed is the migration that could not be applied.
	Failed File
	// Statement is the statement that failed, shortened to one line. It is empty
	// if the failure was before, between or after the statements.
	Statement string
	// Line is the line of Failed that the server complained about, or 0.
	Line int
	// State says what the failure left, and what to do.
	State string
	// Err is the reason.
	Err error
}

func (e *PartialError) Error() string {
	var b strings.Builder
	b.WriteString(e.Failed.Name)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Statement != "" {
		fmt.Fprintf(&b, ": %s", e.Statement)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.State != "" {
		fmt.Fprintf(&b, "; %s", e.State)
	}
	return b.String()
}

// Unwrap returns the reason.
func (e *PartialError) Unwrap() error {
	return e.Err
}

// statementError is a failure of one statement.
type statementError struct {
	statement *statement
	err       error
}

func (e *statementError) Error() string { return e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }

// left is what a failed file leaves in the schema.
type left int

const (
	nothing left = iota // the transaction is rolled back
	unknown             // the connection broke during the commit
	some                // statements outside a transaction
)

func (r *runner) partialError(m *migration, left left, err error) *PartialError {
	e := &PartialError{Applied: slices.Clone(r.result.Applied), Failed: m.File, Err: err}
	if failed, ok := errors.AsType[*statementError](err); ok {
		e.Statement = failed.statement.summary()
		e.Line = failed.line()
	}
	switch left {
	case nothing:
		e.State = fmt.Sprintf("the file is rolled back and the schema stays at version %d: %s", r.result.Version, remedy(err))
	case unknown:
		e.State = "the connection broke during the commit, so the file is applied or not: run again, which finds out"
	case some:
		e.State = fmt.Sprintf("the file runs outside a transaction, so what it did before stays; "+
			"the schema is at version %d and the next run does the whole file again: %s", r.result.Version, remedy(err))
	}
	return e
}

// line returns the line of the file that the server complained about.
func (e *statementError) line() int {
	line := e.statement.line
	var pgErr *pgconn.PgError
	if errors.As(e.err, &pgErr) && pgErr.Position > 0 {
		if n := lineOf(e.statement.text, int(pgErr.Position)); n > 0 {
			line += n - 1
		}
	}
	return line
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

// remedy says what to do about a failure.
func remedy(err error) string {
	var pgErr *pgconn.PgError
	switch {
	case errors.Is(err, ErrSession):
		return "run again over a direct connection"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "run again and let it finish"
	case !errors.As(err, &pgErr):
		return "run again when the database can be reached"
	}
	switch pgErr.Code {
	case "42501":
		return "run as the role that owns the schema and its tables"
	case "55P03", "40P01":
		return "end that transaction, or allow a longer lock time-out, and run again"
	case "57P01", "57P02", "57P03":
		return "run again when the database can be reached"
	case "57014":
		return "raise statement_timeout for this role and run again"
	}
	return "mend the cause and run again"
}

// blockersSQL finds the oldest transactions that hold locks in a schema.
const blockersSQL = `
SELECT pg_catalog.format('pid %s%s has %s on %s', l.pid,
                         CASE WHEN a.application_name <> '' THEN ' (' || a.application_name || ')' ELSE '' END,
                         l.mode, c.relname)
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_class c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE n.nspname = $1 AND l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND c.relkind IN ('r', 'p')
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
 ORDER BY a.xact_start, l.pid, c.relname
 LIMIT 3`

// blockers tells who holds locks on the tables of the schema, as well as can be
// told after the fact.
func (r *runner) blockers(ctx context.Context) string {
	rows, err := r.conn.Query(ctx, blockersSQL, pgx.QueryExecModeExec, r.schema)
	if err != nil {
		return "who has it cannot be told"
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	switch {
	case err != nil:
		return "who has it cannot be told"
	case len(found) == 0:
		return "whoever had it is gone"
	}
	return strings.Join(found, ", ")
}
