package durable_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// asked counts what a client asks of a store, and can stand in for it.
type asked struct {
	*memprovider.Provider
	states, reads atomic.Int64
	watch         func(context.Context, func(core.InstanceHint)) error // instead of the store's; may be nil
	fail          func(ids []string) error                             // may be nil
}

func (a *asked) GetInstanceStates(ctx context.Context, p core.GetInstanceStatesParams) ([]core.InstanceState, error) {
	a.states.Add(1)
	if a.fail != nil {
		if err := a.fail(p.Instances); err != nil {
			return nil, err
		}
	}
	return a.Provider.GetInstanceStates(ctx, p)
}

func (a *asked) Read(ctx context.Context, p core.ReadParams) ([]core.Event, error) {
	a.reads.Add(1)
	return a.Provider.Read(ctx, p)
}

func (a *asked) WatchInstances(ctx context.Context, f func(core.InstanceHint)) error {
	if a.watch != nil {
		return a.watch(ctx, f)
	}
	return a.Provider.WatchInstances(ctx, f)
}

// plain is a store without optional abilities.
type plain struct{ core.Provider }

// silent gives no hint but the first one.
func silent(ctx context.Context, f func(core.InstanceHint)) error {
	f(core.InstanceHint{})
	<-ctx.Done()
	return context.Cause(ctx)
}

const gate = durable.Orchestration[int, int]("gate")

// opened returns its input when the event "open" comes.
var opened = gate.With(func(ctx *durable.Context, n int) (int, error) {
	_, err := durable.WaitEvent[int](ctx, "open").Await(ctx)
	return n, err
})

// withGates runs a test with virtual time, and a runtime for gates on the store.
func withGates(t *testing.T, store core.Provider, test func(t *testing.T, c *durable.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		reg := durable.NewRegistry()
		if err := reg.Add(opened); err != nil {
			t.Fatal(err)
		}
		rt, err := durable.NewRuntime(store, reg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := rt.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer rt.Shutdown(context.Background())
		test(t, durable.NewClient(store, nil))
	})
}

func startGate(t *testing.T, c *durable.Client, id string, n int) *durable.Run[int] {
	t.Helper()
	run, err := gate.Start(t.Context(), c, id, n)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func open(t *testing.T, c *durable.Client, id string) {
	t.Helper()
	if err := c.RaiseEvent(t.Context(), id, "open", 1); err != nil {
		t.Fatal(err)
	}
}

// A thousand waits cost a handful of questions, none of them about a history, and
// each is answered when its instance ends.
func TestManyWaits(t *testing.T) {
	const n = 1000
	store := &asked{Provider: memprovider.New(nil)}
	withGates(t, store, func(t *testing.T, c *durable.Client) {
		var waits sync.WaitGroup
		for i := range n {
			run := startGate(t, c, fmt.Sprint(i), i)
			waits.Go(func() {
				if got, err := run.Wait(t.Context()); got != i || err != nil {
					t.Errorf("%d: %d, %v", i, got, err)
				}
			})
		}
		synctest.Wait()
		joined := store.states.Load()
		time.Sleep(time.Minute)
		if looks := store.states.Load() - joined; looks > 13 {
			t.Errorf("asked %d times in a minute", looks)
		}
		before := time.Now()
		for i := range n {
			open(t, c, fmt.Sprint(i))
		}
		waits.Wait()
		if took := time.Since(before); took > 0 {
			t.Errorf("learned of the end after %v", took)
		}
		if reads := store.reads.Load(); reads > 0 {
			t.Errorf("read %d histories", reads)
		}
	})
}

// Hints can be lost; the slow poll is behind them.
func TestWaitWithoutHints(t *testing.T) {
	for name, tt := range map[string]struct {
		store core.Provider
		limit time.Duration
	}{
		"lost":   {&asked{Provider: memprovider.New(nil), watch: silent}, 5 * time.Second},
		"broken": {&asked{Provider: memprovider.New(nil), watch: func(context.Context, func(core.InstanceHint)) error { return errors.New("broken") }}, 100 * time.Millisecond},
		"none":   {plain{memprovider.New(nil)}, 100 * time.Millisecond},
		"blind": {&asked{Provider: memprovider.New(nil), watch: func(ctx context.Context, f func(core.InstanceHint)) error {
			f(core.InstanceHint{Blind: true})
			<-ctx.Done()
			return context.Cause(ctx)
		}}, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			withGates(t, tt.store, func(t *testing.T, c *durable.Client) {
				run := startGate(t, c, "i", 7)
				done := make(chan time.Time, 1)
				go func() {
					if got, err := run.Wait(t.Context()); got != 7 || err != nil {
						t.Errorf("%d, %v", got, err)
					}
					done <- time.Now()
				}()
				time.Sleep(time.Minute)
				before := time.Now()
				open(t, c, "i")
				if took := (<-done).Sub(before); took > tt.limit+50*time.Millisecond {
					t.Errorf("learned of the end after %v, want at most %v", took, tt.limit)
				}
			})
		})
	}
}

