package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// The pace of the demo: short enough to watch, long enough to see.
const (
	arrival       = 25 * time.Millisecond  // between two orders
	latency       = 120 * time.Millisecond // of the simulated services
	approveAfter  = 700 * time.Millisecond // how fast the demo approves
	approveWithin = 6 * time.Second        // how long an order waits for it
	activityLock  = 3 * time.Second
	instanceLock  = 2 * time.Second
	lookInterval  = 100 * time.Millisecond
)

// Options of [Run].
type Options struct {
	// Store is where the orders are kept: [Postgres] or [SQLite].
	Store string
	// URL is the database of PostgreSQL; empty finds or starts a server.
	URL string
	// Schema, in PostgreSQL, is dropped and made anew.
	Schema string
	// File is that of SQLite. It must not exist. Empty makes one that ends with
	// the demo.
	File string
	// Workers is how many worker processes run.
	Workers int
	// Program with the arguments Command and some flags runs [Work].
	Program string
	Command []string
	// Input names what Orders and Refused were read from.
	Input   string
	Orders  []orders.Order
	Refused []orders.Refusal
	// Screen is where it is shown.
	Screen Screen
}

// limit bounds the demo. When it is reached something is wrong.
func (o Options) limit() time.Duration {
	return 2*time.Minute + time.Duration(len(o.Orders))*(arrival+500*time.Millisecond)
}

// Run shows the demo and returns nil if everything ended as it should.
func Run(ctx context.Context, o Options) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit(), fmt.Errorf("not all orders came to an end within %s", o.limit()))
	defer cancel()

	st, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	fleet := newFleet(o, st)
	defer func() { err = errors.Join(err, fleet.stop()) }()
	s := &show{Options: o, store: st, client: durable.NewClient(st.provider, nil), fleet: fleet, screen: newPrinter(o.Screen)}
	if err := s.play(ctx); err != nil {
		s.screen.endProgress()
		return err
	}
	if err := fleet.stop(); err != nil {
		return err
	}
	return s.conclude(ctx)
}

// open makes the store, with nothing in it.
func open(ctx context.Context, o Options) (*store, error) {
	if o.Store == SQLite {
		return openSQLite(ctx, o.File)
	}
	return openPostgres(ctx, o.URL, o.Schema)
}
