package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

func echo(_ *durable.Context, in string) (string, error) { return in, nil }

func TestStartRefusesIDs(t *testing.T) {
	tests := map[string]struct {
		id   string
		good bool
	}{
		"empty":                  {"", false},
		"a child's":              {"sub::1", false},
		"with a child's inside":  {"a::sub::b", false},
		"with colons":            {"tenant::order", true},
		"with sub in a word":     {"a-sub::b", true},
		"ordinary":               {"order-7", true},
		"long and in other text": {strings.Repeat("注文", 200), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRuntime(t, code(echo), func(e *env) {
				run, err := main.Start(e.ctx, e.client, tt.id, "in")
				if _, exact := main.Version("1.0.0").Start(e.ctx, e.client, tt.id, "in"); errors.Is(exact, durable.ErrInvalidInput) == tt.good {
					t.Errorf("at an exact version: %v", exact)
				}
				if !tt.good {
					if !errors.Is(err, durable.ErrInvalidInput) {
						t.Errorf("%v, want ErrInvalidInput", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				wantRun(e, run, "in")
			})
		})
	}
}

func TestConflictPolicy(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(echo), func(e *env) {
		want(e, main, "i", "first", "first")
		want(e, main, "i", "second", "first") // the run that is there
		_, err := main.Start(e.ctx, e.client, "i", "third", durable.OnConflict(durable.FailIfExists))
		if !errors.Is(err, durable.ErrInstanceExists) {
			t.Errorf("%v, want ErrInstanceExists", err)
		}
		run, err := main.Start(e.ctx, e.client, "new", "fourth", durable.OnConflict(durable.FailIfExists))
		if err != nil {
			t.Fatal(err)
		}
		wantRun(e, run, "fourth")
	})
}

func TestInvalidInputs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		const broken = durable.Orchestration[chan int, string]("broken")
		if _, err := broken.Start(e.ctx, e.client, "i", nil); !errors.Is(err, durable.ErrInvalidInput) {
			t.Errorf("start: %v", err)
		}
		if err := e.client.RaiseEvent(e.ctx, "i", "n", "a\x00b"); !errors.Is(err, durable.ErrInvalidInput) {
			t.Errorf("raise: %v", err)
		}
		if err := e.client.EnqueueMessage(e.ctx, "i", "q", func() {}); !errors.Is(err, durable.ErrInvalidInput) {
			t.Errorf("enqueue: %v", err)
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, in string) (string, error) {
		ctx.SetStatus("working")
		ctx.Sleep(time.Hour)
		ctx.SetStatus("nearly")
		if in == "bad" {
			return fail.Call(ctx, "no luck")
		}
		return in, nil
	}), func(e *env) {
		status := func(id string) *durable.Status {
			t.Helper()
			s, err := e.client.Status(e.ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if _, err := e.client.Status(e.ctx, "good"); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("before the start: %v", err)
		}
		begin(e, main, "good", "good")
		begin(e, main, "bad", "bad")
		time.Sleep(time.Second)
		if s := status("good"); s.State != core.StatusRunning || s.Done() || *s.CustomStatus != "working" || s.CustomStatusVersion != 1 || s.ExecutionID != 1 {
			t.Errorf("running: %+v", s)
		}
		time.Sleep(2 * time.Hour)
		if s := status("good"); s.State != core.StatusCompleted || !s.Done() || s.Output != "good" || s.Failure != nil || *s.CustomStatus != "nearly" || s.CustomStatusVersion != 2 {
			t.Errorf("completed: %+v", s)
		}
		if s := status("bad"); s.State != core.StatusFailed || !s.Done() || s.Failure.Error() != "no luck" {
			t.Errorf("failed: %+v", s)
		}
	})
}

