package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	soakName    = "soak"
	soakVersion = "1.0.0"
	soakStamp   = "0.1.32"
	soakTurnKey = "turns" // counts the turns of an instance
)

// soakPlan is the input of an instance.
type soakPlan struct {
	Life       string // the name of its life
	Steps      int    // in each execution
	Executions int    // to come, this one included
	// Of a child:
	Parent          string `json:",omitempty"`
	ParentExecution uint64 `json:",omitempty"`
	ParentID        uint64 `json:",omitempty"`
}

func (p soakPlan) encode() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// soakKey is a text that tells a message from all others.
func soakKey(item core.WorkItem) string {
	switch m := item.(type) {
	case core.StartOrchestrationItem:
		return "start " + m.Input
	case core.ContinueAsNewItem:
		return "again " + m.Input
	case core.ActivityExecuteItem:
		return "activity " + m.Input
	case core.ActivityCompletedItem:
		return "result " + m.Result
	case core.ActivityFailedItem:
		return "result " + m.Details.(core.ApplicationError).Message
	case core.TimerFiredItem:
		return fmt.Sprint("timer ", m.Instance, " ", m.ExecutionID, " ", m.ID, " ", m.FireAtMs)
	case core.ExternalRaisedItem:
		return "event " + m.Data
	case core.QueueMessageItem:
		return soakQueued + m.Data
	case core.CancelInstanceItem:
		return "cancel " + m.Reason
	case core.SubOrchCompletedItem:
		return "child " + m.Result
	case core.SubOrchFailedItem:
		return "child " + m.Details.(core.ApplicationError).Message
	}
	return fmt.Sprintf("unknown %T", item)
}

// soakQueued begins the key of a message that is dropped when its instance does
// not exist.
const soakQueued = "queue "

// soakTurn is what a turn makes of an instance: it replays the history, takes the
// messages, and decides what comes next. An execution is a row of steps: some
// activities of which all are waited for, a race that cancels the losers, an
// activity in a session, a timer, or a child.
type soakTurn struct {
	ledger *soakLedger
	rng    *rand.Rand
	item   *core.OrchestrationItem
	now    uint64

	ack     core.AckOrchestrationItemParams
	lives   []*soakLife // children that it starts
	cancels []string    // keys of activities that it cancels
	// wait says that the message that starts the next execution has not come.
	wait bool
	// nobody says that there is no such instance.
	nobody bool
	// wrong says what is wrong with what was fetched.
	wrong string

	// What the history says.
	plan      soakPlan
	started   bool
	ended     bool
	continued bool
	race      bool
	won       bool
	steps     int
	turns     int
	events    uint64
	open      map[uint64]string // what is waited for; the input of an activity
}

// newSoakTurn runs the turn of an item.
func newSoakTurn(ledger *soakLedger, rng *rand.Rand, now time.Time, item *core.OrchestrationItem) *soakTurn {
	t := &soakTurn{ledger: ledger, rng: rng, item: item, now: core.Milliseconds(now), open: map[uint64]string{}}
	t.ack.LockToken, t.ack.ExecutionID = item.LockToken, item.ExecutionID
	t.run()
	return t
}

func (t *soakTurn) run() {
	if t.item.HistoryError != "" {
		t.fail("it cannot be read: %s", t.item.HistoryError)
		return
	}
	if snapshot, ok := t.item.KVSnapshot[soakTurnKey]; ok {
		t.turns, _ = strconv.Atoi(snapshot.Value)
	}
	for i, ev := range t.item.History {
		if ev.ID != uint64(i+1) || ev.ExecutionID != t.item.ExecutionID || ev.InstanceID != t.item.Instance {
			t.fail("event %d of execution %d of %s stands at place %d", ev.ID, ev.ExecutionID, ev.InstanceID, i+1)
		}
		t.apply(ev)
	}
	if t.continued {
		t.next()
	}
	if t.goesOn() {
		t.count()
	}
	for _, m := range t.item.Messages {
		t.take(m)
	}
	if !t.started {
		t.nobody = !t.wait && t.item.ExecutionID == core.FirstExecutionID
		return
	}
	if t.ended {
		return
	}
	if t.race && t.won {
		t.cancelOpen("lost")
	}
	if len(t.open) == 0 {
		if t.steps < t.plan.Steps {
			t.step()
		} else {
			t.finish()
		}
	}
}

// count counts the turn in the instance's key-value store. What the last turn
// wrote is in the history, or in the snapshot.
func (t *soakTurn) count() {
	t.add(nil, core.KeyValueSet{Key: soakTurnKey, Value: strconv.Itoa(t.turns + 1), LastUpdatedAtMs: t.now})
}

func (t *soakTurn) fail(format string, args ...any) {
	if t.wrong == "" {
		t.wrong = fmt.Sprintf(format, args...)
	}
}

