package memprovider_test

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

func TestOldestInstanceFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.sendLater(2*time.Second, start("late"))
		s.send(start("first"), start("second"))
		time.Sleep(time.Second)
		s.send(start("third"), external("first"))
		time.Sleep(time.Second)
		for _, id := range []string{"first", "second", "third", "late"} {
			s.turn(id)
		}
		s.noTurn()
	})
}

// An instance that is given back with a delay does not stay in front.
func TestDelayedInstanceGoesBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"), start("b"))
		s.check(s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: s.turn("a").LockToken, Delay: time.Second}))
		time.Sleep(time.Second)
		s.turn("b")
		s.turn("a")
	})
}

func TestBatchIsInOrderOfArrival(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.sendLater(time.Second, completed("a", 1))
		s.send(completed("a", 2))
		s.sendLater(500*time.Millisecond, completed("a", 3))
		s.sendLater(time.Hour, completed("a", 4))
		time.Sleep(time.Second)
		s.turnMessages("a", completed("a", 1), completed("a", 2), completed("a", 3))
	})
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	timer := func(at uint64) core.TimerFiredItem {
		return core.TimerFiredItem{Instance: "a", ExecutionID: 1, ID: 2, FireAtMs: at}
	}
	tests := []struct {
		name string
		send func(s store, now uint64)
		want time.Duration
	}{
		{"at once", func(s store, _ uint64) { s.send(external("a")) }, 0},
		{"with a delay", func(s store, _ uint64) { s.sendLater(time.Second, external("a")) }, time.Second},
		{"with less than a millisecond", func(s store, _ uint64) { s.sendLater(1, external("a")) }, time.Millisecond},
		{"timer due", func(s store, now uint64) { s.send(timer(now + 1500)) }, 1500 * time.Millisecond},
		{"timer long due", func(s store, _ uint64) { s.send(timer(0)) }, 0},
		{"timer with a longer delay", func(s store, now uint64) { s.sendLater(2*time.Second, timer(now+1500)) }, 2 * time.Second},
		{"timer with a shorter delay", func(s store, now uint64) { s.sendLater(time.Second, timer(now+1500)) }, 1500 * time.Millisecond},
		{"timer of a turn", func(s store, now uint64) {
			s.send(start("b"))
			s.ack(s.turn("b"), func(p *core.AckOrchestrationItemParams) {
				p.OrchestratorItems = []core.WorkItem{timer(now + 1500)}
			})
		}, 1500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				tt.send(s, core.Milliseconds(time.Now()))
				if tt.want > 0 {
					time.Sleep(tt.want - time.Nanosecond)
					s.noTurn()
					time.Sleep(time.Nanosecond)
				}
				s.turn("a")
			})
		})
	}
	t.Run("timer beyond all time", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.sendLater(math.MaxInt64, timer(math.MaxUint64))
			time.Sleep(1000 * time.Hour)
			s.noTurn()
			if s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: time.Hour}) != nil {
				t.Error("fetched a timer that is never due")
			}
		})
	})
}

// TestMessagesBeforeTheirStart wait for a start that is hidden, uncounted, and
// come with it.
func TestMessagesBeforeTheirStart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.sendLater(time.Hour, start("a"))
		s.send(queued("a", "m"), core.CancelInstanceItem{Instance: "a", Reason: "r"})
		s.noTurn()
		time.Sleep(30 * time.Minute)
		s.send(queued("a", "n"))
		s.noTurn()
		time.Sleep(30 * time.Minute)
		turn := s.turnMessages("a", start("a"), queued("a", "m"), core.CancelInstanceItem{Instance: "a", Reason: "r"}, queued("a", "n"))
		equal(t, "attempts", turn.AttemptCount, uint32(1))
	})
}

