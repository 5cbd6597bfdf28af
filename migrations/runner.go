package migrations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Policy says what a run may do.
type Policy int

const (
	// Apply brings the schema to the last version of this program.
	Apply Policy = iota
	// ApplyShared stops at [SharedVersion], which every member of the family
	// accepts.
	ApplyShared
	// Verify checks that the schema is at the last version and changes
	// nothing: no DDL and no locks, so that a role which may only read the
	// ledger can run it.
	Verify
	// None does nothing at all.
	None
)

// Options of a run. The zero value is usable, and so is a nil pointer.
type Options struct {
	// Schema is the PostgreSQL schema, see [ValidateSchemaName]. Empty means
	// public. It is created if it is missing, except for public.
	Schema string
	// Policy says what the run may do; [Apply] by default.
	Policy Policy
	// UpTo is the last version that the run wants, 0 for all of them. A schema
	// that is past it stays as it is.
	UpTo int
	// LockTimeout bounds how long one statement of a migration waits for a
	// lock, 2 s by default. Queries queue behind a migration that waits, so a
	// file that runs into it is rolled back and tried again, ten times.
	LockTimeout time.Duration
	// Logger is told of each migration. Nil discards.
	Logger *slog.Logger
}

// Result tells what a run did. It is valid beside an error too.
type Result struct {
	// Applied are the migrations that this run applied, in order.
	Applied []File
	// Version is the last version of the schema after the run. It is 0 under
	// [None] and for a schema that could not be read.
	Version int
}

const (
	defaultLockTimeout = 2 * time.Second
	lockAttempts       = 10
)

// readWrite is explicit because a role or a server can have other defaults.
var readWrite = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}

// Run migrates or verifies a schema over one connection, which nothing else may
// use meanwhile. The connection is left as it was found, or closed if it broke.
func Run(ctx context.Context, conn *pgx.Conn, options *Options) (Result, error) {
	return runFS(ctx, conn, FS(), options)
}

func runFS(ctx context.Context, conn *pgx.Conn, fsys fs.FS, options *Options) (Result, error) {
	r, err := newRunner(conn, fsys, options)
	if err != nil {
		return Result{}, fmt.Errorf("migrations: %w", err)
	}
	if err := r.run(ctx); err != nil {
		return r.result, fmt.Errorf("migrations: schema %q: %w", r.schema, err)
	}
	return r.result, nil
}

// RunPool is [Run] over a connection of the pool, held for the whole run.
func RunPool(ctx context.Context, pool *pgxpool.Pool, options *Options) (Result, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("migrations: acquire a connection: %w", err)
	}
	defer conn.Release()
	return Run(ctx, conn.Conn(), options)
}

