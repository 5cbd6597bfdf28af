package memprovider

import (
	"context"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// A session is a label on activities and, once a fetch has claimed it, the row
// that says who owns it. It is forgotten when neither is left.
type session struct {
	id    label // unset for the one that stands for "no session"
	refs  int   // activities in the queue, locked ones too
	lanes map[label]*lane

	claimed      bool // there is a row, live or expired
	owner        string
	lockedUntil  uint64
	lastActivity uint64
	live         place[*session] // in workQueue.claims until the claim expires
}

// holder says who may take the activities of the session.
func (s *session) holder() holder {
	switch {
	case !s.id.set:
		return holder{}
	case s.live.heap == nil:
		return holder{session: true}
	}
	return holder{session: true, owned: true, owner: s.owner}
}

// touch records activity on a session whose claim is live, whoever owns it.
func (s *session) touch(now uint64) {
	if s.claimed && s.lockedUntil > now {
		s.lastActivity = now
	}
}

// session returns the session of an activity, made on first use.
func (q *workQueue) session(id label) *session {
	if !id.set {
		return &q.none
	}
	s := q.sessions[id.text]
	if s == nil {
		s = &session{id: id, lanes: map[label]*lane{}}
		q.sessions[id.text] = s
	}
	return s
}

// forget drops a session to which nothing refers any more.
func (q *workQueue) forget(s *session) {
	if s.id.set && s.refs == 0 && !s.claimed {
		delete(q.sessions, s.id.text)
	}
}

// claim makes a session the fetcher's. The candidate was chosen so that nobody
// else owns it.
func (q *workQueue) claim(s *session, f *core.SessionFetchConfig, now uint64) {
	q.setHolder(s, func() {
		s.live.leave(s)
		s.claimed, s.owner, s.lastActivity = true, f.OwnerID, now
		s.lockedUntil = after(now, f.LockTimeout)
		q.claims.push(s)
	})
	q.bell.announce(s.lockedUntil)
}

// setHolder files the lanes of a session anew around a change of its holder.
func (q *workQueue) setHolder(s *session, change func()) {
	for _, l := range s.lanes {
		q.unshelve(l)
	}
	change()
	for _, l := range s.lanes {
		q.shelve(l)
	}
}

// RenewSessionLock implements [core.SessionStore].
func (p *Provider) RenewSessionLock(ctx context.Context, a core.RenewSessionLockParams) (uint64, error) {
	if err := requirePositive("ExtendFor", a.ExtendFor); err != nil {
		return 0, core.Permanent("renew_session_lock", err)
	}
	now, err := p.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	p.work.expire(now)
	var renewed uint64
	for _, s := range slices.Clone(p.work.claims.items) {
		if !slices.Contains(a.OwnerIDs, s.owner) || after(s.lastActivity, a.IdleTimeout) <= now {
			continue
		}
		s.lockedUntil = after(now, a.ExtendFor)
		p.work.claims.fix(s)
		p.work.bell.announce(s.lockedUntil)
		renewed++
	}
	return renewed, nil
}

// CleanupOrphanedSessions implements [core.SessionStore]. The idle timeout
// plays no part: what has expired and is not needed goes.
func (p *Provider) CleanupOrphanedSessions(ctx context.Context, _ core.CleanupOrphanedSessionsParams) (uint64, error) {
	now, err := p.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	p.work.expire(now)
	var removed uint64
	for _, s := range p.work.sessions {
		if s.claimed && s.lockedUntil < now && s.refs == 0 {
			s.claimed = false
			p.work.forget(s)
			removed++
		}
	}
	return removed, nil
}
