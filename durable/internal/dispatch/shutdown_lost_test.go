package dispatch

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// losing loses the reply of one call: it does it or not, and then hangs until its
// caller gives up.
type losing struct {
	*faulty
	method string
	undone bool
	lost   atomic.Bool
}

// lose calls f, whose answer is whether the call counts.
func (p *losing) lose(ctx context.Context, method string, f func() bool) error {
	if method != p.method || p.lost.Load() {
		f()
		return nil
	}
	if !p.undone && !f() {
		return nil
	}
	p.lost.Store(true)
	<-ctx.Done()
	return ctx.Err()
}

func (p *losing) FetchOrchestrationItem(ctx context.Context, q core.FetchOrchestrationItemParams) (item *core.OrchestrationItem, err error) {
	if err := p.lose(ctx, "fetch turn", func() bool { item, err = p.faulty.FetchOrchestrationItem(ctx, q); return item != nil }); err != nil {
		return nil, err
	}
	return item, err
}

func (p *losing) FetchWorkItem(ctx context.Context, q core.FetchWorkItemParams) (item *core.LockedWorkItem, err error) {
	if err := p.lose(ctx, "fetch activity", func() bool { item, err = p.faulty.FetchWorkItem(ctx, q); return item != nil }); err != nil {
		return nil, err
	}
	return item, err
}

func (p *losing) AckOrchestrationItem(ctx context.Context, q core.AckOrchestrationItemParams) (err error) {
	if err := p.lose(ctx, "ack turn", func() bool { err = p.faulty.AckOrchestrationItem(ctx, q); return true }); err != nil {
		return err
	}
	return err
}

func (p *losing) AckWorkItem(ctx context.Context, q core.AckWorkItemParams) (err error) {
	if err := p.lose(ctx, "ack activity", func() bool { err = p.faulty.AckWorkItem(ctx, q); return true }); err != nil {
		return err
	}
	return err
}

// TestShutdownLosesNothing: a shutdown cuts off a call of the provider, which did
// its work or not. The next dispatcher goes on from what is stored, at once or
// when the lock has expired.
func TestShutdownLosesNothing(t *testing.T) {
	tests := map[string]struct {
		method string
		undone bool
		runs   int32         // of the activity
		within time.Duration // until it goes on
	}{
		"a turn that was fetched":                      {"fetch turn", false, 1, 5 * time.Second},
		"an activity that was fetched":                 {"fetch activity", false, 1, 30 * time.Second},
		"a turn before it is stored":                   {"ack turn", true, 1, 0},
		"a turn after it is stored":                    {"ack turn", false, 1, 0},
		"an activity before its result is stored":      {"ack activity", true, 2, 0},
		"an activity after its result has been stored": {"ack activity", false, 1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var runs atomic.Int32
			inBubble(t, calls(func(context.Context, Task) (string, error) { runs.Add(1); return "r", nil }), func(b *bench) {
				p := &losing{faulty: b.p, method: tt.method, undone: tt.undone}
				b.cfg.Provider = p
				b.start()
				b.startInstance("i", "o")
				for !p.lost.Load() {
					time.Sleep(time.Millisecond)
				}
				_, _ = b.shutdown(time.Second)
				began := time.Now()
				b.cfg.Provider = b.p
				b.start()
				b.wantOutput("i", "r")
				if took := time.Since(began); took > tt.within+2*time.Second {
					t.Errorf("it went on after %v", took)
				}
				if n := runs.Load(); n != tt.runs {
					t.Errorf("the activity ran %d times, want %d", n, tt.runs)
				}
				if n := len(b.history("i")); n != 4 {
					t.Errorf("%d events stored", n)
				}
			})
		})
	}
}
