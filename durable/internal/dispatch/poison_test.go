package dispatch

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

func TestPoison(t *testing.T) {
	const text = "poison: orchestration i exceeded 4 attempts (max 3)"
	child := begun
	child.ParentInstance, child.ParentID, child.ParentExecutionID = new("p"), new(uint64(5)), new(uint64(2))
	type row struct {
		ID        uint64
		Execution uint64
		Data      core.EventData
	}
	poison := func(execution uint64) core.PoisonError {
		return core.PoisonError{AttemptCount: 4, MaxAttempts: 3, MessageType: core.PoisonOrchestration{Instance: "i", ExecutionID: execution}}
	}
	failedRow := func(id, execution uint64) row {
		return row{id, execution, core.OrchestrationFailed{Details: poison(execution)}}
	}
	withVersion := func(s core.OrchestrationStarted, v string) core.OrchestrationStarted { s.Version = v; return s }
	next := core.ContinueAsNewItem{
		Instance: "i", Orchestration: "o", Input: "next", Version: new("2.0.0"), CarryForwardEvents: []core.QueueEvent{{Name: "q", Data: "m"}},
		ParentInstance: child.ParentInstance, ParentID: child.ParentID, ParentExecutionID: child.ParentExecutionID,
	}
	tests := map[string]struct {
		item   core.OrchestrationItem
		rows   []row
		parent bool
		none   bool // only consumed
	}{
		"a running execution": {
			core.OrchestrationItem{History: stored(begun, core.TimerCreated{}), Messages: []core.WorkItem{late}}, []row{failedRow(3, 1)}, false, false,
		},
		"a running child": {
			core.OrchestrationItem{History: stored(child), Messages: []core.WorkItem{late}}, []row{failedRow(2, 1)}, true, false,
		},
		"a new instance": {
			core.OrchestrationItem{OrchestrationName: "o", Version: "unknown", Messages: []core.WorkItem{startItem}},
			[]row{{1, 1, withVersion(begun, "unknown")}, failedRow(2, 1)}, false, false,
		},
		"a new child": {
			core.OrchestrationItem{OrchestrationName: "o", Version: "unknown", Messages: []core.WorkItem{fromParent("p", 5, new(uint64(2)))}},
			[]row{{1, 1, withVersion(child, "unknown")}, failedRow(2, 1)}, true, false,
		},
		"messages of an instance that never started": {
			core.OrchestrationItem{OrchestrationName: "Unknown", Version: "unknown", Messages: []core.WorkItem{late}},
			[]row{{1, 1, core.OrchestrationStarted{Name: "Unknown", Version: "unknown"}}, failedRow(2, 1)}, false, false,
		},
		"the start of a successor": {
			core.OrchestrationItem{ExecutionID: 3, Version: "1.0.0", History: stored(child, again), Messages: []core.WorkItem{next}},
			[]row{{1, 4, core.OrchestrationStarted{
				Name: "o", Version: "1.0.0", Input: "next", CarryForwardEvents: next.CarryForwardEvents,
				ParentInstance: child.ParentInstance, ParentID: child.ParentID, ParentExecutionID: child.ParentExecutionID,
			}}, failedRow(2, 4)}, true, false,
		},
		"a successor whose start never came": {
			core.OrchestrationItem{ExecutionID: 3, Version: "1.0.0", History: stored(child, again), Messages: []core.WorkItem{late}},
			[]row{{1, 4, core.OrchestrationStarted{
				Name: "o", Version: "1.0.0", Input: "next",
				ParentInstance: child.ParentInstance, ParentID: child.ParentID, ParentExecutionID: child.ParentExecutionID,
			}}, failedRow(2, 4)}, true, false,
		},
		"a successor whose messages waited too long": {
			core.OrchestrationItem{ExecutionID: 3, Version: "1.0.0", History: stored(child, again), Messages: []core.WorkItem{late, next}},
			[]row{{1, 4, core.OrchestrationStarted{
				Name: "o", Version: "1.0.0", Input: "next", CarryForwardEvents: next.CarryForwardEvents,
				ParentInstance: child.ParentInstance, ParentID: child.ParentID, ParentExecutionID: child.ParentExecutionID,
			}}, failedRow(2, 4)}, true, false,
		},
		"a successor whose start never came, and another parent's start": {
			core.OrchestrationItem{ExecutionID: 3, Version: "1.0.0", History: stored(child, again), Messages: []core.WorkItem{fromParent("q", 9, new(uint64(8)))}},
			[]row{{1, 4, core.OrchestrationStarted{
				Name: "o", Version: "1.0.0", Input: "next",
				ParentInstance: child.ParentInstance, ParentID: child.ParentID, ParentExecutionID: child.ParentExecutionID,
			}}, failedRow(2, 4)}, true, false,
		},
		"an ended execution": {core.OrchestrationItem{History: stored(begun, ended), Messages: []core.WorkItem{late}}, nil, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.item.AttemptCount = 4
			d, log := decide(t, nil, tt.item)
			if d.Ack == nil || d.Result != replay.Failed || log.holds("poisoned") != 1 {
				t.Fatalf("decision %+v", d)
			}
			var rows []row
			for _, ev := range d.Ack.HistoryDelta {
				if f, ok := ev.Data.(core.OrchestrationFailed); ok {
					p := f.Details.(core.PoisonError)
					if p.Message == "" || p.Message[0] != '[' {
						t.Errorf("message %q is not the batch", p.Message)
					}
					p.Message = ""
					ev.Data = core.OrchestrationFailed{Details: p}
				}
				rows = append(rows, row{ev.ID, ev.ExecutionID, ev.Data})
			}
			if diff := cmp.Diff(tt.rows, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if tt.none {
				if d.Ack.Metadata.Status != "" {
					t.Errorf("status %s", d.Ack.Metadata.Status)
				}
				return
			}
			last := tt.rows[len(tt.rows)-1]
			if d.Ack.ExecutionID != last.Execution || d.Ack.Metadata.Status != core.StatusFailed || *d.Ack.Metadata.Output != text {
				t.Errorf("execution %d, metadata %+v", d.Ack.ExecutionID, d.Ack.Metadata)
			}
			told := len(d.Ack.OrchestratorItems) == 1
			if told != tt.parent {
				t.Errorf("items %+v", d.Ack.OrchestratorItems)
			}
			if told {
				n := d.Ack.OrchestratorItems[0].(core.SubOrchFailedItem)
				if n.ParentInstance != "p" || n.ParentExecutionID != 2 || n.ParentID != 5 || n.Details.Error() != text {
					t.Errorf("notice %+v", n)
				}
			}
		})
	}
	t.Run("history that cannot be decoded", func(t *testing.T) {
		t.Parallel()
		d, _ := decide(t, nil, core.OrchestrationItem{OrchestrationName: "o", Version: "1.0.0", ExecutionID: 2, HistoryError: "bad row", AttemptCount: 4, Messages: []core.WorkItem{late}})
		if len(d.Ack.HistoryDelta) != 1 || d.Ack.HistoryDelta[0].ID != 99999 || d.Ack.ExecutionID != 2 {
			t.Fatalf("acknowledged %+v", d.Ack)
		}
		want := core.OrchestrationFailed{Details: core.PoisonError{
			AttemptCount: 4, MaxAttempts: 3, Message: "bad row", MessageType: core.PoisonUndecodable{Instance: "i", ExecutionID: 2, Error: "bad row"},
		}}
		if diff := cmp.Diff(core.EventData(want), d.Ack.HistoryDelta[0].Data); diff != "" {
			t.Error(diff)
		}
	})
}

