package durabletest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

const day = 24 * time.Hour

// register returns a registry with the code.
func register(t *testing.T, code ...durable.Registration) *durable.Registry {
	t.Helper()
	reg := durable.NewRegistry()
	if err := reg.Add(code...); err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestThirtyDaysTakeNoTime(t *testing.T) {
	began := time.Now()
	sleepy := durable.Orchestration[string, string]("sleepy")
	reg := register(t, sleepy.With(func(ctx *durable.Context, _ string) (string, error) {
		ctx.Sleep(30 * day)
		return "awake", nil
	}))
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		virtual := time.Now()
		out, err := durabletest.Call(env, sleepy, "s", "")
		if err != nil || out != "awake" {
			t.Errorf("got %q, %v", out, err)
		}
		if d := time.Since(virtual); d < 30*day || d > 30*day+time.Second {
			t.Errorf("took %v of virtual time", d)
		}
	})
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("took %v of real time", d)
	}
}

func TestEvents(t *testing.T) {
	reg := shop(t)
	t.Run("approved at once", func(t *testing.T) {
		durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
			run := durabletest.Start(env, checkout, "o1", Order{ID: "o1"})
			env.Raise("o1", "approve", "Ada")
			if out, err := durabletest.Wait(env, run); err != nil || out != "shipped o1" {
				t.Errorf("got %q, %v", out, err)
			}
		})
	})
	for name, test := range map[string]struct {
		after time.Duration
		want  string
	}{
		"approved on the third day":  {72*time.Hour - time.Minute, "shipped o1"},
		"approved on the fourth day": {72*time.Hour + time.Minute, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
				env.After(test.after, func() { env.Raise("o1", "approve", "Ada") })
				env.After(100*day, func() { t.Error("called after the end of the test") })
				if out, err := durabletest.Call(env, checkout, "o1", Order{ID: "o1"}); err != nil || out != test.want {
					t.Errorf("got %q, %v, want %q", out, err, test.want)
				}
			})
		})
	}
}

// Events at the same moment do not get in each other's way, nor in that of the
// end of the test.
func TestEventsAtOnce(t *testing.T) {
	durabletest.Run(t, shop(t), nil, func(t *testing.T, env *durabletest.Env) {
		var runs []*durable.Run[string]
		for _, id := range []string{"o1", "o2", "o3", "o4"} {
			runs = append(runs, durabletest.Start(env, checkout, id, Order{ID: id}))
			env.After(day, func() { env.Raise(id, "approve", "Ada") })
		}
		for _, run := range runs {
			if out, err := durabletest.Wait(env, run); err != nil || out != "shipped "+run.InstanceID() {
				t.Errorf("got %q, %v", out, err)
			}
		}
		for range 4 {
			env.After(day, func() { env.Raise("o1", "approve", "Bob") })
		}
		time.Sleep(day)
	})
}

func TestMock(t *testing.T) {
	reg := shop(t)
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		env.Mock(charge.With(func(context.Context, Order) (string, error) { return "", errors.New("card refused") }))
		_, err := durabletest.Call(env, checkout, "o1", Order{})
		if err == nil || !strings.Contains(err.Error(), "card refused") {
			t.Errorf("the mock is not called: %v", err)
		}
		env.Mock(charge.With(func(context.Context, Order) (string, error) { return "r", nil }),
			checkout.Version("2.0.0").With(func(ctx *durable.Context, o Order) (string, error) { return charge.Call(ctx, o) }))
		if out, err := durabletest.Call(env, checkout.Version("2.0.0"), "o2", Order{}); err != nil || out != "r" {
			t.Errorf("got %q, %v", out, err)
		}
	})
	if diff := cmp.Diff([]string{"1.0.0"}, reg.Versions("checkout")); diff != "" {
		t.Errorf("the test's registry was changed: %s", diff)
	}
}

