package migrations

import "errors"

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

	// ErrUnknownVersion is returned when a ledger records versions that this
	// program does not have and that do not admit it.
	ErrUnknownVersion = errors.New("schema is ahead of this program")

	// ErrGap is returned when the ledger records a version but not all
	// versions before it.
	ErrGap = errors.New("ledger has a gap")

	// ErrForeignLineage is returned when the ledger records other migrations
	// under this program's numbers.
	ErrForeignLineage = errors.New("schema belongs to another lineage")

	// ErrTables is returned when the tables in the schema, or their columns, are
	// not those of the recorded version.
	ErrTables = errors.New("tables do not fit the ledger")

	// ErrUnreadable is returned when the server refuses to show the ledgers or
	// the catalogue. What cannot be read is not taken for missing.
	ErrUnreadable = errors.New("cannot read the state of the schema")

	// ErrSession is returned when the connection lost the session that holds
	// the migration lock.
	ErrSession = errors.New("connection does not keep its session")
)
