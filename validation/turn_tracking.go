package validation

import "github.com/duroxide/duroxide-go/core"

// turnCases are about core.TurnTracker, an optional ability.
var turnCases = needingTurns(inCategory("turn_tracking",
	Case{
		Name:     "TestTurnTokenOfTheLastAck",
		Rule:     "A fetch tells the lock token of the turn that was acknowledged last, none before the first; an abandoned turn is none.",
		Contract: "core.TurnTracker",
		run:      turnTokenOfTheLastAck,
	},
	Case{
		Name:     "TestTurnTokenOfEmptyTurn",
		Rule:     "An acknowledged turn without events is a turn like any other.",
		Contract: "core.TurnTracker",
		run:      turnTokenOfEmptyTurn,
	},
	Case{
		Name:     "TestTurnTokenAfterRestart",
		Rule:     "An instance that was deleted and started again has no turn of its predecessor.",
		Contract: "core.TurnTracker",
		needs:    []need{needsAdminDeleter},
		run:      turnTokenAfterRestart,
	},
	Case{
		Name:     "TestTurnTokenOfNextExecution",
		Rule:     "The last event is that of the current execution, and the turn the one that began it.",
		Contract: "core.TurnTracker",
		run:      turnTokenOfNextExecution,
	},
	Case{
		Name:     "TestLastEventFollowsHistory",
		Rule:     "Events that were appended outside a turn count as the last.",
		Contract: "core.TurnTracker",
		run:      lastEventFollowsHistory,
	},
	Case{
		Name:     "TestHistoryLimit",
		Rule:     "History may be left out only if it goes beyond the limit, and never without one; everything else is there, and the lock is held.",
		Contract: "core.TurnTracker",
		run:      historyLimit,
	},
	Case{
		Name:     "TestHistoryLimitOfNewInstance",
		Rule:     "A new instance has no history that could be left out.",
		Contract: "core.TurnTracker",
		run:      historyLimitOfNewInstance,
	},
)...)

func needingTurns(cases ...Case) []Case {
	for i := range cases {
		cases[i].optional = func(p core.Provider) string {
			tracker, ok := core.Ability[core.TurnTracker](p)
			return unless(ok && tracker.TracksTurns(), "the provider does not track turns")
		}
	}
	return cases
}

func (t *trial) wantTurn(what string, item *core.OrchestrationItem, token string, last uint64) {
	if item.TurnToken != token || item.LastEventID != last {
		t.fatalf("%s: turn %q, last event %d; want %q, %d", what, item.TurnToken, item.LastEventID, token, last)
	}
}

func turnTokenOfTheLastAck(t *trial) {
	t.enqueue(start("i"))
	first := t.turn("i")
	t.wantTurn("new instance", first, "", 0)
	t.ack(first, ack{events: []core.Event{started("i", 1)}, meta: named("TestOrch", "1.0.0")})

	t.enqueue(raised("i", "go"))
	second := t.turn("i")
	t.wantTurn("after the first turn", second, first.LockToken, 1)
	t.abandon(second, 0, false)
	second = t.turn("i")
	t.wantTurn("after an abandoned turn", second, first.LockToken, 1)
	t.ack(second, ack{events: []core.Event{event("i", 2, core.ExternalEvent{Name: "go", Data: "{}"})}})

	t.enqueue(raised("i", "go"))
	t.wantTurn("after the second turn", t.turn("i"), second.LockToken, 2)
}

func turnTokenOfEmptyTurn(t *trial) {
	t.create("i")
	t.enqueue(raised("i", "go"))
	empty := t.turn("i")
	t.ack(empty, ack{})
	t.enqueue(raised("i", "go"))
	t.wantTurn("after an empty turn", t.turn("i"), empty.LockToken, 1)
}

func turnTokenAfterRestart(t *trial) {
	t.create("i")
	t.deleteInstance("i", true)
	t.enqueue(start("i"))
	item := t.turn("i")
	t.wantTurn("before the first turn of the second life", item, "", 0)
	t.ack(item, ack{events: []core.Event{started("i", 1)}, meta: named("TestOrch", "1.0.0")})
	t.enqueue(raised("i", "go"))
	t.wantTurn("in the second life", t.turn("i"), item.LockToken, 1)
}

func turnTokenOfNextExecution(t *trial) {
	t.create("i")
	t.enqueue(core.ContinueAsNewItem{Instance: "i", Orchestration: "TestOrch", Input: "{}"})
	next := t.turn("i")
	t.ack(next, ack{exec: 2, meta: named("TestOrch", "1.0.0"), events: eventsOf("i", 2, 1,
		core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "{}"},
		core.ActivityScheduled{Name: "a", Input: "{}"},
		core.TimerCreated{FireAtMs: 1},
	)})
	t.enqueue(raised("i", "go"))
	item := t.turn("i")
	t.wantTurn("in the second execution", item, next.LockToken, 3)
	if item.ExecutionID != 2 {
		t.fatalf("execution %d, want 2", item.ExecutionID)
	}
}

func lastEventFollowsHistory(t *trial) {
	t.create("i")
	t.check("append_with_execution", t.p.AppendWithExecution(t.ctx, core.AppendWithExecutionParams{
		Instance: "i", ExecutionID: 1, Events: []core.Event{event("i", 2, core.ExternalEvent{Name: "x", Data: "{}"})},
	}))
	t.enqueue(raised("i", "go"))
	if item := t.turn("i"); item.LastEventID != 2 {
		t.fatalf("last event %d, want 2", item.LastEventID)
	}
}

func historyLimit(t *trial) {
	events := append([]core.Event{started("i", 1)}, eventsOf("i", 1, 2,
		core.ExternalSubscribed{Name: "x"}, core.ExternalSubscribed{Name: "y"}, core.ExternalSubscribed{Name: "z"})...)
	t.createWith("i", ack{events: events[1:]})
	t.enqueue(raised("i", "go"))
	var token string
	for n, limit := range []uint64{0, 3, 4, 1 << 63} {
		item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease, HistoryLimit: limit})
		t.check("fetch_orchestration_item", err)
		t.requireTurn(item, "i")
		if item.HistoryOmitted && (limit == 0 || limit >= 4) {
			t.fatalf("limit %d: a history of 4 events was left out", limit)
		}
		if item.HistoryOmitted {
			t.wantEvents("history that was left out", item.History)
		} else {
			t.wantEvents("history", item.History, events...)
		}
		t.wantDescribed(item, "TestOrch", "1.0.0", 1)
		t.wantMessages(item, raised("i", "go"))
		if token == "" {
			token = item.TurnToken
		}
		t.wantTurn("whatever the limit", item, token, 4)
		if int(item.AttemptCount) != n+1 {
			t.fatalf("attempt %d, want %d", item.AttemptCount, n+1)
		}
		t.noTurn("the instance is locked")
		t.abandon(item, 0, false)
	}
}

func historyLimitOfNewInstance(t *trial) {
	t.enqueue(start("i"))
	item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease, HistoryLimit: 1})
	t.check("fetch_orchestration_item", err)
	t.requireTurn(item, "i")
	if item.HistoryOmitted || len(item.History) > 0 {
		t.fatalf("history of %d events, left out: %t", len(item.History), item.HistoryOmitted)
	}
	t.wantDescribed(item, "TestOrch", "1.0.0", 1)
}
