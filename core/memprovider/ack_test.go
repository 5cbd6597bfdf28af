package memprovider_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func TestAckStoresEverything(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"))
		delta := append(events(1, started(1).Data), events(2,
			core.ActivityScheduled{Name: "Act", Input: "{}"},
			core.TimerCreated{FireAtMs: 5},
			core.CustomStatusUpdated{Status: ptr("busy")},
			core.KeyValueSet{Key: "k", Value: "v", LastUpdatedAtMs: 3})...)
		timer := core.TimerFiredItem{Instance: "a", ExecutionID: 1, ID: 3, FireAtMs: 5}
		child := core.StartOrchestrationItem{Instance: "a::sub::9", Orchestration: "Child", ExecutionID: 1}
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = delta
			p.WorkerItems = []core.WorkItem{activity(2), activity(7), activity(8)}
			p.OrchestratorItems = []core.WorkItem{timer, child, external("a")}
			p.CancelledActivities = []core.ActivityIdentifier{{Instance: "a", ExecutionID: 1, ActivityID: 7}}
			p.Metadata = named("Orch", "2.0.0")
			p.Metadata.Status = core.StatusRunning
		})

		equal(t, "history", s.read("a"), delta)
		s.work(2, anyWork)
		s.work(8, anyWork)
		s.noWork(anyWork)
		turn := s.turnMessages("a", timer, external("a"))
		equal(t, "version", turn.Version, "2.0.0")
		s.turnMessages("a::sub::9", child)
		status, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a"})
		s.check(err)
		equal(t, "status", *status.Status, "busy")
		value, err := s.GetKVValue(s.ctx, core.GetKVValueParams{Instance: "a", Key: "k"})
		s.check(err)
		equal(t, "value", *value, "v")
	})
}

// A refused acknowledgement changes nothing, and the lock stays for another try.
func TestRefusedAckChangesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, names string
		cause       error
		edit        func(*core.AckOrchestrationItemParams)
	}{
		{"stored event id", "id 1", core.ErrDuplicateEvent, func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = []core.Event{event(9, core.KeyValuesCleared{}), event(1, core.KeyValuesCleared{})}
		}},
		{"event id twice", "id 9", core.ErrDuplicateEvent, func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = []core.Event{event(9, core.KeyValuesCleared{}), event(9, core.KeyValuesCleared{})}
		}},
		{"event id 0", "HistoryDelta", core.ErrInvalidArgument, func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = []core.Event{event(9, core.KeyValuesCleared{}), event(0, core.KeyValuesCleared{})}
		}},
		{"event without payload", "HistoryDelta", core.ErrInvalidArgument, func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = []core.Event{event(9, nil)}
		}},
		{"pointer to a payload", "HistoryDelta", core.ErrInvalidArgument, func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = []core.Event{event(9, &core.KeyValuesCleared{})}
		}},
		{"message among the activities", "WorkerItems[1]", core.ErrInvalidItem, func(p *core.AckOrchestrationItemParams) {
			p.WorkerItems = append(p.WorkerItems, start("x"))
		}},
		{"activity among the messages", "OrchestratorItems[1]", core.ErrInvalidItem, func(p *core.AckOrchestrationItemParams) {
			p.OrchestratorItems = append(p.OrchestratorItems, activity(9))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				s.create("a")
				s.send(external("a"), activity(1))
				turn := s.turn("a")
				err := s.tryAck(turn, func(p *core.AckOrchestrationItemParams) {
					p.HistoryDelta = events(5, core.CustomStatusUpdated{Status: ptr("x")}, core.KeyValueSet{Key: "k"})
					p.WorkerItems = []core.WorkItem{activity(2)}
					p.OrchestratorItems = []core.WorkItem{start("b")}
					p.CancelledActivities = []core.ActivityIdentifier{{Instance: "a", ExecutionID: 1, ActivityID: 1}}
					p.Metadata = named("Other", "9.9.9")
					p.Metadata.Status = core.StatusCompleted
					tt.edit(p)
				})
				wantError(t, err, "ack_orchestration_item", tt.cause)
				if !strings.Contains(err.Error(), tt.names) {
					t.Errorf("error %q does not name %q", err, tt.names)
				}

				s.noTurn() // locked still, and no b
				equal(t, "history", s.read("a"), []core.Event{started(1)})
				s.work(1, anyWork)
				s.noWork(anyWork)
				info, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"})
				s.check(err)
				equal(t, "name", info.OrchestrationName, "Orch")
				equal(t, "status", info.Status, core.StatusRunning)
				status, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a"})
				s.check(err)
				equal(t, "custom status", status, (*core.CustomStatus)(nil))

				// The same token records something else.
				s.ack(turn, func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = events(2, core.KeyValuesCleared{}) })
				s.noTurn()
			})
		})
	}
}

