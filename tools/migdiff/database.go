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

// withDatabase hands a running server to a function.
func withDatabase(ctx context.Context, logf func(string, ...any), work func(*database) error) (err error) {
	srv, err := server.Start(ctx, &server.Options{Logf: logf})
	if err != nil {
		return &unreachableError{err}
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	return withConnection(ctx, srv.URL, work)
}

func withConnection(ctx context.Context, url string, work func(*database) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return &unreachableError{err}
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return work(&database{url: url, conn: conn, at: map[int]*catalogue{}})
}

// database is a connection over which temporary schemas are made, and what they
// held: of two migrations in a row, the one's after is the other's before.
type database struct {
	url  string
	conn *pgx.Conn
	at   map[int]*catalogue // by version
}

// version returns what a schema at a version holds. It makes a temporary one,
// reads it and drops it.
func (d *database) version(ctx context.Context, version int) (found *catalogue, err error) {
	if c := d.at[version]; c != nil {
		return c, nil
	}
	schema := temporaryName()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		err = errors.Join(err, d.drop(ctx, schema))
	}()
	if version > 0 {
		if _, err := migrations.Run(ctx, d.conn, &migrations.Options{Schema: schema, UpTo: version}); err != nil {
			return nil, err
		}
	}
	c, err := readCatalogue(ctx, d.conn, schema)
	if err == nil {
		d.at[version] = c
	}
	return c, err
}

func temporaryName() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "migdiff_" + hex.EncodeToString(b[:])
}

// drop removes a schema, over another connection if the first one broke.
func (d *database) drop(ctx context.Context, schema string) error {
	conn := d.conn
	if conn.IsClosed() {
		var err error
		if conn, err = pgx.Connect(ctx, d.url); err != nil {
			return fmt.Errorf("drop schema %s: %w", schema, err)
		}
		defer conn.Close(ctx)
	}
	if _, err := conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{schema}.Sanitize()+` CASCADE`); err != nil {
		return fmt.Errorf("drop schema %s: %w", schema, err)
	}
	return nil
}
