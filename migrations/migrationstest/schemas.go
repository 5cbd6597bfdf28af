package migrationstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// lentConns is enough for a look at the tables; who borrows a schema has
	// connections of his own, and many schemas may be lent at once.
	lentConns = 1
	// leavingTimeout is how long connections of the borrower may take to end.
	leavingTimeout = 15 * time.Second
	leavingPoll    = 2 * time.Millisecond
)

// Schemas lends schemas, one to each borrower at a time. One that comes back is
// emptied and lent again, in a few milliseconds instead of what the migrations
// of a new one take: it pays where one test has many cases. It is safe for
// concurrent use.
type Schemas struct {
	t       testing.TB
	url     string
	version int

	mu   sync.Mutex
	free []*DB
}

// NewSchemas returns a lender of schemas that have the migrations up to a
// version, 0 for all. They are made as they are needed and dropped after the
// test.
func NewSchemas(t testing.TB, version int) *Schemas {
	t.Helper()
	return &Schemas{t: t, url: URL(t), version: version}
}

// Borrow returns a schema in which nothing is stored and whose sequences are at
// their start. Its Pool has one connection; others are to be made with its URL,
// whose application_name is the name of the schema: that is how Return knows
// them.
func (s *Schemas) Borrow(ctx context.Context) (*DB, error) {
	s.mu.Lock()
	if last := len(s.free) - 1; last >= 0 {
		db := s.free[last]
		s.free = s.free[:last]
		s.mu.Unlock()
		return db, nil
	}
	s.mu.Unlock()

	db := &DB{Schema: schemaName()}
	var err error
	if db.URL, err = withSetting(s.url, "application_name", db.Schema); err != nil {
		return nil, err
	}
	if err := db.create(ctx, lentConns); err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { db.remove(s.t) })
	return db, db.migrate(ctx, s.version)
}

// Return takes a schema back. The connections that were made with its URL must
// have been closed; one that stays open for 15 s, or until the context ends, is
// an error, and then the schema is not lent again. The Pool may stay open, with
// nothing in use.
func (s *Schemas) Return(ctx context.Context, db *DB) error {
	if err := db.empty(ctx); err != nil {
		return fmt.Errorf("schema %s is not used again: %w", db.Schema, err)
	}
	db.Pool.Reset() // no connection waits for the next borrower
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, db)
	return nil
}

// empty removes all rows when nobody works in the schema any more.
func (db *DB) empty(ctx context.Context) error {
	if err := db.waitForLeaving(ctx); err != nil {
		return err
	}
	statements, err := db.emptying(ctx)
	if err != nil {
		return err
	}
	// Deleting a few rows is cheaper than truncating, which makes new files and
	// has every plan made anew.
	_, err = db.Pool.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}

// waitForLeaving waits until the server has ended the connections of the
// borrower: what one of them was told before it was closed may still be done.
func (db *DB) waitForLeaving(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, leavingTimeout, errors.New("the time is over"))
	defer cancel()
	for {
		var left int
		err := db.Pool.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = $1`, db.Schema).Scan(&left)
		switch {
		case err == nil && left == 0:
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		}
		select {
		case <-time.After(leavingPoll):
		case <-ctx.Done():
			return fmt.Errorf("%d connections are open: %w", left, context.Cause(ctx))
		}
	}
}

// emptying returns the statements that empty the schema. The migrations store
// nothing but the ledgers.
func (db *DB) emptying(ctx context.Context) (string, error) {
	rows, _ := db.Pool.Query(ctx, `
		SELECT CASE relkind
		       WHEN 'S' THEN pg_catalog.format('SELECT pg_catalog.setval(%L, 1, false)', c.oid::regclass)
		       ELSE pg_catalog.format('DELETE FROM %s', c.oid::regclass) END
		  FROM pg_catalog.pg_class c
		 WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'S')
		   AND relname NOT IN ('_duroxide_migrations', '_duroxide_go_migrations')`, db.name())
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(statements, "; "), err
}
