package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
)

func TestRenewalInterval(t *testing.T) {
	const s = time.Second
	tests := []struct{ timeout, buffer, want time.Duration }{
		{30 * s, 5 * s, 25 * s}, {15 * s, 5 * s, 10 * s}, {20 * s, 20 * s, s}, {20 * s, time.Hour, s}, {16 * s, 15500 * time.Millisecond, s},
		{15 * s, 0, 15 * s}, {14999 * time.Millisecond, 5 * s, 8 * s}, {5 * s, 2 * s, 3 * s}, {10 * s, 0, 5 * s}, {3 * s, 0, 2 * s}, {2 * s, 0, s},
		// The family would renew these after a second, when they have expired.
		{1500 * time.Millisecond, 0, 750 * time.Millisecond}, {s, 0, s / 2}, {10 * time.Millisecond, 0, 5 * time.Millisecond}, {1, 0, time.Millisecond},
	}
	for _, tt := range tests {
		if got := renewalInterval(tt.timeout, tt.buffer); got != tt.want {
			t.Errorf("renewalInterval(%v, %v) = %v, want %v", tt.timeout, tt.buffer, got, tt.want)
		}
	}
}

// TestKeepLock: a lock of 30 s is renewed every 25 s. The renewal of each
// number answers as the table says, nil after its end.
func TestKeepLock(t *testing.T) {
	const s = time.Second
	hangs := errors.New("hangs")
	tests := map[string]struct {
		answers []error
		at      []time.Duration // the first renewals
		lost    error           // after the last of them
	}{
		"every interval":               {nil, []time.Duration{25 * s, 50 * s, 75 * s}, nil},
		"gone":                         {[]error{errLost}, []time.Duration{25 * s}, core.ErrLockLost},
		"gone later":                   {[]error{nil, errLost}, []time.Duration{25 * s, 50 * s}, core.ErrLockLost},
		"fails, then not":              {[]error{errBusy, errBad}, []time.Duration{25 * s, 26250 * time.Millisecond, 27187500 * time.Microsecond, 52187500 * time.Microsecond}, nil},
		"hangs until the lock is dead": {[]error{hangs}, []time.Duration{25 * s}, ErrLockExpired},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &Dispatcher{cfg: Config{Clock: core.SystemClock()}, log: slog.New(slog.DiscardHandler)}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := time.Now()
				var at []time.Duration
				var lost []error
				d.keepLock(ctx, 30*s, 5*s, func(ctx context.Context) error {
					at = append(at, time.Since(began))
					if n := len(at); n <= len(tt.answers) {
						if errors.Is(tt.answers[n-1], hangs) {
							<-ctx.Done()
							return ctx.Err()
						}
						return tt.answers[n-1]
					}
					if len(at) >= len(tt.at) {
						cancel()
					}
					return nil
				}, func(err error) { lost = append(lost, err) })
				if diff := cmp.Diff(tt.at, at); diff != "" {
					t.Errorf("renewed at (-want +got):\n%s", diff)
				}
				if tt.lost == nil && len(lost) > 0 || tt.lost != nil && !slices.ContainsFunc(lost, func(e error) bool { return errors.Is(e, tt.lost) }) || len(lost) > 1 {
					t.Errorf("lost %v, want %v", lost, tt.lost)
				}
			})
		})
	}
	t.Run("fails until the lock is dead", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &Dispatcher{cfg: Config{Clock: core.SystemClock()}, log: slog.New(slog.DiscardHandler)}
			began, n := time.Now(), 0
			var lost error
			d.keepLock(t.Context(), 30*s, 5*s, func(context.Context) error { n++; return errBusy }, func(err error) { lost = err })
			if took := time.Since(began); !errors.Is(lost, ErrLockExpired) || took != 30*s || n < 5 || n > 60 {
				t.Errorf("%v after %v and %d tries", lost, took, n)
			}
		})
	})
	t.Run("the machine slept: the lock is dead, whatever the provider says", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &Dispatcher{cfg: Config{Clock: core.SystemClock()}, log: slog.New(slog.DiscardHandler)}
			var lost error
			d.keepLock(t.Context(), 30*s, 5*s, func(context.Context) error { time.Sleep(time.Hour); return errLost }, func(err error) { lost = err })
			if !errors.Is(lost, ErrLockExpired) {
				t.Errorf("lost %v", lost)
			}
		})
	})
}

func TestRetry(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		answers []error
		at      []time.Duration
		want    error
	}{
		"succeeds":                 {nil, []time.Duration{0}, nil},
		"for good":                 {[]error{errBad}, []time.Duration{0}, errBad},
		"passes":                   {[]error{errBusy, errBusy}, []time.Duration{0, 10 * ms, 30 * ms}, nil},
		"turns out to be for good": {[]error{errBusy, errLost}, []time.Duration{0, 10 * ms}, errLost},
		"does not pass":            {[]error{errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy}, []time.Duration{0, 10 * ms, 30 * ms, 70 * ms, 150 * ms, 310 * ms}, errBusy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &Dispatcher{cfg: Config{Clock: core.SystemClock()}}
				began := time.Now()
				var at []time.Duration
				err := d.retry(t.Context(), func(context.Context) error {
					at = append(at, time.Since(began))
					if n := len(at); n <= len(tt.answers) {
						return tt.answers[n-1]
					}
					return nil
				})
				if diff := cmp.Diff(tt.at, at); diff != "" || !errors.Is(err, tt.want) {
					t.Errorf("%v, tried at (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

func TestLockOfATurnIsKept(t *testing.T) {
	t.Parallel()
	inBubble(t, calls(plain("r")), func(b *bench) {
		b.p.before = func(_ context.Context, method string, n int, _ any) error {
			if method == "ack turn" && n == 1 {
				time.Sleep(time.Minute) // twelve times the lock
			}
			return nil
		}
		b.start()
		b.startInstance("i", "o")
		b.wantOutput("i", "r")
		if n := b.p.count("renew turn"); n < 15 {
			t.Errorf("renewed %d times", n)
		}
		if n := b.p.count("ack turn"); n != 2 {
			t.Errorf("%d acknowledgements", n)
		}
	})
}
