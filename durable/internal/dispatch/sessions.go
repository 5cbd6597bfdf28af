package dispatch

import (
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// SessionConfig says for whom this runtime claims sessions.
type SessionConfig struct {
	// Owner identifies the claims; empty claims none.
	Owner           string
	Lock            time.Duration
	LockBuffer      time.Duration
	IdleTimeout     time.Duration
	CleanupInterval time.Duration
	// Max bounds the distinct sessions in flight.
	Max int
}

// sessionTracker counts the activities in flight per session.
type sessionTracker struct {
	cfg SessionConfig
	mu  sync.Mutex
	// inFlight holds a session while at least one of its activities runs.
	inFlight map[string]int
	// full is closed when there is room for a further session again; nil while
	// nobody waits for that.
	full chan struct{}
}

func newSessionTracker(cfg SessionConfig) *sessionTracker {
	return &sessionTracker{cfg: cfg, inFlight: map[string]int{}}
}

// fetchConfig returns nil when no further session may be claimed, so that only
// work without one is fetched. Then full is closed as soon as one may; it is nil
// if that never comes.
func (s *sessionTracker) fetchConfig() (cfg *core.SessionFetchConfig, full <-chan struct{}) {
	if s.cfg.Owner == "" {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inFlight) < s.cfg.Max {
		return &core.SessionFetchConfig{OwnerID: s.cfg.Owner, LockTimeout: s.cfg.Lock}, nil
	}
	if s.full == nil {
		s.full = make(chan struct{})
	}
	return nil, s.full
}

// enter counts an activity in and reports whether the limit allows it; several
// fetches may have claimed the last free session at once.
func (s *sessionTracker) enter(session *string) bool {
	if session == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight[*session] == 0 && len(s.inFlight) >= s.cfg.Max {
		return false
	}
	s.inFlight[*session]++
	return true
}

func (s *sessionTracker) leave(session *string) {
	if session == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight[*session]--; s.inFlight[*session] <= 0 {
		delete(s.inFlight, *session)
		if s.full != nil {
			close(s.full)
			s.full = nil
		}
	}
}

// keepSessions renews this runtime's claims and sweeps expired ones.
func (d *Dispatcher) keepSessions() {
	cfg := d.cfg.Session
	interval := renewalInterval(cfg.Lock, cfg.LockBuffer)
	nextCleanup := d.cfg.Clock.Now().Add(cfg.CleanupInterval)
	for d.sleep(d.fetching, interval) {
		if _, err := d.cfg.Provider.RenewSessionLock(d.fetching, core.RenewSessionLockParams{
			OwnerIDs: []string{cfg.Owner}, ExtendFor: cfg.Lock, IdleTimeout: cfg.IdleTimeout,
		}); err != nil && d.fetching.Err() == nil {
			d.log.Warn("session renewal failed", "error", err)
		}
		if d.cfg.Clock.Now().Before(nextCleanup) {
			continue
		}
		nextCleanup = d.cfg.Clock.Now().Add(cfg.CleanupInterval)
		if _, err := d.cfg.Provider.CleanupOrphanedSessions(d.fetching, core.CleanupOrphanedSessionsParams{IdleTimeout: cfg.IdleTimeout}); err != nil && d.fetching.Err() == nil {
			d.log.Warn("session clean-up failed", "error", err)
		}
	}
}
