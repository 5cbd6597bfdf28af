package e2e_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/sqliteprovider"
	"github.com/duroxide/duroxide-go/validation"
)

// The cases of the conformance suite that need an engine run here, on each
// provider; its other cases run beside the providers. The ways of pgprovider are
// the four that its own test always runs.
func TestEngineConformance(t *testing.T) {
	t.Parallel()
	providers := map[string]func(t *testing.T) func(context.Context) (core.Provider, error){
		"memprovider": func(*testing.T) func(context.Context) (core.Provider, error) {
			return func(context.Context) (core.Provider, error) { return memprovider.New(nil), nil }
		},
		"pgprovider, extended, long, improved": postgres(false, false, false),
		"pgprovider, extended, short, plain":   postgres(false, true, true),
		"pgprovider, simple, long, plain":      postgres(true, false, true),
		"pgprovider, simple, short, improved":  postgres(true, true, false),
		"sqliteprovider, file": func(t *testing.T) func(context.Context) (core.Provider, error) {
			return func(ctx context.Context) (core.Provider, error) {
				return sqliteprovider.Open(ctx, filepath.Join(t.TempDir(), "test.db"), nil)
			}
		},
		"sqliteprovider, memory": func(*testing.T) func(context.Context) (core.Provider, error) {
			return func(ctx context.Context) (core.Provider, error) { return sqliteprovider.Open(ctx, ":memory:", nil) }
		},
	}
	for name, open := range providers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran := 0
			for _, c := range validation.Cases() {
				if c.Category != "race_replay" {
					continue
				}
				ran++
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					result := c.Check(t.Context(), validation.Harness{
						RequireAll: true, NewProvider: open(t), StartEngine: startEngine,
						Close: func(_ context.Context, p core.Provider) error {
							if p, ok := p.(interface{ Close() error }); ok {
								return p.Close()
							}
							return nil
						},
					})
					if result.Outcome != validation.Passed {
						t.Error(result)
					}
				})
			}
			if ran != 10 {
				t.Errorf("%d cases, want 10", ran)
			}
		})
	}
}

// postgres opens providers with the extended or the simple protocol, long or
// short polling, on the improved or on the plain schema of the family.
func postgres(simple, short, plain bool) func(t *testing.T) func(context.Context) (core.Provider, error) {
	return func(t *testing.T) func(context.Context) (core.Provider, error) {
		return func(ctx context.Context) (core.Provider, error) {
			var db *migrationstest.DB
			options := &pgprovider.Options{LongPoll: pgprovider.LongPoll{Disabled: short}}
			if plain {
				db, options.Migrations = migrationstest.NewAt(t, migrations.SharedVersion), migrations.ApplyShared
			} else {
				db = migrationstest.New(t)
			}
			options.Schema = db.Schema
			url := db.URL
			if simple {
				url = withParam(t, url, "default_query_exec_mode", "simple_protocol")
			}
			return pgprovider.NewFromURL(ctx, url, options)
		}
	}
}

// startEngine runs the engine cases of the conformance suite on this runtime.
func startEngine(ctx context.Context, p core.Provider, o validation.EngineOptions) (validation.Engine, error) {
	reg := durable.NewRegistry()
	for _, code := range o.Orchestrations {
		handle := durable.Orchestration[string, string](code.Name).Version(code.Version)
		if err := reg.Add(handle.With(func(c *durable.Context, in string) (string, error) {
			return code.Run(engineContext{c}, in)
		})); err != nil {
			return nil, err
		}
	}
	// A runtime without any orchestration takes no turns.
	other := durable.Orchestration[string, string]("of no case")
	if err := reg.Add(other.With(func(*durable.Context, string) (string, error) { return "", nil })); err != nil {
		return nil, err
	}
	rt, err := durable.NewRuntime(p, reg, &durable.Options{
		MaxAttempts: o.MaxAttempts, UnregisteredBackoff: o.UnregisteredBackoff, Nondeterminism: durable.Fail,
		PollTimeout: time.Second,
	})
	if err != nil {
		return nil, err
	}
	return engine{rt}, rt.Start(ctx)
}

type engine struct{ rt *durable.Runtime }

func (e engine) Stop(ctx context.Context) error { return e.rt.Shutdown(ctx) }

type engineContext struct{ c *durable.Context }

func (c engineContext) Activity(name, input string) validation.EngineFuture {
	return durable.Activity[string, string](name).Schedule(c.c, input)
}

func (c engineContext) Child(name, instance, input string) validation.EngineFuture {
	return durable.Orchestration[string, string](name).Schedule(c.c, input, durable.WithInstanceID(instance))
}

func (c engineContext) Timer(d time.Duration) validation.EngineFuture { return c.c.Timer(d) }

func (c engineContext) Wait(name string) validation.EngineFuture {
	return durable.WaitEvent[string](c.c, name)
}

func (c engineContext) Dequeue(queue string) validation.EngineFuture {
	return durable.Dequeue[string](c.c, queue)
}

func (c engineContext) Await(f validation.EngineFuture) (string, error) {
	if timer, ok := f.(*durable.Future[struct{}]); ok {
		_, err := timer.Await(c.c)
		return "", err
	}
	return f.(*durable.Future[string]).Await(c.c)
}

func (c engineContext) Race(futures ...validation.EngineFuture) int {
	list := make([]durable.Awaitable, len(futures))
	for i, f := range futures {
		list[i] = f.(durable.Awaitable)
	}
	return durable.Race(c.c, list...)
}

func (c engineContext) ContinueAsNew(name, input string) error {
	return durable.Orchestration[string, string](name).ContinueAsNew(input)
}
