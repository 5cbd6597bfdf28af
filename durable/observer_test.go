package durable_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// told is what an observer was told: a line for each call, and how often work
// met each fate.
type told struct {
	mu    sync.Mutex
	lines []string
	work  map[string]int
}

func (o *told) add(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
}

func (o *told) count(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.work[fmt.Sprintf(format, args...)]++
}

// take returns the lines in alphabetical order, because turns and activities end
// side by side.
func (o *told) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := slices.Sorted(slices.Values(o.lines))
	o.lines = nil
	return lines
}

// wantWork compares the fates of work since the last time.
func (o *told) wantWork(t *testing.T, want map[string]int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if diff := cmp.Diff(want, o.work); diff != "" {
		t.Errorf("work (-want +got):\n%s", diff)
	}
	clear(o.work)
}

func because(details core.ErrorDetails) string {
	if details == nil {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", details.Category(), details)
}

func (o *told) observer() *durable.Observer {
	o.work = map[string]int{}
	return &durable.Observer{
		ExecutionStarted: func(_ context.Context, e durable.ExecutionStarted) {
			o.add("start %s/%d %s %s by %s", e.InstanceID, e.ExecutionID, e.Name, e.Version, e.InitiatedBy)
		},
		ExecutionEnded: func(_ context.Context, e durable.ExecutionEnded) {
			poisoned := ""
			if e.Poisoned {
				poisoned = ", poisoned"
			}
			o.add("end %s/%d %s %s by %s: %s after %v, %d turns, %d events%s%s", e.InstanceID, e.ExecutionID, e.Name, e.Version, e.InitiatedBy,
				e.Status, e.Duration, e.Turns, e.HistorySize, poisoned, because(e.Error))
		},
		SubOrchestrationEnded: func(_ context.Context, e durable.SubOrchestrationEnded) {
			o.add("child %s of %s %s after %v%s", e.Child, e.Parent.InstanceID, e.Parent.Name, e.Duration, because(e.Error))
		},
		ActivityEnded: func(_ context.Context, e durable.ActivityEnded) {
			tag := ""
			if e.Tag != nil {
				tag = " tagged " + *e.Tag
			}
			o.add("activity %s/%d/%d %s%s: %s after %v, attempt %d%s", e.InstanceID, e.ExecutionID, e.ActivityID, e.Name, tag,
				e.Outcome, e.Duration, e.Attempt, because(e.Error))
		},
		Fetched:   func(_ context.Context, e durable.Fetched) { o.count("%s fetched", e.Queue) },
		Processed: func(_ context.Context, e durable.Processed) { o.count("%s %s", e.Queue, e.Fate) },
		WarmMismatch: func(_ context.Context, e durable.WarmMismatch) {
			o.add("mismatch %s/%d %s %s", e.InstanceID, e.ExecutionID, e.Name, e.Version)
		},
	}
}

// TestObserver runs each way in which something can end, with executions that
// are kept suspended and without: the numbers are the same.
func TestObserver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options durable.Options
		code    []durable.Registration
		do      func(e *env)
		want    []string
	}{
		"three turns with two activities": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				out, err := upper.Call(ctx, in)
				if err != nil {
					return "", err
				}
				return upper.Call(ctx, out)
			}),
			do: func(e *env) { want(e, main, "i", "x", "X") },
			want: []string{
				"activity i/1/2 upper: success after 0s, attempt 1",
				"activity i/1/4 upper: success after 0s, attempt 1",
				"end i/1 main 1.0.0 by client: success after 0s, 3 turns, 6 events",
				"start i/1 main 1.0.0 by client",
			},
		},
		"durations": {
			code: code(func(ctx *durable.Context, _ string) (string, error) {
				ctx.Sleep(time.Hour)
				return slow.Call(ctx, 20*time.Second)
			}),
			do: func(e *env) { want(e, main, "i", "", "slept") },
			want: []string{
				"activity i/1/4 slow: success after 20s, attempt 1",
				"end i/1 main 1.0.0 by client: success after 1h0m20s, 3 turns, 6 events",
				"start i/1 main 1.0.0 by client",
			},
		},
		"turns in which the code does nothing are one with the next": {
			code: code(func(ctx *durable.Context, _ string) (string, error) {
				durable.Join(ctx, ctx.Timer(time.Second), ctx.Timer(time.Minute))
				return "", nil
			}),
			do: func(e *env) { want(e, main, "i", "", "") },
			want: []string{
				"end i/1 main 1.0.0 by client: success after 1m0s, 2 turns, 6 events",
				"start i/1 main 1.0.0 by client",
			},
		},
		"errors of the code": {
			code: code(func(ctx *durable.Context, in string) (string, error) { return fail.Call(ctx, in) }),
			do:   func(e *env) { wantFailure(e, begin(e, main, "i", "no"), "no") },
			want: []string{
				"activity i/1/2 fail: app_error after 0s, attempt 1 (application: no)",
				"end i/1 main 1.0.0 by client: failed after 0s, 2 turns, 4 events (application: no)",
				"start i/1 main 1.0.0 by client",
			},
		},
		"panics": {
			code: []durable.Registration{
				fail.With(func(context.Context, string) (string, error) { panic("boom") }),
				main.With(func(ctx *durable.Context, in string) (string, error) {
					_, err := fail.Call(ctx, in)
					panic(err.Error())
				}),
			},
			do: func(e *env) {
				wantFailure(e, begin(e, main, "i", ""), "orchestration panicked: activity panicked: boom")
			},
			want: []string{
				"activity i/1/2 fail: app_error after 0s, attempt 1 (application: activity panicked: boom)",
				"end i/1 main 1.0.0 by client: failed after 0s, 2 turns, 4 events (application: orchestration panicked: activity panicked: boom)",
				"start i/1 main 1.0.0 by client",
			},
		},
		"a time-out": {
			code: []durable.Registration{
				slow.With(func(ctx context.Context, _ time.Duration) (string, error) { <-ctx.Done(); return "", nil }, durable.StartToClose(time.Minute)),
				main.With(func(ctx *durable.Context, _ string) (string, error) {
					_, err := slow.Call(ctx, 0)
					return fmt.Sprint(err != nil), nil
				}),
			},
			do: func(e *env) { want(e, main, "i", "", "false") },
			want: []string{ // a result that comes in the time of grace is a result
				"activity i/1/2 slow: success after 1m0s, attempt 1",
				"end i/1 main 1.0.0 by client: success after 1m0s, 2 turns, 4 events",
				"start i/1 main 1.0.0 by client",
			},
		},
		"attempts of a retry": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				return fail.Call(ctx, in, durable.WithTag("red"), durable.Retry(durable.RetryPolicy{MaxAttempts: 2, Backoff: new(core.NoBackoff())}))
			}),
			options: durable.Options{Tags: core.TagFilter{Mode: core.TagsAny}},
			do:      func(e *env) { wantFailure(e, begin(e, main, "i", "no"), "no") },
			want: []string{
				"activity i/1/2 fail tagged red: app_error after 0s, attempt 1 (application: no)",
				"activity i/1/4 fail tagged red: app_error after 0s, attempt 1 (application: no)",
				"end i/1 main 1.0.0 by client: failed after 0s, 3 turns, 6 events (application: no)",
				"start i/1 main 1.0.0 by client",
			},
		},
		"cancelled": {
			code: code(func(ctx *durable.Context, _ string) (string, error) { return slow.Call(ctx, time.Hour) }),
			do: func(e *env) {
				run := begin(e, main, "i", "")
				e.cancel("i", "enough")
				wantFailure(e, run, "canceled: enough")
			},
			want: []string{
				"activity i/1/2 slow: cancelled after 0s, attempt 1",
				"end i/1 main 1.0.0 by client: cancelled after 0s, 2 turns, 5 events (application: canceled: enough)",
				"start i/1 main 1.0.0 by client",
			},
		},
		"a result of what was cancelled": {
			code: []durable.Registration{
				upper.With(func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "late", nil }),
				main.With(func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) }),
			},
			do: func(e *env) {
				run := begin(e, main, "i", "")
				e.cancel("i", "enough")
				wantFailure(e, run, "canceled: enough")
			},
			want: []string{
				"activity i/1/2 upper: cancelled after 0s, attempt 1",
				"end i/1 main 1.0.0 by client: cancelled after 0s, 2 turns, 5 events (application: canceled: enough)",
				"start i/1 main 1.0.0 by client",
			},
		},
		"continue as new": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				if len(in) < 2 {
					return "", main.ContinueAsNew(in + "x")
				}
				return in, nil
			}),
			do: func(e *env) { want(e, main, "i", "", "xx") },
			want: []string{
				"end i/1 main 1.0.0 by client: continuedAsNew after 0s, 1 turns, 2 events",
				"end i/2 main 1.0.0 by continueAsNew: continuedAsNew after 0s, 1 turns, 2 events",
				"end i/3 main 1.0.0 by continueAsNew: success after 0s, 1 turns, 2 events",
				"start i/1 main 1.0.0 by client",
				"start i/2 main 1.0.0 by continueAsNew",
				"start i/3 main 1.0.0 by continueAsNew",
			},
		},
		"children": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				a, b := kid.Schedule(ctx, "good"), kid.Schedule(ctx, "bad")
				_, _ = a.Await(ctx)
				_, err := b.Await(ctx)
				return fmt.Sprint(err), kid.StartDetached(ctx, "alone", "good")
			}),
			do: func(e *env) {
				want(e, main, "i", "", "bad")
				time.Sleep(time.Minute)
			},
			want: []string{
				"child kid of i main after 10s",
				"child kid of i main after 10s (application: bad)",
				"end alone/1 kid 1.0.0 by client: success after 10s, 2 turns, 4 events",
				"end i/1 main 1.0.0 by client: success after 10s, 2 turns, 7 events",
				"end i::sub::2/1 kid 1.0.0 by suborchestration: success after 10s, 2 turns, 4 events",
				"end i::sub::3/1 kid 1.0.0 by suborchestration: failed after 10s, 2 turns, 4 events (application: bad)",
				"start alone/1 kid 1.0.0 by client",
				"start i/1 main 1.0.0 by client",
				"start i::sub::2/1 kid 1.0.0 by suborchestration",
				"start i::sub::3/1 kid 1.0.0 by suborchestration",
			},
		},
		"a child that continues as new": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				if in == "" {
					return main.Call(ctx, "x")
				}
				if len(in) < 2 {
					return "", main.ContinueAsNew(in + "x")
				}
				return in, nil
			}),
			do: func(e *env) { want(e, main, "i", "", "xx") },
			want: []string{
				"child main of i main after 0s",
				"end i/1 main 1.0.0 by client: success after 0s, 2 turns, 4 events",
				"end i::sub::2/1 main 1.0.0 by suborchestration: continuedAsNew after 0s, 1 turns, 2 events",
				"end i::sub::2/2 main 1.0.0 by continueAsNew: success after 0s, 1 turns, 2 events",
				"start i/1 main 1.0.0 by client",
				"start i::sub::2/1 main 1.0.0 by suborchestration",
				"start i::sub::2/2 main 1.0.0 by continueAsNew",
			},
		},
		"versions": {
			code: []durable.Registration{
				main.With(func(*durable.Context, string) (string, error) { return "one", nil }),
				main.Version("2.1.0").With(func(*durable.Context, string) (string, error) { return "two", nil }),
			},
			do: func(e *env) { want(e, main, "i", "", "two") },
			want: []string{
				"end i/1 main 2.1.0 by client: success after 0s, 1 turns, 2 events",
				"start i/1 main 2.1.0 by client",
			},
		},
		"poison of an activity": {
			code: []durable.Registration{main.With(func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) })},
			do: func(e *env) {
				wantFailure(e, begin(e, main, "i", "x"), "poison: activity upper#2 exceeded 11 attempts (max 10)")
			},
			want: []string{
				"activity i/1/2 upper: poison after 0s, attempt 11 (poison: poison: activity upper#2 exceeded 11 attempts (max 10))",
				"end i/1 main 1.0.0 by client: failed after 5m3s, 2 turns, 4 events (poison: poison: activity upper#2 exceeded 11 attempts (max 10))",
				"start i/1 main 1.0.0 by client",
			},
		},
		"poison of an orchestration": {
			do: func(e *env) {
				wantFailure(e, begin(e, main, "i", "x"), "poison: orchestration i exceeded 11 attempts (max 10)")
			},
			want: []string{
				"end i/1 main unknown by client: failed after 0s, 1 turns, 2 events, poisoned (poison: poison: orchestration i exceeded 11 attempts (max 10))",
				"start i/1 main unknown by client",
			},
		},
		"poison of a child": {
			code: code(func(ctx *durable.Context, in string) (string, error) { return kid2.Call(ctx, in) }),
			do: func(e *env) {
				wantFailure(e, begin(e, main, "i", "x"), "poison: orchestration i::sub::2 exceeded 11 attempts (max 10)")
			},
			want: []string{
				"child kid2 of i main after 5m3s (poison: poison: orchestration i::sub::2 exceeded 11 attempts (max 10))",
				"end i/1 main 1.0.0 by client: failed after 5m3s, 2 turns, 4 events (poison: poison: orchestration i::sub::2 exceeded 11 attempts (max 10))",
				"end i::sub::2/1 kid2 unknown by suborchestration: failed after 0s, 1 turns, 2 events, poisoned (poison: poison: orchestration i::sub::2 exceeded 11 attempts (max 10))",
				"start i/1 main 1.0.0 by client",
				"start i::sub::2/1 kid2 unknown by suborchestration",
			},
		},
		"poison of the next execution": {
			code: code(func(*durable.Context, string) (string, error) { return "", main.Version("9.0.0").ContinueAsNew("") }),
			do: func(e *env) {
				wantFailure(e, begin(e, main, "i", ""), "poison: orchestration i exceeded 11 attempts (max 10)")
			},
			want: []string{
				"end i/1 main 1.0.0 by client: continuedAsNew after 0s, 1 turns, 2 events",
				"end i/2 main 1.0.0 by continueAsNew: failed after 0s, 1 turns, 2 events, poisoned (poison: poison: orchestration i exceeded 11 attempts (max 10))",
				"start i/1 main 1.0.0 by client",
				"start i/2 main 1.0.0 by continueAsNew",
			},
		},
		"a history that cannot be decoded": {
			code: waitForEvent(),
			do: func(e *env) {
				begin(e, main, "i", "")
				synctest.Wait()
				e.p.(*faultyStore).Provider.(*memprovider.Provider).CorruptHistory("i")
				e.raise("i", "go", "")
				time.Sleep(time.Minute)
			},
			want: []string{
				"end i/1 main 1.0.0 by : failed after 0s, 0 turns, 0 events, poisoned (poison: poison: orchestration i history deserialization failed after 11 attempts (max 10): history: undecodable data)",
				"start i/1 main 1.0.0 by client",
			},
		},
		"a turn whose lock was lost": {
			code: waitForEvent(),
			do: func(e *env) {
				run := begin(e, main, "i", "")
				synctest.Wait()
				e.p.(*faultyStore).failNext(core.Permanent("ack_orchestration_item", core.ErrLockLost))
				e.raise("i", "go", "")
				wantRun(e, run, "gone")
			},
			want: []string{
				"end i/1 main 1.0.0 by client: success after 5s, 2 turns, 4 events",
				"start i/1 main 1.0.0 by client",
			},
		},
		"a turn that could not be stored at first": {
			code: waitForEvent(),
			do: func(e *env) {
				run := begin(e, main, "i", "")
				synctest.Wait()
				busy := core.Retryable("ack_orchestration_item", errors.New("busy"))
				e.p.(*faultyStore).failNext(busy, busy, busy, busy, busy, busy)
				e.raise("i", "go", "")
				wantRun(e, run, "gone")
			},
			want: []string{
				"end i/1 main 1.0.0 by client: success after 360ms, 2 turns, 4 events",
				"start i/1 main 1.0.0 by client",
			},
		},
		"a turn that can never be stored": {
			code: waitForEvent(),
			do: func(e *env) {
				run := begin(e, main, "i", "")
				synctest.Wait()
				e.p.(*faultyStore).failNext(core.Permanent("ack_orchestration_item", errors.New("too large")))
				e.raise("i", "go", "")
				wantFailure(e, run, "infrastructure:ack_orchestration_item: too large")
			},
			want: []string{
				"end i/1 main 1.0.0 by client: failed after 0s, 1 turns, 3 events (infrastructure: infrastructure:ack_orchestration_item: too large)",
				"start i/1 main 1.0.0 by client",
			},
		},
	} {
		for kept, instances := range map[string]int{"suspended": 0, "replayed": -1} {
			t.Run(name+"/"+kept, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(e *env) {
					var o told
					e.p = &faultyStore{Provider: e.p}
					options := tt.options
					options.Observer, options.WarmInstances = o.observer(), instances
					e.start(&options, append(slices.Clip(tt.code), aKid())...)
					tt.do(e)
					synctest.Wait()
					if diff := cmp.Diff(tt.want, o.take()); diff != "" {
						t.Errorf("told (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

const (
	kid  = durable.Orchestration[string, string]("kid")
	kid2 = durable.Orchestration[string, string]("kid2")
)

// aKid sleeps 10 s, and fails for "bad".
func aKid() durable.Registration {
	return kid.With(func(ctx *durable.Context, in string) (string, error) {
		ctx.Sleep(10 * time.Second)
		if in == "bad" {
			return "", errors.New(in)
		}
		return in, nil
	})
}

// waitForEvent ends when the event "go" comes.
func waitForEvent() []durable.Registration {
	return code(func(ctx *durable.Context, _ string) (string, error) {
		_, err := durable.WaitEvent[string](ctx, "go").Await(ctx)
		return "gone", err
	})
}

// faultyStore answers the next acknowledgements of turns with errors.
type faultyStore struct {
	core.Provider
	mu     sync.Mutex
	errors []error
}

func (f *faultyStore) Unwrap() core.Provider { return f.Provider }

func (f *faultyStore) failNext(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors = errs
}

func (f *faultyStore) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	f.mu.Lock()
	var err error
	if len(f.errors) > 0 {
		err, f.errors = f.errors[0], f.errors[1:]
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Provider.AckOrchestrationItem(ctx, p)
}

// TestObserverNondeterminism: code that does not fit its history fails it, or,
// parked, tells nothing.
func TestObserverNondeterminism(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy durable.NondeterminismPolicy
		ends   int
	}{"failed": {durable.Fail, 1}, "parked": {durable.Park, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				stop := e.start(nil, waitForEvent()...)
				begin(e, main, "i", "")
				synctest.Wait()
				stop()
				var o told
				e.start(&durable.Options{Observer: o.observer(), Nondeterminism: tt.policy},
					code(func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) })...)
				e.raise("i", "go", "")
				time.Sleep(time.Second)
				lines := o.take()
				if len(lines) != tt.ends {
					t.Fatalf("told %q", lines)
				}
				if tt.ends == 1 && !strings.HasPrefix(lines[0], "end i/1 main 1.0.0 by client: failed after 0s, 2 turns, 4 events (configuration: nondeterministic: ") {
					t.Errorf("told %q", lines)
				}
			})
		})
	}
}

