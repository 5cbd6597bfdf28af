package memprovider_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// A lock is live while its end is after now; at its end it is expired.
func TestLockEndsExactlyAtItsTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"), activity(1))
		turn, work := s.turn("a"), s.work(1, anyWork)

		time.Sleep(lease - time.Millisecond)
		s.noTurn()
		s.noWork(anyWork)

		time.Sleep(time.Millisecond)
		wantError(t, s.tryAck(turn, nil), "ack_orchestration_item", core.ErrLockLost)
		wantError(t, s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work.LockToken}), "ack_work_item", core.ErrLockLost)
		if again := s.turn("a"); again.LockToken == turn.LockToken {
			t.Error("the takeover has the token of the lost lock")
		}
		if again := s.work(1, anyWork); again.LockToken == work.LockToken {
			t.Error("the second fetch has the token of the lost lock")
		}
	})
}

// Contract 5.1: what each call makes of a token in each state.
func TestTokens(t *testing.T) {
	t.Parallel()
	calls := []struct {
		op      string
		expired bool // works with an expired token that nobody took over
		worker  bool
		call    func(s store, token string) error
	}{
		{"ack_orchestration_item", false, false, func(s store, token string) error {
			return s.AckOrchestrationItem(s.ctx, core.AckOrchestrationItemParams{LockToken: token, ExecutionID: 1})
		}},
		{"abandon_orchestration_item", true, false, func(s store, token string) error {
			return s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: token})
		}},
		{"renew_orchestration_item_lock", false, false, func(s store, token string) error {
			return s.RenewOrchestrationItemLock(s.ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
		}},
		{"ack_work_item", false, true, func(s store, token string) error {
			return s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: token, Completion: completed("a", 1)})
		}},
		{"abandon_work_item", true, true, func(s store, token string) error {
			return s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: token})
		}},
		{"renew_work_item_lock", false, true, func(s store, token string) error {
			return s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
		}},
	}
	states := []struct {
		name  string
		make  func(s store, turn, work string)
		works func(expired bool) bool
	}{
		{"live", func(store, string, string) {}, func(bool) bool { return true }},
		{"expired", func(store, string, string) { time.Sleep(lease) }, func(expired bool) bool { return expired }},
		{"taken over", func(s store, _, _ string) {
			time.Sleep(lease)
			s.turn("a")
			s.work(1, anyWork)
		}, func(bool) bool { return false }},
		{"acknowledged", func(s store, turn, work string) {
			s.check(s.AckOrchestrationItem(s.ctx, core.AckOrchestrationItemParams{LockToken: turn, ExecutionID: 1}))
			s.check(s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work}))
		}, func(bool) bool { return false }},
		{"abandoned", func(s store, turn, work string) {
			s.check(s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: turn}))
			s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: work}))
		}, func(bool) bool { return false }},
	}
	for _, c := range calls {
		for _, state := range states {
			t.Run(c.op+"/"+state.name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, s store) {
					s.send(start("a"), activity(1))
					turn, work := s.turn("a").LockToken, s.work(1, anyWork).LockToken
					state.make(s, turn, work)
					token := turn
					if c.worker {
						token = work
					}
					err := c.call(s, token)
					if state.works(c.expired) {
						s.check(err)
						return
					}
					wantError(t, err, c.op, core.ErrLockLost)
					if state.name == "taken over" {
						// The new owner is not disturbed.
						s.noTurn()
						s.noWork(anyWork)
					}
				})
			})
		}
		t.Run(c.op+"/of the other queue", func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				s.send(start("a"), activity(1))
				token := s.work(1, anyWork).LockToken
				if c.worker {
					token = s.turn("a").LockToken
				}
				wantError(t, c.call(s, token), c.op, core.ErrLockLost)
			})
		})
		t.Run(c.op+"/unknown", func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			err := c.call(s, "no such token")
			wantError(t, err, c.op, core.ErrLockLost)
			if !strings.Contains(err.Error(), "Invalid lock token") {
				t.Errorf("error %q lacks the words of the family", err)
			}
			wantError(t, c.call(s, ""), c.op, core.ErrLockLost)
		})
	}
}

func TestRenewalCountsFromNow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"), activity(1))
		turn, work := s.turn("a").LockToken, s.work(1, anyWork).LockToken
		renew := func(d time.Duration) {
			t.Helper()
			s.check(s.RenewOrchestrationItemLock(s.ctx, core.RenewLockParams{LockToken: turn, ExtendFor: d}))
			s.check(s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: work, ExtendFor: d}))
		}
		time.Sleep(lease - 4*time.Second)
		renew(lease)           // ends at 4 s + lease from the fetch
		renew(time.Nanosecond) // never shortens
		time.Sleep(lease - time.Millisecond)
		s.noTurn()
		s.noWork(anyWork)
		time.Sleep(time.Millisecond)
		s.turn("a")
		s.work(1, anyWork)
	})
}

