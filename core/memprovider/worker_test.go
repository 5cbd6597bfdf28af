package memprovider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func TestActivitiesInOrderOfArrival(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		for id := range uint64(5) {
			s.send(activity(id))
		}
		for id := range uint64(5) {
			equal(t, "attempts", s.work(id, anyWork).AttemptCount, uint32(1))
		}
		s.noWork(anyWork)
		time.Sleep(lease)
		equal(t, "attempts", s.work(0, anyWork).AttemptCount, uint32(2))
	})
}

func TestAckOfAnActivityEnqueuesItsCompletion(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	failed := core.ActivityFailedItem{Instance: "elsewhere", ExecutionID: 9, ID: 2, Details: core.ApplicationError{
		Kind: core.KindActivityFailed, Message: "boom",
	}}
	s.send(activity(1), activity(2), activity(3))
	for id, completion := range []core.WorkItem{completed("a", 1), failed, nil} {
		work := s.work(uint64(id)+1, anyWork)
		s.check(s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work.LockToken, Completion: completion}))
	}
	s.noWork(anyWork)
	s.turnMessages("a", completed("a", 1))
	s.turnMessages("elsewhere", failed)
	s.noTurn()
}

func TestRefusedAckOfAnActivityChangesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(activity(1))
		work := s.work(1, anyWork)
		err := s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work.LockToken, Completion: external("a")})
		wantError(t, err, "ack_work_item", core.ErrInvalidItem)
		s.noTurn()
		time.Sleep(lease)
		err = s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work.LockToken, Completion: completed("a", 1)})
		wantError(t, err, "ack_work_item", core.ErrLockLost)
		s.noTurn()
		equal(t, "attempts", s.work(1, anyWork).AttemptCount, uint32(2))
	})
}

func TestAbandonActivity(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(withTag(1, "gpu"), withTag(2, "gpu"))
		gpu := tagged(core.TagsOnly, "gpu")
		abandon := func(work *core.LockedWorkItem, p core.AbandonParams) {
			t.Helper()
			p.LockToken = work.LockToken
			s.check(s.AbandonWorkItem(s.ctx, p))
		}
		abandon(s.work(1, gpu), core.AbandonParams{}) // keeps its place
		work := s.work(1, gpu)
		equal(t, "attempts", work.AttemptCount, uint32(2))
		equal(t, "item", work.Item, core.WorkItem(withTag(1, "gpu")))
		abandon(work, core.AbandonParams{Delay: 500 * time.Millisecond, IgnoreAttempt: true})
		s.work(2, gpu)
		time.Sleep(500*time.Millisecond - 1)
		s.noWork(gpu)
		time.Sleep(time.Nanosecond)
		equal(t, "attempts", s.work(1, gpu).AttemptCount, uint32(2))
	})
}

func TestCancelledActivities(t *testing.T) {
	t.Parallel()
	id := func(executionID, id uint64) core.ActivityIdentifier {
		return core.ActivityIdentifier{Instance: "a", ExecutionID: executionID, ActivityID: id}
	}
	inBubble(t, func(t *testing.T, s store) {
		other := activity(1)
		other.ExecutionID = 2
		s.send(activity(1), activity(2), activity(3), activity(3), activity(4), other, inSession(5, "s"))
		locked := s.work(1, anyWork)
		s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: s.work(2, anyWork).LockToken, Delay: time.Second}))

		s.send(start("a"))
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.WorkerItems = []core.WorkItem{activity(8), activity(9)}
			p.CancelledActivities = []core.ActivityIdentifier{
				id(1, 1), // locked
				id(1, 2), // delayed
				id(1, 3), // twice in the queue
				id(1, 5), // of a session
				id(1, 8), // scheduled in the same turn
				id(1, 1), id(7, 7), {Instance: "unknown"},
			}
		})
		wantError(t, s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: locked.LockToken, ExtendFor: lease}),
			"renew_work_item_lock", core.ErrLockLost)
		wantError(t, s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: locked.LockToken, Completion: completed("a", 1)}),
			"ack_work_item", core.ErrLockLost)
		s.noTurn()
		time.Sleep(lease)
		s.work(4, by("x"))
		equal(t, "item", s.work(1, by("x")).Item, core.WorkItem(other))
		s.work(9, by("x"))
		s.noWork(by("x"))
	})
}

// Activities outlive whatever happens to their instance.
func TestActivitiesOfEndedInstances(t *testing.T) {
	t.Parallel()
	for _, status := range []core.ExecutionStatus{core.StatusRunning, core.StatusCompleted, core.StatusFailed, core.StatusContinuedAsNew} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.createWith("a", func(p *core.AckOrchestrationItemParams) {
				p.WorkerItems = []core.WorkItem{activity(1)}
				p.Metadata.Status = status
			})
			work := s.work(1, anyWork)
			s.check(s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: work.LockToken, ExtendFor: lease}))
			s.ackWork(work)
		})
	}
}

func TestTagFilter(t *testing.T) {
	t.Parallel()
	items := []core.WorkItem{
		activity(1), withTag(2, "gpu"), withTag(3, "cpu"), activity(4), withTag(5, "gpu"), withTag(6, "GPU"), withTag(7, ""),
	}
	tests := []struct {
		name   string
		filter core.FetchWorkItemParams
		want   []uint64
	}{
		{"default only", anyWork, []uint64{1, 4}},
		{"tags", tagged(core.TagsOnly, "gpu"), []uint64{2, 5}},
		{"several tags", tagged(core.TagsOnly, "cpu", "gpu"), []uint64{2, 3, 5}},
		{"the same tag twice", tagged(core.TagsOnly, "gpu", "gpu"), []uint64{2, 5}},
		{"the empty tag", tagged(core.TagsOnly, ""), []uint64{7}},
		{"default and", tagged(core.TagsDefaultAnd, "cpu"), []uint64{1, 3, 4}},
		{"any", tagged(core.TagsAny), []uint64{1, 2, 3, 4, 5, 6, 7}},
		{"none", tagged(core.TagsNone), nil},
		{"unknown tag", tagged(core.TagsOnly, "fpga"), nil},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.send(items...)
			for _, id := range tt.want {
				s.work(id, tt.filter)
			}
			s.noWork(tt.filter)
		})
	}
}

func TestTagsAndSessionsCombine(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	both := func(id uint64, session, tag string) core.ActivityExecuteItem {
		item := withTag(id, tag)
		item.SessionID = &session
		return item
	}
	s.send(both(1, "s", "gpu"), both(2, "s", "cpu"), both(3, "r", "gpu"), withTag(4, "gpu"))
	gpu := by("x")
	gpu.Tags = core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}}
	s.work(1, gpu)
	other := by("y")
	other.Tags = core.TagFilter{Mode: core.TagsAny}
	s.work(3, other) // s is x's now, whatever the tag
	s.work(4, other)
	s.noWork(other)
	gpu.Tags.Tags[0] = "cpu"
	s.work(2, gpu)
}
