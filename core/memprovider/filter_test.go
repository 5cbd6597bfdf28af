package memprovider_test

import (
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func version(s string) *core.Version { return ptr(core.MustParseVersion(s)) }

// ranges makes a filter from pairs of versions.
func ranges(versions ...string) core.FetchOrchestrationItemParams {
	f := &core.CapabilityFilter{}
	for n := 0; n < len(versions); n += 2 {
		f.SupportedVersions = append(f.SupportedVersions, core.VersionRange{Min: *version(versions[n]), Max: *version(versions[n+1])})
	}
	return core.FetchOrchestrationItemParams{LockTimeout: lease, Filter: f}
}

// pinned makes an instance that is pinned, or not if v is empty.
func pinned(s store, id string, v string) {
	s.t.Helper()
	s.createWith(id, func(p *core.AckOrchestrationItemParams) {
		if v != "" {
			p.Metadata.PinnedDuroxideVersion = version(v)
		}
	})
}

func TestVersionFilter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		pin    string
		filter core.FetchOrchestrationItemParams
		want   bool
	}{
		{"no filter", "1.2.3", core.FetchOrchestrationItemParams{LockTimeout: lease}, true},
		{"in range", "1.2.3", ranges("1.0.0", "1.9.9"), true},
		{"below", "1.2.3", ranges("2.0.0", "2.9.9"), false},
		{"above", "3.0.0", ranges("2.0.0", "2.9.9"), false},
		{"lower end", "1.0.0", ranges("1.0.0", "1.9.99"), true},
		{"upper end", "1.9.99", ranges("1.0.0", "1.9.99"), true},
		{"beyond the upper end", "2.0.0", ranges("1.0.0", "1.9.99"), false},
		{"no pin", "", ranges("99.0.0", "99.9.9"), true},
		{"no range", "1.0.0", ranges(), false},
		{"no range and no pin", "", ranges(), false},
		{"only the first range counts", "3.0.0", ranges("1.0.0", "1.5.0", "3.0.0", "3.5.0"), false},
		{"pre-release of a pin is dropped", "1.0.0-rc.1", ranges("1.0.0", "1.0.0"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			pinned(s, "a", tt.pin)
			s.send(external("a"))
			if got := s.tryTurnWith(tt.filter) != nil; got != tt.want {
				t.Fatalf("fetched: %v, want %v", got, tt.want)
			}
			if !tt.want {
				// Neither locked nor counted.
				equal(t, "attempts", s.turn("a").AttemptCount, uint32(1))
			}
		})
	}
	t.Run("excluded instances hide nobody", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		for _, id := range []string{"x", "y", "z"} {
			pinned(s, id, "1.0.0")
		}
		pinned(s, "b", "2.0.0")
		s.send(external("x"), external("y"), external("z"), external("b"))
		equal(t, "fetched", s.tryTurnWith(ranges("2.0.0", "2.9.9")).Instance, "b")
		equal(t, "fetched", s.tryTurnWith(ranges("1.0.0", "1.9.9")).Instance, "x")
	})
	t.Run("oldest first across pins", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			pinned(s, "c", "1.0.0")
			pinned(s, "b", "2.0.0")
			pinned(s, "a", "")
			for _, id := range []string{"c", "b", "a"} {
				s.send(external(id))
				time.Sleep(time.Millisecond)
			}
			for _, id := range []string{"c", "b", "a"} {
				equal(t, "fetched", s.tryTurnWith(ranges("0.0.0", "2.0.0")).Instance, id)
			}
		})
	})
}