func TestWaitsOfOneInstance(t *testing.T) {
	withGates(t, memprovider.New(nil), func(t *testing.T, c *durable.Client) {
		startGate(t, c, "i", 3)
		results := make(chan error, 3)
		wait := func(ctx context.Context) {
			s, err := c.Wait(ctx, "i")
			if err == nil && (s.Output != "3" || !s.Done()) {
				err = fmt.Errorf("%+v", s)
			}
			results <- err
		}
		left, leave := context.WithCancelCause(t.Context())
		go wait(t.Context())
		go wait(t.Context())
		go wait(left)
		synctest.Wait()
		gone := errors.New("gone")
		leave(gone)
		if err := <-results; !errors.Is(err, gone) {
			t.Errorf("who left got %v", err)
		}
		synctest.Wait()
		if len(results) > 0 {
			t.Fatalf("another wait ended with the one that left: %v", <-results)
		}
		open(t, c, "i")
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// The last caller to leave does not wait for a question either.
func TestWaitLeavesAtOnce(t *testing.T) {
	withGates(t, memprovider.New(nil), func(t *testing.T, c *durable.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		before := time.Now()
		_, err := c.Wait(ctx, "unknown")
		if took := time.Since(before); !errors.Is(err, context.DeadlineExceeded) || took != 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// An instance that cannot be asked for does not disturb those that can.
func TestWaitErrors(t *testing.T) {
	bad := errors.New("bad id")
	store := &asked{Provider: memprovider.New(nil), fail: func(ids []string) error {
		if slices.Contains(ids, "bad") {
			return core.Permanent("get_instance_states", bad)
		}
		return nil
	}}
	withGates(t, store, func(t *testing.T, c *durable.Client) {
		run := startGate(t, c, "good", 1)
		done := make(chan error, 1)
		go func() {
			_, err := run.Wait(t.Context())
			done <- err
		}()
		if _, err := c.Wait(t.Context(), "bad"); !errors.Is(err, bad) {
			t.Errorf("the bad one got %v", err)
		}
		open(t, c, "good")
		if err := <-done; err != nil {
			t.Errorf("the good one got %v", err)
		}
	})
}

func TestWaitOfFailure(t *testing.T) {
	withGates(t, memprovider.New(nil), func(t *testing.T, c *durable.Client) {
		run := startGate(t, c, "i", 1)
		if err := c.Cancel(t.Context(), "i", "enough"); err != nil {
			t.Fatal(err)
		}
		var failed *durable.RunError
		if _, err := run.Wait(t.Context()); !errors.As(err, &failed) || failed.Details.Error() != "canceled: enough" {
			t.Errorf("%v", err)
		}
	})
}

// Nothing of a watch runs when the last caller has left.
func TestWaitEndsTheWatch(t *testing.T) {
	var ended atomic.Bool
	store := &asked{Provider: memprovider.New(nil), watch: func(ctx context.Context, f func(core.InstanceHint)) error {
		err := silent(ctx, f)
		time.Sleep(time.Second) // of virtual time
		ended.Store(true)
		return err
	}}
	withGates(t, store, func(t *testing.T, c *durable.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Wait(ctx, "unknown"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if !ended.Load() {
			t.Error("the watch goes on")
		}
	})
}
