package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/duroxide/duroxide-go/migrations"
)

// databaseEnv names the database when no flag does.
const databaseEnv = "DATABASE_URL"

// connectTimeout bounds connecting, unless the URL says otherwise.
const connectTimeout = 10 * time.Second

// database is what the flags say about where to work.
type database struct{ url, schema string }

// flags adds --database-url and --schema.
func (d *database) flags(cmd *cobra.Command, schema, urlHelp string) {
	f := cmd.Flags()
	f.StringVar(&d.url, "database-url", "", urlHelp)
	f.StringVar(&d.schema, "schema", schema, "`NAME` of the PostgreSQL schema")
}

// check refuses values that cannot be meant, before anything is done. The text
// of a connection string is never shown: it may hold a password.
func (d *database) check() error {
	if err := migrations.ValidateSchemaName(d.schema); err != nil {
		return usagef("--schema: %w", err)
	}
	if d.url == "" {
		return nil
	}
	if _, err := pgx.ParseConfig(d.url); err != nil {
		return notAddress("--database-url")
	}
	return nil
}

// address returns what the flag or the environment names, and which of them did.
func (d *database) address() (url, from string, err error) {
	url, from = d.url, "--database-url"
	if url == "" {
		url, from = os.Getenv(databaseEnv), databaseEnv
	}
	if url == "" {
		err = usagef("--database-url: not given, and %s is not set", databaseEnv)
	}
	return url, from, err
}

// notAddress refuses a connection string without showing it.
func notAddress(from string) error {
	return usagef("%s: not a connection string such as postgres://user@host:5432/database "+
		"(its text is not shown, it may hold a password)", from)
}

// limitConnecting bounds how long connecting takes, unless the address does.
func limitConnecting(config *pgx.ConnConfig, url string) {
	if !strings.Contains(url, "connect_timeout") {
		config.ConnectTimeout = connectTimeout
	}
}

// connect opens one connection to what the flag or the environment names.
func (d *database) connect(ctx context.Context) (*pgx.Conn, error) {
	url, from, err := d.address()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, notAddress(from)
	}
	limitConnecting(config, url)
	return pgx.ConnectConfig(ctx, config)
}

// readOnlyPool opens a pool whose transactions the server keeps from writing.
func (d *database) readOnlyPool(ctx context.Context) (*pgxpool.Pool, error) {
	url, from, err := d.address()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, notAddress(from)
	}
	limitConnecting(config.ConnConfig, url)
	config.MaxConns = 2
	// Another mode than the default is how one says that there is a pooler in
	// between, and poolers refuse connection parameters that they do not know.
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return pgxpool.NewWithConfig(ctx, config)
}