// noTurns keeps turns from a runtime.
type noTurns struct{ core.Provider }

func (noTurns) FetchOrchestrationItem(ctx context.Context, _ core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// TestObserverElsewhere: a worker learns that an activity was cancelled elsewhere
// when it renews the lock, and when the code ends before that, it cannot tell a
// cancelled activity from one that somebody else has.
func TestObserverElsewhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes time.Duration
		want  []string
	}{
		"renewed first": {time.Hour, []string{"activity i/1/2 slow tagged far: cancelled after 25s, attempt 1"}},
		"ended first":   {time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				e.start(nil, code(func(ctx *durable.Context, _ string) (string, error) {
					return slow.Call(ctx, tt.takes, durable.WithTag("far"))
				})...)
				var o told
				e.p = noTurns{e.p}
				e.start(&durable.Options{Observer: o.observer(), Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"far"}}}, activities()...)
				run := begin(e, main, "i", "")
				e.cancel("i", "enough")
				wantFailure(e, run, "canceled: enough")
				time.Sleep(time.Minute)
				if diff := cmp.Diff(tt.want, o.take()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				o.wantWork(t, map[string]int{"worker fetched": 1, "worker lost": 1})
			})
		})
	}
}

// TestObserverWork counts what is fetched and what becomes of it.
func TestObserverWork(t *testing.T) {
	t.Parallel()
	const absent = durable.Activity[string, string]("absent")
	inBubble(t, func(e *env) {
		store := &faultyStore{Provider: e.p}
		e.p = store
		var o told
		e.start(&durable.Options{Observer: o.observer(), MaxAttempts: 3}, code(func(ctx *durable.Context, in string) (string, error) {
			switch in {
			case "absent":
				return absent.Call(ctx, in)
			case "slow":
				return slow.Call(ctx, time.Hour)
			}
			return upper.Call(ctx, in)
		})...)
		check := func(want map[string]int) {
			t.Helper()
			synctest.Wait()
			o.wantWork(t, want)
		}
		want(e, main, "i", "x", "X")
		check(map[string]int{"orchestrator fetched": 2, "orchestrator acked": 2, "worker fetched": 1, "worker acked": 1})

		_, _ = result(e, begin(e, main, "j", "absent"))
		check(map[string]int{"orchestrator fetched": 2, "orchestrator acked": 2, "worker fetched": 4, "worker abandoned": 3, "worker acked": 1})

		store.failNext(core.Permanent("ack_orchestration_item", core.ErrLockLost))
		want(e, main, "k", "x", "X")
		check(map[string]int{"orchestrator fetched": 3, "orchestrator acked": 2, "orchestrator lost": 1, "worker fetched": 1, "worker acked": 1})

		run := begin(e, main, "l", "slow")
		e.cancel("l", "enough")
		_, _ = result(e, run)
		check(map[string]int{"orchestrator fetched": 2, "orchestrator acked": 2, "worker fetched": 1, "worker lost": 1})
	})
}