// TestIncompatibleAttemptsCount: who may not run an execution never poisons it,
// but what it gave back was an attempt for those who may.
func TestIncompatibleAttemptsCount(t *testing.T) {
	t.Parallel()
	item := core.OrchestrationItem{History: stored(begun), Messages: []core.WorkItem{late}, AttemptCount: 4}
	narrow := func(t *Turns) { t.Supported.Min = core.MustParseVersion("0.1.33") }
	if d, _ := decide(t, narrow, item); d.Abandon == nil || d.Abandon.IgnoreAttempt {
		t.Errorf("outside the range: %+v", d)
	}
	d, _ := decide(t, nil, item)
	if d.Ack == nil {
		t.Fatalf("inside the range: %+v", d)
	}
	last := d.Ack.HistoryDelta[len(d.Ack.HistoryDelta)-1]
	if f, ok := last.Data.(core.OrchestrationFailed); !ok || f.Details.Category() != "poison" {
		t.Errorf("inside the range: %+v", last)
	}
}

func TestHistoryWithoutItsStart(t *testing.T) {
	t.Parallel()
	d, _ := decide(t, nil, core.OrchestrationItem{OrchestrationName: "o", Version: "1.0.0", History: stored(core.TimerCreated{}), Messages: []core.WorkItem{late}})
	if d.Ack == nil || d.Ack.Metadata.Status != core.StatusFailed {
		t.Fatalf("decision %+v", d)
	}
}

