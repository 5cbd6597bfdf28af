package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// workerSlots is how many activities a worker runs at the same time.
const workerSlots = 12

// WorkerOptions of [Work].
type WorkerOptions struct {
	// Store is [Postgres], with URL and Schema, or [SQLite], with File.
	Store       string
	URL, Schema string
	File        string
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
	join := joinPostgres
	if o.Store == SQLite {
		join = joinSQLite
	}
	st, err := join(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	reg := durable.NewRegistry()
	if err := orders.Register(reg, orders.Deps{Ledger: st.ledger, Worker: o.Name, Latency: latency}); err != nil {
		return err
	}
	rt, err := durable.NewRuntime(st.provider, reg, &durable.Options{
		Logger: log, NodeID: o.Name, MaxActivities: workerSlots, MaxTurns: workerSlots,
		// Short, so that what a killed worker held is free again soon.
		ActivityLock: activityLock, InstanceLock: instanceLock,
	})
	if err != nil {
		return err
	}
	return rt.Run(ctx)
}
