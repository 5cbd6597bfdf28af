package pgprovider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/notifier/pgxsource"
)

const (
	providerName = "duroxide-go-pg"
	// Version is the version of this module.
	Version = "0.1.0"

	// dueTimesVersion is the migration that has a function for the look ahead.
	dueTimesVersion = 102
	// backlogVersion is the migration from which on an acknowledgement tells
	// of the messages that came during its turn.
	backlogVersion = 103
	// waitingVersion is the migration that tells those who wait for instances.
	waitingVersion = 108
)

// Provider is a [core.Provider] and a [core.Admin] on a PostgreSQL schema.
// It is safe for concurrent use.
type Provider struct {
	pool     *pgxpool.Pool
	ownsPool bool
	// isolated says that every connection has the isolation level READ
	// COMMITTED by default.
	isolated bool
	schema   string
	prefix   string // the schema as it stands before a name
	clock    core.Clock
	log      *slog.Logger

	// version is the last migration of the schema; 0 when it was not asked for.
	version int
	// notifiesBacklog says that the acknowledgement of a turn notifies when
	// messages came during it.
	notifiesBacklog bool
	tracksTurns     bool
	leavesToOthers  bool
	away            away // what it leaves to others

	notifier *notifier.Notifier // nil without long polling
	listener sync.WaitGroup     // runs the notifier
	waiting  waiting            // who waits for instances

	// closing ends with Close.
	closing context.Context //nolint:containedctx // the life of the provider, not of a call
	close   context.CancelCauseFunc
	once    sync.Once
}

var (
	_ core.Provider            = (*Provider)(nil)
	_ core.Admin               = (*Provider)(nil)
	_ core.TurnTracker         = (*Provider)(nil)
	_ core.HistoryRangeReader  = (*Provider)(nil)
	_ core.InstanceWatcher     = (*Provider)(nil)
	_ core.InstanceStateReader = (*Provider)(nil)
)

// New makes a provider on a pool of the caller, which stays open when the
// provider is closed and must stay open until then. The context bounds the start
// only.
func New(ctx context.Context, pool *pgxpool.Pool, options *Options) (*Provider, error) {
	if pool == nil {
		return nil, errors.New("pgprovider: pool is nil")
	}
	o, err := options.resolve()
	if err != nil {
		return nil, err
	}
	isolated := pool.Config().ConnConfig.RuntimeParams[isolationParam] == readCommitted
	return start(ctx, pool, isolated, o)
}

// NewFromURL makes a provider with a pool of its own, of ten connections unless
// the URL (pool_max_conns) or the environment ([PoolMaxEnv]) says otherwise. The
// context bounds the start only.
func NewFromURL(ctx context.Context, url string, options *Options) (*Provider, error) {
	o, err := options.resolve()
	if err != nil {
		return nil, err
	}
	config, isolated, err := poolConfig(url)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("pgprovider: open a pool: %w", err)
	}
	p, err := start(ctx, pool, isolated, o)
	if err != nil {
		pool.Close()
		return nil, err
	}
	p.ownsPool = true
	return p, nil
}

// start migrates and begins to listen.
func start(ctx context.Context, pool *pgxpool.Pool, isolated bool, o Options) (*Provider, error) {
	result, err := migrations.RunPool(ctx, pool, &migrations.Options{Schema: o.Schema, Policy: o.Migrations, Logger: o.Logger})
	if err != nil {
		return nil, fmt.Errorf("pgprovider: %w", err)
	}
	p := &Provider{
		pool: pool, isolated: isolated, schema: o.Schema, prefix: quoteSchema(o.Schema), clock: o.Clock, log: o.Logger,
		version:         result.Version,
		notifiesBacklog: result.Version >= backlogVersion && len(result.ForeignBodies) == 0,
		tracksTurns:     result.Version >= turnsVersion && len(result.ForeignBodies) == 0,
		leavesToOthers:  result.Version >= awayVersion && len(result.ForeignBodies) == 0,
	}
	p.closing, p.close = context.WithCancelCause(context.WithoutCancel(ctx))
	if o.LongPoll.Disabled {
		return p, nil
	}
	p.notifier, err = notifier.New(notifier.Options{
		Schema: o.Schema, Source: pgxsource.FromPool(pool), Refresher: refresher{p},
		RefreshInterval: o.LongPoll.RefreshInterval, FloorInterval: o.LongPoll.FloorInterval,
		DegradedInterval: o.LongPoll.DegradedInterval, Grace: o.LongPoll.Grace,
		Waiting: p.waiting.told, Now: o.Clock.Now, Logger: o.Logger,
	})
	if err != nil {
		p.close(nil)
		return nil, fmt.Errorf("pgprovider: %w", err)
	}
	p.listener.Go(func() { _ = p.notifier.Run(p.closing) })
	return p, nil
}

// Notifier returns what wakes waiting fetches, nil with LongPoll.Disabled. Its
// status tells whether the provider listens.
func (p *Provider) Notifier() *notifier.Notifier { return p.notifier }

// Name implements [core.Provider].
func (*Provider) Name() string { return providerName }

// Version implements [core.Provider].
func (*Provider) Version() string { return Version }

// Schema returns the name of the schema.
func (p *Provider) Schema() string { return p.schema }

// Close ends waiting fetches with [core.ErrClosed] and stops listening. It
// returns when nothing of the provider runs any more; a pool of its own is
// closed, which waits for calls in progress. Further calls do nothing.
func (p *Provider) Close() error {
	p.once.Do(func() {
		p.close(core.ErrClosed)
		p.listener.Wait()
		if p.ownsPool {
			p.pool.Close()
		}
	})
	return nil
}

// run is do with the error of the method.
func (p *Provider) run(ctx context.Context, c call) error {
	return classify(ctx, c.op, p.do(ctx, c.query, c.read, c.args...))
}

// nowMs is the provider's time, epoch milliseconds.
func (p *Provider) nowMs() int64 {
	return p.clock.Now().UnixMilli()
}

// checkOpen is for calls that need no database.
func (p *Provider) checkOpen(op string) error {
	if p.closing.Err() != nil {
		return core.Permanent(op, core.ErrClosed)
	}
	return nil
}
