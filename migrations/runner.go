package migrations

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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
	// file that runs into it is rolled back and tried again, ten times. An index
	// that is built concurrently waits for as long as it takes: nobody queues
	// behind it.
	LockTimeout time.Duration
	// Logger is told of each migration. Nil discards.
	Logger *slog.Logger
}

// Result tells what a run did. It is valid beside an error too.
type Result struct {
	// Applied are the migrations that this run applied, in order.
	Applied []File
	// Version is the last version of the schema after the run. It is 0 under
	// [None] and for a schema that could not be read. A schema can be ahead of
	// this program by migrations that admit it.
	Version int
	// ForeignBodies are shared functions, by name, that this module's migrations
	// replaced and that somebody else has replaced since, such as a later
	// migration of another member of the family. The schema can be used; what
	// needs the improved bodies cannot.
	ForeignBodies []string
}

const (
	defaultLockTimeout = 2 * time.Second
	lockAttempts       = 10
)

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
	files       []migration // all that this program has
	schema      string
	policy      Policy
	upTo        int
	lockTimeout time.Duration
	log         *slog.Logger
	ownLedger   bool // the own ledger exists
	result      Result
}

func newRunner(conn *pgx.Conn, fsys fs.FS, options *Options) (*runner, error) {
	var o Options
	if options != nil {
		o = *options
	}
	files, err := load(fsys)
	if err != nil {
		return nil, err
	}
	r := &runner{
		conn: conn, files: files,
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
	if r.upTo == 0 {
		r.upTo = r.files[len(r.files)-1].Version
	}
	if !r.has(r.upTo) {
		return nil, fmt.Errorf("no version %d: this program has versions %s", r.upTo, ranges(r.files))
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
	switch {
	case err != nil:
		return err
	case r.policy == Verify:
		err = found.verify(pending)
	case len(pending) > 0:
		err = r.migrate(ctx)
	}
	if err == nil && len(r.result.ForeignBodies) > 0 {
		r.log.WarnContext(ctx, "functions of the schema are not as this program's migrations left them, "+
			"what needs them is switched off", "functions", r.result.ForeignBodies)
	}
	return err
}

// migrate applies what is pending once it has the lock.
func (r *runner) migrate(ctx context.Context) error {
	key := lockKey(r.schema)
	if err := acquireLock(ctx, r.conn, key, r.log); err != nil {
		return err
	}
	defer releaseLock(ctx, r.conn, key, r.log)
	// Another process may have migrated while this one waited.
	found, pending, err := r.inspect(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	if err := r.createSchema(ctx, found); err != nil {
		return err
	}
	r.ownLedger = found.own
	for i := range pending {
		if err := r.apply(ctx, &pending[i]); err != nil {
			return err
		}
		r.result.Applied = append(r.result.Applied, pending[i].File)
		r.result.Version = pending[i].Version
	}
	r.result.ForeignBodies, err = ForeignBodies(ctx, r.conn, r.schema)
	return err
}

// inspect reads the schema and refuses it, or returns the migrations that this
// run has to apply.
func (r *runner) inspect(ctx context.Context) (found *state, pending []migration, err error) {
	found, err = inspect(ctx, r.conn, r.schema, relationNames(r.files))
	if err != nil {
		return nil, nil, err
	}
	r.result.Version = found.version()
	if err := found.check(r.files); err != nil {
		return nil, nil, err
	}
	r.result.ForeignBodies = found.foreign
	return found, r.pending(found), nil
}

// pending are the migrations that a run has to apply.
func (r *runner) pending(found *state) []migration {
	var pending []migration
	for _, m := range r.files {
		if m.Version <= found.version() || m.Version > r.upTo {
			continue
		}
		if found.version() == 0 {
			m = m.forNewSchema()
		}
		pending = append(pending, m)
	}
	return pending
}

// has tells whether this program has a version.
func (r *runner) has(version int) bool {
	return slices.ContainsFunc(r.files, func(m migration) bool { return m.Version == version })
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
		return fmt.Errorf("create the schema: %w; let a role that may create it do so, with this role as its owner", err)
	}
	return nil
}

func (r *runner) quoted() string {
	return pgx.Identifier{r.schema}.Sanitize()
}

// ranges tells which versions there are.
func ranges(all []migration) string {
	var texts []string
	for i, first := 0, 0; i < len(all); i++ {
		if i+1 == len(all) || all[i+1].Version != all[i].Version+1 {
			texts = append(texts, fmt.Sprintf("%d to %d", all[first].Version, all[i].Version))
			first = i + 1
		}
	}
	return strings.Join(texts, " and ")
}