// next turns to the execution that follows one that continued as new.
func (t *soakTurn) next() {
	t.wait = true
	for _, m := range t.item.Messages {
		if _, ok := m.(core.ContinueAsNewItem); ok {
			t.wait = false
		}
	}
	t.ack.ExecutionID++
	t.started, t.continued, t.steps, t.events, t.race, t.won = false, false, 0, 0, false, false
	clear(t.open)
}

// add records an event and heeds it.
func (t *soakTurn) add(source *uint64, data core.EventData) uint64 {
	ev := core.Event{
		ID: t.events + 1, SourceID: source, InstanceID: t.item.Instance, ExecutionID: t.ack.ExecutionID,
		TimestampMs: t.now, DuroxideVersion: soakStamp, Data: data,
	}
	t.ack.HistoryDelta = append(t.ack.HistoryDelta, ev)
	t.apply(ev)
	return ev.ID
}

func (t *soakTurn) apply(ev core.Event) {
	if t.ended || t.continued {
		t.fail("event %d, %s, follows the end", ev.ID, ev.Data.EventType())
	}
	t.events = ev.ID
	answers := func() {
		if ev.SourceID == nil {
			t.fail("event %d, %s, answers nothing", ev.ID, ev.Data.EventType())
			return
		}
		if _, ok := t.open[*ev.SourceID]; !ok {
			t.fail("event %d, %s, answers %d, which is not waited for", ev.ID, ev.Data.EventType(), *ev.SourceID)
		}
		delete(t.open, *ev.SourceID)
	}
	switch d := ev.Data.(type) {
	case core.OrchestrationStarted:
		if t.started || ev.ID != 1 {
			t.fail("event %d starts it again", ev.ID)
		}
		if err := json.Unmarshal([]byte(d.Input), &t.plan); err != nil {
			t.fail("input %q: %v", d.Input, err)
		}
		t.started = true
	case core.CustomStatusUpdated:
		t.steps++
		t.race, t.won = strings.HasPrefix(*d.Status, "race"), false
	case core.ActivityScheduled:
		t.open[ev.ID] = d.Input
	case core.TimerCreated, core.SubOrchestrationScheduled:
		t.open[ev.ID] = ""
	case core.ActivityCompleted, core.ActivityFailed:
		t.won = true
		answers()
	case core.ActivityCancelRequested, core.TimerFired, core.SubOrchestrationCompleted, core.SubOrchestrationFailed:
		answers()
	case core.KeyValueSet:
		t.turns, _ = strconv.Atoi(d.Value)
	case core.OrchestrationCompleted, core.OrchestrationFailed:
		t.ended = true
	case core.OrchestrationContinuedAsNew:
		t.continued = true
	}
}

// take records a message if it is waited for.
func (t *soakTurn) take(item core.WorkItem) {
	switch m := item.(type) {
	case core.StartOrchestrationItem:
		t.start(m.Input, m.ParentInstance)
	case core.ContinueAsNewItem:
		t.start(m.Input, m.ParentInstance)
	case core.ActivityCompletedItem:
		t.answer(m.ExecutionID, m.ID, m.Result, core.ActivityCompleted{Result: m.Result})
	case core.ActivityFailedItem:
		t.answer(m.ExecutionID, m.ID, m.Details.(core.ApplicationError).Message, core.ActivityFailed{Details: m.Details})
	case core.TimerFiredItem:
		t.answer(m.ExecutionID, m.ID, "", core.TimerFired{FireAtMs: m.FireAtMs})
	case core.SubOrchCompletedItem:
		t.answer(m.ParentExecutionID, m.ParentID, "", core.SubOrchestrationCompleted{Result: m.Result})
	case core.SubOrchFailedItem:
		t.answer(m.ParentExecutionID, m.ParentID, "", core.SubOrchestrationFailed{Details: m.Details})
	case core.ExternalRaisedItem:
		if t.goesOn() {
			t.add(nil, core.ExternalEvent{Name: m.Name, Data: m.Data})
		}
	case core.QueueMessageItem:
		if t.goesOn() {
			t.add(nil, core.QueueEventDelivered{Name: m.Name, Data: m.Data})
		}
	case core.CancelInstanceItem:
		if t.goesOn() {
			t.add(nil, core.OrchestrationCancelRequested{Reason: m.Reason})
			t.cancelOpen("cancelled")
			details := core.ApplicationError{Kind: core.KindCancelled(m.Reason), Message: t.plan.Life}
			t.end(core.StatusFailed, details.Error(), core.OrchestrationFailed{Details: details})
		}
	}
}

func (t *soakTurn) goesOn() bool { return t.started && !t.ended && !t.continued }

func (t *soakTurn) start(input string, parent *string) {
	if t.started {
		t.fail("it is started again by %s", input)
		return
	}
	t.add(nil, core.OrchestrationStarted{Name: soakName, Version: soakVersion, Input: input})
	t.ack.Metadata = core.ExecutionMetadata{
		OrchestrationName: new(soakName), OrchestrationVersion: new(soakVersion), ParentInstanceID: parent,
		PinnedDuroxideVersion: new(core.MustParseVersion(soakStamp)),
	}
	t.count()
}