// TestObserverShutdown: an activity that the shutdown interrupts did not end.
func TestObserverShutdown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		reg := durable.NewRegistry()
		if err := reg.Add(code(func(ctx *durable.Context, _ string) (string, error) { return slow.Call(ctx, time.Hour) })...); err != nil {
			t.Fatal(err)
		}
		var o told
		rt, err := durable.NewRuntime(e.p, reg, &durable.Options{Observer: o.observer()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(e.ctx)
		running := make(chan error, 1)
		go func() { running <- rt.Run(ctx) }()
		begin(e, main, "i", "")
		synctest.Wait()
		cancel()
		if err := <-running; err == nil {
			t.Error("nothing was interrupted")
		}
		if diff := cmp.Diff([]string{"start i/1 main 1.0.0 by client"}, o.take()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		o.wantWork(t, map[string]int{"orchestrator fetched": 1, "orchestrator acked": 1, "worker fetched": 1, "worker abandoned": 1})
	})
}

// TestObserverInTx: a result that a transaction of the code records is told once,
// whatever the code returns after it.
func TestObserverInTx(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		p := &transactional{Provider: e.p}
		e.p = p
		var o told
		e.start(&durable.Options{Observer: o.observer()}, main.With(func(ctx *durable.Context, in string) (string, error) {
			return inTx.Call(ctx, in)
		}), inTx.With(func(ctx context.Context, _ string) (string, error) {
			_, _ = durable.InTx(ctx, p.begin, writes)
			return "", errors.New("too late")
		}))
		want(e, main, "i", "", "done")
		synctest.Wait()
		if diff := cmp.Diff([]string{
			"activity i/1/2 in-tx: success after 0s, attempt 1",
			"end i/1 main 1.0.0 by client: success after 0s, 2 turns, 4 events",
			"start i/1 main 1.0.0 by client",
		}, o.take()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// TestClientObserver: what could not be sent is not told.
func TestClientObserver(t *testing.T) {
	t.Parallel()
	withRuntime(t, waitForEvent(), func(e *env) {
		var o told
		client := durable.NewClient(e.p, &durable.ClientOptions{Observer: &durable.ClientObserver{
			Started:     func(_ context.Context, s durable.ClientStarted) { o.add("start %s %s", s.InstanceID, s.Name) },
			EventRaised: func(_ context.Context, s durable.ClientEventRaised) { o.add("raise %s %s", s.InstanceID, s.Name) },
			Cancelled:   func(_ context.Context, s durable.ClientCancelled) { o.add("cancel %s", s.InstanceID) },
			Waited: func(_ context.Context, s durable.ClientWaited) {
				o.add("wait %s %v %v", s.InstanceID, s.Duration, s.Err)
			},
		}})
		check := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, o.take()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		}
		_, _ = main.Start(e.ctx, client, "", "")
		_ = client.RaiseEvent(e.ctx, "i", "go", func() {})
		check()

		if _, err := main.Start(e.ctx, client, "i", ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, _ = main.Start(e.ctx, client, "i", "", durable.OnConflict(durable.FailIfExists))
		check("start i main")

		ctx, cancel := context.WithTimeout(e.ctx, time.Minute)
		defer cancel()
		_, _ = client.Wait(ctx, "i")
		check("wait i 1m0s context deadline exceeded")

		_ = client.EnqueueMessage(e.ctx, "i", "go", "")
		_ = client.RequestCancel(e.ctx, "i", "please")
		check()
		_ = client.RaiseEvent(e.ctx, "i", "go", "")
		_, _ = main.Run(client, "i").Wait(e.ctx)
		_ = client.Cancel(e.ctx, "i", "too late")
		check("cancel i", "raise i go", "wait i 0s <nil>")

		ended, stop := context.WithCancel(e.ctx)
		stop()
		_ = client.RaiseEvent(ended, "i", "go", "")
		_ = client.Cancel(ended, "i", "")
		_ = client.Start(ended, "main", "j", `""`)
		check()
	})
}
