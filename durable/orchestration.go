package durable

import (
	"context"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Orchestration is the handle of an orchestration: its name with the types of
// its input and output. It holds no code, so it can refer to itself and to
// code of other processes. Declare it once:
//
//	const Checkout = durable.Orchestration[Order, Result]("checkout")
type Orchestration[In, Out any] string

// VersionedOrchestration is an [Orchestration] at one exact version; see
// [Orchestration.Version].
type VersionedOrchestration[In, Out any] struct {
	name    string
	version string
}

// Version returns the handle of one exact version, such as "2.0.0". Without
// it, code is registered as 1.0.0, and starts take what the name's
// [VersionPolicy] gives.
func (o Orchestration[In, Out]) Version(v string) VersionedOrchestration[In, Out] {
	return VersionedOrchestration[In, Out]{name: string(o), version: v}
}

// With binds the orchestration, as version 1.0.0, to its code, for
// [Registry.Add].
//
// The code runs many times for one instance, and must ask for the same things
// in the same order each time. So it decides only from its input and from what
// the [Context] gives it: no clock, randomness, I/O, goroutines or iteration
// over maps.
func (o Orchestration[In, Out]) With(fn func(*Context, In) (Out, error)) Registration {
	return o.Version(firstVersion).With(fn)
}

// With binds this version of the orchestration to its code; see
// [Orchestration.With].
func (o VersionedOrchestration[In, Out]) With(fn func(*Context, In) (Out, error)) Registration {
	handler := func(c *replay.Context, input string) (string, error) {
		in, err := decode[In](input)
		if err != nil {
			return "", fmt.Errorf("orchestration %s: input: %w", o.name, err)
		}
		out, err := fn(&Context{engine: c}, in)
		if err != nil {
			return "", err
		}
		text, err := encode(out)
		if err != nil {
			return "", fmt.Errorf("orchestration %s: output: %w", o.name, err)
		}
		return text, nil
	}
	return Registration{kind: orchestrationKind, name: o.name, version: o.version, orchestration: handler, missing: fn == nil}
}

// Call runs the orchestration as a child and waits for its outcome. An error
// that the child ended with is a [*ChildError].
func (o Orchestration[In, Out]) Call(ctx *Context, in In, opts ...ChildOption) (Out, error) {
	return o.Schedule(ctx, in, opts...).Await(ctx)
}

// Schedule starts the orchestration as a child without waiting for it.
func (o Orchestration[In, Out]) Schedule(ctx *Context, in In, opts ...ChildOption) *Future[Out] {
	return scheduleChild[In, Out](ctx, string(o), nil, in, opts)
}

// Call runs this version as a child; see [Orchestration.Call].
func (o VersionedOrchestration[In, Out]) Call(ctx *Context, in In, opts ...ChildOption) (Out, error) {
	return o.Schedule(ctx, in, opts...).Await(ctx)
}

// Schedule starts this version as a child; see [Orchestration.Schedule].
func (o VersionedOrchestration[In, Out]) Schedule(ctx *Context, in In, opts ...ChildOption) *Future[Out] {
	return scheduleChild[In, Out](ctx, o.name, &o.version, in, opts)
}

// ChildOption changes one start of a child.
type ChildOption func(*childConfig)

type childConfig struct{ id string }

// WithInstanceID gives a child an id of its own choosing instead of a generated
// one. The id must be unused, and may not begin with "sub::".
func WithInstanceID(id string) ChildOption {
	return func(c *childConfig) { c.id = id }
}

func scheduleChild[In, Out any](ctx *Context, name string, version *string, in In, opts []ChildOption) *Future[Out] {
	var c childConfig
	for _, f := range opts {
		f(&c)
	}
	text, err := encode(in)
	if err != nil {
		return refused[Out](ctx, fmt.Errorf("orchestration %s: input: %w", name, err))
	}
	return newFuture[Out](ctx, ctx.engine.Child(name, c.id, text, version), func(id uint64, d core.ErrorDetails) error {
		return &ChildError{Name: name, EventID: id, Details: d}
	})
}

// StartDetached starts the orchestration as an instance of its own that nobody
// waits for. An id that looks like a child's fails the orchestration.
func (o Orchestration[In, Out]) StartDetached(ctx *Context, id string, in In) error {
	return startDetached(ctx, string(o), nil, id, in)
}

// StartDetached starts this version; see [Orchestration.StartDetached].
func (o VersionedOrchestration[In, Out]) StartDetached(ctx *Context, id string, in In) error {
	return startDetached(ctx, o.name, &o.version, id, in)
}

func startDetached[In any](ctx *Context, name string, version *string, id string, in In) error {
	text, err := encode(in)
	if err != nil {
		return fmt.Errorf("orchestration %s: input: %w", name, err)
	}
	ctx.engine.Detached(name, id, text, version)
	return nil
}

// ContinueAsNew, returned as the error of an orchestration, ends this execution
// and starts the next one of the same instance with the given input and an
// empty history:
//
//	return zero, Watch.ContinueAsNew(next)
//
// It does nothing until it is returned. Queued messages that were not read,
// the custom status and the key-values go on to the next execution; waits for
// events, timers and activities in flight do not.
func (o Orchestration[In, Out]) ContinueAsNew(next In) error {
	return continueAsNew(string(o), nil, next)
}

// ContinueAsNew goes on at this exact version; see [Orchestration.ContinueAsNew].
func (o VersionedOrchestration[In, Out]) ContinueAsNew(next In) error {
	return continueAsNew(o.name, &o.version, next)
}

func continueAsNew[In any](name string, version *string, next In) error {
	text, err := encode(next)
	if err != nil {
		return fmt.Errorf("orchestration %s: next input: %w", name, err)
	}
	return &replay.ContinueAsNew{Input: text, Version: version}
}

// Start starts an instance of the orchestration; see [Client.Start] for the
// rules of ids and conflicts.
func (o Orchestration[In, Out]) Start(ctx context.Context, c *Client, id string, in In, opts ...StartOption) (*Run[Out], error) {
	return start[In, Out](ctx, c, c.send, string(o), nil, id, in, opts)
}

// StartTx is Start in a transaction of the caller's; see [Client.StartTx]. Wait
// for the run after the commit.
func (o Orchestration[In, Out]) StartTx(ctx context.Context, c *Client, tx core.Tx, id string, in In, opts ...StartOption) (*Run[Out], error) {
	return start[In, Out](ctx, c, c.sendIn(tx), string(o), nil, id, in, inTransaction(opts))
}

// Start starts this exact version; see [Orchestration.Start].
func (o VersionedOrchestration[In, Out]) Start(ctx context.Context, c *Client, id string, in In, opts ...StartOption) (*Run[Out], error) {
	return start[In, Out](ctx, c, c.send, o.name, &o.version, id, in, opts)
}

// StartTx starts this exact version; see [Orchestration.StartTx].
func (o VersionedOrchestration[In, Out]) StartTx(ctx context.Context, c *Client, tx core.Tx, id string, in In, opts ...StartOption) (*Run[Out], error) {
	return start[In, Out](ctx, c, c.sendIn(tx), o.name, &o.version, id, in, inTransaction(opts))
}

// Run returns the run of an instance that was started elsewhere.
func (o Orchestration[In, Out]) Run(c *Client, id string) *Run[Out] {
	return &Run[Out]{client: c, id: id}
}

func start[In, Out any](ctx context.Context, c *Client, send sender, name string, version *string, id string, in In, opts []StartOption) (*Run[Out], error) {
	text, err := encode(in)
	if err != nil {
		return nil, fmt.Errorf("orchestration %s: input: %w: %w", name, ErrInvalidInput, err)
	}
	if err := c.start(ctx, send, name, version, id, text, opts); err != nil {
		return nil, err
	}
	return &Run[Out]{client: c, id: id}, nil
}
