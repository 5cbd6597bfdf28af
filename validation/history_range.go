package validation

import (
	"errors"

	"github.com/duroxide/duroxide-go/core"
)

// historyRangeCases are about core.HistoryRangeReader, an optional ability.
var historyRangeCases = needingRanges(inCategory("history_range",
	Case{
		Name:     "TestHistoryRange",
		Rule:     "A range begins after an id, ends at its limit, and is in order.",
		Contract: "core.HistoryRangeReader",
		run:      historyRange,
	},
	Case{
		Name:     "TestHistoryRangeOfExecution",
		Rule:     "A range is of one execution; there is none of an unknown one.",
		Contract: "core.HistoryRangeReader",
		run:      historyRangeOfExecution,
	},
	Case{
		Name:     "TestHistoryRangeUndecodable",
		Rule:     "A range that cannot be decoded is reported, not left out.",
		Contract: "core.HistoryRangeReader, 6.3",
		needs:    []need{needsCorruptHistory},
		run:      historyRangeUndecodable,
	},
)...)

func needingRanges(cases ...Case) []Case {
	for i := range cases {
		cases[i].optional = func(p core.Provider) string {
			return unless(has[core.HistoryRangeReader](p), "the provider does not read ranges of a history")
		}
	}
	return cases
}

func (t *trial) tryRange(instance string, exec, after uint64, limit int) ([]core.Event, error) {
	reader, _ := core.Ability[core.HistoryRangeReader](t.p)
	return reader.ReadHistoryRange(t.ctx, core.ReadHistoryRangeParams{
		Instance: instance, ExecutionID: exec, AfterEventID: after, Limit: limit,
	})
}

func (t *trial) wantRange(instance string, exec, after uint64, limit int, want ...core.Event) {
	got, err := t.tryRange(instance, exec, after, limit)
	t.check("read_history_range", err)
	t.wantEvents("range", got, want...)
}

func historyRange(t *trial) {
	events := append([]core.Event{started("i", 1)}, eventsOf("i", 1, 2,
		core.ExternalSubscribed{Name: "b"}, core.ExternalSubscribed{Name: "c"})...)
	events = append(events, event("i", 12, core.ExternalSubscribed{Name: "d"})) // ids may have gaps
	t.createWith("i", ack{events: events[1:]})
	t.wantRange("i", 1, 0, 0, events...)
	t.wantRange("i", 1, 0, 2, events[:2]...)
	t.wantRange("i", 1, 2, 1, events[2:3]...)
	t.wantRange("i", 1, 3, 10, events[3:]...)
	t.wantRange("i", 1, 7, 0, events[3:]...)
	t.wantRange("i", 1, 12, 0)
	t.wantRange("i", 1, 1<<63, 0)
	if _, err := t.tryRange("i", 1, 0, -1); !errors.Is(err, core.ErrInvalidArgument) {
		t.fatalf("a limit of -1: %v, want ErrInvalidArgument", err)
	}
}

func historyRangeOfExecution(t *trial) {
	t.create("i")
	t.create("j")
	t.enqueue(core.ContinueAsNewItem{Instance: "i", Orchestration: "TestOrch", Input: "{}"})
	t.ack(t.turn("i"), ack{exec: 2, meta: named("TestOrch", "1.0.0"), events: []core.Event{started("i", 2)}})
	t.wantRange("i", 1, 0, 0, started("i", 1))
	t.wantRange("i", 2, 0, 0, started("i", 2))
	t.wantRange("i", 3, 0, 0)
	t.wantRange("unknown", 1, 0, 0)
}

func historyRangeUndecodable(t *trial) {
	t.create("i")
	t.corrupt("i")
	events, err := t.tryRange("i", 1, 0, 0)
	t.wantUndecodable("read_history_range", events, err)
}
