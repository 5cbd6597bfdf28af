package replay_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// start is when simulated executions begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sim runs the turns of one execution, as a provider and a dispatcher would.
type sim struct {
	t         *testing.T
	handler   replay.Handler
	execution uint64
	history   []core.Event
	kv        map[string]core.KVEntry
	now       time.Time
	stamp     string
	strict    bool
	started   core.OrchestrationStarted
	log       bytes.Buffer
	// unchecked turns the cold replay after each turn off.
	unchecked bool
}

func newSim(t *testing.T, handler replay.Handler) *sim {
	t.Helper()
	return &sim{
		t: t, handler: handler, execution: 1, now: start, stamp: "0.1.32",
		started: core.OrchestrationStarted{Name: "orch", Version: "1.0.0", Input: "in"},
	}
}

func (s *sim) input(messages ...core.WorkItem) replay.Input {
	in := replay.Input{
		Instance: "inst", Execution: s.execution, History: s.history, Messages: messages, KV: s.kv,
		Handler: s.handler, Now: func() time.Time { return s.now }, Stamp: s.stamp, StrictInputs: s.strict,
		ParentExecution: func(string) uint64 { return 77 },
		Logger:          slog.New(slog.NewTextHandler(&s.log, nil)),
		Summarise:       true,
	}
	if len(s.history) == 0 {
		in.Start = &s.started
	}
	return in
}

// turn runs one turn a second after the last, and stores what it produced.
// Then it replays what is stored without anything new: nothing may come of it.
func (s *sim) turn(messages ...core.WorkItem) replay.Output {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	out := replay.Run(s.input(messages...))
	s.history = append(slices.Clip(s.history), out.Delta...)
	if !s.unchecked && out.Result == replay.Continue {
		s.replayCold()
	}
	return out
}

func (s *sim) replayCold() {
	s.t.Helper()
	before := s.now
	s.now = s.now.Add(7 * time.Hour) // the code must not see another clock
	cold := replay.Run(s.input())
	s.now = before
	if cold.Result != replay.Continue || len(cold.Delta)+len(cold.WorkerItems)+len(cold.OrchestratorItems) != 0 {
		s.t.Errorf("cold replay of\n  %s\ngives %v, %s, failure %v", strings.Join(show(s.history), "\n  "), cold.Result, show(cold.Delta), cold.Failure)
	}
}

// stored makes a history from event data; ids count from 1.
func (s *sim) stored(data ...core.EventData) *sim {
	for _, d := range data {
		s.storedAt(uint64(len(s.history)+1), 0, d)
	}
	return s
}

// storedAt adds one event with an id and a source, 0 for none.
func (s *sim) storedAt(id, source uint64, d core.EventData) *sim {
	ev := core.Event{
		ID: id, InstanceID: "inst", ExecutionID: s.execution, DuroxideVersion: s.stamp,
		TimestampMs: core.Milliseconds(s.now), Data: d,
	}
	if source != 0 {
		ev.SourceID = &source
	}
	s.history = append(s.history, ev)
	return s
}

// wants compares the events that a turn added with their short forms.
func (s *sim) wants(out replay.Output, result replay.Result, events ...string) {
	s.t.Helper()
	if out.Result != result {
		s.t.Errorf("result %v, want %v; failure: %v", out.Result, result, out.Failure)
	}
	if diff := cmp.Diff(events, show(out.Delta)); diff != "" {
		s.t.Errorf("events (-want +got):\n%s", diff)
	}
}

func (s *sim) wantLog(text string, times int) {
	s.t.Helper()
	if n := strings.Count(s.log.String(), text); n != times {
		s.t.Errorf("log holds %q %d times, want %d:\n%s", text, n, times, s.log.String())
	}
}

// show gives each event a short form: "id[<source] Type(detail)".
func show(events []core.Event) []string {
	var out []string
	for _, ev := range events {
		s := strconv.FormatUint(ev.ID, 10)
		if ev.SourceID != nil {
			s += "<" + strconv.FormatUint(*ev.SourceID, 10)
		}
		s += " " + ev.Data.EventType()
		if d := detail(ev.Data); d != "" {
			s += "(" + d + ")"
		}
		out = append(out, s)
	}
	return out
}

