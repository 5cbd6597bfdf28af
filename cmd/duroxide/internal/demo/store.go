package demo

import (
	"context"
	"errors"
	"slices"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// The values of [Options].Store and [WorkerOptions].Store.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// store is where the demo keeps its orders, opened for the parent or, with less
// in it, for a worker.
type store struct {
	provider core.Provider
	ledger   ledger

	description string
	stays       string // what is left of it after the demo; empty for nothing
	watch       watch
	// workerArgs and workerEnv tell a worker where it is.
	workerArgs, workerEnv []string

	closers []func() error
}

// ledger is what the services of the shop keep, to be read at the end.
type ledger interface {
	orders.Ledger
	Entries(context.Context) ([]orders.Entry, error)
	Deliveries(context.Context) ([]orders.Delivery, error)
}

// atClose adds what close does, before what was added earlier.
func (s *store) atClose(f func() error) { s.closers = append(s.closers, f) }

func (s *store) close() error {
	var errs []error
	for _, f := range slices.Backward(s.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// closeUnless closes a store that could not be opened completely.
func (s *store) closeUnless(err *error) {
	if *err != nil {
		*err = errors.Join(*err, s.close())
	}
}