func TestOfTwoConcurrentAcksOneSucceeds(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(start("a"))
	turn := s.turn("a")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for n := range errs {
		wg.Go(func() {
			errs[n] = s.tryAck(turn, func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = []core.Event{started(1)} })
		})
	}
	wg.Wait()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
		} else {
			wantError(t, err, "ack_orchestration_item", core.ErrLockLost)
		}
	}
	equal(t, "successes", succeeded, 1)
}

func TestAckDeletesOnlyItsBatch(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"))
		s.sendLater(time.Second, completed("a", 1))
		turn := s.turnMessages("a", start("a"))
		time.Sleep(time.Second) // now visible, but not of the batch
		s.send(completed("a", 2))
		s.ack(turn, nil)
		s.turnMessages("a", completed("a", 1), completed("a", 2))
	})
}

func TestEmptyAck(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"))
		s.ack(s.turn("a"), nil)
		s.noTurn()
		// Without a name there is an execution but no instance.
		executions, err := s.ListExecutions(s.ctx, core.ListExecutionsParams{Instance: "a"})
		s.check(err)
		equal(t, "executions", executions, []uint64{1})
		_, err = s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"})
		wantError(t, err, "get_instance_info", core.ErrNotFound)
	})
}

func TestContinueAsNew(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.create("a")
		s.send(external("a"))
		next := core.ContinueAsNewItem{Instance: "a", Orchestration: "Orch", Input: "2"}
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = events(2, core.OrchestrationContinuedAsNew{Input: "2"})
			p.OrchestratorItems = []core.WorkItem{start("a"), next, queued("a", "m")}
			p.Metadata = core.ExecutionMetadata{Status: core.StatusContinuedAsNew, Output: ptr("2")}
		})
		// The ended execution is current until the next one is recorded.
		turn := s.turnMessages("a", start("a"), next, queued("a", "m"))
		equal(t, "execution", turn.ExecutionID, uint64(1))
		equal(t, "events", len(turn.History), 2)
		s.ack(turn, func(p *core.AckOrchestrationItemParams) {
			p.ExecutionID = 2
			p.HistoryDelta = []core.Event{started(1)}
			p.Metadata = named("Orch", "1.0.0")
		})
		s.send(external("a"))
		turn = s.turn("a")
		equal(t, "execution", turn.ExecutionID, uint64(2))
		equal(t, "history", turn.History, []core.Event{started(1)})
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		metadata := func(m core.ExecutionMetadata) {
			t.Helper()
			s.send(start("a"))
			s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) { p.Metadata = m })
		}
		info := func() *core.InstanceInfo {
			t.Helper()
			info, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"})
			s.check(err)
			return info
		}
		metadata(core.ExecutionMetadata{OrchestrationName: ptr("only the name")})
		if _, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"}); !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("a name without version made the instance: %v", err)
		}
		m := named("Orch", "1.0.0")
		m.ParentInstanceID = ptr("p")
		metadata(m)
		m = named("Orch", "2.0.0")
		m.ParentInstanceID = ptr("other")
		metadata(m)
		equal(t, "version", info().OrchestrationVersion, "2.0.0")
		equal(t, "parent", *info().ParentInstanceID, "p")

		metadata(core.ExecutionMetadata{Status: core.StatusFailed, Output: ptr("boom")})
		metadata(core.ExecutionMetadata{})
		equal(t, "status", info().Status, core.StatusFailed)
		equal(t, "output", *info().Output, "boom")
		metadata(core.ExecutionMetadata{Status: core.StatusCompleted})
		equal(t, "status", info().Status, core.StatusCompleted)
		equal(t, "output", info().Output, (*string)(nil))
	})
}