// RunURL is [Run] over a connection of its own, to a URL or keyword string that
// pgx understands.
func RunURL(ctx context.Context, url string, options *Options) (Result, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return Result{}, fmt.Errorf("migrations: connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return Run(ctx, conn, options)
}

// runner is one run.
type runner struct {
	conn        *pgx.Conn
	fsys        fs.FS
	files       []File // all that this program has
	schema      string
	policy      Policy
	upTo        int
	lockTimeout time.Duration
	log         *slog.Logger
	result      Result
}

func newRunner(conn *pgx.Conn, fsys fs.FS, options *Options) (*runner, error) {
	var o Options
	if options != nil {
		o = *options
	}
	files, err := listFiles(fsys)
	if err != nil {
		return nil, err
	}
	r := &runner{
		conn: conn, fsys: fsys, files: files,
		schema: o.Schema, policy: o.Policy, upTo: o.UpTo, lockTimeout: o.LockTimeout, log: o.Logger,
	}
	if r.schema == "" {
		r.schema = "public"
	}
	if r.lockTimeout == 0 {
		r.lockTimeout = defaultLockTimeout
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.log = r.log.With("schema", r.schema)
	if err := ValidateSchemaName(r.schema); err != nil {
		return nil, err
	}
	if r.policy < Apply || r.policy > None {
		return nil, fmt.Errorf("unknown policy %d", r.policy)
	}
	last := r.files[len(r.files)-1].Version
	if r.upTo < 0 || r.upTo > last {
		return nil, fmt.Errorf("no version %d: this program has versions 1 to %d", r.upTo, last)
	}
	if r.upTo == 0 {
		r.upTo = last
	}
	if r.policy == ApplyShared {
		r.upTo = min(r.upTo, SharedVersion)
	}
	if r.lockTimeout < time.Millisecond {
		return nil, fmt.Errorf("lock time-out %v is shorter than a millisecond", r.lockTimeout)
	}
	return r, nil
}

func (r *runner) run(ctx context.Context) error {
	if r.policy == None {
		return nil
	}
	found, pending, err := r.inspect(ctx)
	if err != nil {
		return err
	}
	if r.policy == Verify {
		return found.verify(pending)
	}
	if len(pending) == 0 {
		return nil
	}

	key := lockKey(r.schema)
	if err := acquireLock(ctx, r.conn, key, r.log); err != nil {
		return err
	}
	defer releaseLock(ctx, r.conn, key, r.log)
	// Another process may have migrated while this one waited.
	found, pending, err = r.inspect(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	if err := r.createSchema(ctx, found); err != nil {
		return err
	}
	for _, file := range pending {
		if err := r.apply(ctx, file); err != nil {
			return err
		}
		r.result.Applied = append(r.result.Applied, file)
		r.result.Version = file.Version
	}
	return nil
}

// inspect reads the schema and refuses it, or returns the files that this run
// has to apply.
func (r *runner) inspect(ctx context.Context) (found *state, pending []File, err error) {
	found, err = inspect(ctx, r.conn, r.schema)
	if err != nil {
		return nil, nil, err
	}
	r.result.Version = found.version()
	if err := found.check(r.files); err != nil {
		return nil, nil, err
	}
	for _, file := range r.files {
		if file.Version > found.version() && file.Version <= r.upTo {
			pending = append(pending, file)
		}
	}
	return found, pending, nil
}

// createSchema is asked for only when it is missing, because even IF NOT EXISTS
// needs the privilege to create.
func (r *runner) createSchema(ctx context.Context, found *state) error {
	if found.schema {
		return nil
	}
	if r.schema == "public" {
		return fmt.Errorf("%w: create public yourself, or choose another schema", ErrNoSchema)
	}
	err := pgx.BeginTxFunc(ctx, r.conn, readWrite, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+r.quoted(), pgx.QueryExecModeExec)
		return err
	})
	if err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	return nil
}

// apply applies one file, again if a lock could not be had in time.
func (r *runner) apply(ctx context.Context, file File) error {
	sql, err := fs.ReadFile(r.fsys, file.Name)
	if err != nil {
		return &FileError{File: file, Err: err}
	}
	for attempt := 1; ; attempt++ {
		start := time.Now()
		err := r.applyOnce(ctx, file, string(sql))
		if err == nil {
			r.log.InfoContext(ctx, "applied migration", "file", file.Name, "duration", time.Since(start))
			return nil
		}
		if attempt == lockAttempts || !isLockConflict(err) {
			return newFileError(file, string(sql), err)
		}
		r.log.WarnContext(ctx, "migration waits for locks, trying again",
			"file", file.Name, "attempt", attempt, "error", err)
		select {
		case <-ctx.Done():
			return &FileError{File: file, Err: context.Cause(ctx)}
		case <-time.After(r.lockTimeout): // for the queries that queued behind it
		}
	}
}

// applyOnce runs a file and its record in one transaction.
func (r *runner) applyOnce(ctx context.Context, file File, sql string) error {
	return pgx.BeginTxFunc(ctx, r.conn, readWrite, func(tx pgx.Tx) error {
		if err := checkLock(ctx, tx, lockKey(r.schema)); err != nil {
			return err
		}
		// The functions keep this path. With pg_temp last, no temporary object
		// can stand in for a table or a function.
		settings := fmt.Sprintf(`SET LOCAL search_path TO %s, pg_temp; SET LOCAL lock_timeout TO %d`,
			r.quoted(), r.lockTimeout.Milliseconds())
		for _, text := range []string{settings, sql} {
			// The simple protocol takes several statements at once.
			if _, err := tx.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
				return err
			}
		}
		return record(ctx, tx, r.schema, file)
	})
}

func (r *runner) quoted() string {
	return pgx.Identifier{r.schema}.Sanitize()
}

// isLockConflict tells whether the server gave up on a lock: by time-out or to
// resolve a deadlock.
func isLockConflict(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains([]string{"55P03", "40P01"}, pgErr.Code)
}
