// Package stranger is a provider of durable workflows that keeps everything in
// slices and maps behind one mutex. It is as small as a complete provider gets,
// and the example of the provider guide.
package stranger

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Provider is a [core.Provider] and a [core.Admin]. Use [New]. It is safe for
// concurrent use.
type Provider struct {
	*tables
	clock core.Clock
}

var (
	_ core.Provider = (*Provider)(nil)
	_ core.Admin    = (*Provider)(nil)
)

// tables is what a database would hold. The queues are in the order of arrival.
type tables struct {
	mu         sync.Mutex
	created    uint64 // numbers the instances
	messages   []*message
	activities []*activity
	instances  map[string]*instance
	sessions   map[string]*session
}

// message is a row of the orchestrator queue.
type message struct {
	instance  string
	item      []byte // as core.EncodeWorkItem wrote it
	visibleAt uint64
	attempts  uint32
	token     string // of the fetch that marked it last
}

// activity is a row of the worker queue. The columns beside the item are what
// the queue is searched by.
type activity struct {
	id           core.ActivityIdentifier
	session, tag *string
	item         []byte
	visibleAt    uint64
	attempts     uint32
	token        string
	lockedUntil  uint64
}

// instance is all that is stored under an instance id. Its parts come to exist
// independently: a message makes no row, an event makes no execution.
type instance struct {
	token       string
	lockedUntil uint64

	row        *row // nil until a turn names the orchestration
	executions map[uint64]*execution
	history    map[uint64]map[uint64][]byte // by execution and event id
	store      map[string]core.KVEntry      // what finished executions left
	delta      map[string]*core.KVEntry     // what the current one changed; nil for removed
}

type row struct {
	created              uint64
	name, version        string
	parent               *string
	current              uint64
	createdAt, updatedAt uint64
	status               *string
	statusVersion        uint64
}

type execution struct {
	status      core.ExecutionStatus
	output      *string
	pinned      *uint64 // packed version
	startedAt   uint64
	completedAt *uint64
}

type session struct {
	owner                     string
	lockedUntil, lastActivity uint64
}

// New returns an empty provider.
func New() *Provider {
	return &Provider{clock: core.SystemClock(), tables: &tables{
		instances: map[string]*instance{}, sessions: map[string]*session{},
	}}
}

// Name implements [core.Provider].
func (*Provider) Name() string { return "stranger" }

// Version implements [core.Provider].
func (*Provider) Version() string { return "0.1.0" }

// transaction is the one way to the tables. It gives f the time at which it has
// them, not the time at which the caller began to wait, and wraps its error.
func (p *Provider) transaction(ctx context.Context, op string, f func(now uint64) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return core.Permanent(op, f(core.Milliseconds(p.clock.Now())))
}

// poll repeats a transaction until it finds something or the time is over. Only
// a toy asks every few milliseconds; others have the writer wake them.
func (p *Provider) poll(ctx context.Context, op string, timeout time.Duration, try func(now uint64) (found bool, err error)) error {
	over := p.clock.NewTimer(timeout)
	defer over.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		var found bool
		err := p.transaction(ctx, op, func(now uint64) (err error) {
			found, err = try(now)
			return err
		})
		if err != nil || found {
			return err
		}
		select {
		case <-over.C():
			return nil
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// instance returns what is stored under an id, made on first use.
func (t *tables) instance(id string) *instance {
	i := t.instances[id]
	if i == nil {
		i = &instance{
			executions: map[uint64]*execution{}, history: map[uint64]map[uint64][]byte{},
			store: map[string]core.KVEntry{}, delta: map[string]*core.KVEntry{},
		}
		t.instances[id] = i
	}
	return i
}

func newToken() string { return "lock_" + rand.Text() }

// after returns now + d. A part of a millisecond counts as a whole one, so that
// a short lease is not born dead.
func after(now uint64, d time.Duration) uint64 {
	ms := uint64(max(d+time.Millisecond-1, 0) / time.Millisecond)
	if now > math.MaxUint64-ms {
		return math.MaxUint64
	}
	return now + ms
}

func positive(name string, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("%w: %s of %v", core.ErrInvalidArgument, name, d)
	}
	return nil
}

// clone copies what the caller may change later.
func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}
