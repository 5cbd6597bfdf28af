package durabletest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// waitLimit is how long, in virtual time, [Wait] waits for an instance.
const waitLimit = 10 * 365 * 24 * time.Hour

// shutdownGrace is how long, in virtual time, activities may go on when the test
// ends, before their contexts do.
const shutdownGrace = 24 * time.Hour

// Env is what a test has while [Run] runs it: a store, a runtime and a client,
// in virtual time. It is safe for concurrent use by goroutines of the test.
type Env struct {
	// Client starts, signals and observes instances.
	Client *durable.Client
	// Provider is the store, for what the rest does not offer.
	Provider core.Provider

	t        *testing.T
	registry *durable.Registry
	watched  *watched
	events   sync.WaitGroup // those of After
	// settling is held by the one goroutine that may call synctest.Wait. It is a
	// channel, because who waits for a mutex does not count as waiting.
	settling chan struct{}
}

// Run runs f with a started runtime that has the code of reg, in virtual time.
// The runtime shuts down when f returns. Neither reg nor o is changed.
//
// Nil options are defaults that suit long virtual times. Of given ones the clock
// must be nil, since the bubble has its own, and an instance whose code does not
// repeat its history always fails, because one that is parked waits for a deploy
// that does not come. Unless WarmInstances is set, every turn replays the code
// from its beginning, which finds code that does not repeat itself. Without a
// logger warnings go to the test's log.
//
// Code that an instance asks for and that nobody registered fails the test.
func Run(t *testing.T, reg *durable.Registry, o *durable.Options, f func(t *testing.T, env *Env)) {
	t.Helper()
	if reg == nil {
		t.Fatal("durabletest: Run needs a registry")
	}
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, reg)
		rt, err := durable.NewRuntime(env.Provider, env.registry, options(t, o))
		if err != nil {
			t.Fatal(err)
		}
		if err := rt.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // when t.Context has ended, which ends the events of After
			env.events.Wait()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), shutdownGrace)
			defer cancel()
			if err := rt.Shutdown(ctx); err != nil {
				t.Errorf("durabletest: %v", err)
			}
		})
		f(t, env)
	})
}

func newEnv(t *testing.T, reg *durable.Registry) *Env {
	own := durable.NewRegistry()
	if err := own.Merge(reg); err != nil {
		t.Fatal(err)
	}
	w := newWatched(memprovider.New(nil), own, func(text string) { t.Error(text) })
	return &Env{Client: durable.NewClient(w, nil), Provider: w, t: t, registry: own, watched: w, settling: make(chan struct{}, 1)}
}

func options(t *testing.T, o *durable.Options) *durable.Options {
	var opts durable.Options
	if o != nil {
		opts = *o
	}
	if opts.Clock != nil {
		t.Fatal("durabletest: Options.Clock must be nil: the time is the bubble's")
	}
	opts.Nondeterminism = durable.Fail
	if opts.WarmInstances == 0 {
		opts.WarmInstances = -1
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	// Fewer empty polls and renewals in months of virtual time. One process
	// has all sessions, so that nobody sees the difference.
	if opts.PollTimeout == 0 {
		opts.PollTimeout = 24 * time.Hour
	}
	if opts.SessionLock == 0 {
		opts.SessionLock = 24 * time.Hour
	}
	return &opts
}

// Mock registers code in the place of what the registry holds under the same
// name, or beside it. It takes effect with the next activity or turn. The code
// of an orchestration replaces that of the same version only.
func (e *Env) Mock(code ...durable.Registration) {
	e.t.Helper()
	if err := e.registry.Replace(code...); err != nil {
		e.t.Fatalf("durabletest: mock: %v", err)
	}
}

// After calls f in a goroutine of its own when d has passed. What is left when
// the test ends is not called.
func (e *Env) After(d time.Duration, f func()) {
	e.events.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-e.t.Context().Done():
		}
	})
}

// Settle waits until everything waits: all that can happen without time
// passing has happened.
func (e *Env) Settle() {
	e.settling <- struct{}{}
	defer func() { <-e.settling }()
	synctest.Wait()
}

// Raise sends an external event, once the instance has come to where it waits:
// an event that comes before is lost.
func (e *Env) Raise(id, name string, data any) {
	e.t.Helper()
	e.Settle()
	// An event of the moment at which the test ends is no failure.
	if err := e.Client.RaiseEvent(context.WithoutCancel(e.t.Context()), id, name, data); err != nil {
		e.t.Fatal(err)
	}
}

// Starter is a handle that can be started: [durable.Orchestration] and
// [durable.VersionedOrchestration].
type Starter[In, Out any] interface {
	Start(ctx context.Context, c *durable.Client, id string, in In, opts ...durable.StartOption) (*durable.Run[Out], error)
}

// Start starts an instance.
func Start[In, Out any](env *Env, o Starter[In, Out], id string, in In) *durable.Run[Out] {
	env.t.Helper()
	run, err := o.Start(env.t.Context(), env.Client, id, in)
	if err != nil {
		env.t.Fatal(err)
	}
	return run
}

// Wait waits for the end of an instance and returns its result, as
// [durable.Run.Wait] does, and does not look again and again meanwhile. The
// test fails when the instance has not ended after ten virtual years; the text
// says what it waits for.
func Wait[Out any](env *Env, run *durable.Run[Out]) (Out, error) {
	env.t.Helper()
	timer := time.NewTimer(waitLimit)
	defer timer.Stop()
	select {
	case <-env.watched.ended(run.InstanceID()):
	case <-timer.C:
		env.t.Fatal(env.stuck(run.InstanceID()))
	case <-env.t.Context().Done(): // in a goroutine that outlives the test
	}
	return run.Wait(env.t.Context())
}

// stuck says what an instance waits for that has not ended.
func (e *Env) stuck(id string) string {
	h := e.History(id)
	if len(h) == 0 {
		return fmt.Sprintf("durabletest: instance %s never started", id)
	}
	open := h.Open()
	if len(open) == 0 {
		return fmt.Sprintf("durabletest: instance %s has not ended after %v, and goes on", id, waitLimit)
	}
	return fmt.Sprintf("durabletest: instance %s has not ended after %v: it waits for\n%s", id, waitLimit, strings.TrimRight(open.String(), "\n"))
}

// Call starts an instance, waits for its end and returns its result; see [Wait].
func Call[In, Out any](env *Env, o Starter[In, Out], id string, in In) (Out, error) {
	env.t.Helper()
	return Wait(env, Start(env, o, id, in))
}

// History returns the events of the current execution of an instance, none
// when it has not started.
func (e *Env) History(id string) History {
	e.t.Helper()
	events, err := e.Client.History(context.WithoutCancel(e.t.Context()), id)
	if err != nil {
		e.t.Fatal(err)
	}
	return events
}