func TestPinFollowsTheCurrentExecution(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	v1, v2 := ranges("1.0.0", "1.9.9"), ranges("2.0.0", "2.9.9")
	giveBack := func(turn *core.OrchestrationItem) {
		t.Helper()
		if turn == nil {
			t.Fatal("fetched nothing")
		}
		s.check(s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: turn.LockToken}))
	}
	none := func(p core.FetchOrchestrationItemParams) {
		t.Helper()
		if turn := s.tryTurnWith(p); turn != nil {
			t.Fatalf("fetched %+v", turn)
		}
	}
	pinned(s, "a", "1.0.0")
	s.send(external("a"))
	s.ack(s.turn("a"), nil) // without a pin: it stays
	s.send(core.ContinueAsNewItem{Instance: "a", Orchestration: "Orch"})
	none(v2)
	giveBack(s.tryTurnWith(v1)) // execution 1 is still the current one

	// Execution 2 does not inherit the pin, and has its own later.
	s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
		p.ExecutionID, p.HistoryDelta, p.Metadata = 2, []core.Event{started(1)}, named("Orch", "1.0.0")
	})
	s.send(external("a"))
	giveBack(s.tryTurnWith(v1))
	giveBack(s.tryTurnWith(v2))
	s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
		p.ExecutionID, p.Metadata.PinnedDuroxideVersion = 2, version("2.0.0")
	})
	s.send(external("a"))
	none(v1)
	giveBack(s.tryTurnWith(v2))

	// It is overwritten whenever the metadata say so.
	s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) { p.Metadata.PinnedDuroxideVersion = version("1.5.0") })
	s.send(external("a"))
	none(v2)
	giveBack(s.tryTurnWith(v1))
}

func TestCorruptHistory(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.createWith("a", func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = append(p.HistoryDelta, event(2, core.KeyValueSet{Key: "k", Value: "v"}))
			p.Metadata.PinnedDuroxideVersion = version("99.0.0")
			p.Metadata.Status = core.StatusCompleted
		})
		s.send(external("a"))
		s.CorruptHistory("a")
		s.CorruptHistory("unknown")

		if s.tryTurnWith(ranges("1.0.0", "2.0.0")) != nil {
			t.Fatal("the filter comes first")
		}
		for n := range uint32(3) {
			turn := s.turn("a")
			if turn.HistoryError == "" || len(turn.History) != 0 || len(turn.KVSnapshot) != 0 {
				t.Fatalf("fetched %+v", turn)
			}
			equal(t, "messages", turn.Messages, []core.WorkItem{external("a")})
			equal(t, "attempts", turn.AttemptCount, n+1)
			s.check(s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: turn.LockToken}))
		}
		equal(t, "stored attempts", s.MaxAttemptCount("a"), uint32(3))

		_, err := s.Read(s.ctx, core.ReadParams{Instance: "a"})
		wantError(t, err, "read", core.ErrUndecodable)
		_, err = s.ReadWithExecution(s.ctx, core.ReadWithExecutionParams{Instance: "a", ExecutionID: 1})
		wantError(t, err, "read_with_execution", core.ErrUndecodable)
		_, err = s.ReadHistory(s.ctx, core.ReadHistoryParams{Instance: "a"})
		wantError(t, err, "read_history", core.ErrUndecodable)
		_, err = s.GetInstanceStats(s.ctx, core.GetInstanceStatsParams{Instance: "a"})
		wantError(t, err, "get_instance_stats", core.ErrUndecodable)

		// The poison path appends without reading.
		failed := core.OrchestrationFailed{Details: core.PoisonError{MessageType: core.PoisonUndecodable{Instance: "a", ExecutionID: 1}}}
		poison := func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = []core.Event{event(core.PoisonEventID, failed)}
			p.Metadata = core.ExecutionMetadata{Status: core.StatusFailed, Output: ptr(failed.Details.Error())}
		}
		s.ack(s.turn("a"), poison)
		info, err := s.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: "a", ExecutionID: 1})
		s.check(err)
		equal(t, "status", info.Status, core.StatusFailed)
		equal(t, "events", info.EventCount, uint64(3))

		// The next execution is sound.
		s.send(external("a"))
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.ExecutionID, p.HistoryDelta = 2, []core.Event{started(1)}
		})
		equal(t, "history", s.read("a"), []core.Event{started(1)})
	})
}

// Undecodable history is not mistaken for none.
func TestCorruptHistoryWithoutRow(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(start("a"))
	s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = []core.Event{started(1)} })
	s.CorruptHistory("a")
	s.send(queued("a", "m"))
	turn := s.turnMessages("a", queued("a", "m"))
	if turn.HistoryError == "" {
		t.Error("no history error")
	}
}
