package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// soakReport counts what happened.
type soakReport struct {
	mu      sync.Mutex
	calls   map[string]*soakCalls
	retries map[string]int // repetitions inside the provider, by cause
}

// soakCalls are the calls of one kind.
type soakCalls struct {
	latencies []time.Duration
	refused   int // for a reason that its caller has to expect
	failed    int
}

func (r *soakReport) call(op string, took time.Duration, refused, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[op]
	if c == nil {
		c = &soakCalls{}
		r.calls[op] = c
	}
	c.latencies = append(c.latencies, took)
	if refused {
		c.refused++
	}
	if failed {
		c.failed++
	}
}

// String returns a table.
func (r *soakReport) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %8s %8s %7s %9s %9s %9s\n", "operation", "calls", "refused", "failed", "p50 ms", "p99 ms", "max ms")
	for _, op := range slices.Sorted(maps.Keys(r.calls)) {
		c := r.calls[op]
		slices.Sort(c.latencies)
		ms := func(part float64) float64 {
			return c.latencies[int(part*float64(len(c.latencies)-1))].Seconds() * 1000
		}
		fmt.Fprintf(&b, "%-18s %8d %8d %7d %9.1f %9.1f %9.1f\n", op, len(c.latencies), c.refused, c.failed, ms(0.5), ms(0.99), ms(1))
	}
	fmt.Fprintf(&b, "retries inside the provider: %s\n", counts(r.retries))
	return b.String()
}

// counts lists what was counted, or says that it was nothing.
func counts(n map[string]int) string {
	if len(n) == 0 {
		return "none"
	}
	var parts []string
	for _, key := range slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), strings.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%d %s", n[key], key))
	}
	return strings.Join(parts, ", ")
}

// soakRetries is a handler that counts the provider's repetitions.
type soakRetries struct {
	slog.Handler
	report *soakReport
}

// Enabled implements [slog.Handler].
func (soakRetries) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements [slog.Handler].
func (h soakRetries) WithAttrs([]slog.Attr) slog.Handler { return h }

// Handle implements [slog.Handler].
func (h soakRetries) Handle(_ context.Context, record slog.Record) error {
	if record.Message != "retrying" {
		return nil
	}
	var op, cause string
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "op":
			op = a.Value.String()
		case "error":
			cause = a.Value.String()
		}
		return true
	})
	if _, after, ok := strings.Cut(cause, op+": "); ok {
		cause = after
	}
	cause, _, _ = strings.Cut(cause, ":")
	h.report.mu.Lock()
	defer h.report.mu.Unlock()
	h.report.retries[op+" after "+cause]++
	return nil
}
