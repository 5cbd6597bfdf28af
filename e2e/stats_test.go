package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// stats returns the sizes of an instance's current execution.
func (s *store) stats(t *testing.T, id string) *core.SystemStats {
	t.Helper()
	stats, err := s.p.GetInstanceStats(s.ctx, core.GetInstanceStatsParams{Instance: id})
	must(t, err)
	return stats
}

// The sizes of an instance are those of its current execution, and of all its
// keys.
func TestStats(t *testing.T) {
	const kib = 1024
	// holds compares the sizes with what else is known of the instance. The
	// history is as large as what is in it, and a bit more.
	holds := func(events uint64, payload, keys, bytes, carried int) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			got := s.stats(t, id)
			if got == nil {
				t.Fatal("no sizes")
			}
			if size := int(got.HistorySizeBytes); size <= payload || size > payload+int(events)*kib {
				t.Errorf("a history of %d bytes, want a bit more than %d", size, payload)
			}
			equal(t, "sizes", &core.SystemStats{
				HistoryEventCount: events, HistorySizeBytes: got.HistorySizeBytes,
				KVUserKeyCount: uint64(keys), KVTotalValueBytes: uint64(bytes), QueuePendingCount: uint64(carried),
			}, got)
		}
	}
	flows := map[string]flow{
		"after completion": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "123")
			return upcase.Call(ctx, "a")
		}, want: "A", end: holds(5, 0, 1, 3, 0)}, // started, set, scheduled, completed, ended
		"keys and their bytes": {code: func(ctx *durable.Context, _ string) (string, error) {
			for i := range 5 {
				ctx.KVSetRaw(fmt.Sprint("k", i), strings.Repeat("x", 10*i))
			}
			nextTurn(ctx)
			ctx.KVSetRaw("k4", "é") // two bytes
			ctx.KVClear("k3")
			waits(ctx)
			if _, err := reads(ctx, "go"); err != nil {
				return "", err
			}
			ctx.KVClear("k0")
			ctx.KVSetRaw("k5", "12345")
			return "", nil
		}, meanwhile: whenItWaits(func(t *testing.T, s *store, id string) {
			t.Helper()
			holds(12, 100, 4, 32, 0)(t, s, id) // 0, 10, 20 and 2 bytes
			sends("go=")(t, s, id)
		}), end: holds(16, 100, 4, 37, 0)},
		"a large history": {code: func(ctx *durable.Context, _ string) (string, error) {
			for range 50 {
				if _, err := relay.Call(ctx, strings.Repeat("x", kib)); err != nil {
					return "", err
				}
			}
			return "", nil
		}, end: holds(102, 100*kib, 0, 0, 0)},
		"large values": {code: func(ctx *durable.Context, _ string) (string, error) {
			for i := range 10 {
				ctx.KVSetRaw(fmt.Sprint("k", i), strings.Repeat("x", 50*kib))
			}
			return "", nil
		}, end: holds(12, 500*kib, 10, 500*kib, 0)},
		"continued as new, nothing carried": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				ctx.KVSetRaw("a", "123")
				for range 10 {
					nextTurn(ctx)
				}
			}
			return "", again(ctx, id, 2)
		}, end: holds(2, 0, 1, 3, 0)},
		"continued as new, messages carried": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				if _, err := reads(ctx, "go"); err != nil {
					return "", err
				}
				return "", again(ctx, id, 2)
			}
			waits(ctx)
			return reads(ctx, "end")
		}, meanwhile: func(t *testing.T, s *store, id string) {
			t.Helper()
			sends("q=1", "r=2", "q=3", "go=")(t, s, id)
			s.whenItWaits(t, id)
			holds(6, 0, 0, 0, 3)(t, s, id) // started, the messages, the status, the dequeue
			sends("end=over")(t, s, id)
		}, want: "over"},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		equal(t, "sizes of an unknown instance", nil, s.stats(t, "nobody"))
		s.runFlows(t, flows, cast()...)
	})
}
