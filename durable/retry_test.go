package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

func TestRetry(t *testing.T) {
	const flaky = durable.Activity[string, string]("flaky")
	const (
		s, c, f   = core.TypeActivityScheduled, core.TypeActivityCompleted, core.TypeActivityFailed
		tc, tf, x = core.TypeTimerCreated, core.TypeTimerFired, core.TypeActivityCancelRequested
	)
	fixed := new(core.FixedBackoff(time.Minute))
	none := new(core.NoBackoff())
	tests := map[string]struct {
		policy   durable.RetryPolicy
		failures int32 // of the activity, then it succeeds after took
		took     time.Duration
		want     string // or
		fail     string
		events   []string // between start and end
		waited   time.Duration
	}{
		"succeeds at once": {durable.RetryPolicy{}, 0, 0, "ok", "", []string{s, c}, 0},
		"the default: three attempts, 100 and 200 ms": {
			durable.RetryPolicy{}, 2, 0, "ok", "", []string{s, f, tc, tf, s, f, tc, tf, s, c}, 300 * time.Millisecond,
		},
		"the default gives up after three": {
			durable.RetryPolicy{}, 9, 0, "", "failure 3", []string{s, f, tc, tf, s, f, tc, tf, s, f}, 300 * time.Millisecond,
		},
		"one attempt":            {durable.RetryPolicy{MaxAttempts: 1}, 1, 0, "", "failure 1", []string{s, f}, 0},
		"no back-off: no timers": {durable.RetryPolicy{MaxAttempts: 4, Backoff: none}, 3, 0, "ok", "", []string{s, f, s, f, s, f, s, c}, 0},
		"fixed back-off":         {durable.RetryPolicy{MaxAttempts: 3, Backoff: fixed}, 2, 0, "ok", "", []string{s, f, tc, tf, s, f, tc, tf, s, c}, 2 * time.Minute},
		"many attempts":          {durable.RetryPolicy{MaxAttempts: 50, Backoff: none}, 49, 0, "ok", "", nil, 0},
		"in time":                {durable.RetryPolicy{Timeout: time.Hour}, 0, time.Minute, "ok", "", []string{s, tc, c}, time.Minute},
		"a time-out is no failure to try again": {
			durable.RetryPolicy{MaxAttempts: 5, Backoff: none, Timeout: time.Minute}, 0, time.Hour, "", "timeout: activity timed out", []string{s, tc, tf, x}, time.Minute,
		},
		"a failure, then a time-out": {
			durable.RetryPolicy{MaxAttempts: 5, Backoff: none, Timeout: time.Minute}, 1, time.Hour, "", "timeout: activity timed out",
			[]string{s, tc, f, s, tc, tf, tf, x}, time.Minute, // the first one's timer fires, too

		},
	}
	for name, tt := range tests {
		for how, call := range map[string]func(ctx *durable.Context) (string, error){
			"called": func(ctx *durable.Context) (string, error) { return flaky.Call(ctx, "", durable.Retry(tt.policy)) },
			"scheduled": func(ctx *durable.Context) (string, error) {
				return flaky.Schedule(ctx, "", durable.Retry(tt.policy)).Await(ctx)
			},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				var calls atomic.Int32
				withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) { return call(ctx) }),
					flaky.With(func(ctx context.Context, _ string) (string, error) {
						if n := calls.Add(1); n <= tt.failures {
							return "", fmt.Errorf("failure %d", n)
						}
						select {
						case <-time.After(tt.took):
							return "ok", nil
						case <-ctx.Done():
							return "", ctx.Err()
						}
					})), func(e *env) {
					began := time.Now()
					run := begin(e, main, "i", "")
					if tt.fail != "" {
						wantFailure(e, run, tt.fail)
					} else {
						wantRun(e, run, tt.want)
					}
					if waited := time.Since(began); waited < tt.waited {
						t.Errorf("done after %v, want at least %v", waited, tt.waited)
					}
					events := e.events("i")
					if events = events[1 : len(events)-1]; tt.events != nil {
						if diff := cmp.Diff(tt.events, events); diff != "" {
							t.Errorf("events (-want +got):\n%s", diff)
						}
					}
					time.Sleep(2 * time.Hour)
				})
			})
		}
	}
}

func TestRetryLeavesOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	const broken = durable.Activity[chan int, string]("broken")
	withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
		_, err := broken.Call(ctx, nil, durable.Retry(durable.RetryPolicy{MaxAttempts: 5}))
		return fmt.Sprint(err != nil && strings.Contains(err.Error(), "activity broken: input")), nil
	}), func(e *env) {
		want(e, main, "i", "", "true")
		if n := len(e.events("i")); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}

// TestRetryKeepsTheKey: what an attempt may have done before it failed, the next
// one finds under the same key.
func TestRetryKeepsTheKey(t *testing.T) {
	const pay = durable.Activity[string, string]("pay")
	policy := durable.Retry(durable.RetryPolicy{MaxAttempts: 4})
	for name, warm := range map[string]int{"warm": 0, "cold": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				keys := make(chan string, 20)
				e.start(&durable.Options{WarmInstances: warm}, append(code(func(ctx *durable.Context, _ string) (string, error) {
					_, first := pay.Call(ctx, "", policy)
					_, second := pay.Schedule(ctx, "", policy, durable.ScheduleToClose(time.Hour)).Await(ctx)
					return fmt.Sprint(first != nil, second != nil), nil
				}), pay.With(func(ctx context.Context, _ string) (string, error) {
					keys <- durable.Info(ctx).IdempotencyKey
					return "", errors.New("no answer")
				}))...)
				wantRun(e, begin(e, main, "i", ""), "true true")
				close(keys)
				var got []string
				for key := range keys {
					got = append(got, key)
				}
				// 2, then a timer with its firing between two attempts; then the deadline.
				a, b := "i/1/2", got[len(got)-1]
				if diff := cmp.Diff([]string{a, a, a, a, b, b, b, b}, got); diff != "" || a == b {
					t.Errorf("keys (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRetryOnASession(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		const flaky = durable.Activity[string, string]("flaky")
		nodes := make(chan string, 10)
		on := func(node string) durable.Registration {
			return flaky.With(func(context.Context, string) (string, error) { nodes <- node; return "", errors.New("again") })
		}
		flow := main.With(func(ctx *durable.Context, _ string) (string, error) {
			return flaky.Call(ctx, "", durable.OnSession("s"), durable.Retry(durable.RetryPolicy{MaxAttempts: 6}))
		})
		e.start(&durable.Options{NodeID: "a"}, flow, on("a"))
		e.start(&durable.Options{NodeID: "b"}, flow, on("b"))
		wantFailure(e, begin(e, main, "i", ""), "again")
		close(nodes)
		seen := map[string]int{}
		for node := range nodes {
			seen[node]++
		}
		if len(seen) != 1 {
			t.Errorf("attempts ran on %v", seen)
		}
	})
}
