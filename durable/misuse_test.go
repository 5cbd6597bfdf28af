package durable_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestChangedCode: what is said of code that does not repeat its history names
// what is recorded, what the code asked for, and where.
func TestChangedCode(t *testing.T) {
	t.Parallel()
	old := code(func(ctx *durable.Context, in string) (string, error) {
		ctx.Sleep(time.Hour)
		out, err := upper.Call(ctx, in)
		ctx.Sleep(time.Hour)
		return out, err
	})
	for name, tt := range map[string]struct {
		code    func(ctx *durable.Context, in string) (string, error)
		strict  bool
		failure string // empty for none
	}{
		"another activity": {
			func(ctx *durable.Context, in string) (string, error) {
				ctx.Sleep(time.Hour)
				return fail.Call(ctx, in)
			}, false,
			`nondeterministic: schedule mismatch: activity "upper" is recorded, but the code asked for activity "fail" (event 4, at durable/misuse_test.go:50)`,
		},
		"another tag": {
			func(ctx *durable.Context, in string) (string, error) {
				ctx.Sleep(time.Hour)
				return upper.Call(ctx, in, durable.WithTag("gpu"))
			}, false,
			`nondeterministic: schedule mismatch: activity "upper" is recorded, but the code asked for activity "upper" with tag "gpu" (event 4, at durable/misuse_test.go:57)`,
		},
		"waits for something else": {
			func(ctx *durable.Context, in string) (string, error) {
				timer := ctx.Timer(time.Hour)
				_, _ = timer.Await(ctx)
				_, _ = durable.Go(ctx, func(ctx *durable.Context) (int, error) {
					durable.Select(ctx, never{})
					return 0, nil
				}).Await(ctx)
				return in, nil
			}, false,
			`nondeterministic: history schedule but no emitted action: activity "upper" is recorded, but the code asked for nothing (event 4, at durable/misuse_test.go:68)`,
		},
		"an early return passes": {func(ctx *durable.Context, in string) (string, error) {
			ctx.Sleep(time.Hour)
			return in, nil
		}, false, ""},
		"an early return, strictly": {
			func(ctx *durable.Context, in string) (string, error) {
				ctx.Sleep(time.Hour)
				return in, nil
			}, true,
			`nondeterministic: returned early: activity "upper" is recorded, but the code returned before it (event 4)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				stop := e.start(nil, old...)
				run := begin(e, main, "i", "in")
				time.Sleep(90 * time.Minute)
				stop()
				e.start(&durable.Options{Nondeterminism: durable.Fail, StrictReplay: tt.strict}, code(tt.code)...)
				if tt.failure != "" {
					wantFailure(e, run, tt.failure)
				} else {
					wantRun(e, run, "in")
				}
			})
		})
	}
}

// never is not ready.
type never struct{ *durable.Future[int] }

func (never) Ready() bool { return false }

// TestWatchdog: code that blocks is reported with its stack, and goes on when
// it can.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		slow    time.Duration
		reports int
	}{"by default": {0, 1}, "off": {-1, 0}, "later": {time.Hour, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				block := make(chan struct{})
				var log lockedBuffer
				e.start(&durable.Options{SlowTurn: tt.slow, Logger: slog.New(slog.NewTextHandler(&log, nil))},
					code(func(_ *durable.Context, in string) (string, error) {
						//durable:allow it blocks so that it is noticed
						blockHere(block)
						return in, nil
					})...)
				run := begin(e, main, "i", "in")
				time.Sleep(30 * time.Second) // several leases: they are kept
				close(block)
				wantRun(e, run, "in")
				text := log.String()
				if n := strings.Count(text, "runs for long without waiting"); n != tt.reports {
					t.Errorf("%d reports, want %d", n, tt.reports)
				}
				for _, want := range []string{"blockHere", "misuse_test.go", "goes on"} {
					if tt.reports > 0 && !strings.Contains(text, want) {
						t.Errorf("no %q in:\n%s", want, text)
					}
				}
			})
		})
	}
}

func blockHere(c chan struct{}) { <-c }
