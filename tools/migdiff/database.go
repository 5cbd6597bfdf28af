package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgtest/server"
	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
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
	d := &database{conn: conn, schema: temporaryName()}
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
func (d *database) to(ctx context.Context, version int, steps []*step) (*catalogue, error) {
	if d.now != nil && version == d.at {
		return d.now, nil
	}
	if d.at > 0 && (version < d.at || slices.ContainsFunc(steps, func(s *step) bool {
		return s.file.Version > d.at && s.file.Version <= version && s.concurrent()
	})) {
		if err := d.renew(ctx); err != nil {
			return nil, err
		}
	}
	if version > d.at {
		if _, err := migrations.Run(ctx, d.conn, &migrations.Options{Schema: d.schema, UpTo: version}); err != nil {
			return nil, err
		}
		d.at = version
	}
	var err error
	d.now, err = readCatalogue(ctx, d.conn, d.schema)
	return d.now, err
}

// renew begins again with a new schema. An index on a table that is there would
// be built concurrently, which waits for all transactions of the database; in a
// schema that is made in one go it is not.
func (d *database) renew(ctx context.Context) error {
	if err := d.dropSchema(ctx); err != nil {
		return err
	}
	d.schema, d.at, d.now = temporaryName(), 0, nil
	return nil
}

// concurrent tells whether a file builds or drops an index concurrently.
func (s *step) concurrent() bool {
	return slices.ContainsFunc(s.statements, func(st sqlfile.Statement) bool {
		return sqlfile.Has(st.Tokens, "index", "concurrently")
	})
}

func temporaryName() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "migdiff_" + hex.EncodeToString(b[:])
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
	return d.dropSchema(ctx)
}

func (d *database) dropSchema(ctx context.Context) error {
	if _, err := d.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{d.schema}.Sanitize()+` CASCADE`); err != nil {
		return fmt.Errorf("drop schema %s: %w", d.schema, err)
	}
	return nil
}
