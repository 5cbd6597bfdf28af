package durable_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// env is a store with a client, in the virtual time of a synctest bubble: a
// timer of 30 days takes no time.
type env struct {
	*testing.T
	ctx    context.Context
	p      core.Provider
	client *durable.Client
}

func inBubble(t *testing.T, f func(e *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := memprovider.New(nil)
		f(&env{T: t, ctx: t.Context(), p: p, client: durable.NewClient(p, nil)})
	})
}

// withRuntime runs f with one started runtime.
func withRuntime(t *testing.T, code []durable.Registration, f func(e *env)) {
	t.Helper()
	inBubble(t, func(e *env) {
		e.start(nil, code...)
		f(e)
	})
}

// start starts a runtime, which is shut down at the end of the test, and
// returns a function that shuts it down before.
func (e *env) start(o *durable.Options, code ...durable.Registration) (stop func()) {
	e.Helper()
	reg := durable.NewRegistry()
	if err := reg.Add(code...); err != nil {
		e.Fatal(err)
	}
	return e.startRegistry(o, reg)
}

func (e *env) startRegistry(o *durable.Options, reg *durable.Registry) (stop func()) {
	e.Helper()
	if o == nil {
		o = &durable.Options{}
	}
	if o.PollTimeout == 0 {
		o.PollTimeout = 24 * time.Hour // fewer empty fetches in months of virtual time
	}
	rt, err := durable.NewRuntime(e.p, reg, o)
	if err != nil {
		e.Fatal(err)
	}
	if err := rt.Start(e.ctx); err != nil {
		e.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), time.Minute)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			e.Errorf("shutdown: %v", err)
		}
	}
	e.Cleanup(stop)
	return stop
}

// begin starts an instance.
func begin[In, Out any](e *env, o durable.Orchestration[In, Out], id string, in In) *durable.Run[Out] {
	e.Helper()
	run, err := o.Start(e.ctx, e.client, id, in)
	if err != nil {
		e.Fatal(err)
	}
	return run
}

// result waits for an instance, up to a virtual year. It looks less and less
// often, because looking ten times a second for a month takes its time.
func result[Out any](e *env, run *durable.Run[Out]) (Out, error) {
	e.Helper()
	for pause := 100 * time.Millisecond; pause < 200*24*time.Hour; pause *= 2 {
		s, err := e.client.Status(e.ctx, run.InstanceID())
		if err == nil && s.Done() || err != nil && !errors.Is(err, durable.ErrInstanceNotFound) {
			break
		}
		time.Sleep(pause)
	}
	ctx, cancel := context.WithTimeout(e.ctx, time.Minute)
	defer cancel()
	return run.Wait(ctx)
}

// want runs an instance and compares its result.
func want[In any, Out comparable](e *env, o durable.Orchestration[In, Out], id string, in In, out Out) {
	e.Helper()
	wantRun(e, begin(e, o, id, in), out)
}

func wantRun[Out comparable](e *env, run *durable.Run[Out], out Out) {
	e.Helper()
	if got, err := result(e, run); err != nil || got != out {
		e.Errorf("%s: %v, %v; want %v", run.InstanceID(), got, err, out)
	}
}

// wantFailure compares the text of the error that an instance ends with.
func wantFailure[Out any](e *env, run *durable.Run[Out], text string) *durable.RunError {
	e.Helper()
	_, err := result(e, run)
	var failed *durable.RunError
	if !errors.As(err, &failed) || failed.Details.Error() != text {
		e.Fatalf("%s: %v; want failure %q", run.InstanceID(), err, text)
	}
	return failed
}

// raise sends an event once the instance waits for it.
func (e *env) raise(id, name string, data any) {
	e.Helper()
	synctest.Wait()
	if err := e.client.RaiseEvent(e.ctx, id, name, data); err != nil {
		e.Fatal(err)
	}
}

func (e *env) enqueue(id, queue string, data any) {
	e.Helper()
	if err := e.client.EnqueueMessage(e.ctx, id, queue, data); err != nil {
		e.Fatal(err)
	}
}

func (e *env) cancel(id, reason string) {
	e.Helper()
	synctest.Wait()
	if err := e.client.Cancel(e.ctx, id, reason); err != nil {
		e.Fatal(err)
	}
}

// events returns the types of an instance's events.
func (e *env) events(id string) []string {
	e.Helper()
	history, err := e.client.History(e.ctx, id)
	if err != nil {
		e.Fatal(err)
	}
	var out []string
	for _, ev := range history {
		out = append(out, ev.Data.EventType())
	}
	return out
}

// Activities that many tests use.
const (
	upper = durable.Activity[string, string]("upper")
	fail  = durable.Activity[string, string]("fail")
	slow  = durable.Activity[time.Duration, string]("slow")
)

func activities(more ...durable.Registration) []durable.Registration {
	return append([]durable.Registration{
		upper.With(func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }),
		fail.With(func(_ context.Context, s string) (string, error) { return "", errors.New(s) }),
		slow.With(func(ctx context.Context, d time.Duration) (string, error) {
			select {
			case <-time.After(d):
				return "slept", nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}),
	}, more...)
}

// main is the orchestration of tests that need one.
const main = durable.Orchestration[string, string]("main")

func code(fn func(ctx *durable.Context, in string) (string, error)) []durable.Registration {
	return activities(main.With(fn))
}

// startedVersion is the version that an execution was started with.
func startedVersion(history []core.Event) string {
	return history[0].Data.(core.OrchestrationStarted).Version
}
