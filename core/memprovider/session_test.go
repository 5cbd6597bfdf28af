package memprovider_test

import (
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func (s store) renewSessions(extend, idle time.Duration, owners ...string) uint64 {
	s.t.Helper()
	n, err := s.RenewSessionLock(s.ctx, core.RenewSessionLockParams{OwnerIDs: owners, ExtendFor: extend, IdleTimeout: idle})
	s.check(err)
	return n
}

func (s store) cleanupSessions() uint64 {
	s.t.Helper()
	n, err := s.CleanupOrphanedSessions(s.ctx, core.CleanupOrphanedSessionsParams{IdleTimeout: time.Hour})
	s.check(err)
	return n
}

func TestSessionBelongsToItsOwner(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(inSession(1, "s"), inSession(2, "s"), inSession(3, "r"), activity(4), inSession(5, ""))
		s.work(4, anyWork) // without an owner only plain ones
		s.noWork(anyWork)
		s.work(1, by("x"))
		s.work(3, by("y")) // not 2, which is older
		s.work(2, by("x")) // while 1 is still locked
		s.work(5, by("y")) // the empty id is a session
		s.noWork(by("x"))
	})
}

func TestSessionOwnerIsShared(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(inSession(1, "s"), inSession(2, "s"), inSession(3, "s"))
	s.ackWork(s.work(1, by("x")))
	s.work(2, by("x"))
	s.work(3, by("x"))
}

func TestSessionsKeepOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(inSession(1, "s"), inSession(2, "r"), activity(3), inSession(4, "s"), inSession(5, "q"))
	for id := uint64(1); id <= 5; id++ {
		s.work(id, by("x"))
	}
	s.noWork(by("x"))
}

func TestSessionClaimEndsExactlyAtItsTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(inSession(1, "s"), inSession(2, "s"), inSession(3, "s"))
		first := s.work(1, byFor("x", time.Second))
		time.Sleep(time.Second - 1)
		s.noWork(by("y"))
		time.Sleep(time.Nanosecond)
		s.work(2, by("y"))
		s.noWork(by("x"))
		// The old owner's activity can still be acknowledged: its lock counts.
		s.check(s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: first.LockToken, Completion: completed("a", 1)}))
		s.turnMessages("a", completed("a", 1))
	})
}

func TestOwnerReclaimsExpiredSession(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(inSession(1, "s"), inSession(2, "s"))
		s.work(1, byFor("x", time.Second))
		time.Sleep(time.Second)
		s.work(2, by("x"))
	})
}

func TestRedeliveryFollowsTheSession(t *testing.T) {
	t.Parallel()
	t.Run("activity expires before the session", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(inSession(1, "s"))
			s.work(1, by("x"))
			time.Sleep(lease)
			s.noWork(by("y"))
			equal(t, "attempts", s.work(1, by("x")).AttemptCount, uint32(2))
		})
	})
	t.Run("session expires before the activity", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(inSession(1, "s"))
			work := s.work(1, byFor("x", time.Second))
			time.Sleep(time.Second)
			s.send(inSession(2, "s"))
			s.work(2, by("y"))
			s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: work.LockToken}))
			s.noWork(by("x"))
			equal(t, "attempts", s.work(1, by("y")).AttemptCount, uint32(2))
		})
	})
	t.Run("abandoning leaves the claim", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, s store) {
			s.send(inSession(1, "s"))
			work := s.work(1, by("x"))
			s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: work.LockToken, Delay: time.Millisecond, IgnoreAttempt: true}))
			time.Sleep(time.Millisecond)
			s.noWork(by("y"))
			equal(t, "attempts", s.work(1, by("x")).AttemptCount, uint32(1))
		})
	})
}

func TestRenewSessions(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(inSession(1, "s"), inSession(2, "r"), inSession(3, "q"))
		s.work(1, by("x"))
		s.work(2, by("x"))
		s.ackWork(s.work(3, by("y")))
		equal(t, "of x", s.renewSessions(time.Minute, time.Hour, "x"), uint64(2))
		equal(t, "of both", s.renewSessions(time.Minute, time.Hour, "x", "y", "z"), uint64(3))
		equal(t, "of nobody", s.renewSessions(time.Minute, time.Hour), uint64(0))
		equal(t, "of a stranger", s.renewSessions(time.Minute, time.Hour, "z"), uint64(0))
		equal(t, "all idle", s.renewSessions(time.Minute, 0, "x"), uint64(0))

		s.send(inSession(4, "s"))
		time.Sleep(time.Minute - time.Millisecond)
		s.noWork(by("y"))
		equal(t, "again", s.renewSessions(time.Minute, time.Hour, "x"), uint64(2))
		time.Sleep(time.Minute - time.Millisecond)
		s.noWork(by("y"))
		time.Sleep(time.Millisecond)
		equal(t, "expired", s.renewSessions(time.Minute, time.Hour, "x"), uint64(0))
		s.work(1, by("y")) // both the claim and the lock of 1 are over
	})
}

func TestSessionIdleness(t *testing.T) {
	t.Parallel()
	const idle = 5 * time.Second
	tests := []struct {
		name  string
		touch func(s store, work *core.LockedWorkItem)
		want  uint64
	}{
		{"nothing", func(store, *core.LockedWorkItem) {}, 0},
		{"ack", func(s store, work *core.LockedWorkItem) { s.ackWork(work) }, 1},
		{"renewal of the activity", func(s store, work *core.LockedWorkItem) {
			s.check(s.RenewWorkItemLock(s.ctx, core.RenewLockParams{LockToken: work.LockToken, ExtendFor: lease}))
		}, 1},
		{"another fetch", func(s store, _ *core.LockedWorkItem) {
			s.send(inSession(2, "s"))
			s.work(2, by("x"))
		}, 1},
		{"abandon", func(s store, work *core.LockedWorkItem) {
			s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: work.LockToken}))
		}, 0},
		{"renewal of the session", func(s store, _ *core.LockedWorkItem) {
			equal(s.t, "renewed", s.renewSessions(time.Minute, idle, "x"), uint64(1))
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				s.send(inSession(1, "s"))
				work := s.work(1, by("x"))
				time.Sleep(idle - time.Millisecond)
				equal(t, "renewed before", s.renewSessions(time.Minute, idle, "x"), uint64(1))
				tt.touch(s, work)
				time.Sleep(time.Millisecond) // exactly the idle time-out: idle
				equal(t, "renewed", s.renewSessions(time.Minute, idle, "x"), tt.want)
			})
		})
	}
}

func TestCleanupSessions(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.send(inSession(1, "gone"), inSession(2, "queued"), inSession(3, "queued"), inSession(4, "live"))
		s.ackWork(s.work(1, byFor("x", time.Second)))
		s.ackWork(s.work(2, byFor("x", time.Second)))
		queued := s.work(3, byFor("x", time.Second))
		s.ackWork(s.work(4, byFor("x", time.Hour)))

		time.Sleep(time.Second)
		equal(t, "at the very end", s.cleanupSessions(), uint64(0))
		time.Sleep(time.Millisecond)
		equal(t, "after", s.cleanupSessions(), uint64(1))
		equal(t, "again", s.cleanupSessions(), uint64(0))
		s.ackWork(queued)
		equal(t, "without its activity", s.cleanupSessions(), uint64(1))

		s.send(inSession(5, "gone"))
		s.work(5, by("y"))
	})
}
