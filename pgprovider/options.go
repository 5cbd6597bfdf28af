package pgprovider

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
)

// PoolMaxEnv is the environment variable that sets the size of the pool that
// [NewFromURL] opens, unless the URL has pool_max_conns.
const PoolMaxEnv = "DUROXIDE_PG_POOL_MAX"

const (
	defaultSchema   = "public"
	defaultPoolMax  = 10
	defaultPoolMin  = 1
	applicationName = "duroxide-go"
)

// Options of a provider. The zero value is usable, and so is a nil pointer.
type Options struct {
	// Schema is the PostgreSQL schema, "public" by default. See
	// [migrations.ValidateSchemaName].
	Schema string
	// Migrations says what happens to the schema at the start; the default
	// [migrations.Apply] brings it up to date.
	Migrations migrations.Policy
	// LongPoll says how fetches wait for work.
	LongPoll LongPoll
	// Logger is told of what an operator should know. Nil discards.
	Logger *slog.Logger
	// Clock is the time that leases and visibility are judged by; nil is the
	// system's clock. A test clock must be an offset of it, because every
	// process compares its own clock with what others stored.
	Clock core.Clock
}

// LongPoll says how fetches with a PollTimeout wait for work.
type LongPoll struct {
	// Disabled makes every fetch return at once, and no connection listens.
	Disabled bool
	// RefreshInterval is how often the provider looks for work that becomes
	// due without a notification: timers, delayed messages, and locks whose
	// owner died. It looks twice as far ahead. 30 s by default.
	RefreshInterval time.Duration
	// FloorInterval is how often waiting fetches ask the database in any case,
	// 30 s by default.
	FloorInterval time.Duration
	// DegradedInterval takes the place of FloorInterval while nothing listens,
	// 1 s by default.
	DegradedInterval time.Duration
	// Grace is added to the time at which work becomes due, 5 ms by default.
	Grace time.Duration
}

// resolve returns the options with defaults, or what is wrong with them.
func (o *Options) resolve() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Schema == "" {
		r.Schema = defaultSchema
	}
	if err := migrations.ValidateSchemaName(r.Schema); err != nil {
		return Options{}, fmt.Errorf("pgprovider: Options.Schema: %w", err)
	}
	if r.Migrations < migrations.Apply || r.Migrations > migrations.None {
		return Options{}, fmt.Errorf("pgprovider: Options.Migrations: unknown policy %d", r.Migrations)
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		def   time.Duration
	}{
		{"RefreshInterval", &r.LongPoll.RefreshInterval, 30 * time.Second},
		{"FloorInterval", &r.LongPoll.FloorInterval, 30 * time.Second},
		{"DegradedInterval", &r.LongPoll.DegradedInterval, time.Second},
		{"Grace", &r.LongPoll.Grace, 5 * time.Millisecond},
	} {
		if *d.value < 0 {
			return Options{}, fmt.Errorf("pgprovider: Options.LongPoll.%s: %v is negative", d.field, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	r.Logger = r.Logger.With("schema", r.Schema)
	if r.Clock == nil {
		r.Clock = core.SystemClock()
	}
	return r, nil
}

// poolConfig is the configuration of our own pool. It reports whether every
// connection of it has the isolation level that we need.
func poolConfig(url string) (config *pgxpool.Config, isolated bool, err error) {
	config, err = pgxpool.ParseConfig(url)
	if err != nil {
		return nil, false, fmt.Errorf("pgprovider: connection string: %w", err)
	}
	// pgxpool takes its own settings out; pgx leaves them in.
	given, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, false, fmt.Errorf("pgprovider: connection string: %w", err)
	}
	if _, ok := given.RuntimeParams["pool_max_conns"]; !ok {
		config.MaxConns = poolMax()
	}
	if _, ok := given.RuntimeParams["pool_min_conns"]; !ok {
		config.MinConns = defaultPoolMin
	}
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = applicationName
	}
	// Another mode than the default is how one says that there is a pooler in
	// between, and poolers refuse connection parameters that they do not know.
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		params[isolationParam] = readCommitted
		isolated = true
	}
	return config, isolated, nil
}

// poolMax follows the other providers: what is not a positive number is ignored.
func poolMax() int32 {
	n, err := strconv.ParseUint(os.Getenv(PoolMaxEnv), 10, 32)
	if err != nil || n == 0 || n > math.MaxInt32 {
		return defaultPoolMax
	}
	return int32(n)
}
