package memprovider

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Options configures [New]. The zero value is ready to use.
type Options struct {
	// Clock tells the time and makes the timers; nil for the machine's clock.
	Clock core.Clock
	// Logger is told of messages that are dropped; nil for silence.
	Logger *slog.Logger
}

// Provider keeps orchestrations in memory. Use [New]. It is safe for
// concurrent use.
type Provider struct {
	clock core.Clock
	log   *slog.Logger
	hints core.InstanceHints

	// mu guards everything below. Every method is one critical section, which
	// is what makes an acknowledgement atomic.
	mu        sync.Mutex
	lastID    uint64 // the last id given to a queue row or an instance
	instances map[string]*instance
	turns     turnQueue
	work      workQueue
}

var (
	_ core.Provider            = (*Provider)(nil)
	_ core.Admin               = (*Provider)(nil)
	_ core.TurnTracker         = (*Provider)(nil)
	_ core.HistoryRangeReader  = (*Provider)(nil)
	_ core.InstanceWatcher     = (*Provider)(nil)
	_ core.InstanceStateReader = (*Provider)(nil)
)

// New returns an empty provider. Nil options are the zero value.
func New(o *Options) *Provider {
	p := &Provider{clock: core.SystemClock(), log: slog.New(slog.DiscardHandler), instances: map[string]*instance{}}
	if o != nil && o.Clock != nil {
		p.clock = o.Clock
	}
	if o != nil && o.Logger != nil {
		p.log = o.Logger
	}
	p.turns.init()
	p.work.init()
	return p
}

// Name implements [core.Provider].
func (p *Provider) Name() string { return "memory" }

// Version implements [core.Provider].
func (p *Provider) Version() string { return "0.1.0" }

// begin starts a method that changes or reads the store at once: it reports an
// ended context, else takes the lock and returns the time.
func (p *Provider) begin(ctx context.Context) (now uint64, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	p.mu.Lock()
	return core.Milliseconds(p.clock.Now()), nil
}

func (p *Provider) nextID() uint64 {
	p.lastID++
	return p.lastID
}

// instance returns what is known of an instance, made on first use.
func (p *Provider) instance(id string) *instance {
	i := p.instances[id]
	if i == nil {
		i = newInstance(id)
		p.instances[id] = i
	}
	return i
}

func newToken() string { return "lock_" + rand.Text() }

// after returns now + d in milliseconds. A part of a millisecond counts as a
// whole one, so that a short lease is not born dead; a negative d counts as 0.
func after(now uint64, d time.Duration) uint64 {
	if d <= 0 {
		return now
	}
	ms := uint64(d / time.Millisecond)
	if d%time.Millisecond != 0 {
		ms++
	}
	if now > math.MaxUint64-ms {
		return math.MaxUint64
	}
	return now + ms
}

// requirePositive refuses a duration that is not above zero.
func requirePositive(name string, d time.Duration) error {
	if d > 0 {
		return nil
	}
	return fmt.Errorf("%s %v: %w: must be above zero", name, d, core.ErrInvalidArgument)
}

// notFound returns an error such as "Instance a not found".
func notFound(format string, args ...any) error {
	return fmt.Errorf(format+" %w", append(args, core.ErrNotFound)...)
}
