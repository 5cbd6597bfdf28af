package migrationstest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/migrations"
)

const (
	maxConns       = 10
	setUpTimeout   = time.Minute
	cleanUpTimeout = 30 * time.Second
	dropAttempts   = 5
)

// DB is a schema of one test. It is safe for concurrent use.
type DB struct {
	// URL reaches the database. Its search_path is empty, so that unqualified
	// names fail.
	URL string
	// Schema is test_ and eight hexadecimal digits.
	Schema string
	// Pool has at most ten connections, with the settings of URL and the
	// application_name migrationstest. It is closed after the test.
	Pool *pgxpool.Pool
}

// New makes a schema with all migrations, which is dropped after the test.
func New(t testing.TB) *DB {
	t.Helper()
	return NewAt(t, lastVersion())
}

// NewAt is [New] with the migrations up to a version, 0 for none.
func NewAt(t testing.TB, version int) *DB {
	t.Helper()
	db := NewEmpty(t)
	if version > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), setUpTimeout)
		defer cancel()
		if err := db.migrate(ctx, version); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// NewEmpty makes a schema without any migration, which is dropped after the
// test.
func NewEmpty(t testing.TB) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), setUpTimeout)
	defer cancel()
	db := &DB{URL: URL(t), Schema: schemaName()}
	if err := db.create(ctx, maxConns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.remove(t) })
	return db
}

// URL returns DATABASE_URL with an empty search_path, or fails the test.
func URL(t testing.TB) string {
	t.Helper()
	raw := os.Getenv("DATABASE_URL")
	if raw == "" {
		t.Fatal("DATABASE_URL is not set: run `go run ./pgtest -- go test ./...` at the root of the repository, " +
			"or set it to a PostgreSQL server")
	}
	withPath, err := withSetting(raw, "search_path", "")
	if err != nil {
		t.Fatalf("DATABASE_URL: %v", err)
	}
	return withPath
}

// withSetting adds a setting to a URL or a keyword string.
func withSetting(raw, name, value string) (string, error) {
	if !strings.Contains(raw, "://") {
		return fmt.Sprintf("%s %s='%s'", raw, name, value), nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// schemaName returns a name that no other test has.
func schemaName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "test_" + hex.EncodeToString(b[:])
}

func lastVersion() int {
	files := migrations.Files()
	return files[len(files)-1].Version
}

// name is the schema as it stands in a statement.
func (db *DB) name() string { return pgx.Identifier{db.Schema}.Sanitize() }

// create opens the pool and makes the schema; after an error nothing is left.
func (db *DB) create(ctx context.Context, conns int32) error {
	config, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.MaxConns = conns
	config.ConnConfig.RuntimeParams["application_name"] = "migrationstest"
	if db.Pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("open a pool: %w", err)
	}
	if _, err := db.Pool.Exec(ctx, `CREATE SCHEMA `+db.name()); err != nil {
		db.Pool.Close()
		return fmt.Errorf("create a schema: %w", err)
	}
	return nil
}

func (db *DB) migrate(ctx context.Context, version int) error {
	_, err := migrations.RunPool(ctx, db.Pool, &migrations.Options{Schema: db.Schema, UpTo: version})
	return err
}

// remove undoes create.
func (db *DB) remove(t testing.TB) {
	db.Pool.Close()
	db.drop(t)
}

// drop removes the schema over a connection of its own. It can meet a
// transaction of the test that the server has not ended yet.
func (db *DB) drop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanUpTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		t.Errorf("drop schema %s: %v", db.Schema, err)
		return
	}
	defer conn.Close(ctx)
	for attempt := 1; ; attempt++ {
		_, err := conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+db.name()+` CASCADE`)
		if err == nil {
			return
		}
		var pgErr *pgconn.PgError
		deadlock := errors.As(err, &pgErr) && pgErr.Code == "40P01"
		if !deadlock || attempt == dropAttempts {
			t.Errorf("drop schema %s: %v", db.Schema, err)
			return
		}
	}
}
