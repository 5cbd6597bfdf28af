package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/examples/orders/pgledger"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/pgtest/server"
)

// ErrNoServer is returned when there is no database to show the demo on.
var ErrNoServer = errors.New("no database server")

// openPostgres makes the schema anew, for the parent.
func openPostgres(ctx context.Context, url, schema string) (st *store, err error) {
	db, err := openDatabase(ctx, url, schema)
	if err != nil {
		return nil, err
	}
	st = &store{
		description: fmt.Sprintf("%s, schema %s", db.description, schema),
		workerArgs:  []string{"--schema", schema},
		// The URL may hold a password, which arguments would show to everybody.
		workerEnv: []string{"DATABASE_URL=" + db.url},
		watch:     newPostgresWatch(db.pool, schema),
	}
	if !db.own {
		st.stays = fmt.Sprintf("Schema %s stays for you to look at; the next demo replaces it.", schema)
	}
	st.atClose(db.close)
	defer st.closeUnless(&err)
	unlock, err := prepareSchema(ctx, db, schema)
	if err != nil {
		return nil, err
	}
	st.atClose(func() error { unlock(); return nil })
	ledger, err := pgledger.New(db.pool, schema)
	if err != nil {
		return nil, err
	}
	if err := ledger.Create(ctx); err != nil {
		return nil, err
	}
	provider, err := pgprovider.New(ctx, db.pool, &pgprovider.Options{
		Schema: schema, Migrations: migrations.None, LongPoll: pgprovider.LongPoll{Disabled: true},
	})
	if err != nil {
		return nil, err
	}
	st.atClose(provider.Close)
	st.provider, st.ledger = provider, ledger
	return st, nil
}

// workerConns is how many connections a worker has.
const workerConns = 10

// joinPostgres opens what the parent has prepared, for a worker.
func joinPostgres(ctx context.Context, o WorkerOptions, log *slog.Logger) (st *store, err error) {
	pool, err := openPool(ctx, o.URL, "duroxide-demo "+o.Schema+" "+o.Name, workerConns)
	if err != nil {
		return nil, err
	}
	st = &store{}
	st.atClose(func() error { pool.Close(); return nil })
	defer st.closeUnless(&err)
	provider, err := pgprovider.New(ctx, pool, &pgprovider.Options{
		Schema: o.Schema, Migrations: migrations.Verify, Logger: log,
		LongPoll: pgprovider.LongPoll{RefreshInterval: time.Second, FloorInterval: time.Second},
	})
	if err != nil {
		return nil, err
	}
	st.atClose(provider.Close)
	st.provider = provider
	st.ledger, err = pgledger.New(pool, o.Schema)
	return st, err
}

// database is a server of PostgreSQL.
type database struct {
	url         string
	description string
	pool        *pgxpool.Pool
	own         bool // the server ends with the demo
	close       func() error
}

// openDatabase connects to the URL or, without one, to a server that it finds or
// starts.
func openDatabase(ctx context.Context, url, schema string) (*database, error) {
	db := &database{url: url, close: func() error { return nil }}
	if url == "" {
		// It flushes to disk as a real one does.
		srv, err := server.Start(ctx, &server.Options{Durable: true})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
		}
		db.url, db.description, db.close = srv.URL, srv.Description, srv.Stop
		db.own = srv.Source != server.SourceURL
	}
	pool, err := openPool(ctx, db.url, "duroxide-demo "+schema, starters+4)
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	stop := db.close
	db.pool, db.close = pool, func() error { pool.Close(); return stop() }
	if db.description == "" {
		var version string
		if err := pool.QueryRow(ctx, `SHOW server_version`).Scan(&version); err != nil {
			return nil, errors.Join(err, db.close())
		}
		version, _, _ = strings.Cut(version, " ")
		config := pool.Config().ConnConfig
		db.description = fmt.Sprintf("PostgreSQL %s at %s:%d", version, config.Host, config.Port)
	}
	return db, nil
}

// openPool opens a pool that is known to reach the database, where it is listed
// under the name.
func openPool(ctx context.Context, url, name string, size int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("not a valid connection string (its text is not shown, it may hold a password)")
	}
	config.MaxConns = size
	if !strings.Contains(url, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	config.ConnConfig.RuntimeParams["application_name"] = name
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}
