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

// TestOptionsNameWhatIsWrong: each bad field is named, all of them at once.
func TestOptionsNameWhatIsWrong(t *testing.T) {
	v := core.MustParseVersion
	tests := map[string]struct {
		o    durable.Options
		want []string // fields
	}{
		"the zero value": {durable.Options{}, nil},
		"no work":        {durable.Options{MaxTurns: -1, MaxActivities: -1}, nil},
		"every count":    {durable.Options{Fetchers: -1, WarmBytes: -1}, []string{"Fetchers", "WarmBytes"}},
		"every duration": {durable.Options{
			PollTimeout: -1, MinPollInterval: -1, InstanceLock: -1, ActivityLock: -1, InstanceLockBuffer: -1, ActivityLockBuffer: -1,
			SessionLock: -1, SessionIdleTimeout: -1, UnregisteredBackoff: -1, UnregisteredBackoffMax: -1, CancellationGrace: -1, ShutdownGrace: -1, ParkDelay: -1,
		}, []string{
			"PollTimeout", "MinPollInterval", "InstanceLock", "ActivityLock", "InstanceLockBuffer", "ActivityLockBuffer",
			"SessionLock", "SessionIdleTimeout", "UnregisteredBackoff", "UnregisteredBackoffMax", "CancellationGrace", "ShutdownGrace", "ParkDelay",
		}},
		"no sessions":                   {durable.Options{MaxSessions: -1, SessionIdleTimeout: 1}, nil},
		"sessions shorter than a lock":  {durable.Options{SessionIdleTimeout: 25 * time.Second}, []string{"SessionIdleTimeout"}},
		"sessions just long enough":     {durable.Options{SessionIdleTimeout: 25*time.Second + 1}, nil},
		"sessions with a short lock":    {durable.Options{ActivityLock: time.Second, SessionIdleTimeout: time.Second}, []string{"SessionIdleTimeout"}},
		"tags without a set":            {durable.Options{Tags: core.TagFilter{Mode: core.TagsOnly}}, []string{"Tags"}},
		"six tags":                      {durable.Options{Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"a", "b", "c", "d", "e", "f"}}}, []string{"Tags"}},
		"an unknown policy":             {durable.Options{Nondeterminism: 7}, []string{"Nondeterminism"}},
		"a stamp that is no version":    {durable.Options{VersionStamp: "latest"}, []string{"VersionStamp"}},
		"a stamp that cannot be packed": {durable.Options{VersionStamp: "0.1000.0", SupportedVersions: &core.VersionRange{Max: v("9.0.0")}}, []string{"VersionStamp"}},
		"an older stamp":                {durable.Options{VersionStamp: "0.1.31"}, nil},
		"a stamp above what it replays": {durable.Options{VersionStamp: "0.2.0"}, []string{"VersionStamp"}},
		"a stamp in a range of its own": {durable.Options{VersionStamp: "0.2.0", SupportedVersions: &core.VersionRange{Max: v("0.2.0")}}, nil},
		"a range upside down":           {durable.Options{SupportedVersions: &core.VersionRange{Min: v("0.2.0"), Max: v("0.1.0")}}, []string{"SupportedVersions"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := durable.NewRuntime(memprovider.New(nil), durable.NewRegistry(), &tt.o)
			if len(tt.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, durable.ErrInvalidInput) {
				t.Fatalf("%v, want ErrInvalidInput", err)
			}
			for _, field := range tt.want {
				if !strings.Contains(err.Error(), "Options."+field+" ") && !strings.Contains(err.Error(), "Options."+field+":") {
					t.Errorf("error %q does not name %s", err, field)
				}
			}
			if n := strings.Count(err.Error(), "Options."); n != len(tt.want) {
				t.Errorf("%d fields named, want %d: %v", n, len(tt.want), err)
			}
		})
	}
	t.Run("no provider, no registry", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{
			second(durable.NewRuntime(nil, durable.NewRegistry(), nil)), second(durable.NewRuntime(memprovider.New(nil), nil, nil)),
		} {
			if !errors.Is(err, durable.ErrInvalidInput) {
				t.Errorf("%v, want ErrInvalidInput", err)
			}
		}
	})
}

func second(_ *durable.Runtime, err error) error { return err }

func TestRuntimeLifecycle(t *testing.T) {
	runtime := func(t *testing.T, p core.Provider, o *durable.Options) *durable.Runtime {
		t.Helper()
		reg := durable.NewRegistry()
		if err := reg.Add(code(func(ctx *durable.Context, in string) (string, error) { return slow.Call(ctx, time.Minute) })...); err != nil {
			t.Fatal(err)
		}
		rt, err := durable.NewRuntime(p, reg, o)
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	t.Run("starts once", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			rt := runtime(t, e.p, nil)
			if err := rt.Start(e.ctx); err != nil {
				t.Fatal(err)
			}
			if err := rt.Start(e.ctx); err == nil {
				t.Error("it started twice")
			}
			for range 2 {
				if err := rt.Shutdown(e.ctx); err != nil {
					t.Error(err)
				}
			}
			if err := rt.Start(e.ctx); err == nil {
				t.Error("it started again")
			}
		})
	})
	t.Run("shut down before it started", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			rt := runtime(t, e.p, nil)
			if err := rt.Shutdown(e.ctx); err != nil {
				t.Error(err)
			}
			if err := rt.Run(e.ctx); err == nil {
				t.Error("it ran after that")
			}
		})
	})
	t.Run("Run ends with its context, after what is running", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			rt := runtime(t, e.p, &durable.Options{ShutdownGrace: time.Hour})
			ctx, cancel := context.WithCancel(e.ctx)
			ended := make(chan error, 1)
			go func() { ended <- rt.Run(ctx) }()
			begin(e, main, "i", "")
			time.Sleep(time.Second)
			cancel()
			synctest.Wait()
			began := time.Now()
			if err := <-ended; err != nil || time.Since(began) != 59*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("Run interrupts what takes longer than its grace", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			rt := runtime(t, e.p, &durable.Options{ShutdownGrace: time.Second})
			ctx, cancel := context.WithCancel(e.ctx)
			ended := make(chan error, 1)
			go func() { ended <- rt.Run(ctx) }()
			run := begin(e, main, "i", "")
			time.Sleep(time.Second)
			cancel()
			if err := <-ended; err == nil {
				t.Error("no error says that work was interrupted")
			}
			e.start(nil, code(func(ctx *durable.Context, in string) (string, error) { return slow.Call(ctx, time.Minute) })...)
			wantRun(e, run, "slept")
		})
	})
}