func TestAttemptsOfTurns(t *testing.T) {
	t.Parallel()
	abandon := func(s store, turn *core.OrchestrationItem, p core.AbandonParams) {
		s.t.Helper()
		p.LockToken = turn.LockToken
		s.check(s.AbandonOrchestrationItem(s.ctx, p))
	}
	t.Run("every fetch counts", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(start("a"))
			for n := range uint32(3) {
				turn := s.turn("a")
				equal(t, "attempts", turn.AttemptCount, n+1)
				equal(t, "stored", s.MaxAttemptCount("a"), n+1)
				abandon(s, turn, core.AbandonParams{})
			}
			s.turn("a")
			time.Sleep(lease)
			equal(t, "attempts", s.turn("a").AttemptCount, uint32(5))
		})
	})
	t.Run("unless it is taken back", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(start("a"))
			for range 3 {
				turn := s.turn("a")
				equal(t, "attempts", turn.AttemptCount, uint32(1))
				abandon(s, turn, core.AbandonParams{IgnoreAttempt: true})
				equal(t, "stored", s.MaxAttemptCount("a"), uint32(0))
			}
		})
	})
	t.Run("a batch reports its highest", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(start("a"))
			abandon(s, s.turn("a"), core.AbandonParams{})
			turn := s.turn("a")
			s.send(completed("a", 1))
			abandon(s, turn, core.AbandonParams{})
			equal(t, "attempts", s.turn("a").AttemptCount, uint32(3))
		})
	})
	t.Run("abandoning touches only its own messages", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.create("a")
			s.send(start("a"))
			abandon(s, s.turn("a"), core.AbandonParams{})
			abandon(s, s.turn("a"), core.AbandonParams{Delay: time.Second})
			s.send(queued("a", "m"))
			turn := s.turnMessages("a", queued("a", "m"))
			equal(t, "attempts", turn.AttemptCount, uint32(1))
			abandon(s, turn, core.AbandonParams{IgnoreAttempt: true})
			time.Sleep(time.Second)
			turn = s.turnMessages("a", start("a"), queued("a", "m"))
			equal(t, "attempts", turn.AttemptCount, uint32(3))
		})
	})
	t.Run("so does its delay", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.create("a")
			s.send(start("a"))
			turn := s.turn("a")
			s.send(completed("a", 1))
			abandon(s, turn, core.AbandonParams{Delay: 5 * time.Second})
			s.ack(s.turnMessages("a", completed("a", 1)), nil)
			s.noTurn()
			time.Sleep(5 * time.Second)
			s.turnMessages("a", start("a"))
		})
	})
	t.Run("an expired lock can still be abandoned with a delay", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(start("a"))
			turn := s.turn("a")
			s.send(start("b"))
			time.Sleep(lease)
			s.turn("a")
			s.turn("b") // both are filed as expired below
			time.Sleep(lease)
			depths, err := s.GetQueueDepths(s.ctx)
			s.check(err)
			equal(t, "waiting", depths.OrchestratorQueue, uint64(2))
			wantError(t, s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: turn.LockToken}),
				"abandon_orchestration_item", core.ErrLockLost)
			turn = s.turn("a")
			time.Sleep(lease)
			s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: lease, Filter: &core.CapabilityFilter{}})
			abandon(s, turn, core.AbandonParams{Delay: time.Second, IgnoreAttempt: true})
			s.turn("b")
			s.noTurn()
			time.Sleep(time.Second)
			equal(t, "attempts", s.turn("a").AttemptCount, uint32(3))
		})
	})
}

func TestOrphanQueueMessagesAreDropped(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newStore(t)
	s.Provider = memprovider.New(&memprovider.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.send(queued("ghost", "1"), queued("ghost", "2"), start("a"))
	s.turn("a") // in the same fetch: the orphans hold nobody up
	s.noTurn()
	if !strings.Contains(log.String(), "instance=ghost messages=2") {
		t.Errorf("log %q does not tell", log.String())
	}
	equal(t, "attempts left behind", s.MaxAttemptCount("ghost"), uint32(0))
	executions, err := s.ListExecutions(s.ctx, core.ListExecutionsParams{Instance: "ghost"})
	s.check(err)
	equal(t, "executions left behind", len(executions), 0)

	s.send(start("ghost"))
	s.turnMessages("ghost", start("ghost"))
}

func TestQueueMessagesWithAnInstanceAreDelivered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(s store)
		want    []core.WorkItem
	}{
		{"row", func(s store) { s.create("a") }, nil},
		{"start in the batch", func(s store) { s.send(start("a")) }, []core.WorkItem{start("a")}},
		{"history without a start", func(s store) {
			s.check(s.AppendWithExecution(s.ctx, core.AppendWithExecutionParams{
				Instance: "a", ExecutionID: 1, Events: events(1, core.KeyValuesCleared{}),
			}))
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			tt.prepare(s)
			s.send(queued("a", "m"))
			s.turnMessages("a", append(tt.want, queued("a", "m"))...)
		})
	}
}

