package e2e_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

// killedRun is what the database holds of an instance after the kills.
type killedRun struct {
	events []core.Event
	status string
	output string
	// drawn are the nonces that the runs of each step's activity returned or
	// would have returned.
	drawn map[string][]string
}

// check returns what is wrong with a run: it must have completed, every
// activity must have exactly one result, which one of its runs returned, and the
// output must be the hash of the results in the order of the calls.
func (r *killedRun) check() error {
	var scheduled []uint64
	steps := map[uint64]string{}
	results := map[uint64]string{}
	starts, output := 0, ""
	for i, ev := range r.events {
		if ev.ID != uint64(i+1) || ev.ExecutionID != core.FirstExecutionID {
			return fmt.Errorf("event %d of execution %d stands at place %d", ev.ID, ev.ExecutionID, i+1)
		}
		if output != "" {
			return fmt.Errorf("event %d, %s, follows the end", ev.ID, ev.Data.EventType())
		}
		switch d := ev.Data.(type) {
		case core.OrchestrationStarted:
			starts++
		case core.ActivityScheduled:
			if want := strconv.Itoa(len(scheduled)); d.Input != want {
				return fmt.Errorf("event %d schedules step %s in the place of %s", ev.ID, d.Input, want)
			}
			scheduled = append(scheduled, ev.ID)
			steps[ev.ID] = d.Input
		case core.ActivityCompleted:
			if ev.SourceID == nil || !slices.Contains(scheduled, *ev.SourceID) {
				return fmt.Errorf("event %d is the result of nothing that was scheduled", ev.ID)
			}
			if _, ok := results[*ev.SourceID]; ok {
				return fmt.Errorf("activity %d has a second result, event %d", *ev.SourceID, ev.ID)
			}
			if !slices.Contains(r.drawn[steps[*ev.SourceID]], d.Result) {
				return fmt.Errorf("activity %d never returned its result", *ev.SourceID)
			}
			results[*ev.SourceID] = d.Result
		case core.OrchestrationCompleted:
			output = d.Output
		default:
			return fmt.Errorf("event %d is %s", ev.ID, ev.Data.EventType())
		}
	}
	if starts != 1 || len(scheduled) != killSteps || len(results) != killSteps {
		return fmt.Errorf("%d starts, %d activities and %d results", starts, len(scheduled), len(results))
	}
	var nonces []string
	for _, id := range scheduled {
		nonces = append(nonces, results[id])
	}
	if want := nonceHash(nonces); output != want || r.output != want || r.status != string(core.StatusCompleted) {
		return fmt.Errorf("it is %q with output %q in its history and %q beside it, want %q", r.status, output, r.output, want)
	}
	return nil
}

// The check of the kill test notices what it is there for.
func TestKillCheck(t *testing.T) {
	t.Parallel()
	good := func() *killedRun {
		r := &killedRun{status: "Completed", drawn: map[string][]string{}}
		add := func(source *uint64, data core.EventData) uint64 {
			id := uint64(len(r.events) + 1)
			r.events = append(r.events, core.Event{ID: id, ExecutionID: 1, SourceID: source, Data: data})
			return id
		}
		add(nil, core.OrchestrationStarted{})
		var nonces []string
		for i := range killSteps {
			step := strconv.Itoa(i)
			id := add(nil, core.ActivityScheduled{Input: step})
			nonce := "nonce " + step
			r.drawn[step] = []string{"interrupted", nonce}
			add(&id, core.ActivityCompleted{Result: nonce})
			nonces = append(nonces, nonce)
		}
		r.output = nonceHash(nonces)
		add(nil, core.OrchestrationCompleted{Output: r.output})
		return r
	}
	if err := good().check(); err != nil {
		t.Fatalf("a good run: %v", err)
	}
	last := len(good().events) - 1
	for name, spoil := range map[string]func(*killedRun){
		"other attempt's result": func(r *killedRun) { r.events[2].Data = core.ActivityCompleted{Result: "interrupted"} },
		"result of nobody":       func(r *killedRun) { r.drawn["0"] = nil },
		"results exchanged": func(r *killedRun) {
			r.events[2].SourceID, r.events[4].SourceID = r.events[4].SourceID, r.events[2].SourceID
		},
		"second result":        func(r *killedRun) { r.events[4].SourceID = r.events[2].SourceID },
		"failure instead":      func(r *killedRun) { r.events[2].Data = core.ActivityFailed{} },
		"other step":           func(r *killedRun) { r.events[1].Data = core.ActivityScheduled{Input: "1"} },
		"result lost":          func(r *killedRun) { r.events = slices.Delete(r.events, last-1, last) },
		"gap":                  func(r *killedRun) { r.events[last].ID++ },
		"not completed":        func(r *killedRun) { r.events = r.events[:last] },
		"status not completed": func(r *killedRun) { r.status = "Running" },
		"event after the end": func(r *killedRun) {
			r.events = append(r.events, core.Event{ID: uint64(last + 2), ExecutionID: 1, Data: core.TimerFired{}})
		},
		"other output in history": func(r *killedRun) { r.events[last].Data = core.OrchestrationCompleted{Output: "x"} },
		"other output beside it":  func(r *killedRun) { r.output = "x" },
		"started twice":           func(r *killedRun) { r.events[1].Data = core.OrchestrationStarted{} },
	} {
		r := good()
		spoil(r)
		if r.check() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
