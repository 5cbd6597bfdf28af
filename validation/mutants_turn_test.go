package validation_test

import (
	"context"
	"slices"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/validation"
)

// edits has every fetched turn edited by what remembers the ones before.
func edits(anew func() func(*core.OrchestrationItem)) func() broken {
	return func() broken { return broken{fetchTurn: onTurn(anew())} }
}

// turnMutants break the rules of the optional abilities to track turns and to
// read ranges.
var turnMutants = []mutant{
	{"the turn is the first one for ever", "TestTurnTokenOfTheLastAck", edits(func() func(*core.OrchestrationItem) {
		first := map[string]string{}
		return func(item *core.OrchestrationItem) {
			if first[item.Instance] == "" {
				first[item.Instance] = item.TurnToken
			}
			item.TurnToken = first[item.Instance]
		}
	})},
	{"the turn is the one that was fetched", "TestTurnTokenOfTheLastAck", edits(func() func(*core.OrchestrationItem) {
		return func(item *core.OrchestrationItem) { item.TurnToken = item.LockToken }
	})},
	{"a turn without events leaves the last one", "TestTurnTokenOfEmptyTurn", edits(func() func(*core.OrchestrationItem) {
		last, tokens := map[string]uint64{}, map[string]string{}
		return func(item *core.OrchestrationItem) {
			if item.LastEventID != last[item.Instance] {
				last[item.Instance], tokens[item.Instance] = item.LastEventID, item.TurnToken
			}
			item.TurnToken = tokens[item.Instance]
		}
	})},
	{"the turn outlives the instance", "TestTurnTokenAfterRestart", func() broken {
		var acked string
		return broken{
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				acked = a.LockToken
				return p.AckOrchestrationItem(ctx, a)
			},
			fetchTurn: onTurn(func(item *core.OrchestrationItem) {
				if item.TurnToken == "" {
					item.TurnToken = acked
				}
			}),
		}
	}},
	{"the last event is the highest of all executions", "TestTurnTokenOfNextExecution", edits(func() func(*core.OrchestrationItem) {
		return func(item *core.OrchestrationItem) {
			if item.ExecutionID > 1 {
				item.LastEventID++
			}
		}
	})},
	{"the last event is that of the last turn", "TestLastEventFollowsHistory", edits(func() func(*core.OrchestrationItem) {
		return func(item *core.OrchestrationItem) { item.LastEventID = min(item.LastEventID, 1) }
	})},
	{"history is left out whatever the limit", "TestHistoryLimit", edits(func() func(*core.OrchestrationItem) {
		return func(item *core.OrchestrationItem) { item.History, item.HistoryOmitted = nil, len(item.History) > 0 }
	})},
	{"the messages are left out with the history", "TestHistoryLimit", edits(func() func(*core.OrchestrationItem) {
		return func(item *core.OrchestrationItem) {
			if item.HistoryOmitted {
				item.Messages = nil
			}
		}
	})},
	{"the history of a new instance is left out", "TestHistoryLimitOfNewInstance", edits(func() func(*core.OrchestrationItem) {
		return func(item *core.OrchestrationItem) { item.HistoryOmitted = item.LastEventID == 0 }
	})},
}

func TestTurnMutants(t *testing.T) {
	t.Parallel()
	for _, m := range turnMutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if r := virtually(t, breakingAnew(memory(), m.anew), extraNamed(t, m.killer)); r.Outcome != validation.Failed {
				t.Errorf("survives %s: %v", m.killer, r)
			}
		})
	}
}

// badRanges answers for a range in a way of its own.
type badRanges struct {
	core.Provider
	edit func(core.ReadHistoryRangeParams, []core.Event, error) ([]core.Event, error)
}

func (b badRanges) Unwrap() core.Provider { return b.Provider }

func (b badRanges) ReadHistoryRange(ctx context.Context, p core.ReadHistoryRangeParams) ([]core.Event, error) {
	reader, _ := core.Ability[core.HistoryRangeReader](b.Provider)
	events, err := reader.ReadHistoryRange(ctx, p)
	return b.edit(p, events, err)
}

func TestRangeMutants(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]struct {
		killer string
		edit   func(core.ReadHistoryRangeParams, []core.Event, error) ([]core.Event, error)
	}{
		"the first event is left out": {"TestHistoryRange", func(_ core.ReadHistoryRangeParams, events []core.Event, err error) ([]core.Event, error) {
			return events[min(1, len(events)):], err
		}},
		"the limit is one more": {"TestHistoryRange", func(p core.ReadHistoryRangeParams, events []core.Event, err error) ([]core.Event, error) {
			if p.Limit == 1 {
				events = append(slices.Clip(events), events...)
			}
			return events, err
		}},
		"a negative limit is none": {"TestHistoryRange", func(core.ReadHistoryRangeParams, []core.Event, error) ([]core.Event, error) {
			return nil, nil
		}},
		"an unknown execution is the first": {"TestHistoryRangeOfExecution", func(p core.ReadHistoryRangeParams, events []core.Event, err error) ([]core.Event, error) {
			for i := range events {
				events[i].ExecutionID = 1
			}
			return events, err
		}},
		"what cannot be decoded is left out": {"TestHistoryRangeUndecodable", func(_ core.ReadHistoryRangeParams, events []core.Event, _ error) ([]core.Event, error) {
			return events, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := memory()
			sound := h.NewProvider
			h.NewProvider = func(ctx context.Context) (core.Provider, error) {
				p, err := sound(ctx)
				return badRanges{p, m.edit}, err
			}
			corrupt := h.CorruptHistory
			h.CorruptHistory = func(ctx context.Context, p core.Provider, instance string) error {
				return corrupt(ctx, p.(badRanges).Provider, instance)
			}
			if r := virtually(t, h, extraNamed(t, m.killer)); r.Outcome != validation.Failed {
				t.Errorf("survives %s: %v", m.killer, r)
			}
		})
	}
}