func TestWait(t *testing.T) {
	t.Run("for an instance that does not exist yet", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, code(echo), func(e *env) {
			go func() {
				time.Sleep(time.Second)
				_, _ = main.Start(e.ctx, e.client, "i", "in")
			}()
			if out, err := main.Run(e.client, "i").Wait(e.ctx); err != nil || out != "in" {
				t.Errorf("%q, %v", out, err)
			}
		})
	})
	t.Run("until its context ends", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil }), func(e *env) {
			run := begin(e, main, "i", "")
			ctx, cancel := context.WithTimeout(e.ctx, time.Second)
			defer cancel()
			began := time.Now()
			if _, err := run.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			cause := errors.New("my cause")
			ctx2, cancel2 := context.WithCancelCause(e.ctx)
			cancel2(cause)
			if _, err := e.client.Wait(ctx2, "i"); !errors.Is(err, cause) {
				t.Errorf("%v, want the cause", err)
			}
		})
	})
	t.Run("of a failure", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) { return fail.Call(ctx, "bad") }), func(e *env) {
			s, err := e.client.Wait(e.ctx, begin(e, main, "i", "").InstanceID())
			if err != nil || s.State != core.StatusFailed {
				t.Errorf("%+v, %v", s, err)
			}
			_, err = main.Run(e.client, "i").Wait(e.ctx)
			var failed *durable.RunError
			if !errors.As(err, &failed) || errors.Is(err, durable.ErrCancelled) || err.Error() != "orchestration i: bad" {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("of a result of another type", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, code(echo), func(e *env) {
			begin(e, main, "i", "text")
			_, err := durable.Orchestration[string, int]("main").Run(e.client, "i").Wait(e.ctx)
			if err == nil || !strings.Contains(err.Error(), "result of i: decode int") {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("on a provider that cannot be asked for the instance's state", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			e.p = struct{ core.Provider }{e.p} // hides what is optional
			e.client = durable.NewClient(e.p, &durable.ClientOptions{Clock: core.SystemClock()})
			e.start(nil, code(func(ctx *durable.Context, in string) (string, error) { ctx.Sleep(time.Second); return in, nil })...)
			if out, err := begin(e, main, "i", "in").Wait(e.ctx); err != nil || out != "in" {
				t.Errorf("%q, %v", out, err)
			}
		})
	})
	t.Run("on a provider that fails", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			broken := errors.New("unreachable")
			client := durable.NewClient(failingReads{e.p, broken}, nil)
			if _, err := client.Wait(e.ctx, "i"); !errors.Is(err, broken) {
				t.Errorf("wait: %v", err)
			}
			if _, err := client.Status(e.ctx, "i"); !errors.Is(err, broken) {
				t.Errorf("status: %v", err)
			}
			if err := client.Start(e.ctx, "main", "i", "", durable.OnConflict(durable.FailIfExists)); !errors.Is(err, broken) {
				t.Errorf("start: %v", err)
			}
			if _, err := client.WaitStatusChange(e.ctx, "i", 0); !errors.Is(err, broken) {
				t.Errorf("wait for a status: %v", err)
			}
		})
	})
}

type failingReads struct {
	core.Provider
	err error
}

func (p failingReads) Read(context.Context, core.ReadParams) ([]core.Event, error) { return nil, p.err }

func TestWaitStatusChange(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
		for i := range 4 {
			ctx.SetStatus(fmt.Sprint("step ", i))
			ctx.Sleep(time.Minute)
		}
		ctx.ResetStatus()
		ctx.Sleep(time.Minute)
		return "out", nil
	}), func(e *env) {
		begin(e, main, "i", "")
		var seen []string
		version := uint64(0)
		for {
			s, err := e.client.WaitStatusChange(e.ctx, "i", version)
			if err != nil {
				t.Fatal(err)
			}
			if s.Done() {
				break
			}
			text := "none"
			if s.CustomStatus != nil {
				text = *s.CustomStatus
			}
			seen, version = append(seen, text), s.CustomStatusVersion
		}
		if got := strings.Join(seen, ", "); got != "step 0, step 1, step 2, step 3, none" {
			t.Errorf("seen: %s", got)
		}
	})
}

func TestMessagesToNobody(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
		i := durable.Race(ctx, durable.Dequeue[string](ctx, "q"), durable.WaitEvent[string](ctx, "e"), ctx.Timer(time.Minute))
		return fmt.Sprint(i), nil
	}), func(e *env) {
		e.enqueue("i", "q", "early")
		e.raise("i", "e", "early")
		time.Sleep(time.Second)
		synctest.Wait()
		want(e, main, "i", "", "2")
	})
}

// TestResultIsStable: an end is an end, whatever comes after it.
func TestResultIsStable(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
		_, _, _ = slow.Schedule(ctx, time.Minute), durable.WaitEvent[string](ctx, "e"), ctx.Timer(time.Minute) //durable:allow the end gives them up
		return "out", nil
	}), func(e *env) {
		run := begin(e, main, "i", "")
		wantRun(e, run, "out")
		before := len(e.events("i"))
		e.raise("i", "e", "late")
		e.enqueue("i", "q", "late")
		time.Sleep(time.Hour)
		wantRun(e, run, "out")
		if n := len(e.events("i")); n != before {
			t.Errorf("%d events, had %d", n, before)
		}
	})
}
