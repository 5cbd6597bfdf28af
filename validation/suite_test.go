package validation_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/validation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the harness of the in-memory provider.
func memory() validation.Harness {
	var clocks sync.Map // of the providers
	return validation.Harness{
		NewProvider: func(context.Context) (core.Provider, error) {
			clock := &movableClock{Clock: core.SystemClock()}
			p := memprovider.New(&memprovider.Options{Clock: clock})
			clocks.Store(p, clock)
			return p, nil
		},
		LongPolls: true,
		WithClockOffset: func(_ context.Context, p core.Provider, d time.Duration) (core.Provider, error) {
			clock, _ := clocks.Load(inner(p))
			var q broken
			if b, ok := p.(*broken); ok && b.elsewhere != nil {
				q = b.elsewhere(d)
			}
			q.Provider, q.around = p, func() func() { return clock.(*movableClock).move(d) }
			return &q, nil
		},
		CorruptHistory: func(_ context.Context, p core.Provider, instance string) error {
			inner(p).CorruptHistory(instance)
			return nil
		},
		CorruptQueues: func(_ context.Context, p core.Provider, instance string) error {
			inner(p).CorruptQueues(instance)
			return nil
		},
		MaxAttemptCount: func(_ context.Context, p core.Provider, instance string) (uint32, error) {
			return inner(p).MaxAttemptCount(instance), nil
		},
	}
}

// A movableClock is ahead of another one, for a while. The in-memory provider has
// one clock; a second one on its store is this clock moved during its calls.
type movableClock struct {
	core.Clock
	ahead atomic.Int64
}

func (c *movableClock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

// move moves the clock until what it returns is called.
func (c *movableClock) move(d time.Duration) func() {
	c.ahead.Add(int64(d))
	return func() { c.ahead.Add(-int64(d)) }
}

// inner returns the in-memory provider below decorators.
func inner(p core.Provider) *memprovider.Provider {
	for {
		u, ok := p.(interface{ Unwrap() core.Provider })
		if !ok {
			return p.(*memprovider.Provider)
		}
		p = u.Unwrap()
	}
}

// short is the harness of an in-memory provider that does not wait.
func short() validation.Harness {
	return breaking(memory(), broken{
		fetchTurn: func(p core.Provider, ctx context.Context, a core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
			a.PollTimeout = 0
			return p.FetchOrchestrationItem(ctx, a)
		},
		fetchWork: func(p core.Provider, ctx context.Context, a core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
			a.PollTimeout = 0
			return p.FetchWorkItem(ctx, a)
		},
	}, func(h *validation.Harness) { h.LongPolls = false })
}

// breaking puts what is broken between a harness and its provider.
func breaking(h validation.Harness, b broken, edit ...func(*validation.Harness)) validation.Harness {
	return breakingAnew(h, func() broken { return b }, edit...)
}

// breakingAnew is breaking with functions that keep state for each provider.
func breakingAnew(h validation.Harness, anew func() broken, edit ...func(*validation.Harness)) validation.Harness {
	sound := h.NewProvider
	h.NewProvider = func(ctx context.Context) (core.Provider, error) {
		p, err := sound(ctx)
		b := anew()
		b.Provider = p
		if b.admin == nil {
			return &b, err
		}
		a := *b.admin
		a.broken, a.Admin = &b, inner(p)
		return &a, err
	}
	for _, f := range edit {
		f(&h)
	}
	return h
}

// TestMemprovider runs the suite as a provider's test does, in real time.
func TestMemprovider(t *testing.T) {
	t.Parallel()
	validation.Run(t, func(*testing.T) validation.Harness { return memory() })
}

// TestHalves counts what applies to providers that wait and to those that do
// not: 231 cases each, 233 together.
func TestHalves(t *testing.T) {
	t.Parallel()
	applied := map[string]bool{}
	for name, h := range map[string]validation.Harness{"long": memory(), "short": short()} {
		n := 0
		for _, c := range validation.Cases() {
			switch result := virtually(t, h, c); result.Outcome {
			case validation.Failed:
				t.Errorf("%s polling: %v", name, result)
			case validation.NotApplicable:
				continue
			case validation.Skipped:
				if c.Category != "race_replay" { // those need an engine
					t.Errorf("%s polling: %v", name, result)
				}
			}
			applied[c.Name] = true
			n++
		}
		if n != 231 {
			t.Errorf("%s polling: %d cases apply, want 231", name, n)
		}
	}
	if len(applied) != 233 {
		t.Errorf("%d cases apply to one or the other, want 233", len(applied))
	}
}

// caseNamed returns a case of the suite.
func caseNamed(t *testing.T, name string) validation.Case {
	t.Helper()
	cases := validation.Cases()
	i := slices.IndexFunc(cases, func(c validation.Case) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	return cases[i]
}

// virtually checks a case in a bubble, where waiting takes no time.
func virtually(t *testing.T, h validation.Harness, c validation.Case) (result validation.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		result = c.Check(t.Context(), h)
		time.Sleep(2 * time.Hour) // for a call that was given up
	})
	return result
}
