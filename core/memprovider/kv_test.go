package memprovider_test

import (
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

func set(key, value string) core.EventData {
	return core.KeyValueSet{Key: key, Value: value, LastUpdatedAtMs: 5}
}

func TestKeyValues(t *testing.T) {
	t.Parallel()
	type turn struct {
		executionID uint64
		status      core.ExecutionStatus
		data        []core.EventData
	}
	run := func(data ...core.EventData) turn { return turn{1, "", data} }
	end := func(status core.ExecutionStatus, data ...core.EventData) turn { return turn{1, status, data} }
	second := func(status core.ExecutionStatus, data ...core.EventData) turn { return turn{2, status, data} }
	clearKey := func(key string) core.EventData { return core.KeyValueCleared{Key: key} }
	clearAll := core.KeyValuesCleared{}
	type values = map[string]string
	big := strings.Repeat("x", 16<<10)

	tests := []struct {
		name     string
		turns    []turn
		live     values
		snapshot values
	}{
		{"nothing", nil, values{}, values{}},
		{"set", []turn{run(set("k", "v"))}, values{"k": "v"}, values{}},
		{"overwrite", []turn{run(set("k", "old"), set("k", "new"))}, values{"k": "new"}, values{}},
		{"clear", []turn{run(set("a", "1"), set("b", "2")), run(clearKey("a"))}, values{"b": "2"}, values{}},
		{"clear what never was", []turn{run(clearKey("a")), end(core.StatusCompleted)}, values{}, values{}},
		{"clear all", []turn{run(set("a", "1"), set("b", "2")), run(clearAll)}, values{}, values{}},
		{"set after clear all", []turn{run(set("a", "1")), run(clearAll, set("b", "2"))}, values{"b": "2"}, values{}},
		{"clear all after set", []turn{run(set("a", "1"), clearAll)}, values{}, values{}},
		{"empty value", []turn{run(set("a", ""))}, values{"a": ""}, values{}},
		{"large value", []turn{run(set("a", big))}, values{"a": big}, values{}},
		{"any key", []turn{run(set("", "0"), set("a b/c.d", "1"), set("鍵🔑", "2"))}, values{"": "0", "a b/c.d": "1", "鍵🔑": "2"}, values{}},
		{"running is no end", []turn{end(core.StatusRunning, set("a", "1"))}, values{"a": "1"}, values{}},
		{"completed", []turn{end(core.StatusCompleted, set("a", "1"))}, values{"a": "1"}, values{"a": "1"}},
		{"failed", []turn{end(core.StatusFailed, set("a", "1"))}, values{"a": "1"}, values{"a": "1"}},
		{"continued as new", []turn{run(set("a", "0")), end(core.StatusContinuedAsNew, set("a", "1"))}, values{"a": "1"}, values{"a": "1"}},
		{"tombstones merge", []turn{end(core.StatusContinuedAsNew, set("a", "1"), set("b", "2"), clearKey("a"))}, values{"b": "2"}, values{"b": "2"}},
		{
			"next execution changes some",
			[]turn{end(core.StatusContinuedAsNew, set("color", "red"), set("size", "large")), second("", set("color", "blue"), set("shape", "circle"))},
			values{"color": "blue", "size": "large", "shape": "circle"},
			values{"color": "red", "size": "large"},
		},
		{
			"next execution clears one",
			[]turn{end(core.StatusContinuedAsNew, set("a", "1"), set("b", "2")), second("", clearKey("a"))},
			values{"b": "2"}, values{"a": "1", "b": "2"},
		},
		{
			"next execution clears all",
			[]turn{end(core.StatusContinuedAsNew, set("a", "1"), set("b", "2")), second("", clearAll, set("c", "3"))},
			values{"c": "3"}, values{"a": "1", "b": "2"},
		},
		{
			"next execution ends",
			[]turn{end(core.StatusContinuedAsNew, set("a", "1"), set("b", "2")), second(core.StatusCompleted, clearAll, set("b", "3"))},
			values{"b": "3"}, values{"b": "3"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.create("a")
			s.create("b") // another instance with the same keys
			s.step("b", 1, core.StatusCompleted, 2, set("a", "b's"))
			next := uint64(2)
			for _, turn := range tt.turns {
				s.step("a", turn.executionID, turn.status, next, turn.data...)
				next += uint64(len(turn.data))
			}

			live, err := s.GetKVAllValues(s.ctx, core.GetKVAllValuesParams{Instance: "a"})
			s.check(err)
			equal(t, "live", live, tt.live)
			for _, key := range []string{"", "a", "b", "c", "k", "color", "none"} {
				got, err := s.GetKVValue(s.ctx, core.GetKVValueParams{Instance: "a", Key: key})
				s.check(err)
				if want, ok := tt.live[key]; ok != (got != nil) || (ok && *got != want) {
					t.Errorf("key %q: got %v, want %q (%v)", key, got, want, ok)
				}
			}
			s.send(external("a"))
			snapshot := values{}
			for key, entry := range s.turn("a").KVSnapshot {
				snapshot[key] = entry.Value
				equal(t, "time", entry.LastUpdatedAtMs, uint64(5))
			}
			equal(t, "snapshot", snapshot, tt.snapshot)

			var bytes uint64
			for _, value := range tt.live {
				bytes += uint64(len(value))
			}
			stats, err := s.GetInstanceStats(s.ctx, core.GetInstanceStatsParams{Instance: "a"})
			s.check(err)
			equal(t, "keys", stats.KVUserKeyCount, uint64(len(tt.live)))
			equal(t, "bytes", stats.KVTotalValueBytes, bytes)
		})
	}
}

func TestKeyValuesOfNobody(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	value, err := s.GetKVValue(s.ctx, core.GetKVValueParams{Instance: "nobody", Key: "k"})
	s.check(err)
	equal(t, "value", value, (*string)(nil))
	all, err := s.GetKVAllValues(s.ctx, core.GetKVAllValuesParams{Instance: "nobody"})
	s.check(err)
	equal(t, "all", all, map[string]string{})
}

func TestCustomStatus(t *testing.T) {
	t.Parallel()
	update := func(status *string) core.EventData { return core.CustomStatusUpdated{Status: status} }
	tests := []struct {
		name  string
		turns [][]core.EventData
		want  *core.CustomStatus
	}{
		{"never set", [][]core.EventData{{core.KeyValuesCleared{}}}, nil},
		{"set", [][]core.EventData{{update(ptr("x"))}}, &core.CustomStatus{Status: ptr("x"), Version: 1}},
		{"set to nothing", [][]core.EventData{{update(ptr(""))}}, &core.CustomStatus{Status: ptr(""), Version: 1}},
		{"the last of a turn, one version", [][]core.EventData{{update(ptr("x")), update(nil), update(ptr("y"))}}, &core.CustomStatus{Status: ptr("y"), Version: 1}},
		{"the same again", [][]core.EventData{{update(ptr("x"))}, {update(ptr("x"))}}, &core.CustomStatus{Status: ptr("x"), Version: 2}},
		{"cleared", [][]core.EventData{{update(ptr("x"))}, {update(nil)}}, &core.CustomStatus{Version: 2}},
		{"untouched", [][]core.EventData{{update(ptr("x"))}, {core.KeyValuesCleared{}}}, &core.CustomStatus{Status: ptr("x"), Version: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.create("a")
			next := uint64(2)
			for _, data := range tt.turns {
				s.step("a", 1, "", next, data...)
				next += uint64(len(data))
			}
			got, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a"})
			s.check(err)
			equal(t, "status", got, tt.want)
			if got != nil {
				got, err = s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a", LastSeenVersion: got.Version})
				s.check(err)
				equal(t, "seen already", got, (*core.CustomStatus)(nil))
			}
		})
	}
	t.Run("survives continue as new", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		s.create("a")
		s.step("a", 1, core.StatusContinuedAsNew, 2, update(ptr("x")))
		s.step("a", 2, "", 1, update(ptr("y")))
		got, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a", LastSeenVersion: 1})
		s.check(err)
		equal(t, "status", got, &core.CustomStatus{Status: ptr("y"), Version: 2})
	})
	t.Run("is lost without a row", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		s.send(start("a"))
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = events(1, update(ptr("x"))) })
		s.create("a2")
		for _, id := range []string{"a", "a2", "nobody"} {
			got, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: id})
			s.check(err)
			equal(t, id, got, (*core.CustomStatus)(nil))
		}
	})
}

