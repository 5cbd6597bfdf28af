package dispatch

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// shutdown ends the dispatcher with a grace period and says how long it took.
func (b *bench) shutdown(grace time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), grace)
	defer cancel()
	began := time.Now()
	err := b.d.Shutdown(ctx)
	return time.Since(began), err
}

// quiet checks that nothing of a dispatcher that was shut down goes on.
func (b *bench) quiet() {
	b.t.Helper()
	before := b.p.total()
	time.Sleep(time.Hour)
	if after := b.p.total(); after != before {
		b.t.Errorf("%d calls of the provider after the shutdown", after-before)
	}
}

func TestShutdown(t *testing.T) {
	t.Run("while fetches wait for work, takes no time", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(plain("")), func(b *bench) {
			b.start()
			synctest.Wait()
			if took, err := b.shutdown(time.Minute); err != nil || took != 0 {
				t.Errorf("%v after %v", err, took)
			}
		})
	})
	t.Run("with no grace at all", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(plain("")), func(b *bench) {
			b.start()
			synctest.Wait()
			if took, _ := b.shutdown(0); took != 0 {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("with no grace at all, in mid-work, from anywhere", func(t *testing.T) {
		t.Parallel()
		var ended box[bool]
		inBubble(t, calls(func(ctx context.Context, _ Task) (string, error) {
			<-ctx.Done()
			ended.set(true)
			return "", ctx.Err()
		}), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if took, err := b.shutdown(0); err == nil || took != 0 || !ended.get() {
					t.Errorf("%v after %v, the activity ended: %v", err, took, ended.get())
				}
			}()
			<-done
			b.quiet()
		})
	})
	t.Run("with one slot and one fetcher", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(context.Context, Task) (string, error) { time.Sleep(time.Minute); return "", nil }), func(b *bench) {
			b.cfg.MaxTurns, b.cfg.TurnFetchers, b.cfg.MaxActivities, b.cfg.ActivityFetchers = 1, 1, 1, 1
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			if took, err := b.shutdown(time.Hour); err != nil || took != 59*time.Second {
				t.Errorf("%v after %v", err, took)
			}
			b.quiet()
		})
	})
	t.Run("once more, after a caller gave up", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(context.Context, Task) (string, error) { time.Sleep(time.Minute); return "", nil }), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			if _, err := b.shutdown(time.Second); err == nil {
				t.Error("the first call says that everything finished")
			}
			if took, err := b.shutdown(time.Hour); err != nil || took != 57*time.Second {
				t.Errorf("the second call: %v after %v, want the end of the activity", err, took)
			}
			b.quiet()
		})
	})
	t.Run("waits for an activity, and keeps its lock until it is stored", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(context.Context, Task) (string, error) { time.Sleep(5 * time.Minute); return "r", nil }), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			if took, err := b.shutdown(time.Hour); err != nil || took < 4*time.Minute || took > 5*time.Minute {
				t.Errorf("%v after %v", err, took)
			}
			if n := b.p.count("renew activity"); n < 10 {
				t.Errorf("%d renewals", n)
			}
			if n := b.p.count("ack activity"); n != 1 {
				t.Errorf("%d acknowledgements", n)
			}
			b.quiet()
			// The result is there for the next runtime.
			b.start()
			b.wantOutput("i", "r")
		})
	})
	t.Run("interrupts what takes longer; it runs again at once, the attempt not counted", func(t *testing.T) {
		t.Parallel()
		var cause box[error]
		inBubble(t, calls(func(ctx context.Context, task Task) (string, error) {
			if cause.get() != nil {
				if task.Attempt != 1 {
					return "", errors.New("the attempt was counted")
				}
				return "again", nil
			}
			<-ctx.Done()
			cause.set(context.Cause(ctx))
			return "", ctx.Err()
		}), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			took, err := b.shutdown(10 * time.Second)
			if err == nil || took != 10*time.Second || !errors.Is(cause.get(), ErrShutdown) {
				t.Errorf("%v after %v, cause %v", err, took, cause.get())
			}
			if diff := cmp.Diff([]core.AbandonParams{{IgnoreAttempt: true}}, b.p.abandons()); diff != "" {
				t.Errorf("abandoned (-want +got):\n%s", diff)
			}
			began := time.Now()
			b.start()
			b.wantOutput("i", "again")
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it ran again after %v", took)
			}
		})
	})
	t.Run("a result that comes after all is stored", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(ctx context.Context, _ Task) (string, error) { <-ctx.Done(); return "in time", nil }), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			_, _ = b.shutdown(time.Second)
			stored, abandoned := b.p.count("ack activity"), b.p.count("abandon activity")
			if stored+abandoned != 1 { // whichever the runtime saw first
				t.Errorf("stored %d times, abandoned %d times", stored, abandoned)
			}
		})
	})
	t.Run("code that ignores its context is reported and left", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(context.Context, Task) (string, error) { time.Sleep(time.Hour); return "", nil }), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			took, err := b.shutdown(10 * time.Second)
			if err == nil || took != 11*time.Second {
				t.Errorf("%v after %v", err, took)
			}
			time.Sleep(2 * time.Hour)
		})
	})
	t.Run("twice, and at the same time", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(context.Context, Task) (string, error) { time.Sleep(time.Minute); return "", nil }), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if took, err := b.shutdown(time.Hour); err != nil || took < 50*time.Second {
						t.Errorf("%v after %v: it did not wait for the activity", err, took)
					}
				})
			}
			wg.Wait()
			if took, err := b.shutdown(time.Hour); err != nil || took != 0 {
				t.Errorf("once more: %v after %v", err, took)
			}
		})
	})
	t.Run("a shorter one cuts a longer one short", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(func(ctx context.Context, _ Task) (string, error) { <-ctx.Done(); return "", ctx.Err() }), func(b *bench) {
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			var wg sync.WaitGroup
			wg.Go(func() {
				if took, _ := b.shutdown(time.Hour); took > 10*time.Second {
					t.Errorf("the longer one took %v", took)
				}
			})
			time.Sleep(time.Second)
			_, _ = b.shutdown(0)
			wg.Wait()
		})
	})
	t.Run("a turn is finished", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(plain("")), func(b *bench) {
			b.p.before = func(_ context.Context, method string, n int, _ any) error {
				if method == "ack turn" && n == 1 {
					time.Sleep(20 * time.Second)
				}
				return nil
			}
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			if took, err := b.shutdown(time.Minute); err != nil || took != 19*time.Second {
				t.Errorf("%v after %v", err, took)
			}
			if n := len(b.history("i")); n != 2 {
				t.Errorf("%d events stored", n)
			}
			if n := b.p.count("renew turn"); n != 6 { // every 3 s
				t.Errorf("its lock was renewed %d times", n)
			}
			b.quiet()
		})
	})
	t.Run("a turn that cannot be stored in time is given back, the attempt not counted", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(plain("")), func(b *bench) {
			b.p.before = func(ctx context.Context, method string, n int, _ any) error {
				if method == "ack turn" && n == 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
			b.start()
			b.startInstance("i", "o")
			time.Sleep(time.Second)
			_, _ = b.shutdown(time.Second)
			if diff := cmp.Diff([]core.AbandonParams{{IgnoreAttempt: true}}, b.p.abandons()); diff != "" {
				t.Errorf("abandoned (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("what a fetch brings home meanwhile is run", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(plain("")), func(b *bench) {
			b.p.before = func(_ context.Context, method string, _ int, _ any) error {
				if method == "fetch turn" {
					time.Sleep(100 * time.Millisecond) // in the middle of its query
				}
				return nil
			}
			b.cfg.Provider = lingering{impatient{b.p}}
			b.start()
			synctest.Wait()
			b.startInstance("i", "o")
			if _, err := b.shutdown(time.Minute); err != nil {
				t.Error(err)
			}
			if len(b.history("i")) == 0 {
				t.Error("what was fetched was not run")
			}
		})
	})
}

