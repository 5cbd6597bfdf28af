package sqliteprovider

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"github.com/duroxide/duroxide-go/core"
)

const (
	providerName = "duroxide-go-sqlite"
	// Version is the version of this module.
	Version = "0.1.0"

	// memory is the path of a database in memory.
	memory = ":memory:"

	sqlJournalMode = `PRAGMA journal_mode`
	sqlUseWAL      = `PRAGMA journal_mode = WAL`
	sqlQueryOnly   = `PRAGMA query_only = ON`
)

// Provider is a [core.Provider] and a [core.Admin] on a SQLite database. Use
// [Open]. It is safe for concurrent use.
type Provider struct {
	db *sql.DB
	// writer holds the one connection that writes and readers those that only
	// read, as far as they are not in use. In memory there is one connection
	// and both are the same pool.
	writer, readers *pool
	file            string // as SQLite names it; empty in memory
	clock           core.Clock
	log             *slog.Logger
	busyTimeout     time.Duration
	longPolls       bool

	// noFlush leaves it to the system when commits reach the disk. Tests set it.
	noFlush bool

	hints core.InstanceHints // of what this provider records

	turns, work *bell // ring for the orchestrator and the worker queue

	watcher sync.WaitGroup // looks for changes of other processes
	wanted  chan struct{}  // tells it that somebody waits
	waiting atomic.Int64   // how many fetches wait

	// closing ends with Close.
	closing context.Context //nolint:containedctx // the life of the provider, not of a call
	close   context.CancelCauseFunc
	once    sync.Once
	closed  error
}

var (
	_ core.Provider            = (*Provider)(nil)
	_ core.Admin               = (*Provider)(nil)
	_ core.InstanceWatcher     = (*Provider)(nil)
	_ core.InstanceStateReader = (*Provider)(nil)
	_ core.TurnTracker         = (*Provider)(nil)
	_ core.HistoryRangeReader  = (*Provider)(nil)
)

// Open opens the database file at the path, makes it if there is none, and
// brings its schema up to date. The path ":memory:" is a database of its own
// that ends with the provider. Several providers and processes may open one
// file. The context bounds the start only.
func Open(ctx context.Context, path string, options *Options) (*Provider, error) {
	o, err := options.resolve()
	if err != nil {
		return nil, err
	}
	p, err := open(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("sqliteprovider: open %s: %w", path, err)
	}
	if o.DisableLongPoll || path == memory {
		return p, nil
	}
	p.watcher.Go(func() { p.watch(o.PollInterval) })
	return p, nil
}

func open(ctx context.Context, path string, o Options) (*Provider, error) {
	name, err := dataSource(path)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		db:    sql.OpenDB(connector),
		clock: o.Clock, log: o.Logger, busyTimeout: o.BusyTimeout, longPolls: !o.DisableLongPoll,
		writer: newPool(1), readers: newPool(readers), wanted: make(chan struct{}, 1),
		turns: &bell{}, work: &bell{},
	}
	p.closing, p.close = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := p.start(ctx, path == memory); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// start opens the connections and migrates.
func (p *Provider) start(ctx context.Context, inMemory bool) error {
	w, err := p.connect(ctx, p.writer)
	if err != nil {
		return err
	}
	if inMemory {
		p.readers = p.writer
		return p.migrate(ctx, shipped())
	}
	if err := p.useWAL(ctx, w); err != nil {
		return err
	}
	if _, err := w.row(ctx, sqlMainFile, nil, &p.file); err != nil {
		return err
	}
	for range readers {
		r, err := p.connect(ctx, p.readers)
		if err != nil {
			return err
		}
		if _, err := r.exec(ctx, sqlQueryOnly); err != nil {
			return err
		}
	}
	return p.migrate(ctx, shipped())
}

func (p *Provider) connect(ctx context.Context, in *pool) (c *conn, err error) {
	err = p.whileBusy(ctx, func() error {
		c, err = newConn(ctx, p.db)
		return err
	})
	if err == nil {
		in.add(c)
	}
	return c, err
}

// useWAL makes the file one in which reading and writing do not wait for each
// other. The file keeps the mode.
func (p *Provider) useWAL(ctx context.Context, c *conn) error {
	return p.whileBusy(ctx, func() error {
		var mode string
		if _, err := c.row(ctx, sqlJournalMode, nil, &mode); err != nil || mode == "wal" {
			return err
		}
		if _, err := c.row(ctx, sqlUseWAL, nil, &mode); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("the file cannot use write-ahead logging, its journal mode stays %s", mode)
		}
		return nil
	})
}

// dataSource is the name under which the driver opens the path.
func dataSource(path string) (string, error) {
	const settings = "_pragma=busy_timeout(0)&_pragma=foreign_keys(0)&_pragma=synchronous(FULL)&_pragma=journal_size_limit(67108864)"
	switch {
	case path == "":
		return "", errors.New("the path is empty")
	case path == memory:
		return "file::memory:?" + settings, nil
	case strings.HasPrefix(path, "file:"):
		return "", errors.New("the path must be that of a file, not a URI")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	absolute = filepath.ToSlash(absolute)
	if !strings.HasPrefix(absolute, "/") {
		absolute = "/" + absolute // a drive letter
	}
	u := url.URL{Scheme: "file", Path: absolute, RawQuery: settings}
	return u.String(), nil
}

// Name implements [core.Provider].
func (*Provider) Name() string { return providerName }

// Version implements [core.Provider].
func (*Provider) Version() string { return Version }

// Close ends waiting fetches with [core.ErrClosed], waits for calls in
// progress, and closes the database. Further calls do nothing.
func (p *Provider) Close() error {
	p.once.Do(func() {
		p.close(core.ErrClosed)
		p.watcher.Wait()
		p.writer.drain()
		if p.readers != p.writer {
			p.readers.drain()
		}
		p.closed = p.db.Close()
	})
	return p.closed
}

// nowMs is the provider's time, epoch milliseconds.
func (p *Provider) nowMs() int64 { return signed(core.Milliseconds(p.clock.Now())) }

// checkOpen is for calls that need no database.
func (p *Provider) checkOpen(ctx context.Context, op string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.closing.Err() != nil {
		return core.Permanent(op, core.ErrClosed)
	}
	return nil
}
