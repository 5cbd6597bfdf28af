package validation

import "github.com/duroxide/duroxide-go/core"

var multiExecution = inCategory("multi_execution",
	Case{
		Name:     "TestExecutionIsolation",
		Rule:     "Each execution has a history of its own; reading without an execution gives the latest.",
		Contract: "3.2, 3.5",
		run:      executionIsolation,
	},
	Case{
		Name:     "TestLatestExecutionDetection",
		Rule:     "The latest execution is the highest that was acknowledged, with or without an instance row.",
		Contract: "3.5, 5.11",
		run:      latestExecutionDetection,
	},
	Case{
		Name:     "TestExecutionIdSequencing",
		Rule:     "A fetch reports execution 1 for a new instance, and later the highest that was acknowledged.",
		Contract: "3.1, 3.2",
		run:      executionIDSequencing,
	},
	Case{
		Name:     "TestContinueAsNewCreatesNewExecution",
		Rule:     "An ack that names the next execution starts it and leaves the one before as it was.",
		Contract: "3.2, 5.13",
		run:      continueAsNewCreatesNewExecution,
	},
	Case{
		Name:     "TestExecutionHistoryPersistence",
		Rule:     "The histories of earlier executions stay.",
		Contract: "3.5",
		run:      executionHistoryPersistence,
	},
)

// execution runs a turn of an instance without a row, as that execution.
func (t *trial) execution(instance string, exec uint64, events ...core.Event) {
	t.enqueue(start(instance))
	t.ack(t.turn(instance), ack{exec: exec, events: events})
}

func executionIsolation(t *trial) {
	const id = "isolated"
	first := eventsOf(id, 1, 1,
		core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "one"},
		core.ActivityScheduled{Name: "A", Input: "{}"},
		core.OrchestrationContinuedAsNew{Input: "two"},
	)
	second := eventsOf(id, 2, 1,
		core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "two"},
		core.OrchestrationCompleted{Output: "done"},
	)
	t.execution(id, 1, first...)
	t.execution(id, 2, second...)
	t.wantEvents("history of execution 1", t.readExecution(id, 1), first...)
	t.wantEvents("history of execution 2", t.readExecution(id, 2), second...)
	t.wantEvents("latest history", t.read(id), second...)
	t.wantEvents("history of execution 3", t.readExecution(id, 3))
}

func latestExecutionDetection(t *trial) {
	const id = "latest"
	a := eventOf(id, 1, 1, core.OrchestrationStarted{Name: "A", Version: "1.0.0", Input: "{}"})
	b := eventOf(id, 2, 1, core.OrchestrationStarted{Name: "B", Version: "1.0.0", Input: "{}"})
	t.execution(id, 1, a)
	t.execution(id, 2, b)
	t.wantEvents("latest history", t.read(id), b)
	t.wantEvents("history of execution 1", t.readExecution(id, 1), a)
}

func executionIDSequencing(t *trial) {
	const id = "sequence"
	for exec := uint64(1); exec <= 2; exec++ {
		t.enqueue(start(id))
		turn := t.turn(id)
		if turn.ExecutionID != 1 {
			t.fatalf("fetched execution %d, want 1", turn.ExecutionID)
		}
		t.ack(turn, ack{exec: exec, events: []core.Event{started(id, exec)}, meta: named("TestOrch", "1.0.0")})
	}
	t.enqueue(start(id))
	turn := t.turn(id)
	if turn.ExecutionID != 2 {
		t.fatalf("fetched execution %d, want 2", turn.ExecutionID)
	}
	t.wantEvents("history", turn.History, started(id, 2))
}

func continueAsNewCreatesNewExecution(t *trial) {
	const id = "continued"
	first := eventsOf(id, 1, 1,
		core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "{}"},
		core.OrchestrationContinuedAsNew{Input: "next"},
	)
	t.execution(id, 1, first...)
	next := core.ContinueAsNewItem{Instance: id, Orchestration: "TestOrch", Input: "next", Version: ptr("1.0.0")}
	t.enqueue(next)
	turn := t.turn(id)
	t.wantMessages(turn, next)
	t.ack(turn, ack{exec: 2, events: []core.Event{started(id, 2)}})
	t.noTurn("all messages were acknowledged")
	t.wantEvents("history of execution 1", t.readExecution(id, 1), first...)
	t.wantEvents("latest history", t.read(id), started(id, 2))
}

func executionHistoryPersistence(t *trial) {
	const id = "persistent"
	for exec := uint64(1); exec <= 3; exec++ {
		t.execution(id, exec, started(id, exec))
	}
	for exec := uint64(1); exec <= 3; exec++ {
		t.wantEvents("history of one execution", t.readExecution(id, exec), started(id, exec))
	}
	t.wantEvents("latest history", t.read(id), started(id, 3))
}