// answer records the answer to something that is waited for. Anything else comes
// too late, except that an activity must be one of this life.
func (t *soakTurn) answer(execution, id uint64, text string, data core.EventData) {
	if text != "" && t.started && !strings.HasPrefix(text, t.plan.Life+"/") {
		t.fail("%q, the result of an activity, comes to the life %s", text, t.plan.Life)
	}
	input, open := t.open[id]
	if !t.goesOn() || execution != t.ack.ExecutionID || !open {
		return
	}
	if text != input && text != "" {
		t.fail("%q is the result of activity %d, whose input is %q", text, id, input)
	}
	if text == "" && input != "" {
		return // of an earlier life
	}
	t.add(&id, data)
}

func (t *soakTurn) cancelOpen(reason string) {
	for id := range t.events + 1 {
		input, ok := t.open[id]
		if !ok {
			continue
		}
		if input == "" {
			delete(t.open, id) // a timer or a child: its answer will come too late
			continue
		}
		t.add(&id, core.ActivityCancelRequested{Reason: reason})
		t.ack.CancelledActivities = append(t.ack.CancelledActivities, core.ActivityIdentifier{
			Instance: t.item.Instance, ExecutionID: t.ack.ExecutionID, ActivityID: id,
		})
		t.cancels = append(t.cancels, "activity "+input)
	}
}

// step begins the next step.
func (t *soakTurn) step() {
	kinds := []string{"all", "all", "race", "session", "timer", "child"}
	if t.plan.Parent != "" {
		kinds = kinds[:5]
	}
	kind := kinds[t.rng.IntN(len(kinds))]
	t.add(nil, core.CustomStatusUpdated{Status: new(fmt.Sprint(kind, " ", t.steps))})
	switch kind {
	case "all", "race":
		for range 2 + t.rng.IntN(2) {
			t.schedule(nil)
		}
	case "session":
		t.schedule(new(fmt.Sprint("session-", t.rng.IntN(6))))
	case "timer":
		at := t.now + uint64(t.rng.IntN(200))
		id := t.add(nil, core.TimerCreated{FireAtMs: at})
		t.ack.OrchestratorItems = append(t.ack.OrchestratorItems, core.TimerFiredItem{
			Instance: t.item.Instance, ExecutionID: t.ack.ExecutionID, ID: id, FireAtMs: at,
		})
	case "child":
		t.child()
	}
}

func (t *soakTurn) schedule(session *string) {
	input := t.ledger.unique(t.plan.Life + "/")
	id := t.add(nil, core.ActivityScheduled{Name: "work", Input: input, SessionID: session})
	t.ack.WorkerItems = append(t.ack.WorkerItems, core.ActivityExecuteItem{
		Instance: t.item.Instance, ExecutionID: t.ack.ExecutionID, ID: id, Name: "work", Input: input, SessionID: session,
	})
}

func (t *soakTurn) child() {
	plan := soakPlan{
		Life: t.ledger.unique("child-"), Steps: 1, Executions: 1,
		Parent: t.item.Instance, ParentExecution: t.ack.ExecutionID, ParentID: t.events + 1,
	}
	t.add(nil, core.SubOrchestrationScheduled{Name: soakName, Instance: plan.Life, Input: plan.encode()})
	child := newSoakLife(plan, plan.Life)
	t.ack.OrchestratorItems = append(t.ack.OrchestratorItems, child.startItem())
	t.lives = append(t.lives, child)
}

// finish ends the execution.
func (t *soakTurn) finish() {
	if t.plan.Executions <= 1 {
		t.end(core.StatusCompleted, t.plan.Life, core.OrchestrationCompleted{Output: t.plan.Life})
		return
	}
	next := t.plan
	next.Executions--
	t.ack.OrchestratorItems = append(t.ack.OrchestratorItems, core.ContinueAsNewItem{
		Instance: t.item.Instance, Orchestration: soakName, Input: next.encode(),
	})
	t.end(core.StatusContinuedAsNew, next.encode(), core.OrchestrationContinuedAsNew{Input: next.encode()})
}

func (t *soakTurn) end(status core.ExecutionStatus, output string, data core.EventData) {
	t.add(nil, data)
	t.ack.Metadata.Status, t.ack.Metadata.Output = status, &output
	if t.plan.Parent == "" {
		return
	}
	switch status {
	case core.StatusCompleted:
		t.ack.OrchestratorItems = append(t.ack.OrchestratorItems, core.SubOrchCompletedItem{
			ParentInstance: t.plan.Parent, ParentExecutionID: t.plan.ParentExecution, ParentID: t.plan.ParentID, Result: t.plan.Life,
		})
	case core.StatusFailed:
		t.ack.OrchestratorItems = append(t.ack.OrchestratorItems, core.SubOrchFailedItem{
			ParentInstance: t.plan.Parent, ParentExecutionID: t.plan.ParentExecution, ParentID: t.plan.ParentID,
			Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: t.plan.Life},
		})
	}
}
