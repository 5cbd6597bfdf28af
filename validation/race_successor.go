package validation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// The engine cases about the way from one execution to the next.

// ended is the history of an execution that continued as new.
func ended(instance, version string) []core.Event {
	return stamped(instance, version, startedAs("Drain", "1"), core.OrchestrationContinuedAsNew{Input: "2"})
}

// successorOf starts the next execution, with one message carried over. Its
// input is how many messages it takes.
func successorOf(instance string, takes int) core.ContinueAsNewItem {
	return core.ContinueAsNewItem{
		Instance: instance, Orchestration: "Drain", Input: strconv.Itoa(takes), Version: ptr("1.0.0"),
		CarryForwardEvents: []core.QueueEvent{{Name: "inbox", Data: "carried"}},
	}
}

// continued is the ack metadata of an execution that continued as new.
func continued() core.ExecutionMetadata {
	return core.ExecutionMetadata{Status: core.StatusContinuedAsNew, Output: ptr("2")}
}

// drain is the code of the successor.
func drain(c EngineContext, input string) (string, error) {
	n, err := strconv.Atoi(input)
	if err != nil {
		return "", err
	}
	return dequeue(c, n)
}

func draining() EngineOptions {
	return running(map[string]func(EngineContext, string) (string, error){"Drain": drain})
}

func continueAsNewUnregisteredBackoff(t *trial) {
	const id = "backed-off"
	t.sow(t.seed(id, ended(id, stamp), ack{messages: []core.WorkItem{successorOf(id, 2)}, meta: continued()}))
	w := t.watch()
	without := t.engineOn(w, EngineOptions{UnregisteredBackoff: 2 * time.Second})
	t.receive(w.abandoned)
	t.enqueue(queued(id, "late"))
	t.stop(without)
	t.wantEvents("history of execution 1", t.readExecution(id, 1), ended(id, stamp)...)
	t.engine(draining())
	t.wantOutput(id, 2, "carried,late")
	t.wantEvents("history of execution 1", t.readExecution(id, 1), ended(id, stamp)...)
}

func continueAsNewPoisonedSuccessorIsOwnExecution(t *trial) {
	const id = "poisoned"
	t.sow(t.seed(id, ended(id, stamp), ack{messages: []core.WorkItem{successorOf(id, 2)}, meta: continued()}))
	w := t.watch()
	e := t.engineOn(w, EngineOptions{MaxAttempts: 1, UnregisteredBackoff: 100 * time.Millisecond})
	history := t.finished(id, 2)
	if len(history) != 2 || history[0].Data.EventType() != core.TypeOrchestrationStarted {
		t.fatalf("history of execution 2: %v, want its start and its failure", history)
	}
	failed, ok := history[1].Data.(core.OrchestrationFailed)
	if !ok || failed.Details.Category() != "poison" {
		t.fatalf("execution 2 ended with %v, want a failure as poison", history[1].Data)
	}
	t.wantEvents("history of execution 1", t.readExecution(id, 1), ended(id, stamp)...)

	t.receiveAck(w) // of the failure
	t.enqueue(queued(id, "late"))
	t.receiveAck(w)
	t.stop(e)
	t.noTurn("all messages were acknowledged")
	t.wantEvents("latest history", t.read(id), history...)
	t.wantEvents("history of execution 1", t.readExecution(id, 1), ended(id, stamp)...)
}