// Attempts of a retry policy move with the clock of the test.
func TestBackoff(t *testing.T) {
	flaky := durable.Activity[string, string]("flaky")
	stubborn := durable.Orchestration[string, string]("stubborn")
	backoff := core.ExponentialBackoff(time.Hour, 2, day)
	reg := register(t, stubborn.With(func(ctx *durable.Context, in string) (string, error) {
		return flaky.Call(ctx, in, durable.Retry(durable.RetryPolicy{MaxAttempts: 4, Backoff: &backoff}))
	}))
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		began := time.Now()
		var at []time.Duration
		env.Mock(flaky.With(func(context.Context, string) (string, error) {
			at = append(at, time.Since(began).Round(time.Minute))
			if len(at) < 4 {
				return "", errors.New("not yet")
			}
			return "done", nil
		}))
		if out, err := durabletest.Call(env, stubborn, "s", ""); err != nil || out != "done" {
			t.Errorf("got %q, %v", out, err)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Hour, 3 * time.Hour, 7 * time.Hour}, at); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if n := env.History("s").Count(core.TypeActivityFailed, "flaky"); n != 3 {
			t.Errorf("%d failed attempts", n)
		}
	})
}

// A worker that died with an activity in its hands holds it until its lock
// expires, in virtual time.
func TestActivityLockExpires(t *testing.T) {
	reg := shop(t)
	const lock = 6 * time.Hour
	durabletest.Run(t, reg, &durable.Options{MaxActivities: 1}, func(t *testing.T, env *durabletest.Env) {
		began := time.Now()
		type delivery struct {
			After   time.Duration
			Attempt uint32
		}
		var got []delivery
		env.Mock(
			refund.With(func(context.Context, string) (bool, error) { time.Sleep(time.Hour); return true, nil }),
			charge.With(func(ctx context.Context, _ Order) (string, error) {
				got = append(got, delivery{time.Since(began).Round(time.Minute), durable.Info(ctx).Attempt})
				return "r", nil
			}))
		enqueue := func(name, input string) {
			err := env.Provider.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{
				Item: core.ActivityExecuteItem{Instance: "o1", ExecutionID: 1, ID: 2, Name: name, Input: input},
			})
			if err != nil {
				t.Fatal(err)
			}
			env.Settle()
		}
		enqueue("refund", "") // keeps the runtime busy, so that the other worker gets what comes now
		enqueue("charge", "{}")
		if locked, err := env.Provider.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lock}); err != nil || locked == nil {
			t.Fatalf("nothing fetched: %v", err)
		}
		time.Sleep(lock + time.Hour)
		env.Settle()
		if diff := cmp.Diff([]delivery{{lock, 2}}, got); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

// A day of a busy system: every instance has an activity every three hours.
func TestADayOfAThousandInstances(t *testing.T) {
	const ticks = 8
	instances := 1000
	if raceDetector {
		instances = 100
	}
	var calls atomic.Int64
	tick := durable.Activity[int, int]("tick")
	hourly := durable.Orchestration[int, int]("hourly")
	reg := register(t,
		tick.With(func(_ context.Context, n int) (int, error) { calls.Add(1); return n + 1, nil }),
		hourly.With(func(ctx *durable.Context, n int) (int, error) {
			for range ticks {
				ctx.Sleep(day / ticks)
				var err error
				if n, err = tick.Call(ctx, n); err != nil {
					return 0, err
				}
			}
			return n, nil
		}))
	began := time.Now()
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		virtual := time.Now()
		runs := make([]*durable.Run[int], instances)
		for i := range runs {
			runs[i] = durabletest.Start(env, hourly, fmt.Sprint("instance-", i), i)
		}
		for i, run := range runs {
			if out, err := durabletest.Wait(env, run); err != nil || out != i+ticks {
				t.Fatalf("instance %d: %d, %v", i, out, err)
			}
		}
		if d := time.Since(virtual); d < day || d > day+time.Minute {
			t.Errorf("took %v of virtual time", d)
		}
	})
	took := time.Since(began)
	t.Logf("24 hours of %d instances: %v of real time, %d activities", instances, took.Round(time.Millisecond), calls.Load())
	if calls.Load() != int64(instances*ticks) {
		t.Errorf("%d activities, want %d", calls.Load(), instances*ticks)
	}
	// 2 s of CPU time; the rest is for machines that have much else to do.
	if limit := time.Minute; took > limit && !raceDetector {
		t.Errorf("took %v of real time, more than %v", took, limit)
	}
}

