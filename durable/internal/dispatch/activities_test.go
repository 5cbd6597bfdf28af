package dispatch

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text } // panics on nil

func TestActivityOutcomes(t *testing.T) {
	tests := map[string]struct {
		activity ActivityHandler
		output   string // or
		failure  string
	}{
		"ok":           {plain("fine"), "fine", ""},
		"error":        {func(context.Context, Task) (string, error) { return "ignored", errors.New("no luck") }, "", "no luck"},
		"panic":        {func(context.Context, Task) (string, error) { panic("boom") }, "", "activity panicked: boom"},
		"Goexit":       {func(context.Context, Task) (string, error) { runtime.Goexit(); return "", nil }, "", "activity called runtime.Goexit"},
		"bad text":     {func(context.Context, Task) (string, error) { return "", errors.New("a\xffb") }, "", "a�b"},
		"a nil error":  {func(context.Context, Task) (string, error) { return "", (*nilError)(nil) }, "", "activity panicked: runtime error: invalid memory address or nil pointer dereference"},
		"an old error": {func(context.Context, Task) (string, error) { return "", context.DeadlineExceeded }, "", "context deadline exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, calls(tt.activity), func(b *bench) {
				b.start()
				b.startInstance("i", "o")
				if tt.failure != "" {
					b.wantFailure("i", tt.failure)
				} else {
					b.wantOutput("i", tt.output)
				}
			})
		})
	}
}

