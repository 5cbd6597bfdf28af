package durable

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/dispatch"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Activity is the handle of an activity: its name with the types of its input
// and output. It holds no code, so an activity of another process or language
// has one too. Declare it once:
//
//	const Charge = durable.Activity[Order, Receipt]("charge")
//
// An activity is where an orchestration touches the world. It runs at least
// once: make it idempotent, for which [Info] has a key.
type Activity[In, Out any] string

// With binds the activity to its code, for [Registry.Add]. The code is often a
// method of a struct that holds its dependencies. Its context ends when the
// result is no longer wanted, the runtime shuts down or a time-out passes;
// [context.Cause] tells which. That the result is not wanted it learns at once
// when this process decided it, else when its lock is renewed, 25 s after it was
// taken by default, or by [Heartbeat].
func (a Activity[In, Out]) With(fn func(context.Context, In) (Out, error), opts ...CodeOption) Registration {
	var o codeConfig
	for _, f := range opts {
		f(&o)
	}
	handler := func(ctx context.Context, task dispatch.Task) (string, error) {
		task.Limit(o.startToClose, o.heartbeat)
		in, err := decode[In](task.Input)
		if err != nil {
			return "", fmt.Errorf("activity %s: input: %w", a, err)
		}
		out, err := fn(withTask(ctx, running{task, reflect.TypeFor[Out]()}), in)
		if err != nil {
			return "", err
		}
		text, err := encode(out)
		if err != nil {
			return "", fmt.Errorf("activity %s: output: %w", a, err)
		}
		return text, nil
	}
	return Registration{kind: activityKind, name: string(a), activity: handler, missing: fn == nil}
}

// Call runs the activity and waits for its outcome. An error that the activity
// returned is an [*ActivityError].
func (a Activity[In, Out]) Call(ctx *Context, in In, opts ...ActivityOption) (Out, error) {
	o := activityOptions(opts)
	if o.scheduleToClose > 0 {
		return a.scheduleRetrying(ctx, in, o).awaitWithin(ctx, o.scheduleToClose)
	}
	if o.retry != nil {
		return retry(ctx, *o.retry, func(first uint64) *Future[Out] { return a.attempt(ctx, first, in, o) })
	}
	return a.schedule(ctx, in, o).Await(ctx)
}

// Schedule starts the activity without waiting for it. With [Retry], the
// attempts go on in a block of their own.
func (a Activity[In, Out]) Schedule(ctx *Context, in In, opts ...ActivityOption) *Future[Out] {
	o := activityOptions(opts)
	if o.scheduleToClose > 0 {
		return Go(ctx, func(ctx *Context) (Out, error) {
			return a.scheduleRetrying(ctx, in, o).awaitWithin(ctx, o.scheduleToClose)
		})
	}
	return a.scheduleRetrying(ctx, in, o)
}

func (a Activity[In, Out]) scheduleRetrying(ctx *Context, in In, o activityConfig) *Future[Out] {
	if o.retry != nil {
		return Go(ctx, func(ctx *Context) (Out, error) {
			return retry(ctx, *o.retry, func(first uint64) *Future[Out] { return a.attempt(ctx, first, in, o) })
		})
	}
	return a.schedule(ctx, in, o)
}

func (a Activity[In, Out]) schedule(ctx *Context, in In, o activityConfig) *Future[Out] {
	return a.attempt(ctx, 0, in, o)
}

// attempt schedules the activity as a later attempt of the call whose event has the
// id first; 0 makes it the first one.
func (a Activity[In, Out]) attempt(ctx *Context, first uint64, in In, o activityConfig) *Future[Out] {
	text, err := encode(in)
	if err != nil {
		return refused[Out](ctx, fmt.Errorf("activity %s: input: %w", a, err))
	}
	var f *replay.Future
	if first == 0 {
		f = ctx.engine.Activity(string(a), text, o.session, o.tag)
	} else {
		f = ctx.engine.ActivityAgain(first, string(a), text, o.session, o.tag)
	}
	return newFuture[Out](ctx, f, func(id uint64, d core.ErrorDetails) error {
		return &ActivityError{Name: string(a), EventID: id, Details: d}
	})
}

// ActivityOption changes one call of an activity.
type ActivityOption func(*activityConfig)

type activityConfig struct {
	session, tag    *string
	retry           *RetryPolicy
	scheduleToClose time.Duration
}

func activityOptions(opts []ActivityOption) activityConfig {
	var o activityConfig
	for _, f := range opts {
		f(&o)
	}
	return o
}

// OnSession pins the call to the worker that owns the session: all activities
// of one session run in one process while its claim lives.
func OnSession(id string) ActivityOption {
	return func(o *activityConfig) { o.session = &id }
}

// WithTag restricts the call to workers whose [Options.Tags] take the tag, of
// at most [core.MaxTagBytes] bytes. A longer one fails the orchestration.
func WithTag(tag string) ActivityOption {
	return func(o *activityConfig) { o.tag = &tag }
}

// Retry tries the call again, as the policy says, when the activity returns an
// error.
func Retry(p RetryPolicy) ActivityOption {
	return func(o *activityConfig) { o.retry = &p }
}

// ActivityInfo describes the call that an activity's code is running for.
type ActivityInfo struct {
	InstanceID  string
	ExecutionID uint64
	// ActivityID is the id of the scheduling event.
	ActivityID uint64
	Name       string
	// Attempt counts the deliveries of this attempt, from 1: it grows when a
	// worker dies. The attempts of a [RetryPolicy] are told apart by ActivityID.
	Attempt uint32
	// SessionID and Tag are nil for none.
	SessionID *string
	Tag       *string
	// IdempotencyKey is the same for every delivery and every attempt of this
	// call, also those of a [RetryPolicy], and different for every other call,
	// such as one of a loop or of the next execution. It is instance id,
	// execution id and the ActivityID of the first attempt, separated by
	// slashes. (The attempts that an orchestration in Rust makes are calls of
	// their own.)
	IdempotencyKey string
}

type taskKey struct{}

// running is what the context of an activity's code carries.
type running struct {
	dispatch.Task
	output reflect.Type
}

func withTask(ctx context.Context, task running) context.Context {
	return context.WithValue(ctx, taskKey{}, task)
}

// taskOf returns the activity that ctx is the context of. It panics when there
// is none; caller is the name of the function that needs it.
func taskOf(ctx context.Context, caller string) running {
	task, ok := ctx.Value(taskKey{}).(running)
	if !ok {
		panic("durable: " + caller + " needs the context of an activity")
	}
	return task
}

// Info returns what the activity is running for. It panics when ctx is not an
// activity's context.
func Info(ctx context.Context) ActivityInfo {
	task := taskOf(ctx, "Info")
	first := task.ID
	if task.FirstAttempt != nil {
		first = *task.FirstAttempt
	}
	return ActivityInfo{
		InstanceID:     task.Instance,
		ExecutionID:    task.ExecutionID,
		ActivityID:     task.ID,
		Name:           task.Name,
		Attempt:        task.Attempt,
		SessionID:      task.SessionID,
		Tag:            task.Tag,
		IdempotencyKey: fmt.Sprintf("%s/%d/%d", task.Instance, task.ExecutionID, first),
	}
}

// Heartbeat renews the activity's lock at once and returns the cause when the
// activity should stop, nil otherwise. Long work that calls it between steps
// learns of a cancellation in another process without waiting for the next
// renewal. It panics when
// ctx is not an activity's context.
func Heartbeat(ctx context.Context) error {
	return taskOf(ctx, "Heartbeat").Heartbeat(ctx)
}
