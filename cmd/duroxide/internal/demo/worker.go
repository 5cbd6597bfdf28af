package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
	"github.com/duroxide/duroxide-go/examples/orders/pgledger"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
)

const (
	workerSlots = 12 // activities at the same time
	workerConns = 10
)

// WorkerOptions of [Work].
type WorkerOptions struct {
	URL, Schema string
	// Name is what the ledger knows the worker by.
	Name string
	// Stdin ends when the parent is gone.
	Stdin io.Reader
	// Log gets what went wrong.
	Log io.Writer
}

// Work runs orders until ctx or the standard input ends.
func Work(ctx context.Context, o WorkerOptions) (err error) {
	// An interrupt from the terminal reaches parent and workers alike; it is the
	// parent that decides what it means.
	signal.Ignore(os.Interrupt)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, o.Stdin) // whatever ends it
		cancel()
	}()
	err = work(ctx, o)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was still starting
	}
	return err
}

func work(ctx context.Context, o WorkerOptions) (err error) {
	log := slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: slog.LevelWarn})).With("worker", o.Name)
	pool, err := openPool(ctx, o.URL, "duroxide-demo "+o.Schema+" "+o.Name, workerConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	provider, err := pgprovider.New(ctx, pool, &pgprovider.Options{
		Schema: o.Schema, Migrations: migrations.Verify, Logger: log,
		LongPoll: pgprovider.LongPoll{RefreshInterval: time.Second, FloorInterval: time.Second},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	ledger, err := pgledger.New(pool, o.Schema)
	if err != nil {
		return err
	}
	reg := durable.NewRegistry()
	if err := orders.Register(reg, orders.Deps{Ledger: ledger, Worker: o.Name, Latency: latency}); err != nil {
		return err
	}
	rt, err := durable.NewRuntime(provider, reg, &durable.Options{
		Logger: log, NodeID: o.Name, MaxActivities: workerSlots, MaxTurns: workerSlots,
		// Short, so that what a killed worker held is free again soon.
		ActivityLock: activityLock, InstanceLock: instanceLock,
	})
	if err != nil {
		return err
	}
	return rt.Run(ctx)
}
