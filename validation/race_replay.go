package validation

import (
	"slices"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var raceReplay = inCategory("race_replay",
	Case{
		Name:     "TestDuplicateStartPreservesPinnedHandler",
		Rule:     "A second start in the batch of a running instance changes neither its code nor its version nor its input.",
		Contract: "3.1, 3.2, 5.3",
		needs:    []need{needsEngine},
		run:      duplicateStartPreservesPinnedHandler,
	},
	Case{
		Name:     "TestContinueAsNewUnregisteredBackoff",
		Rule:     "A successor whose start is hidden for a while gets the message that came meanwhile, after those carried over.",
		Contract: "3.3, 5.3, 5.13",
		needs:    []need{needsEngine},
		run:      continueAsNewUnregisteredBackoff,
	},
	Case{
		Name:     "TestContinueAsNewPoisonedSuccessorIsOwnExecution",
		Rule:     "A successor that is poison fails as an execution of its own; the one before stays as it ended.",
		Contract: "3.2, 5.2, 5.13",
		needs:    []need{needsEngine},
		run:      continueAsNewPoisonedSuccessorIsOwnExecution,
	},
	Case{
		Name:     "TestContinueAsNewDuplicateStart",
		Rule:     "A second start in the batch with a successor's is no start, and its parent is told.",
		Contract: "3.2, 5.3, 5.12, 5.13",
		needs:    []need{needsEngine},
		run:      continueAsNewDuplicateStart,
	},
	Case{
		Name:     "TestContinueAsNewTransitionDelivery",
		Rule:     "What arrives between an execution's end and its successor's start reaches the successor once, unless it is stale.",
		Contract: "3.3, 5.3, 5.13",
		needs:    []need{needsEngine},
		run:      continueAsNewTransitionDelivery,
	},
	Case{
		Name:     "TestQueueRaceCancellationReplay",
		Rule:     "Recorded races of queue and timer come back as they were stored and replay to the same result.",
		Contract: "1.2, 3.5",
		needs:    []need{needsEngine},
		run:      queueRaceCancellationReplay,
	},
	Case{
		Name:     "TestContinueAsNewQueueRaceReplay",
		Rule:     "The messages that a race left unread are carried over in the order in which they arrived.",
		Contract: "3.1, 5.3, 5.13",
		needs:    []need{needsEngine},
		run:      continueAsNewQueueRaceReplay,
	},
	Case{
		Name:     "TestQueueReplayVersionStampRoundtrip",
		Rule:     "The version stamp of an event comes back as it was stored, on every way to read it.",
		Contract: "1.2",
		run:      queueReplayVersionStampRoundtrip,
	},
	Case{
		Name:     "TestPositionalWaitRaceReplay",
		Rule:     "The recorded history of a live race of signal and timer replays to the same result without new events.",
		Contract: "1.2, 3.5, 5.3",
		needs:    []need{needsEngine},
		run:      positionalWaitRaceReplay,
	},
	Case{
		Name:     "TestLegacyQueueRaceDecisionPreserved",
		Rule:     "The stamp of the first event selects the rules of replay, so that an old execution decides as it always did.",
		Contract: "1.2",
		needs:    []need{needsEngine},
		run:      legacyQueueRaceDecisionPreserved,
	},
)

// startedAs is the first event of an orchestration of the engine cases.
func startedAs(name, input string) core.EventData {
	return core.OrchestrationStarted{Name: name, Version: "1.0.0", Input: input}
}

// dequeue is the code that takes n messages of the queue inbox.
func dequeue(c EngineContext, n int) (string, error) {
	var got []string
	for range n {
		m, err := c.Await(c.Dequeue("inbox"))
		if err != nil {
			return "", err
		}
		got = append(got, m)
	}
	return strings.Join(got, ","), nil
}

func duplicateStartPreservesPinnedHandler(t *trial) {
	code := func(label string) func(EngineContext, string) (string, error) {
		return func(c EngineContext, input string) (string, error) {
			result, err := c.Await(c.Activity("Work", "x"))
			return label + " " + input + " " + result, err
		}
	}
	var seeds []seed
	for _, name := range []string{"Original", "Wrong"} {
		id := "duplicate of " + name
		history := stamped(id, stamp, startedAs("Original", "original"), core.ActivityScheduled{Name: "Work", Input: "x"})
		seeds = append(seeds, t.seed(id, history, ack{messages: []core.WorkItem{
			core.StartOrchestrationItem{Instance: id, Orchestration: name, Input: "other", ExecutionID: 1},
			completed(id, 2),
		}}))
	}
	t.sow(seeds...)
	t.engine(EngineOptions{Orchestrations: []EngineOrchestration{
		{Name: "Original", Version: "1.0.0", Run: code("1.0.0")},
		{Name: "Original", Version: "2.0.0", Run: code("2.0.0")},
		{Name: "Wrong", Version: "1.0.0", Run: code("wrong")},
	}})
	for _, name := range []string{"Original", "Wrong"} {
		history := t.wantOutput("duplicate of "+name, 1, "1.0.0 original done")
		wantEqual(t, "number of events", len(history), 4)
	}
}

func queueReplayVersionStampRoundtrip(t *trial) {
	const id = "stamped"
	history := stamped(id, "0.1.30", startedAs("TestOrch", "{}"), core.QueueSubscribed{Name: "q"})
	t.sow(t.seed(id, history, ack{messages: []core.WorkItem{queued(id, "m")}}))
	t.wantEvents("read", t.read(id), history...)
	t.wantEvents("read_with_execution", t.readExecution(id, 1), history...)
	t.wantEvents("fetch", t.turn(id).History, history...)
}

// raceOrch races a message against a timer; the loser of the queue is followed
// by another dequeue.
func raceOrch(c EngineContext, _ string) (string, error) {
	first := c.Dequeue("inbox")
	won := "first"
	if c.Race(first, c.Timer(time.Hour)) == 1 {
		won, first = "second", c.Dequeue("inbox")
	}
	m, err := c.Await(first)
	if err != nil {
		return "", err
	}
	end, err := c.Await(c.Dequeue("end"))
	return won + " " + m + " " + end, err
}

func queueRaceCancellationReplay(t *trial) {
	dropped := answering{core.QueueSubscriptionCancelled{Reason: "dropped_future"}, 2}
	prefix := []core.EventData{startedAs("Race", "{}"), core.QueueSubscribed{Name: "inbox"}, core.TimerCreated{FireAtMs: stampedAt}}
	fired := answering{core.TimerFired{FireAtMs: stampedAt}, 3}
	message := core.QueueEventDelivered{Name: "inbox", Data: "m"}
	end := core.QueueSubscribed{Name: "end"}
	again := core.QueueSubscribed{Name: "inbox"}
	histories := map[string][]core.EventData{
		"first m x":            {message, end},
		"second m x":           {fired, message, again, end, dropped},
		"second m x, one late": {fired, again, dropped, message, end},
	}
	recording := func(id string) []core.Event {
		return recorded(id, "0.1.31", slices.Concat(prefix, histories[id])...)
	}
	var seeds []seed
	for id := range histories {
		end := core.QueueMessageItem{Instance: id, Name: "end", Data: "x"}
		seeds = append(seeds, t.seed(id, recording(id), ack{messages: []core.WorkItem{end}}))
	}
	t.sow(seeds...)
	for id := range histories {
		t.wantEvents("read_with_execution", t.readExecution(id, 1), recording(id)...)
	}
	t.engine(running(map[string]func(EngineContext, string) (string, error){"Race": raceOrch}))
	for id := range histories {
		output, _, _ := strings.Cut(id, ",")
		got, want := t.wantOutput(id, 1, output), recording(id)
		t.wantEvents("the recorded part of the history", got[:len(want)], want...)
		wantEqual(t, "number of new events", len(got)-len(want), 2)
	}
}

func positionalWaitRaceReplay(t *trial) {
	const id = "live"
	code := running(map[string]func(EngineContext, string) (string, error){
		"Race": func(c EngineContext, _ string) (string, error) {
			signal := c.Wait("go")
			if c.Race(signal, c.Timer(time.Hour)) == 1 {
				return "the timer of an hour has fired", nil
			}
			s, err := c.Await(signal)
			if err != nil {
				return "", err
			}
			won := []string{"signal", "timer"}[c.Race(c.Wait("never"), c.Timer(10*time.Millisecond))]
			end, err := c.Await(c.Dequeue("end"))
			return s + " " + won + " " + end, err
		},
	})
	live := t.engine(code)
	t.enqueue(core.StartOrchestrationItem{Instance: id, Orchestration: "Race", Input: "{}", ExecutionID: 1})
	t.until(func() bool { return len(t.read(id)) >= 3 }) // it waits for the signal
	t.enqueue(core.ExternalRaisedItem{Instance: id, Name: "go", Data: "s"}, core.QueueMessageItem{Instance: id, Name: "end", Data: "x"})
	want := t.wantOutput(id, 1, "s timer x")
	t.stop(live)

	// The same history without its end, in a fresh store. What wakes the instance
	// is a completion of another execution, which leaves no event.
	t.p = t.newProvider()
	stored := want[:len(want)-1]
	stale := core.ActivityCompletedItem{Instance: id, ExecutionID: 9, ID: 2, Result: "stale"}
	t.sow(t.seed(id, stored, ack{messages: []core.WorkItem{stale}}))
	t.engine(code)
	wantEqual(t, "history", untimed(t.wantOutput(id, 1, "s timer x")), untimed(want))
}

func legacyQueueRaceDecisionPreserved(t *trial) {
	decisions := map[string]string{"0.1.30": "m2", "0.1.31": "m1"}
	var seeds []seed
	for version := range decisions {
		seeds = append(seeds, t.seed(version, stamped(version, version,
			startedAs("Race", "{}"), core.QueueSubscribed{Name: "inbox"}, core.QueueSubscribed{Name: "inbox"}, core.TimerCreated{FireAtMs: stampedAt},
		), ack{messages: []core.WorkItem{
			core.TimerFiredItem{Instance: version, ExecutionID: 1, ID: 4, FireAtMs: stampedAt}, queued(version, "m1"), queued(version, "m2"),
		}}))
	}
	t.sow(seeds...)
	t.engine(running(map[string]func(EngineContext, string) (string, error){
		"Race": func(c EngineContext, _ string) (string, error) {
			a, b := c.Dequeue("inbox"), c.Dequeue("inbox")
			c.Race(a, c.Timer(time.Hour))
			return c.Await(b)
		},
	}))
	for version, decision := range decisions {
		t.wantOutput(version, 1, decision)
	}
}