func continueAsNewDuplicateStart(t *trial) {
	type shape struct {
		stamp   string
		collide bool
	}
	shapes := []shape{{"0.1.30", false}, {"0.1.30", true}, {"0.1.31", false}, {"0.1.31", true}}
	var seeds []seed
	for _, s := range shapes {
		id := fmt.Sprint(s)
		duplicate := core.StartOrchestrationItem{Instance: id, Orchestration: "Drain", Input: "9", ExecutionID: 1}
		if s.collide {
			parent := "parent of " + id
			seeds = append(seeds, t.seed(parent, stamped(parent, s.stamp,
				startedAs("Parent", id), core.SubOrchestrationScheduled{Name: "Drain", Instance: id, Input: "9"}), ack{}))
			duplicate.ParentInstance, duplicate.ParentID, duplicate.ParentExecutionID = &parent, ptr(uint64(2)), ptr(uint64(1))
		}
		seeds = append(seeds, t.seed(id, ended(id, s.stamp), ack{
			messages: []core.WorkItem{duplicate, successorOf(id, 2), queued(id, "late")}, meta: continued(),
		}))
	}
	t.sow(seeds...)
	t.engine(running(map[string]func(EngineContext, string) (string, error){
		"Drain": drain,
		"Parent": func(c EngineContext, child string) (string, error) {
			out, err := c.Await(c.Child("Drain", child, "9"))
			if err == nil {
				return "", errors.New("the child returned " + out)
			}
			return "told: " + err.Error(), nil
		},
	}))
	for _, s := range shapes {
		id := fmt.Sprint(s)
		t.wantOutput(id, 2, "carried,late")
		t.wantEvents("history of execution 1", t.readExecution(id, 1), ended(id, s.stamp)...)
		if !s.collide {
			continue
		}
		history := t.finished("parent of "+id, 1)
		end, ok := history[len(history)-1].Data.(core.OrchestrationCompleted)
		if !ok || !strings.HasPrefix(end.Output, "told: ") || !strings.Contains(end.Output, "already exists") {
			t.fatalf("the parent ended with %v, want it told that the child already exists", history[len(history)-1].Data)
		}
	}
}

func continueAsNewTransitionDelivery(t *trial) {
	// Each shape is what arrives, and how the successor ends.
	shapes := map[string]struct {
		takes  int
		arrive func(id string) []core.WorkItem
		check  func(id string, history []core.Event)
	}{
		"a message": {2, func(id string) []core.WorkItem { return []core.WorkItem{queued(id, "late")} }, t.completes("carried,late")},
		"messages": {
			4, func(id string) []core.WorkItem {
				return []core.WorkItem{queued(id, "a"), queued(id, "b"), queued(id, "c")}
			}, t.completes("carried,a,b,c"),
		},
		"an event": {
			2, func(id string) []core.WorkItem { return []core.WorkItem{raised(id, "go"), queued(id, "late")} },
			func(id string, history []core.Event) {
				t.completes("carried,late")(id, history)
				t.wantCount(history, core.TypeExternalEvent, 1)
			},
		},
		"a stale completion": {
			2, func(id string) []core.WorkItem { return []core.WorkItem{completed(id, 2), queued(id, "late")} },
			func(id string, history []core.Event) {
				t.completes("carried,late")(id, history)
				t.wantCount(history, core.TypeActivityCompleted, 0)
			},
		},
		"a stale timer": {
			2, func(id string) []core.WorkItem {
				return []core.WorkItem{core.TimerFiredItem{Instance: id, ExecutionID: 1, ID: 2, FireAtMs: stampedAt}, queued(id, "late")}
			},
			func(id string, history []core.Event) {
				t.completes("carried,late")(id, history)
				t.wantCount(history, core.TypeTimerFired, 0)
			},
		},
		"a cancel": {
			9, func(id string) []core.WorkItem {
				return []core.WorkItem{core.CancelInstanceItem{Instance: id, Reason: "user"}}
			},
			t.fails(core.ApplicationError{Kind: core.KindCancelled("user")}.Error()),
		},
		"a malformed completion": {
			9, func(id string) []core.WorkItem {
				return []core.WorkItem{core.ActivityCompletedItem{Instance: id, ExecutionID: 2, ID: 99, Result: "?"}}
			},
			t.fails("nondeterministic"),
		},
	}
	const delay = 2 * time.Second
	versions := []string{"0.1.30", "0.1.31"}
	var late, at []core.WorkItem
	for _, version := range versions {
		for name, s := range shapes {
			id := name + ", stamp " + version
			t.sow(t.seed(id, ended(id, version), ack{meta: continued()}))
			late = append(late, successorOf(id, s.takes))
			at = append(at, s.arrive(id)...)
		}
	}
	for _, item := range late {
		t.enqueueLater(delay, item)
	}
	t.enqueue(at...)
	o := draining()
	o.UnregisteredBackoff = 100 * time.Millisecond
	t.engine(o)
	for _, version := range versions {
		for name, s := range shapes {
			id := name + ", stamp " + version
			s.check(id, t.finished(id, 2))
			t.wantEvents("history of execution 1", t.readExecution(id, 1), ended(id, version)...)
		}
	}
}

