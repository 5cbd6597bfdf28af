package durable

import (
	"log/slog"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Context is an orchestration's way to everything durable. It belongs to one
// orchestration function, or one block started with [Go], and must not be used
// from anywhere else. It is deliberately not a [context.Context]: it has no
// Done channel to block on.
type Context struct {
	engine *replay.Context
}

// InstanceID returns the instance's id.
func (c *Context) InstanceID() string { return c.engine.Instance() }

// ExecutionID returns the number of this execution, from 1.
func (c *Context) ExecutionID() uint64 { return c.engine.Execution() }

// Name returns the orchestration's name.
func (c *Context) Name() string { return c.engine.Name() }

// Version returns the orchestration's version, fixed for this execution.
func (c *Context) Version() string { return c.engine.Version() }

// ParentID returns the instance id of the parent; ok is false for a root.
func (c *Context) ParentID() (id string, ok bool) {
	p := c.engine.ParentInstance()
	if p == nil {
		return "", false
	}
	return *p, true
}

// IsReplaying reports whether the code is repeating what history records. It
// may guard side effects such as logging, never a decision.
func (c *Context) IsReplaying() bool { return c.engine.Replaying() }

// Logger returns a logger that is silent while the code is replaying, so that
// each line is written once. It carries the instance and execution ids.
func (c *Context) Logger() *slog.Logger {
	h := replaySafe{Handler: c.engine.LogHandler(), replaying: c.engine.Replaying}
	return slog.New(h).With("instance_id", c.InstanceID(), "execution_id", c.ExecutionID(),
		"orchestration_name", c.Name(), "orchestration_version", c.Version())
}

// Timer returns a future that is ready after d, at the earliest. It survives
// restarts and costs nothing while it waits. A negative d counts as zero.
func (c *Context) Timer(d time.Duration) *Future[struct{}] {
	return newFuture[struct{}](c, c.engine.Timer(d), nil)
}

// Sleep waits for d; see [Context.Timer].
func (c *Context) Sleep(d time.Duration) {
	f := c.engine.Timer(d)
	c.engine.Block(f.Ready)
	_, _, _ = f.Take() // a timer has no outcome but that it fired
}

// Now returns the recorded time of the latest event that the code has seen. It
// costs nothing, is the same on every replay, and stands still between waits.
func (c *Context) Now() time.Time { return c.engine.Now() }

// CancelRequested returns a future that is ready once somebody has asked this
// instance to end by itself, with [Client.RequestCancel]. Its value is the reason.
// Unlike a hard cancel it lets the code clean up:
//
//	work := Convert.Schedule(ctx, in)
//	if durable.Race(ctx, work, ctx.CancelRequested()) == 1 {
//		_, err := RemoveParts.Call(ctx, in)
//		return "cancelled", err
//	}
//
// All calls of one execution share one future, until it is given up, as by losing
// a race; the next call then makes another one. A request that was not seen goes
// on to the next execution. Children are not asked: pass the request on.
func (c *Context) CancelRequested() *Future[string] {
	return newFuture[string](c, c.engine.CancelRequested(), nil)
}

// The activities that every runtime of the family provides.
const (
	newGUIDActivity = Activity[string, string](core.SyscallPrefix + "new_guid")
	nowActivity     = Activity[string, int64](core.SyscallPrefix + "utc_now_ms")
	kvReadActivity  = Activity[kvRead, *string](core.SyscallPrefix + "get_kv_value")
)

// RecordNow returns the time at a worker, recorded as an activity: a round trip
// through the worker queue. Prefer [Context.Now].
func (c *Context) RecordNow() (time.Time, error) {
	ms, err := nowActivity.Call(c, "")
	return time.UnixMilli(ms).UTC(), err
}

// NewGUID returns a new random UUID, recorded as an activity.
func (c *Context) NewGUID() (string, error) { return newGUIDActivity.Call(c, "") }

// SetStatus sets the custom status that clients see, of at most
// [core.MaxCustomStatusBytes] bytes. A longer one fails the orchestration.
func (c *Context) SetStatus(s string) { c.engine.SetStatus(&s) }

// ResetStatus clears the custom status.
func (c *Context) ResetStatus() { c.engine.SetStatus(nil) }

// Status returns the custom status; ok is false when there is none.
func (c *Context) Status() (s string, ok bool) {
	p := c.engine.Status()
	if p == nil {
		return "", false
	}
	return *p, true
}

// WaitEvent waits for an external event of that name. The n-th wait takes the
// n-th event; an event that comes while nothing waits for it is lost. Use
// [Dequeue] for messages that must not be.
func WaitEvent[T any](ctx *Context, name string) *Future[T] {
	return newFuture[T](ctx, ctx.engine.Wait(name), nil)
}

// Dequeue takes the next message of a queue of this instance. Messages wait
// until they are read, also across a continue-as-new, of which at most
// [core.MaxCarryForwardEvents].
func Dequeue[T any](ctx *Context, queue string) *Future[T] {
	return newFuture[T](ctx, ctx.engine.Dequeue(queue), nil)
}
