package golden_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience bounds what happens soon; only a failure waits for it.
	patience = time.Minute
	// lease is longer than any test and any move of the clock.
	lease = 24 * time.Hour
)

// startRuntime starts a runtime with all twins, set up as the recording one was.
// The code may depend on the recording and on how much of it is stored.
// Activities end with end at the latest.
func startRuntime(t *testing.T, p core.Provider, clock core.Clock, recording string, stored int, end <-chan struct{}) (stop func()) {
	t.Helper()
	reg := durable.NewRegistry()
	must(t, reg.Add(activities(end)...))
	for _, twin := range twins {
		must(t, reg.Add(twin(recording, stored)...))
	}
	rt, err := durable.NewRuntime(p, reg, &durable.Options{
		Clock: clock, PollTimeout: time.Millisecond, MinPollInterval: 5 * time.Millisecond,
		InstanceLock: lease, ActivityLock: lease, SessionLock: lease, SessionIdleTimeout: 2 * lease,
		Tags:        core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"gpu"}},
		MaxAttempts: 3, UnregisteredBackoff: 30 * time.Millisecond, UnregisteredBackoffMax: 120 * time.Millisecond,
		Nondeterminism: durable.Fail,
	})
	must(t, err)
	must(t, rt.Start(t.Context()))
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}
}

// receive takes a value from a channel, or fails the test when ctx ends first.
func receive[T any](t *testing.T, ctx context.Context, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-ctx.Done():
		t.Fatalf("%s: %v", what, context.Cause(ctx))
	}
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, want, got T, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-recorded +produced):\n%s", what, diff)
	}
}