// TestFetchErrors: those that may pass back off, others are reported.
func TestFetchErrors(t *testing.T) {
	tests := map[string]struct {
		err      error
		log      string
		min, max time.Duration // until four failures are over, two fetchers
	}{
		"may pass": {errBusy, "fetch failed: trying again", 600 * time.Millisecond, 900 * time.Millisecond},
		"for good": {errBad, "level=ERROR msg=\"fetch failed\"", 200 * time.Millisecond, 300 * time.Millisecond},
	}
	for name, tt := range tests {
		for _, method := range []string{"fetch turn", "fetch activity"} {
			t.Run(method+", "+name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, calls(plain("r")), func(b *bench) {
					b.p.before = failing(method, 4, tt.err)
					began := time.Now()
					b.start()
					for b.p.count(method) < 5 {
						time.Sleep(10 * time.Millisecond)
					}
					if took := time.Since(began); took < tt.min || took > tt.max {
						t.Errorf("after %v", took)
					}
					b.startInstance("i", "o")
					b.wantOutput("i", "r")
					if b.log.holds(tt.log) != 4 {
						t.Errorf("logged %d times", b.log.holds(tt.log))
					}
				})
			})
		}
	}
}

// lingering finishes its query although its caller gave up, so that a claim is
// not lost with its reply.
type lingering struct{ impatient }

func (p lingering) FetchOrchestrationItem(ctx context.Context, q core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	return p.impatient.FetchOrchestrationItem(context.WithoutCancel(ctx), q)
}

// impatient never waits for work.
type impatient struct{ *faulty }

func (p impatient) FetchOrchestrationItem(ctx context.Context, q core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	q.PollTimeout = 0
	return p.faulty.FetchOrchestrationItem(ctx, q)
}

func TestPollIntervalOfAProviderThatDoesNotWait(t *testing.T) {
	for name, interval := range map[string]time.Duration{"as usual": 100 * time.Millisecond, "slow": time.Second, "fast": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, calls(plain("r")), func(b *bench) {
				b.cfg.Provider, b.cfg.MinPollInterval = impatient{b.p}, interval
				b.start()
				time.Sleep(10*time.Second + interval/2)
				want := int(2 * 10 * time.Second / interval) // of two fetchers
				if n := b.p.count("fetch turn"); n < want*95/100 || n > want*105/100+2 {
					t.Errorf("%d fetches in ten seconds, want %d", n, want)
				}
				b.startInstance("i", "o")
				b.wantOutput("i", "r")
			})
		})
	}
}

// TestOneSlot: a single slot of each kind is enough for everything.
func TestOneSlot(t *testing.T) {
	t.Parallel()
	c := calls(plain("r"))
	c.orchestrations["many"] = func(c *replay.Context, _ string) (string, error) {
		for range 5 {
			f := c.Child("o", "", "x", nil)
			c.Block(f.Ready)
			_, _, _ = f.Take()
		}
		return "ok", nil
	}
	inBubble(t, c, func(b *bench) {
		b.cfg.MaxTurns, b.cfg.MaxActivities = 1, 1
		b.start()
		b.startInstance("i", "many")
		b.startInstance("j", "many")
		b.wantOutput("i", "ok")
		b.wantOutput("j", "ok")
	})
}
