package durable

import (
	"fmt"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Future is the outcome of something that an orchestration started. It is used
// only from the orchestration that made it.
//
// A future that nobody has awaited when its function or block returns is given
// up, as if by Cancel.
type Future[T any] struct {
	// Exactly one of the two is set.
	scheduled *replay.Future
	block     *block[T]
	// failure makes the error of an activity or a child.
	failure func(id uint64, d core.ErrorDetails) error
}

// block is a concurrent part of an orchestration with its outcome.
type block[T any] struct {
	engine    *replay.Block
	done      bool
	cancelled bool
	value     T
	err       error
}

// Awaitable is a [Future] of any type. Only this package implements it.
type Awaitable interface {
	// Ready reports whether awaiting would return at once. It has no effect.
	Ready() bool
	// Cancel gives the future up: an activity or a child is cancelled, a
	// block ends with everything it started, and a queued message stays for
	// the next reader. Its outcome is [ErrDropped] from then on. It has no
	// effect on a future that was awaited.
	Cancel()

	observe()
}

var _ Awaitable = (*Future[int])(nil)

func newFuture[T any](_ *Context, f *replay.Future, failure func(uint64, core.ErrorDetails) error) *Future[T] {
	return &Future[T]{scheduled: f, failure: failure}
}

func refused[T any](ctx *Context, err error) *Future[T] {
	return &Future[T]{scheduled: ctx.engine.Refuse(err)}
}

// Await waits for the outcome and returns it.
func (f *Future[T]) Await(ctx *Context) (T, error) {
	ctx.engine.Block(f.Ready)
	return f.take()
}

// Ready implements [Awaitable].
func (f *Future[T]) Ready() bool {
	if f.block != nil {
		return f.block.done || f.block.cancelled
	}
	return f.scheduled.Ready()
}

// Cancel implements [Awaitable].
func (f *Future[T]) Cancel() {
	if f.block == nil {
		f.scheduled.Drop()
		return
	}
	if !f.block.done {
		f.block.cancelled = true
		f.block.engine.Kill()
	}
}

// observe takes the outcome of a ready future without decoding it, so that it
// counts as awaited; take may follow.
func (f *Future[T]) observe() {
	if f.block == nil {
		_, _, _ = f.scheduled.Take()
	}
}

func (f *Future[T]) take() (T, error) {
	var zero T
	if f.block != nil {
		if f.block.cancelled {
			return zero, ErrDropped
		}
		return f.block.value, f.block.err
	}
	text, details, err := f.scheduled.Take()
	switch {
	case err != nil:
		return zero, err
	case details != nil:
		return zero, f.failure(f.scheduled.ID(), details)
	}
	v, err := decode[T](text)
	if err != nil {
		return zero, fmt.Errorf("result: %w", err)
	}
	return v, nil
}

// Go runs fn as a concurrent block of the orchestration: several blocks make
// progress side by side, each through its own context, though never at the
// same time. The block first runs when its starter next waits.
func Go[T any](ctx *Context, fn func(*Context) (T, error)) *Future[T] {
	b := &block[T]{}
	b.engine = ctx.engine.Go(func(c *replay.Context) {
		b.value, b.err = fn(&Context{engine: c})
		b.done = true
	})
	return &Future[T]{block: b}
}
