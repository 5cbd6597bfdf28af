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

// mismatches is an observer that keeps nothing else.
type mismatches struct {
	mu  sync.Mutex
	all []Execution
}

func (*mismatches) Fetched(context.Context, Queue)                                               {}
func (*mismatches) Processed(context.Context, Queue, Fate, time.Duration)                        {}
func (*mismatches) ExecutionStarted(context.Context, Execution)                                  {}
func (*mismatches) ExecutionEnded(context.Context, Execution, ExecutionEnd)                      {}
func (*mismatches) ChildEnded(context.Context, Execution, replay.ChildOutcome)                   {}
func (*mismatches) ActivityEnded(context.Context, core.ActivityExecuteItem, uint32, ActivityEnd) {}

func (m *mismatches) WarmMismatch(_ context.Context, e Execution) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, e)
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
				var m mismatches
				b.cfg.Observer = &m
				b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20, CheckEvery: 1}
				b.start()
				b.startWith("i", "abcdefghijklmnopqrstuvwxyz") // too long to come with the item
				b.end("i")
				m.mu.Lock()
				defer m.mu.Unlock()
				if diff := cmp.Diff(want, m.all); diff != "" {
					t.Errorf("mismatches (-want +got):\n%s", diff)
				}
			})
		})
	}
}