func TestShortLeaseIsNotBornDead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"))
		if s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: time.Nanosecond}) == nil {
			t.Fatal("fetched nothing")
		}
		s.noTurn()
	})
}

func TestLockBlocksOnlyItsInstance(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"), start("b"))
		a := s.turn("a")
		s.ack(s.turn("b"), nil)
		s.send(completed("a", 1), completed("b", 2))
		s.turnMessages("b", completed("b", 2))
		s.noTurn()
		// What arrived during the turn waits for its end.
		s.ack(a, nil)
		s.turnMessages("a", completed("a", 1))
	})
}

func TestExpiryDeliversTheBatchAgainWithWhatArrived(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(start("a"))
		s.turn("a")
		s.send(completed("a", 1), completed("a", 2))
		time.Sleep(lease)
		turn := s.turnMessages("a", start("a"), completed("a", 1), completed("a", 2))
		equal(t, "attempts", turn.AttemptCount, uint32(2))
	})
}

func TestArguments(t *testing.T) {
	t.Parallel()
	session := func(d time.Duration) *core.SessionFetchConfig { return &core.SessionFetchConfig{LockTimeout: d} }
	tests := []struct {
		name, op, field string
		cause           error
		call            func(s store) error
	}{
		{"fetch of a turn without lease", "fetch_orchestration_item", "LockTimeout", core.ErrInvalidArgument, func(s store) error {
			_, err := s.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{})
			return err
		}},
		{"fetch of an activity with a negative lease", "fetch_work_item", "LockTimeout", core.ErrInvalidArgument, func(s store) error {
			_, err := s.FetchWorkItem(s.ctx, core.FetchWorkItemParams{LockTimeout: -1})
			return err
		}},
		{"session claim without lease", "fetch_work_item", "Session.LockTimeout", core.ErrInvalidArgument, func(s store) error {
			_, err := s.FetchWorkItem(s.ctx, core.FetchWorkItemParams{LockTimeout: 1, Session: session(0)})
			return err
		}},
		{"tag filter without tags", "fetch_work_item", "Tags", core.ErrInvalidArgument, func(s store) error {
			_, err := s.FetchWorkItem(s.ctx, core.FetchWorkItemParams{LockTimeout: 1, Tags: core.TagFilter{Mode: core.TagsOnly}})
			return err
		}},
		{"renewal of a turn for nothing", "renew_orchestration_item_lock", "ExtendFor", core.ErrInvalidArgument, func(s store) error {
			return s.RenewOrchestrationItemLock(s.ctx, core.RenewLockParams{})
		}},
		{"renewal of an activity for nothing", "renew_work_item_lock", "ExtendFor", core.ErrInvalidArgument, func(s store) error {
			return s.RenewWorkItemLock(s.ctx, core.RenewLockParams{})
		}},
		{"renewal of sessions for nothing", "renew_session_lock", "ExtendFor", core.ErrInvalidArgument, func(s store) error {
			_, err := s.RenewSessionLock(s.ctx, core.RenewSessionLockParams{OwnerIDs: []string{"x"}})
			return err
		}},
		{"activity for the orchestrator", "enqueue_orchestrator_work", "orchestrator queue", core.ErrInvalidItem, func(s store) error {
			return s.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{Item: activity(1)})
		}},
		{"no message", "enqueue_orchestrator_work", "nil", core.ErrInvalidItem, func(s store) error {
			return s.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{})
		}},
		{"start for the worker", "enqueue_worker_work", "worker queue", core.ErrInvalidItem, func(s store) error {
			return s.EnqueueForWorker(s.ctx, core.EnqueueForWorkerParams{Item: start("a")})
		}},
		{"pointer to an item", "enqueue_orchestrator_work", "*core.CancelInstanceItem", core.ErrInvalidItem, func(s store) error {
			return s.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{Item: &core.CancelInstanceItem{Instance: "a"}})
		}},
		{"item without its error", "enqueue_orchestrator_work", "error details", core.ErrInvalidArgument, func(s store) error {
			return s.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{Item: core.ActivityFailedItem{Instance: "a"}})
		}},
		{"start as a completion", "ack_work_item", "Completion", core.ErrInvalidItem, func(s store) error {
			return s.AckWorkItem(s.ctx, core.AckWorkItemParams{Completion: start("a")})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			err := tt.call(s)
			wantError(t, err, tt.op, tt.cause)
			if !strings.Contains(err.Error(), tt.field) {
				t.Errorf("error %q does not name %q", err, tt.field)
			}
			s.noTurn()
		})
	}
}

func TestTokensAreUnique(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		seen := map[string]bool{}
		for id := range uint64(50) {
			s.send(start(string(rune('a'+id))), activity(id))
		}
		for range 50 {
			seen[s.tryTurn().LockToken] = true
			seen[s.tryWork(anyWork).LockToken] = true
		}
		equal(t, "distinct tokens", len(seen), 100)
	})
}