func detail(d core.EventData) string {
	switch d := d.(type) {
	case core.OrchestrationCompleted:
		return d.Output
	case core.OrchestrationFailed:
		return d.Details.Error()
	case core.OrchestrationContinuedAsNew:
		return d.Input
	case core.OrchestrationCancelRequested:
		return d.Reason
	case core.ActivityScheduled:
		return d.Name
	case core.ActivityCompleted:
		return d.Result
	case core.ActivityFailed:
		return d.Details.Error()
	case core.ActivityCancelRequested:
		return d.Reason
	case core.ExternalSubscribed:
		return d.Name
	case core.ExternalEvent:
		return d.Name + "=" + d.Data
	case core.ExternalSubscribedCancelled:
		return d.Reason
	case core.QueueSubscribed:
		return d.Name
	case core.QueueEventDelivered:
		return d.Name + "=" + d.Data
	case core.QueueSubscriptionCancelled:
		return d.Reason
	case core.OrchestrationChained:
		return d.Name + "@" + d.Instance
	case core.SubOrchestrationScheduled:
		return d.Name + "@" + d.Instance
	case core.SubOrchestrationCompleted:
		return d.Result
	case core.SubOrchestrationFailed:
		return d.Details.Error()
	case core.SubOrchestrationCancelRequested:
		return d.Reason
	case core.CustomStatusUpdated:
		if d.Status != nil {
			return *d.Status
		}
	case core.KeyValueSet:
		return d.Key + "=" + d.Value
	case core.KeyValueCleared:
		return d.Key
	}
	return ""
}

// The messages that an instance gets.

func done(id uint64, result string) core.WorkItem {
	return core.ActivityCompletedItem{Instance: "inst", ExecutionID: 1, ID: id, Result: result}
}

func failed(id uint64, message string) core.WorkItem {
	return core.ActivityFailedItem{Instance: "inst", ExecutionID: 1, ID: id, Details: app(core.KindActivityFailed, message)}
}

func fired(id uint64) core.WorkItem {
	return core.TimerFiredItem{Instance: "inst", ExecutionID: 1, ID: id}
}

func childDone(id uint64, result string) core.WorkItem {
	return core.SubOrchCompletedItem{ParentInstance: "inst", ParentExecutionID: 1, ParentID: id, Result: result}
}

func childFailed(id uint64, details core.ErrorDetails) core.WorkItem {
	return core.SubOrchFailedItem{ParentInstance: "inst", ParentExecutionID: 1, ParentID: id, Details: details}
}

func raised(name, data string) core.WorkItem {
	return core.ExternalRaisedItem{Instance: "inst", Name: name, Data: data}
}

func queued(name, data string) core.WorkItem {
	return core.QueueMessageItem{Instance: "inst", Name: name, Data: data}
}

func cancel(reason string) core.WorkItem {
	return core.CancelInstanceItem{Instance: "inst", Reason: reason}
}

func app(kind core.AppErrorKind, message string) core.ApplicationError {
	return core.ApplicationError{Kind: kind, Message: message}
}

var infra = core.InfrastructureError{Operation: "op", Message: "broken", Retryable: true}

// What orchestration code does, as the public package does it.

func await(c *replay.Context, f *replay.Future) (string, error) {
	c.Block(f.Ready)
	value, details, err := f.Take()
	if details != nil {
		err = errors.New(details.Error())
	}
	return value, err
}

// must is await for code that expects no error.
func must(c *replay.Context, f *replay.Future) string {
	value, err := await(c, f)
	if err != nil {
		panic(err)
	}
	return value
}

func choose(c *replay.Context, futures ...*replay.Future) int {
	winner := -1
	c.Block(func() bool {
		for i, f := range futures {
			if f.Ready() {
				winner = i
				return true
			}
		}
		return false
	})
	_, _, _ = futures[winner].Take() // who is told that it won has seen it
	return winner
}

func race(c *replay.Context, futures ...*replay.Future) int {
	winner := choose(c, futures...)
	for i, f := range futures {
		if i != winner {
			f.Drop()
		}
	}
	return winner
}

func join(c *replay.Context, futures ...*replay.Future) []string {
	out := make([]string, len(futures))
	for i, f := range futures {
		value, err := await(c, f)
		if err != nil {
			value = "error: " + err.Error()
		}
		out[i] = value
	}
	return out
}

func act(c *replay.Context, name string) *replay.Future { return c.Activity(name, "x", nil, nil) }

func second(c *replay.Context) *replay.Future { return c.Timer(time.Second) }

func dump(v any) string { return fmt.Sprintf("%+v", v) }