// Anything but queue messages may race with the start: it is handed out, so
// that it neither gets lost by a rule nor blocks what is behind it.
func TestOtherOrphansAreHandedOut(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	cancel := core.CancelInstanceItem{Instance: "ghost", Reason: "r"}
	s.send(queued("ghost", "m"), cancel, start("a"))
	turn := s.turnMessages("ghost", queued("ghost", "m"), cancel)
	equal(t, "name", turn.OrchestrationName, "Unknown")
	equal(t, "version", turn.Version, core.UnknownVersion)
	equal(t, "execution", turn.ExecutionID, uint64(1))
	equal(t, "events", len(turn.History), 0)
	s.ack(turn, nil)
	s.turn("a")
}

func TestNameWithoutRow(t *testing.T) {
	t.Parallel()
	history := func(s store, executionID uint64, data core.EventData) {
		s.t.Helper()
		s.send(start("a"))
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.ExecutionID = executionID
			p.HistoryDelta = events(1, data)
		})
	}
	tests := []struct {
		name                  string
		prepare               func(s store)
		wantName, wantVersion string
		wantEvents            int
	}{
		{"start", func(s store) { s.send(start("a")) }, "Orch", "1.0.0", 0},
		{"start without version", func(s store) {
			s.send(core.StartOrchestrationItem{Instance: "a", Orchestration: "X", ExecutionID: 1})
		}, "X", core.UnknownVersion, 0},
		{"start behind other messages", func(s store) { s.send(external("a"), start("a")) }, "Orch", "1.0.0", 0},
		{"continue as new", func(s store) {
			s.send(core.ContinueAsNewItem{Instance: "a", Orchestration: "Next", Version: ptr("3.0.0")})
		}, "Next", "3.0.0", 0},
		{"history before the batch", func(s store) {
			history(s, 1, core.OrchestrationStarted{Name: "Stored", Version: "2.0.0"})
			s.send(start("a"))
		}, "Stored", "2.0.0", 1},
		{"history of the highest execution", func(s store) {
			history(s, 1, core.OrchestrationStarted{Name: "First", Version: "1.0.0"})
			history(s, 2, core.OrchestrationStarted{Name: "Second", Version: "2.0.0"})
			s.send(external("a"))
		}, "Second", "2.0.0", 1},
		{"history without a start", func(s store) {
			history(s, 1, core.KeyValuesCleared{})
			s.send(external("a"))
		}, "Unknown", core.UnknownVersion, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			tt.prepare(s)
			turn := s.turn("a")
			equal(t, "name", turn.OrchestrationName, tt.wantName)
			equal(t, "version", turn.Version, tt.wantVersion)
			equal(t, "execution", turn.ExecutionID, uint64(1))
			equal(t, "events", len(turn.History), tt.wantEvents)
		})
	}
}

func TestSubOrchestrationResultsGoToTheParent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	done := core.SubOrchCompletedItem{ParentInstance: "p", ParentExecutionID: 1, ParentID: 2, Result: "r"}
	failed := core.SubOrchFailedItem{ParentInstance: "p", ParentExecutionID: 1, ParentID: 3, Details: core.ApplicationError{
		Kind: core.KindCancelled("x"),
	}}
	s.send(done, failed)
	s.turnMessages("p", done, failed)
}
