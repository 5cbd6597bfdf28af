package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
	"github.com/duroxide/duroxide-go/examples/orders/pgledger"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
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
	// URL is the database; empty finds or starts a server.
	URL string
	// Schema is dropped and made anew.
	Schema string
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

	db, err := openDatabase(ctx, o.URL, o.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	unlock, err := prepareSchema(ctx, db, o.Schema)
	if err != nil {
		return err
	}
	defer unlock()
	ledger, err := pgledger.New(db.pool, o.Schema)
	if err != nil {
		return err
	}
	if err := ledger.Create(ctx); err != nil {
		return err
	}
	provider, err := pgprovider.New(ctx, db.pool, &pgprovider.Options{
		Schema: o.Schema, Migrations: migrations.None, LongPoll: pgprovider.LongPoll{Disabled: true},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Close()) }()

	fleet := newFleet(o, db.url)
	defer func() { err = errors.Join(err, fleet.stop()) }()
	s := &show{
		Options: o, db: db, ledger: ledger, client: durable.NewClient(provider, nil), fleet: fleet,
		watch: newWatch(db.pool, o.Schema), screen: newPrinter(o.Screen),
	}
	if err := s.play(ctx); err != nil {
		s.screen.endProgress()
		return err
	}
	if err := fleet.stop(); err != nil {
		return err
	}
	return s.conclude(ctx)
}