// completes checks that an execution has completed with that output.
func (t *trial) completes(output string) func(string, []core.Event) {
	return func(id string, history []core.Event) {
		wantEqual[core.EventData](t, "the end of "+id, history[len(history)-1].Data, core.OrchestrationCompleted{Output: output})
	}
}

// fails checks that an execution has failed with an error that begins so.
func (t *trial) fails(text string) func(string, []core.Event) {
	return func(id string, history []core.Event) {
		end, ok := history[len(history)-1].Data.(core.OrchestrationFailed)
		if !ok || !strings.HasPrefix(end.Details.Error(), text) {
			t.fatalf("%s ended with %v, want a failure that begins with %q", id, history[len(history)-1].Data, text)
		}
	}
}

func (t *trial) wantCount(history []core.Event, kind string, want int) {
	n := 0
	for _, e := range history {
		if e.Data.EventType() == kind {
			n++
		}
	}
	wantEqual(t, "number of events "+kind, n, want)
}

func continueAsNewQueueRaceReplay(t *trial) {
	timer := func(id string) core.WorkItem {
		return core.TimerFiredItem{Instance: id, ExecutionID: 1, ID: 3, FireAtMs: stampedAt}
	}
	m1 := func(id string) core.WorkItem { return queued(id, "m1") }
	m2 := func(id string) core.WorkItem { return queued(id, "m2") }
	shapes := []struct {
		batch  []func(string) core.WorkItem
		output string
	}{
		{[]func(string) core.WorkItem{timer, m1, m2}, "timer,m1,m2"},
		{[]func(string) core.WorkItem{m1, timer, m2}, "m1,m2"},
		{[]func(string) core.WorkItem{m1, m2, timer}, "m1,m2"},
		{[]func(string) core.WorkItem{timer, m2, m1}, "timer,m2,m1"},
	}
	var seeds []seed
	for i, s := range shapes {
		id := name("shape", i)
		var a ack
		for _, item := range s.batch {
			a.messages = append(a.messages, item(id))
		}
		seeds = append(seeds, t.seed(id, stamped(id, "0.1.31",
			startedAs("Race", ""), core.QueueSubscribed{Name: "inbox"}, core.TimerCreated{FireAtMs: stampedAt}), a))
	}
	t.sow(seeds...)
	t.engine(running(map[string]func(EngineContext, string) (string, error){
		// The input of the second execution is who won the race of the first.
		"Race": func(c EngineContext, won string) (string, error) {
			switch won {
			case "":
				message := c.Dequeue("inbox")
				if c.Race(message, c.Timer(time.Hour)) == 1 {
					return "", c.ContinueAsNew("Race", "timer")
				}
				m, err := c.Await(message)
				if err != nil {
					return "", err
				}
				return "", c.ContinueAsNew("Race", m)
			case "timer":
				rest, err := dequeue(c, 2)
				return won + "," + rest, err
			}
			rest, err := dequeue(c, 1)
			return won + "," + rest, err
		},
	}))
	for i, s := range shapes {
		t.wantOutput(name("shape", i), 2, s.output)
	}
}