func TestInstanceStats(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stats := func(id string) *core.SystemStats {
		t.Helper()
		stats, err := s.GetInstanceStats(s.ctx, core.GetInstanceStatsParams{Instance: id})
		s.check(err)
		return stats
	}
	size := func(list ...core.Event) (n uint64) {
		for _, e := range list {
			text, err := core.EncodeEvent(e)
			s.check(err)
			n += uint64(len(text))
		}
		return n
	}
	equal(t, "unknown", stats("a"), (*core.SystemStats)(nil))
	s.send(start("rowless"))
	s.ack(s.turn("rowless"), func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = []core.Event{started(1)} })
	equal(t, "without row", stats("rowless"), (*core.SystemStats)(nil))

	s.create("a")
	equal(t, "fresh", stats("a"), &core.SystemStats{HistoryEventCount: 1, HistorySizeBytes: size(started(1))})

	// The next execution alone counts from now on, in bytes, not characters.
	s.step("a", 1, core.StatusContinuedAsNew, 2, set("k", "größe"))
	second := core.OrchestrationStarted{Name: "Größe", CarryForwardEvents: make([]core.QueueEvent, 3)}
	s.step("a", 2, "", 1, second, core.QueueEventDelivered{Name: "q"})
	equal(t, "second", stats("a"), &core.SystemStats{
		HistoryEventCount: 2,
		HistorySizeBytes:  size(events(1, second, core.QueueEventDelivered{Name: "q"})...),
		QueuePendingCount: 3,
		KVUserKeyCount:    1,
		KVTotalValueBytes: uint64(len("größe")),
	})
}