// What the next tests run in a process of their own must fail, and says why.
const failing = "DURABLETEST_FAILING"

func TestFailures(t *testing.T) {
	if os.Getenv(failing) != "" {
		t.Skip("in the process that fails")
	}
	for name, want := range map[string][]string{
		"unknown activity":      {`instance o1 asks in event 2 for activity "nowhere", which has no code here: register it, or give it to Env.Mock`},
		"unknown orchestration": {`instance o1 is started as orchestration "nowhere", which has no code here`},
		"waits for ever":        {"instance o1 has not ended after 87600h0m0s: it waits for", "2 ExternalSubscribed never"},
		"with a clock":          {"Options.Clock must be nil"},
		"no registry":           {"Run needs a registry"},
		"bad mock":              {`mock: activity "charge": no code given`},
		"nondeterminism":        {"nondeterministic: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, "TestFails/"+strings.ReplaceAll(name, " ", "_"), want...)
		})
	}
}

// wantFailure runs a test of this package that must fail in a process of its
// own.
func wantFailure(t *testing.T, test string, want ...string) {
	t.Helper()
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^") + "$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.timeout=2m")
	cmd.Env = append(os.Environ(), failing+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("the test passes")
	}
	for _, text := range want {
		if !strings.Contains(string(out), text) {
			t.Errorf("no %q", text)
		}
	}
	if t.Failed() {
		t.Logf("output:\n%s", out)
	}
}

func TestFails(t *testing.T) {
	if os.Getenv(failing) == "" {
		t.Skip("run by TestFailures")
	}
	main := durable.Orchestration[string, string]("main")
	run := func(t *testing.T, o *durable.Options, code func(ctx *durable.Context, in string) (string, error)) {
		durabletest.Run(t, register(t, main.With(code)), o, func(t *testing.T, env *durabletest.Env) {
			if _, err := durabletest.Call(env, main, "o1", ""); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("unknown activity", func(t *testing.T) {
		run(t, nil, func(ctx *durable.Context, in string) (string, error) {
			return durable.Activity[string, string]("nowhere").Call(ctx, in)
		})
	})
	t.Run("unknown orchestration", func(t *testing.T) {
		durabletest.Run(t, durable.NewRegistry(), nil, func(_ *testing.T, env *durabletest.Env) {
			durabletest.Start(env, durable.Orchestration[string, string]("nowhere"), "o1", "")
		})
	})
	t.Run("waits for ever", func(t *testing.T) {
		run(t, nil, func(ctx *durable.Context, _ string) (string, error) {
			return durable.WaitEvent[string](ctx, "never").Await(ctx)
		})
	})
	t.Run("with a clock", func(t *testing.T) {
		run(t, &durable.Options{Clock: core.SystemClock()}, func(*durable.Context, string) (string, error) { return "", nil })
	})
	t.Run("no registry", func(t *testing.T) { durabletest.Run(t, nil, nil, nil) })
	t.Run("bad mock", func(t *testing.T) {
		durabletest.Run(t, durable.NewRegistry(), nil, func(_ *testing.T, env *durabletest.Env) { env.Mock(charge.With(nil)) })
	})
	t.Run("nondeterminism", func(t *testing.T) {
		turns := 0
		run(t, nil, func(ctx *durable.Context, _ string) (string, error) {
			if turns++; turns == 2 {
				return durable.WaitEvent[string](ctx, "other").Await(ctx)
			}
			ctx.Sleep(time.Hour)
			return "", nil
		})
	})
}
