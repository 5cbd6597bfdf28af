package migrations

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ledgerTable records the applied migrations of the shared lineage.
const ledgerTable = "_duroxide_migrations"

// tables are those that the shared lineage makes, with the version that does.
var tables = []struct {
	name  string
	since int
}{
	{"executions", 1},
	{"history", 1},
	{"instance_locks", 1},
	{"instances", 1},
	{"orchestrator_queue", 1},
	{"worker_queue", 1},
	{"sessions", 4},
	{"kv_store", 8},
	{"kv_delta", 10},
}

// state is what a run finds in the database.
type state struct {
	schema  bool              // the schema exists
	ledger  bool              // the ledger exists
	applied []File            // the ledger's rows, by version
	kinds   map[string]string // pg_class.relkind by name, for the names in tables
}

// version returns the last applied version, 0 if there is none.
func (s *state) version() int {
	if len(s.applied) == 0 {
		return 0
	}
	return s.applied[len(s.applied)-1].Version
}

// inspect reads the state of a schema from one snapshot, without a lock.
// Existence is asked of the catalogue, which every role may read: a failure
// must not look like absence.
func inspect(ctx context.Context, conn *pgx.Conn, schema string) (*state, error) {
	var s *state
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) (err error) {
		s, err = inspectTx(ctx, tx, schema)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of the schema: %w", err)
	}
	return s, nil
}

func inspectTx(ctx context.Context, tx pgx.Tx, schema string) (*state, error) {
	s := &state{kinds: map[string]string{}}
	err := tx.QueryRow(ctx,
		`SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = $1)`,
		pgx.QueryExecModeExec, schema).Scan(&s.schema)
	if err != nil || !s.schema {
		return s, err
	}

	names := []string{ledgerTable}
	for _, table := range tables {
		names = append(names, table.name)
	}
	rows, err := tx.Query(ctx,
		`SELECT c.relname::text, c.relkind::text
		   FROM pg_catalog.pg_class c
		   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		  WHERE n.nspname = $1 AND c.relname = ANY ($2)`,
		pgx.QueryExecModeExec, schema, names)
	if err != nil {
		return nil, err
	}
	var name, kind string
	if _, err := pgx.ForEachRow(rows, []any{&name, &kind}, func() error {
		s.kinds[name] = kind
		return nil
	}); err != nil {
		return nil, err
	}

	_, s.ledger = s.kinds[ledgerTable]
	if !s.ledger {
		return s, nil
	}
	rows, err = tx.Query(ctx,
		`SELECT version, name FROM `+pgx.Identifier{schema, ledgerTable}.Sanitize()+` ORDER BY version`,
		pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	s.applied, err = pgx.CollectRows(rows, pgx.RowToStructByPos[File])
	return s, err
}

// check refuses a state that files cannot continue.
func (s *state) check(files []File) error {
	known := map[int]string{}
	for _, file := range files {
		known[file.Version] = file.Name
	}
	var foreign, unknown, missing []File
	for _, file := range s.applied {
		name, ok := known[file.Version]
		switch {
		case !ok:
			unknown = append(unknown, file)
		case name != file.Name:
			foreign = append(foreign, file)
		}
	}
	for _, file := range files {
		if file.Version < s.version() && !slices.ContainsFunc(s.applied, func(f File) bool { return f.Version == file.Version }) {
			missing = append(missing, file)
		}
	}
	switch {
	case len(foreign) > 0:
		return fmt.Errorf("%w: the ledger records version %v where this program has %s; "+
			"such a schema was made by duroxide-pg or another provider, so choose another schema",
			ErrForeignLineage, foreign[0], known[foreign[0].Version])
	case len(unknown) > 0:
		return fmt.Errorf("%w: the database has versions that this program does not know: %s; run a newer program",
			ErrUnknownVersion, list(unknown))
	case len(missing) > 0:
		return fmt.Errorf("%w: version %d is recorded, but these before it are not: %s; "+
			"restore the ledger from a backup, or use another schema",
			ErrGap, s.version(), list(missing))
	}
	return s.checkTables()
}

// checkTables refuses a schema whose tables are not those of its version. A
// missing table must not be made again empty under recorded history, and a
// table that is there too early is somebody else's.
func (s *state) checkTables() error {
	var missing, early []string
	for _, table := range tables {
		kind, exists := s.kinds[table.name]
		isTable := kind == "r" || kind == "p"
		switch {
		case table.since <= s.version() && !isTable:
			missing = append(missing, table.name)
		case table.since > s.version() && exists:
			early = append(early, table.name)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%w: the ledger records version %d, but there is no table %s; "+
			"restore the schema from a backup, or drop the whole schema to begin anew",
			ErrTables, s.version(), strings.Join(missing, ", "))
	case len(early) > 0 && !s.ledger:
		return fmt.Errorf("%w: there is no table %s, but already %s; "+
			"the schema is used by something else, so choose another",
			ErrTables, ledgerTable, strings.Join(early, ", "))
	case len(early) > 0:
		return fmt.Errorf("%w: the ledger records version %d, but later versions make %s; "+
			"move these out of the schema, or choose another schema",
			ErrTables, s.version(), strings.Join(early, ", "))
	}
	return nil
}

// verify tells what keeps a schema that passed check from being used.
func (s *state) verify(pending []File) error {
	switch {
	case !s.schema:
		return fmt.Errorf("%w: create it by running the migrations", ErrNoSchema)
	case !s.ledger:
		return fmt.Errorf("%w: it has no table %s; run the migrations", ErrNoLedger, ledgerTable)
	case len(pending) > 0:
		return fmt.Errorf("%w: it is at version %d, and these are pending: %s; run the migrations",
			ErrBehind, s.version(), list(pending))
	}
	return nil
}

// record adds a file to the ledger in the transaction that applies it.
func record(ctx context.Context, tx pgx.Tx, schema string, file File) error {
	_, err := tx.Exec(ctx,
		`INSERT INTO `+pgx.Identifier{schema, ledgerTable}.Sanitize()+` (version, name) VALUES ($1, $2)`,
		pgx.QueryExecModeExec, file.Version, file.Name)
	if err != nil {
		return fmt.Errorf("record the version: %w", err)
	}
	return nil
}

func list(files []File) string {
	var texts []string
	for _, file := range files {
		texts = append(texts, file.String())
	}
	return strings.Join(texts, ", ")
}