func TestActivityIsTold(t *testing.T) {
	t.Parallel()
	var told box[Task]
	inBubble(t, calls(func(_ context.Context, task Task) (string, error) { told.set(task); return "", nil }), func(b *bench) {
		b.start()
		b.startInstance("i", "o")
		b.wantOutput("i", "")
		got := told.get()
		got.Heartbeat, got.Limit, got.PrepareTx, got.CompleteTx = nil, nil, nil, nil
		want := Task{ActivityExecuteItem: core.ActivityExecuteItem{Instance: "i", ExecutionID: 1, ID: 2, Name: "a", Input: "x"}, Attempt: 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUnregisteredActivity(t *testing.T) {
	t.Parallel()
	inBubble(t, calls(nil), func(b *bench) {
		b.cfg.Registry = code{orchestrations: map[string]replay.Handler{"o": callA}}
		b.start()
		began := time.Now()
		b.startInstance("i", "o")
		b.wantFailure("i", "poison: activity a#2 exceeded 4 attempts (max 3)")
		if waited := time.Since(began); waited < 6*time.Second || waited > 8*time.Second {
			t.Errorf("poisoned after %v, want back-offs of 1, 2 and 3 s", waited)
		}
		want := []core.AbandonParams{
			{Delay: time.Second, StayAway: 2 * time.Second},
			{Delay: 2 * time.Second, StayAway: 2 * time.Second},
			{Delay: 3 * time.Second, StayAway: 2 * time.Second},
		}
		if diff := cmp.Diff(want, b.p.abandons()); diff != "" {
			t.Error(diff)
		}
		failed := b.end("i").(core.OrchestrationFailed).Details.(core.PoisonError)
		if !strings.Contains(failed.Message, `"ActivityExecute"`) || failed.MessageType != (core.PoisonActivity{Instance: "i", ExecutionID: 1, ActivityName: "a", ActivityID: 2}) {
			t.Errorf("poison %+v", failed)
		}
	})
}

func TestActivityThatCrashesItsProcess(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int32
	inBubble(t, calls(func(context.Context, Task) (string, error) { attempts.Add(1); return "", nil }), func(b *bench) {
		// The process dies before each acknowledgement: nothing is stored, the
		// lock expires.
		b.p.before = func(ctx context.Context, method string, _ int, _ any) error {
			if method == "ack activity" && attempts.Load() <= 3 && b.p.count("ack activity") < 4 || method == "abandon activity" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		b.start()
		b.startInstance("i", "o")
		b.wantFailure("i", "poison: activity a#2 exceeded 4 attempts (max 3)")
		if n := attempts.Load(); n != 3 {
			t.Errorf("it ran %d times", n)
		}
	})
}

// raceAgainstTimer drops its activity when a timer fires first.
func raceAgainstTimer(after time.Duration) replay.Handler {
	return func(c *replay.Context, _ string) (string, error) {
		f, timer := c.Activity("a", "x", nil, nil), c.Timer(after)
		c.Block(func() bool { return f.Ready() || timer.Ready() })
		if !f.Ready() {
			f.Drop()
		}
		return "over", nil
	}
}

func TestCancelledActivity(t *testing.T) {
	for name, tt := range map[string]struct {
		start func(b *bench)
		after time.Duration
	}{
		"learns of it at once":                            {(*bench).start, time.Second},
		"learns of it from elsewhere at the next renewal": {(*bench).startApart, 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cause box[error]
			var after box[time.Duration]
			c := calls(func(ctx context.Context, _ Task) (string, error) {
				began := time.Now()
				<-ctx.Done()
				cause.set(context.Cause(ctx))
				after.set(time.Since(began))
				return "late", nil
			})
			c.orchestrations["o"] = raceAgainstTimer(time.Second)
			inBubble(t, c, func(b *bench) {
				tt.start(b)
				b.startInstance("i", "o")
				b.wantOutput("i", "over")
				time.Sleep(time.Minute)
				if !errors.Is(cause.get(), ErrNotWanted) || after.get() != tt.after {
					t.Errorf("cause %v after %v, want it after %v", cause.get(), after.get(), tt.after)
				}
				if n := len(b.p.abandons()); n != 0 {
					t.Errorf("abandoned %d times", n)
				}
			})
		})
	}
	t.Run("learns of it from elsewhere by a heartbeat", func(t *testing.T) {
		t.Parallel()
		var after box[time.Duration]
		c := calls(func(ctx context.Context, task Task) (string, error) {
			began := time.Now()
			for task.Heartbeat(ctx) == nil {
				time.Sleep(100 * time.Millisecond)
			}
			after.set(time.Since(began))
			return "", context.Cause(ctx)
		})
		c.orchestrations["o"] = raceAgainstTimer(time.Second)
		inBubble(t, c, func(b *bench) {
			b.startApart()
			b.startInstance("i", "o")
			b.wantOutput("i", "over")
			time.Sleep(time.Minute)
			if d := after.get(); d == 0 || d > 2*time.Second {
				t.Errorf("learned of it after %v", d)
			}
		})
	})
	t.Run("that ignores its context gives its slot up after the grace period", func(t *testing.T) {
		t.Parallel()
		c := calls(func(_ context.Context, task Task) (string, error) {
			if task.Instance == "deaf" {
				time.Sleep(time.Hour)
			}
			return "", nil
		})
		c.orchestrations["race"] = raceAgainstTimer(time.Second)
		inBubble(t, c, func(b *bench) {
			b.cfg.MaxActivities, b.cfg.ActivityFetchers = 1, 1
			b.start()
			b.startInstance("deaf", "race")
			b.wantOutput("deaf", "over")
			began := time.Now()
			b.startInstance("next", "o")
			b.wantOutput("next", "")
			if waited := time.Since(began); waited < 9*time.Second || waited > 12*time.Second { // the grace takes 10 s
				t.Errorf("the slot was free after %v", waited)
			}
			if b.log.holds("its goroutine is left behind") != 1 {
				t.Error("not logged")
			}
			time.Sleep(time.Hour)
		})
	})
}

func TestActivityWhoseLockExpires(t *testing.T) {
	t.Parallel()
	var cause box[error]
	c := calls(func(ctx context.Context, task Task) (string, error) {
		if task.Attempt > 1 {
			return "second", nil
		}
		<-ctx.Done()
		cause.set(context.Cause(ctx))
		return "", ctx.Err()
	})
	inBubble(t, c, func(b *bench) {
		b.p.before = failing("renew activity", 1000, errBusy)
		b.start()
		b.startInstance("i", "o")
		b.wantOutput("i", "second")
		synctest.Wait() // the first attempt ends in the same moment
		if !errors.Is(cause.get(), ErrLockExpired) {
			t.Errorf("cause %v", cause.get())
		}
		if diff := cmp.Diff([]core.AbandonParams{{}}, b.p.abandons()); diff != "" {
			t.Errorf("abandoned, the attempt counted (-want +got):\n%s", diff)
		}
		if n := b.p.count("renew activity"); n < 4 {
			t.Errorf("only %d renewals were tried", n)
		}
	})
}

func TestRenewalThatFailsForAWhile(t *testing.T) {
	t.Parallel()
	c := calls(func(ctx context.Context, _ Task) (string, error) {
		select {
		case <-time.After(5 * time.Minute):
			return "kept", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
	inBubble(t, c, func(b *bench) {
		b.p.before = failing("renew activity", 3, errBusy)
		b.start()
		b.startInstance("i", "o")
		b.wantOutput("i", "kept")
		if n := len(b.p.abandons()); n != 0 {
			t.Errorf("abandoned %d times", n)
		}
	})
}

func TestOutcomeThatCannotBeStored(t *testing.T) {
	tests := map[string]struct {
		before   func(context.Context, string, int, any) error
		output   string
		failure  string
		attempts int32
		abandons []core.AbandonParams
	}{
		"for a while: tried again":                  {failing("ack activity", 5, errBusy), "r", "", 1, nil},
		"too long: it runs again":                   {failing("ack activity", 6, errBusy), "r", "", 2, []core.AbandonParams{{Delay: 100 * time.Millisecond}}},
		"never: a failure is recorded":              {failing("ack activity", 1, errBad), "", "the activity's outcome cannot be stored: bad", 1, nil},
		"nor the failure: it runs again":            {failing("ack activity", 2, errBad), "r", "", 2, []core.AbandonParams{{Delay: 100 * time.Millisecond}}},
		"an error that nobody knows: it runs again": {failing("ack activity", 1, errors.New("odd")), "r", "", 2, []core.AbandonParams{{Delay: 100 * time.Millisecond}}},
		"lock lost: another worker has it":          {failing("ack activity", 1, errLost), "r", "", 2, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var attempts atomic.Int32
			inBubble(t, calls(func(context.Context, Task) (string, error) { attempts.Add(1); return "r", nil }), func(b *bench) {
				b.p.before = tt.before
				b.start()
				b.startInstance("i", "o")
				if tt.failure != "" {
					b.wantFailure("i", tt.failure)
				} else {
					b.wantOutput("i", tt.output)
				}
				if n := attempts.Load(); n != tt.attempts {
					t.Errorf("it ran %d times, want %d", n, tt.attempts)
				}
				if diff := cmp.Diff(tt.abandons, b.p.abandons()); diff != "" {
					t.Errorf("abandoned (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestForeignItemOnTheWorkerQueue(t *testing.T) {
	t.Parallel()
	inBubble(t, calls(plain("")), func(b *bench) {
		b.d = Start(t.Context(), b.cfg)
		b.d.activity(&core.LockedWorkItem{Item: core.TimerFiredItem{}, LockToken: "x", AttemptCount: 1})
		if b.log.holds("not an activity") != 1 {
			t.Error("not logged")
		}
	})
}
