package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// Source says where a server comes from.
type Source string

// The sources, in the order in which Start tries them.
const (
	SourceURL      Source = "url"      // the server that DATABASE_URL names
	SourceLocal    Source = "local"    // server programs found on this machine
	SourceEmbedded Source = "embedded" // server programs fetched and cached
)

// Options adjusts Start. The zero value is right for tests.
type Options struct {
	// Source allows one source only. Empty means what PGTEST_SOURCE says or,
	// without it, the first source that works.
	Source Source

	// Version refuses every other version: "17" or "16.4". Empty means what
	// PGTEST_VERSION says or, without it, any version from 14 on.
	Version string

	// Durable starts a server that flushes to disk, for demonstrations and
	// measurements. Without it fsync and full_page_writes are off, and a crash
	// of the machine loses data. It says nothing about a server that
	// DATABASE_URL names; Server.Description tells which fsync is in force.
	Durable bool

	// MaxConnections is the server's max_connections. Zero means 300.
	MaxConnections int

	// Settings are further server settings, which win over those above.
	Settings map[string]string

	// Logf is told what takes long, such as a download. Nil means silence. It
	// never gets a password.
	Logf func(format string, args ...any)
}

// Server is a PostgreSQL server that can be used until Stop. Its methods may be
// called from several goroutines.
type Server struct {
	// URL connects to the server as a superuser if Start started it. It holds a
	// password: log Description instead.
	URL string

	// Description is one line without secrets that says which version runs,
	// where it comes from and where it listens.
	Description string

	// Source is where the server comes from.
	Source Source

	cluster *cluster // nil if Start did not start it
	stop    func() error
}

// Stop stops the server and removes its data, unless DATABASE_URL named it.
// Further calls do nothing and return the same result. The error is not nil if
// the server had ended by itself, or if something of it remains.
func (s *Server) Stop() error { return s.stop() }

// Start finds or starts a server; nil options mean their zero value. The context
// bounds the start only. The caller must call Stop.
func Start(ctx context.Context, opts *Options) (*Server, error) {
	env, err := readEnvironment()
	if err != nil {
		return nil, err
	}
	return start(ctx, opts, env)
}

func start(ctx context.Context, opts *Options, env environment) (*Server, error) {
	cfg, err := resolve(opts, env)
	if err != nil {
		return nil, err
	}
	failed := new(noServerError)
	for _, src := range cfg.order() {
		s, err := startFrom(ctx, cfg, src)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		failed.add(src, err)
	}
	return nil, failed
}

func startFrom(ctx context.Context, cfg *config, src Source) (*Server, error) {
	if src == SourceURL {
		return useURL(ctx, cfg)
	}
	acct, err := serverAccount()
	if err != nil {
		return nil, err
	}
	var bin string
	if src == SourceLocal {
		bin, err = findLocal(ctx, cfg.version)
	} else {
		bin, err = fetchEmbedded(ctx, cfg, acct)
	}
	if err != nil {
		return nil, err
	}
	c, err := startCluster(ctx, cfg, acct, bin)
	if err != nil {
		return nil, err
	}
	info, err := inspect(ctx, c.url())
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	from := bin
	if src == SourceEmbedded {
		from = "embedded-postgres"
	}
	return &Server{
		URL:         c.url(),
		Description: fmt.Sprintf("PostgreSQL %s from %s on port %d (fsync %s)", info.version, from, c.port, info.fsync),
		Source:      src,
		cluster:     c,
		stop:        sync.OnceValue(c.stop),
	}, nil
}

func useURL(ctx context.Context, cfg *config) (*Server, error) {
	if cfg.url == "" {
		return nil, errors.New("DATABASE_URL is not set, neither in the environment nor in a file .env")
	}
	info, err := inspect(ctx, cfg.url)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.urlFrom, err)
	}
	if err := cfg.version.check(info.version); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.urlFrom, err)
	}
	return &Server{
		URL:         cfg.url,
		Description: fmt.Sprintf("PostgreSQL %s from %s at %s (fsync %s)", info.version, cfg.urlFrom, info.address, info.fsync),
		Source:      SourceURL,
		stop:        func() error { return nil },
	}, nil
}

// serverInfo is what a server says about itself.
type serverInfo struct {
	version, fsync, address string
}

func inspect(ctx context.Context, url string) (serverInfo, error) {
	conf, err := pgconn.ParseConfig(url)
	if err != nil {
		// The parser's error repeats the text, which may hold a password.
		return serverInfo{}, errors.New("not a valid connection string (its text is not shown, it may hold a password)")
	}
	conn, err := pgconn.ConnectConfig(ctx, conf)
	if err != nil {
		return serverInfo{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()

	res, err := conn.Exec(ctx, `SELECT current_setting('server_version'), current_setting('fsync')`).ReadAll()
	if err != nil {
		return serverInfo{}, fmt.Errorf("asking for the version: %w", err)
	}
	row := res[0].Rows[0]
	version, _, _ := strings.Cut(string(row[0]), " ") // without "(Debian 15.18-1)"
	return serverInfo{version: version, fsync: string(row[1]), address: fmt.Sprintf("%s:%d", conf.Host, conf.Port)}, nil
}

// noServerError tells for each source why it gave no server.
type noServerError struct {
	sources []Source
	reasons []error
}

func (e *noServerError) add(src Source, reason error) {
	e.sources = append(e.sources, src)
	e.reasons = append(e.reasons, reason)
}

func (e *noServerError) Error() string {
	var b strings.Builder
	b.WriteString("no PostgreSQL server to be had")
	for i, src := range e.sources {
		fmt.Fprintf(&b, "\n  %s: %s", src, strings.ReplaceAll(e.reasons[i].Error(), "\n", "\n    "))
	}
	return b.String()
}

func (e *noServerError) Unwrap() []error { return e.reasons }
