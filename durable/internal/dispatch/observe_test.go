package dispatch

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// witness is an observer that keeps what the tests of this package need.
type witness struct {
	mu         sync.Mutex
	mismatches []Execution
	activities []ActivityEnd
}

func (*witness) Fetched(context.Context, Queue)                             {}
func (*witness) Processed(context.Context, Queue, Fate, time.Duration)      {}
func (*witness) ExecutionStarted(context.Context, Execution)                {}
func (*witness) ExecutionEnded(context.Context, Execution, ExecutionEnd)    {}
func (*witness) ChildEnded(context.Context, Execution, replay.ChildOutcome) {}

func (w *witness) ActivityEnded(_ context.Context, _ core.ActivityExecuteItem, _ uint32, end ActivityEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.activities = append(w.activities, end)
}

func (w *witness) WarmMismatch(_ context.Context, e Execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mismatches = append(w.mismatches, e)
}

// TestObserveMismatch: a check that fails is told; one that passes is not. What
// the rest tells is tested in package durable.
func TestObserveMismatch(t *testing.T) {
	for name, want := range map[string][]Execution{
		"the same":  nil,
		"different": {{Instance: "i", ID: 1, Name: "o", Version: "1.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, runs := sequences(), 0
			c.orchestrations["o"] = func(c *replay.Context, in string) (string, error) {
				runs++
				run := runs * len(want)
				out, err := sequential(c, in)
				return fmt.Sprint(out, run), err
			}
			inBubble(t, c, func(b *bench) {
				var w witness
				b.cfg.Observer = &w
				b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20, CheckEvery: 1}
				b.start()
				b.startWith("i", "abcdefghijklmnopqrstuvwxyz") // too long to come with the item
				b.end("i")
				w.mu.Lock()
				defer w.mu.Unlock()
				if diff := cmp.Diff(want, w.mismatches); diff != "" {
					t.Errorf("mismatches (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestObserveCancelledWhileStored: an activity whose result is being stored when
// it is cancelled was cancelled.
func TestObserveCancelledWhileStored(t *testing.T) {
	inBubble(t, calls(plain("done")), func(b *bench) {
		var w witness
		b.cfg.Observer = &w
		b.p.before = func(_ context.Context, method string, _ int, _ any) error {
			if method == "ack activity" {
				b.send(core.CancelInstanceItem{Instance: "i", Reason: "enough"})
				b.end("i")
				time.Sleep(time.Second)
			}
			return nil
		}
		b.start()
		b.startInstance("i", "o")
		b.wantFailure("i", "canceled: enough")
		time.Sleep(time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if diff := cmp.Diff([]ActivityEnd{{Cancelled: true}}, w.activities); diff != "" {
			t.Errorf("activities (-want +got):\n%s", diff)
		}
	})
}
