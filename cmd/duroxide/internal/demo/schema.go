package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

// ErrSchema is returned when the demo must not use the schema.
var ErrSchema = errors.New("the schema cannot be used for the demo")

// markerTable tells a schema that a demo made from all others.
const markerTable = "demo_marker"

// prepareSchema makes the schema anew, with all migrations. It drops only what a
// demo made. The schema is this demo's until unlock.
func prepareSchema(ctx context.Context, db *database, schema string) (unlock func(), err error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	// Closing the session unlocks too, but only when the server gets to it.
	end := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`) // then the close does it
		_ = conn.Conn().Close(ctx)                               // nobody can do anything about it
		conn.Release()
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	var locked bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('duroxide demo ' || $1, 0))`, schema).Scan(&locked)
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, fmt.Errorf("%w: another demo is running in %s; choose another with --schema", ErrSchema, schema)
	}
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return recreate(ctx, tx, schema) }); err != nil {
		return nil, err
	}
	_, err = migrations.Run(ctx, conn.Conn(), &migrations.Options{Schema: schema})
	if err != nil {
		return nil, err
	}
	return end, nil
}

// unlockTimeout bounds the end of the session that holds the lock.
const unlockTimeout = 5 * time.Second

// recreate leaves the schema with nothing in it but the marker.
func recreate(ctx context.Context, tx pgx.Tx, schema string) error {
	var exists, ours, filled bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1),
		       EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname = $2),
		       EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid)
		       OR EXISTS (SELECT 1 FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid)
		       OR EXISTS (SELECT 1 FROM pg_catalog.pg_type t WHERE t.typnamespace = n.oid)
		  FROM (SELECT (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AS oid) n`,
		schema, markerTable).Scan(&exists, &ours, &filled)
	if err != nil {
		return err
	}
	if filled && !ours {
		return fmt.Errorf("%w: %s holds something that no demo made (there is no table %s in it); "+
			"drop it yourself, or choose another with --schema", ErrSchema, schema, markerTable)
	}
	name := pgx.Identifier{schema}.Sanitize()
	if exists {
		if _, err := tx.Exec(ctx, `DROP SCHEMA `+name+` CASCADE`); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `CREATE SCHEMA `+name); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `CREATE TABLE `+pgx.Identifier{schema, markerTable}.Sanitize()+` (made_at timestamptz NOT NULL DEFAULT now())`)
	return err
}
