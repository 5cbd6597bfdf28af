package memprovider_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func TestDeletedTurnCannotEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		op   string
		end  func(s store, token string) error
	}{
		{"ack", "ack_orchestration_item", func(s store, token string) error {
			return s.AckOrchestrationItem(s.ctx, core.AckOrchestrationItemParams{
				LockToken: token, ExecutionID: 1, HistoryDelta: events(2, core.KeyValuesCleared{}),
				WorkerItems: []core.WorkItem{activity(1)}, Metadata: named("Orch", "1.0.0"),
			})
		}},
		{"abandon", "abandon_orchestration_item", func(s store, token string) error {
			return s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: token})
		}},
		{"renew", "renew_orchestration_item_lock", func(s store, token string) error {
			return s.RenewOrchestrationItemLock(s.ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				s.create("a")
				s.send(external("a"))
				turn := s.turn("a")
				s.send(external("a"))
				equal(t, "messages", s.mustDelete("a").QueueMessagesDeleted, uint64(2))
				wantError(t, tt.end(s, turn.LockToken), tt.op, core.ErrLockLost)
				equal(t, "instances", s.instances(), []string{})
				equal(t, "events", len(s.read("a")), 0)
				time.Sleep(2 * lease) // an expired lock brings nothing back either
				s.noTurn()
				s.noWork(anyWork)

				// The same id, and the old token is of no use against it.
				s.create("a")
				s.send(external("a"))
				s.turn("a")
				wantError(t, tt.end(s, turn.LockToken), tt.op, core.ErrLockLost)
				equal(t, "events", len(s.read("a")), 1)
			})
		})
	}
}

func TestDeletedActivityCannotEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		op   string
		end  func(s store, token string) error
	}{
		{"ack", "ack_work_item", func(s store, token string) error {
			return s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: token, Completion: completed("a", 1)})
		}},
		{"abandon", "abandon_work_item", func(s store, token string) error {
			return s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: token})
		}},
		{"renew", "renew_work_item_lock", func(s store, token string) error {
			return s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				s.create("a")
				s.send(activity(1), activity(2), inSession(3, "s"), core.ActivityExecuteItem{Instance: "b", ID: 4})
				flying := s.work(1, anyWork)
				equal(t, "messages", s.mustDelete("a").QueueMessagesDeleted, uint64(3))
				s.create("a") // the same id again
				wantError(t, tt.end(s, flying.LockToken), tt.op, core.ErrLockLost)
				s.noTurn()
				s.work(4, by("x")) // that of the other instance is the only one left
				time.Sleep(2 * lease)
				s.work(4, by("x"))
			})
		})
	}
}

func TestDeletedIDStartsClean(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.createWith("a", func(p *core.AckOrchestrationItemParams) {
		p.HistoryDelta = append(p.HistoryDelta, events(2, set("merged", "v"), core.CustomStatusUpdated{Status: ptr("s")})...)
		p.Metadata.Status = core.StatusContinuedAsNew
		p.Metadata.PinnedDuroxideVersion = &core.Version{Major: 9}
	})
	s.step("a", 2, core.StatusRunning, 1, started(1).Data, set("changed", "v"))
	s.mustDelete("a")

	s.send(start("a"))
	turn := s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: lease, Filter: &core.CapabilityFilter{
		SupportedVersions: []core.VersionRange{{Max: core.Version{Major: 1}}}, // not the old pin
	}})
	if turn == nil {
		t.Fatal("the old pin counts")
	}
	equal(t, "turn", turn, &core.OrchestrationItem{
		Instance: "a", OrchestrationName: "Orch", Version: "1.0.0", ExecutionID: 1, Messages: []core.WorkItem{start("a")},
		KVSnapshot: map[string]core.KVEntry{}, LockToken: turn.LockToken, AttemptCount: 1,
	})
	s.ack(turn, func(p *core.AckOrchestrationItemParams) { p.Metadata = named("Other", "2.0.0") })
	info, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"})
	s.check(err)
	equal(t, "name", info.OrchestrationName, "Other")
	values, err := s.GetKVAllValues(s.ctx, core.GetKVAllValuesParams{Instance: "a"})
	s.check(err)
	equal(t, "values", values, map[string]string{})
	status, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a"})
	s.check(err)
	equal(t, "custom status", status, (*core.CustomStatus)(nil))
}

// The claim of a session is not the instance's: it lives on for others.
func TestDeleteLeavesSessions(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(inSession(1, "s"))
		s.work(1, by("x"))
		s.mustDelete("a")
		other := inSession(2, "s")
		other.Instance = "b"
		s.send(other)
		s.noWork(by("y"))
		s.work(2, by("x"))
		s.mustDelete("b")
		time.Sleep(2 * time.Minute)
		cleaned, err := s.CleanupOrphanedSessions(s.ctx, core.CleanupOrphanedSessionsParams{})
		s.check(err)
		equal(t, "cleaned", cleaned, uint64(1))
	})
}

func TestEndedContextDeletesNothing(t *testing.T) {
	t.Parallel()
	s, all := mixed(t)
	reason := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(s.ctx)
	cancel(reason)
	for name, call := range map[string]func() error{
		"tree": func() error {
			_, err := s.GetInstanceTree(ctx, core.GetInstanceTreeParams{Instance: "root"})
			return err
		},
		"atomic": func() error {
			_, err := s.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{Instances: all, Force: true})
			return err
		},
		"one":  func() error { _, err := s.DeleteInstance(ctx, core.DeleteInstanceParams{Instance: "done"}); return err },
		"bulk": func() error { _, err := s.DeleteInstanceBulk(ctx, core.DeleteInstanceBulkParams{}); return err },
		"prune": func() error {
			_, err := s.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: "done"})
			return err
		},
		"prune bulk": func() error {
			_, err := s.PruneExecutionsBulk(ctx, core.PruneExecutionsBulkParams{})
			return err
		},
	} {
		equal(t, name, call(), reason)
	}
	equal(t, "instances", s.instances(), all)
}
