package migrations

import (
	"context"
	"maps"

	"github.com/jackc/pgx/v5"
)

// ForeignBodies returns the shared functions that this module's migrations
// replaced and that somebody else has replaced since, as in [Result]. It is for
// a program that goes on after a long time, such as after it lost its
// connections: the schema may have been migrated meanwhile.
func ForeignBodies(ctx context.Context, conn *pgx.Conn, schema string) ([]string, error) {
	found, err := inspect(ctx, conn, schema, []string{sharedLedger, ownLedger})
	if err != nil {
		return nil, err
	}
	return found.foreign, nil
}

// readBodies compares the functions that the own lineage replaced with what it
// recorded: a provider of the family that migrates later may have put its own
// body back.
func (s *state) readBodies(ctx context.Context, tx pgx.Tx, schema string) error {
	want := map[string]string{}
	for _, r := range s.applied {
		maps.Copy(want, r.Bodies)
	}
	if len(want) == 0 {
		return nil
	}
	names := sortedKeys(want)
	rows, err := tx.Query(ctx,
		`SELECT p.proname::text, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p.prosrc, 'UTF8')), 'hex')
		   FROM pg_catalog.pg_proc p
		   JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		  WHERE n.nspname = $1 AND p.proname = ANY ($2)`,
		pgx.QueryExecModeExec, schema, names)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	var name, hash string
	_, err = pgx.ForEachRow(rows, []any{&name, &hash}, func() error {
		seen, was := ours[name]
		ours[name] = hash == want[name] && (seen || !was)
		return nil
	})
	for _, name := range names {
		if !ours[name] {
			s.foreign = append(s.foreign, name)
		}
	}
	return err
}
