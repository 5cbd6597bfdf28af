package stranger

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/validation"
)

// harness is how the suite reaches the provider. Only NewProvider is required.
func harness() validation.Harness {
	return validation.Harness{
		NewProvider: func(context.Context) (core.Provider, error) { return New(), nil },
		LongPolls:   true,
		Parallel:    64, // cases mostly wait

		CorruptHistory: func(_ context.Context, p core.Provider, id string) error {
			t := p.(*Provider).tables
			t.mu.Lock()
			defer t.mu.Unlock()
			for _, events := range t.instance(id).history {
				for event := range events {
					events[event] = []byte(`{"garbage": true}`)
				}
			}
			return nil
		},
		CorruptQueues: func(_ context.Context, p core.Provider, id string) error {
			t := p.(*Provider).tables
			t.mu.Lock()
			defer t.mu.Unlock()
			for _, m := range t.messages {
				if m.instance == id {
					m.item = []byte(`{"garbage": true}`)
				}
			}
			for _, act := range t.activities {
				if act.id.Instance == id {
					act.item = []byte(`{"garbage": true}`)
				}
			}
			return nil
		},
		MaxAttemptCount: func(_ context.Context, p core.Provider, id string) (n uint32, err error) {
			t := p.(*Provider).tables
			t.mu.Lock()
			defer t.mu.Unlock()
			for _, m := range t.messages {
				if m.instance == id {
					n = max(n, m.attempts)
				}
			}
			return n, nil
		},
		WithClockOffset: func(_ context.Context, p core.Provider, d time.Duration) (core.Provider, error) {
			own := p.(*Provider)
			return &Provider{tables: own.tables, clock: core.OffsetClock(own.clock, d)}, nil
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	validation.Run(t, func(*testing.T) validation.Harness { return harness() })
}

// TestReport runs the quick categories as a program without package
// testing would, and looks into the report.
func TestReport(t *testing.T) {
	t.Parallel()
	cases := slices.DeleteFunc(validation.Cases(), func(c validation.Case) bool {
		return c.Category != "custom_status" && c.Category != "kv_store"
	})
	h := harness()
	h.RequireAll = true
	report, err := validation.Check(t.Context(), h, cases...)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if report.Counts[validation.Passed] != len(cases) {
		t.Error(report)
	}
}
