package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"

	"github.com/duroxide/duroxide-go/examples/orders/sqliteledger"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// ErrFile is returned when the demo must not use the file.
var ErrFile = errors.New("the file cannot be used for the demo")

// openSQLite makes the file, for the parent. Without a path it is in a directory
// that ends with the demo.
func openSQLite(ctx context.Context, path string) (st *store, err error) {
	st = &store{}
	defer st.closeUnless(&err)
	if path == "" {
		dir, err := os.MkdirTemp("", "duroxide-demo")
		if err != nil {
			return nil, err
		}
		st.atClose(func() error { return os.RemoveAll(dir) })
		path = filepath.Join(dir, "demo.db")
	} else {
		if path, err = filepath.Abs(path); err != nil { // then no name has a meaning of its own, as :memory: has
			return nil, err
		}
		st.stays = fmt.Sprintf("File %s stays for you to look at; another demo needs another file.", path)
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	st.description = "SQLite, file " + path
	st.workerArgs = []string{"--store", SQLite, "--file", path}
	if err := st.useFile(ctx, path, &sqliteprovider.Options{DisableLongPoll: true}); err != nil {
		return nil, err
	}
	return st, nil
}

// createFile makes the file and refuses one that is there, which may be precious
// or belong to a demo that is running.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s exists, and the demo makes its file anew; remove it yourself, or choose another with --file", ErrFile, path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return f.Close()
}

// joinSQLite opens the file that the parent has made, for a worker.
func joinSQLite(ctx context.Context, o WorkerOptions, log *slog.Logger) (st *store, err error) {
	st = &store{}
	defer st.closeUnless(&err)
	if _, err := os.Stat(o.File); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if err := st.useFile(ctx, o.File, &sqliteprovider.Options{Logger: log}); err != nil {
		return nil, err
	}
	return st, nil
}

// useFile opens the provider, the ledger and the watch. They share nothing but
// the file.
func (s *store) useFile(ctx context.Context, path string, o *sqliteprovider.Options) error {
	provider, err := sqliteprovider.Open(ctx, path, o)
	if err != nil {
		return err
	}
	s.atClose(provider.Close)
	db, err := openFile(path)
	if err != nil {
		return err
	}
	s.atClose(db.Close)
	ledger, err := sqliteledger.New(db)
	if err != nil {
		return err
	}
	s.provider, s.ledger, s.watch = provider, ledger, sqliteWatch{db}
	return ledger.Create(ctx)
}

// openFile opens the file with one connection, which waits for those of others.
func openFile(path string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	absolute = filepath.ToSlash(absolute)
	if !strings.HasPrefix(absolute, "/") {
		absolute = "/" + absolute // a drive letter
	}
	u := url.URL{Scheme: "file", Path: absolute, RawQuery: "_pragma=busy_timeout(10000)"}
	connector, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}
