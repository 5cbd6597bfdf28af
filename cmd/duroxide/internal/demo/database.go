package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/pgtest/server"
)

// ErrNoServer is returned when there is no database to show the demo on.
var ErrNoServer = errors.New("no database server")

// database is where the demo works.
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
