package orders

import (
	"errors"
	"slices"

	"github.com/duroxide/duroxide-go/durable"
)

// saga remembers how to undo what was done. Undoing is ordinary code on the
// path of the error, never a defer: deferred functions also run when a turn
// merely ends.
type saga struct {
	undo []func(*durable.Context) error
}

// done adds how to undo a step that has just succeeded.
func (s *saga) done(undo func(*durable.Context) error) { s.undo = append(s.undo, undo) }

// compensate undoes the steps, the last one first. One that cannot be undone
// does not keep the others from it.
func (s *saga) compensate(ctx *durable.Context) error {
	var errs []error
	for _, undo := range slices.Backward(s.undo) {
		errs = append(errs, undo(ctx))
	}
	return errors.Join(errs...)
}
