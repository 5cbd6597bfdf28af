package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// state is what a run finds in the database.
type state struct {
	schema  bool              // the schema exists
	shared  bool              // the shared ledger exists
	own     bool              // the own ledger exists
	applied []record          // the rows of both ledgers, by version
	kinds   map[string]string // pg_class.relkind of the relations that matter, by name
	columns map[string]bool   // their columns, as table.column
	foreign []string          // shared functions whose bodies are not those of the own ledger
}

// record is a row of a ledger.
type record struct {
	File
	MinClient int // 0 in the shared ledger
	Checksum  string
	Bodies    map[string]string
}

// own tells whether the row is in the own ledger.
func (r *record) own() bool { return r.MinClient > 0 }

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
func inspect(ctx context.Context, conn *pgx.Conn, schema string, relations []string) (*state, error) {
	var s *state
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) (err error) {
		s, err = inspectTx(ctx, tx, schema, relations)
		return err
	})
	if err != nil {
		return nil, unreadable(err)
	}
	return s, nil
}

// unreadable says what to do about a state that cannot be read.
func unreadable(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return fmt.Errorf("read the state of the schema: %w", err)
	}
	advice := "mend the cause, nothing was changed"
	switch pgErr.Code {
	case "42501":
		advice = "grant this role USAGE on the schema and SELECT on " + sharedLedger + " and " + ownLedger
	case "42703", "42804", "42809":
		advice = "a ledger there is not one of duroxide, so restore it from a backup, or choose another schema"
	}
	return fmt.Errorf("%w: %w; %s", ErrUnreadable, err, advice)
}

func inspectTx(ctx context.Context, tx pgx.Tx, schema string, relations []string) (*state, error) {
	s := &state{kinds: map[string]string{}, columns: map[string]bool{}}
	err := tx.QueryRow(ctx,
		`SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = $1)`,
		pgx.QueryExecModeExec, schema).Scan(&s.schema)
	if err != nil || !s.schema {
		return s, err
	}
	if err := s.readRelations(ctx, tx, schema, relations); err != nil {
		return nil, err
	}
	_, s.shared = s.kinds[sharedLedger]
	_, s.own = s.kinds[ownLedger]
	if err := s.readLedgers(ctx, tx, schema); err != nil {
		return nil, err
	}
	return s, s.readBodies(ctx, tx, schema)
}

// readRelations reads what there is of the relations of all migrations.
func (s *state) readRelations(ctx context.Context, tx pgx.Tx, schema string, relations []string) error {
	rows, err := tx.Query(ctx,
		`SELECT c.relname::text, c.relkind::text, array(
		        SELECT a.attname::text FROM pg_catalog.pg_attribute a
		         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
		   FROM pg_catalog.pg_class c
		   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		  WHERE n.nspname = $1 AND c.relname = ANY ($2)`,
		pgx.QueryExecModeExec, schema, relations)
	if err != nil {
		return err
	}
	var name, kind string
	var columns []string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind, &columns}, func() error {
		s.kinds[name] = kind
		for _, column := range columns {
			s.columns[name+"."+column] = true
		}
		return nil
	})
	return err
}

// readLedgers reads the shared ledger, then the own one, whose versions are
// higher.
func (s *state) readLedgers(ctx context.Context, tx pgx.Tx, schema string) error {
	if s.shared {
		rows, err := tx.Query(ctx,
			`SELECT version, name FROM `+pgx.Identifier{schema, sharedLedger}.Sanitize()+` ORDER BY version`,
			pgx.QueryExecModeExec)
		if err != nil {
			return err
		}
		files, err := pgx.CollectRows(rows, pgx.RowToStructByPos[File])
		if err != nil {
			return err
		}
		for _, file := range files {
			s.applied = append(s.applied, record{File: file})
		}
	}
	if s.own {
		rows, err := tx.Query(ctx,
			`SELECT version, name, min_client, checksum, bodies FROM `+
				pgx.Identifier{schema, ownLedger}.Sanitize()+` ORDER BY version`,
			pgx.QueryExecModeExec)
		if err != nil {
			return err
		}
		records, err := pgx.CollectRows(rows, pgx.RowToStructByPos[record])
		if err != nil {
			return err
		}
		s.applied = append(s.applied, records...)
	}
	return nil
}
