package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgtest/server"
)

const dropTimeout = 30 * time.Second

// unreachableError says that there is no database to work with.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

// withDatabase hands a temporary schema of a running server to a function, and
// removes both afterwards.
func withDatabase(ctx context.Context, logf func(string, ...any), work func(*database) error) (err error) {
	srv, err := server.Start(ctx, &server.Options{Logf: logf})
	if err != nil {
		return &unreachableError{err}
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	return withSchema(ctx, srv.URL, work)
}

func withSchema(ctx context.Context, url string, work func(*database) error) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return &unreachableError{err}
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	d := &database{conn: conn, schema: "migdiff_" + hex.EncodeToString(b[:])}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		err = errors.Join(err, d.drop(ctx, url))
	}()
	return work(d)
}

// database is a temporary schema and the connection that migrates it.
type database struct {
	conn   *pgx.Conn
	schema string
	at     int // its version
	now    *catalogue
}

// to migrates to a version and returns what the schema then holds.
func (d *database) to(ctx context.Context, version int) (*catalogue, error) {
	if version > d.at {
		if _, err := migrations.Run(ctx, d.conn, &migrations.Options{Schema: d.schema, UpTo: version}); err != nil {
			return nil, err
		}
		d.at, d.now = version, nil
	}
	if version < d.at {
		return nil, fmt.Errorf("the schema is at version %d already, past %d", d.at, version)
	}
	if d.now == nil {
		var err error
		if d.now, err = readCatalogue(ctx, d.conn, d.schema); err != nil {
			return nil, err
		}
	}
	return d.now, nil
}

// drop removes the schema, over another connection if the first one broke.
func (d *database) drop(ctx context.Context, url string) error {
	defer func() { d.conn.Close(ctx) }()
	if d.conn.IsClosed() {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return fmt.Errorf("drop schema %s: %w", d.schema, err)
		}
		d.conn = conn
	}
	if _, err := d.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{d.schema}.Sanitize()+` CASCADE`); err != nil {
		return fmt.Errorf("drop schema %s: %w", d.schema, err)
	}
	return nil
}