func TestTurnThatCannotBeStored(t *testing.T) {
	child := calls(plain("r"))
	child.orchestrations["parent"] = func(c *replay.Context, _ string) (string, error) {
		f := c.Child("o", "kid", "in", nil)
		c.Block(f.Ready)
		value, details, err := f.Take()
		if details != nil {
			err = errors.New(details.Error())
		}
		return value, err
	}
	tests := map[string]struct {
		fail     int
		err      error
		output   string
		failure  string
		abandons []core.AbandonParams
	}{
		"for a while: tried again":              {5, errBusy, "r", "", nil},
		"too long: given back, and run again":   {6, errBusy, "r", "", []core.AbandonParams{{Delay: 50 * time.Millisecond}}},
		"an error that nobody knows: run again": {1, errors.New("odd"), "r", "", []core.AbandonParams{{Delay: 50 * time.Millisecond}}},
		"never: the execution fails":            {1, errBad, "", "infrastructure:op: bad", nil},
		"nor the failure: run again":            {2, errBad, "r", "", []core.AbandonParams{{Delay: 50 * time.Millisecond}}},
		"lock lost: left to its owner":          {1, errLost, "r", "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, child, func(b *bench) {
				b.p.before = failing("ack turn", tt.fail, tt.err)
				b.start()
				b.startInstance("i", "o")
				if tt.failure != "" {
					b.wantFailure("i", tt.failure)
				} else {
					b.wantOutput("i", tt.output)
				}
				if diff := cmp.Diff(tt.abandons, b.p.abandons()); diff != "" {
					t.Errorf("abandoned (-want +got):\n%s", diff)
				}
			})
		})
	}
	t.Run("of a child: the parent is told", func(t *testing.T) {
		t.Parallel()
		inBubble(t, child, func(b *bench) {
			var once atomic.Bool
			b.p.before = func(_ context.Context, _ string, _ int, params any) error {
				p, ok := params.(core.AckOrchestrationItemParams)
				if ok && len(p.HistoryDelta) > 0 && p.HistoryDelta[0].InstanceID == "kid" && !once.Swap(true) {
					return errBad
				}
				return nil
			}
			b.start()
			b.startInstance("i", "parent")
			b.wantFailure("i", "infrastructure:op: bad")
		})
	})
	t.Run("in a later turn: it is recorded behind what is stored", func(t *testing.T) {
		t.Parallel()
		inBubble(t, child, func(b *bench) {
			b.p.before = func(_ context.Context, method string, n int, _ any) error {
				if method == "ack turn" && n == 2 {
					return errBad
				}
				return nil
			}
			b.start()
			b.startInstance("i", "o")
			b.wantFailure("i", "infrastructure:op: bad")
			events := b.history("i")
			if len(events) != 3 || events[2].ID != 3 {
				t.Errorf("history %+v", events)
			}
		})
	})
}
