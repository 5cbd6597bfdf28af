package e2e_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// soakLedger knows what was asked of the store and what it answered, and tells
// from that whether an answer breaks a rule. It never looks into the database.
//
// Calls overlap, and an answer is noted later than the database gave it. So that
// no sound store is accused, each rule is judged by what must have been: a lease
// lasts at least as long as its call says, on the clock of whoever takes it.
type soakLedger struct {
	maxSkew time.Duration // no clock is further ahead of this process's
	server  time.Duration // at least as far ahead is the server's

	mu       sync.Mutex
	serial   int                     // makes texts unique
	messages map[string]*soakMessage // by key, see soakKey
	claims   map[string]*soakClaim   // the last one of each instance and activity
	lives    map[string]*soakLife    // by name
	roots    map[string]string       // instance to the root of its tree
	deleted  map[string][]*soakSpan  // root to the calls that deleted it
	exact    int                     // attempt counts that could be checked exactly
	vague    int

	broken map[string]int // violations by rule
	texts  []string       // the first ones
	until  string         // a rule
	enough chan struct{}  // closed when that one is broken
}

// The rules that can be broken.
const (
	soakTwice    = "processed twice"
	soakLost     = "lost"
	soakTwoLocks = "two live locks"
	soakLockLost = "live lock lost"
	soakNoLock   = "done without the lock"
	soakUndone   = "effect of a call that failed"
	soakAttempts = "attempt count"
	soakHistory  = "history"
	soakLeft     = "left in a queue or locked"
	soakRows     = "rows of a deleted instance"
	soakError    = "unexpected error"
	soakDeadlock = "deadlock"
	soakTooLong  = "longer than the statement time-out"
)

// soakTexts is how many violations are told word by word.
const soakTexts = 20

// soakMessage is one message, or one activity.
type soakMessage struct {
	key      string
	instance string    // to which it goes
	began    time.Time // the first call that sends it; a turn or an activity may run again
	calls    int       // that may still send it
	sent     bool      // one of them succeeded
	taken    int       // acknowledged
	// cancelling counts the calls that may have cancelled it, and cancelled is
	// when the first of them was seen to succeed.
	cancelling int
	cancelled  time.Time
	// It was fetched at least low and at most high times, not counting what was
	// taken back.
	low, high uint32
}

// withdrawn says that every call that sent it failed.
func (m *soakMessage) withdrawn() bool { return !m.sent && m.calls == 0 }

// soakSpan is a call; returned is zero as long as it goes on.
type soakSpan struct{ began, returned time.Time }

// soakClaim is a lock on an instance or an activity.
type soakClaim struct {
	what     string // instance, or key of the activity
	instance string
	node     *soakNode
	token    string
	began    time.Time // the call of the fetch
	returned time.Time
	messages []*soakMessage

	until   time.Time // its lease lasts at least until then, on the server's clock
	doing   soakDoing
	ignores bool      // it is being abandoned without counting the attempt
	settled bool      // it is known to have been abandoned
	guessed bool      // it may have been abandoned: low was lowered
	doomed  bool      // its acknowledgement must fail: others got its messages
	takenAt time.Time // when somebody else was seen to have it
}

type soakDoing int

const (
	soakHolding soakDoing = iota
	soakAcking
	soakAbandoning
	soakDone
)

func newSoakLedger(maxSkew, server time.Duration, until string) *soakLedger {
	return &soakLedger{
		maxSkew: maxSkew, server: server,
		messages: map[string]*soakMessage{}, claims: map[string]*soakClaim{}, lives: map[string]*soakLife{},
		roots: map[string]string{}, deleted: map[string][]*soakSpan{},
		broken: map[string]int{}, until: until, enough: make(chan struct{}),
	}
}

// violation notes that a rule was broken.
func (l *soakLedger) violation(rule, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broke(rule, format, args...)
}

func (l *soakLedger) broke(rule, format string, args ...any) {
	if l.broken[rule]++; rule == l.until && l.broken[rule] == 1 {
		close(l.enough)
	}
	if len(l.texts) < soakTexts {
		l.texts = append(l.texts, rule+": "+fmt.Sprintf(format, args...))
	}
}

// unique returns a text that nobody had before.
func (l *soakLedger) unique(prefix string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return fmt.Sprint(prefix, l.serial)
}

// send notes messages and activities that a call is about to send.
func (l *soakLedger) send(began time.Time, items ...core.WorkItem) []*soakMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sends []*soakMessage
	for _, item := range items {
		key := soakKey(item)
		m := l.messages[key]
		if m == nil {
			m = &soakMessage{key: key, instance: item.RoutingInstance(), began: began}
			l.messages[key] = m
		}
		m.calls++
		sends = append(sends, m)
	}
	return sends
}

// sent notes whether the call succeeded.
func (l *soakLedger) sent(sends []*soakMessage, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(sends, ok)
}

func (*soakLedger) settle(sends []*soakMessage, ok bool) {
	for _, m := range sends {
		m.calls--
		m.sent = m.sent || ok
	}
}

// leaseEnd is the earliest end of a lease. It starts at the later of the caller's
// clock and the server's, both read after the call began; milliseconds are cut off.
func (l *soakLedger) leaseEnd(node *soakNode, began time.Time, lease time.Duration) time.Time {
	return began.Add(max(node.skew, l.server)).Add(lease - 2*time.Millisecond)
}

// claimed notes what a fetch returned: a claim with its messages by key.
func (l *soakLedger) claimed(c *soakClaim, lease time.Duration, keys []string, attempt uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.until = l.leaseEnd(c.node, c.began, lease)
	for _, key := range keys {
		m := l.messages[key]
		switch {
		case m == nil:
			l.broke(soakHistory, "%s: nobody sent %q", c.what, key)
			continue
		case m.withdrawn():
			l.broke(soakUndone, "%s: %q was sent by a call that failed", c.what, key)
		case m.taken > 0:
			l.broke(soakTwice, "%s: %q was delivered after it was acknowledged", c.what, key)
		case !m.cancelled.IsZero() && m.cancelled.Before(c.began):
			l.broke(soakTwice, "%s: %q was delivered after it was cancelled", c.what, key)
		}
		c.messages = append(c.messages, m)
	}
	if p := l.claims[c.what]; p != nil && p.doing != soakDone {
		l.takeOver(p, c)
	}
	l.claims[c.what] = c

	var low, high uint32
	for _, m := range c.messages {
		m.low++
		m.high++
		low, high = max(low, m.low), max(high, m.high)
	}
	if low == high {
		l.exact++
	} else {
		l.vague++
	}
	if len(c.messages) == len(keys) && (attempt < low || attempt > high) {
		l.broke(soakAttempts, "%s: attempt %d of %q, want %d to %d", c.what, attempt, keys, low, high)
	}
}

// takeOver looks at a claim that somebody else had, as far as was noted.
func (l *soakLedger) takeOver(p, c *soakClaim) {
	p.takenAt = c.returned
	live := c.returned.Add(c.node.skew).Before(p.until) && !l.deletedSince(p.instance, p.began)
	shared := false
	for _, m := range p.messages {
		for _, other := range c.messages {
			shared = shared || m == other
		}
	}
	switch {
	case p.doing == soakAbandoning && live:
		l.takeBack(p) // or else nobody could have it
	case p.doing == soakAbandoning:
		p.guessed = true
		if p.ignores {
			for _, m := range p.messages {
				m.low--
			}
		}
	case p.doing == soakAcking && !shared:
		// Its messages are gone.
	case live:
		l.broke(soakTwoLocks, "%s was claimed on %s at %v before the lease of %s ended, %v", c.what, c.node.name,
			c.returned.Format(soakTime), p.node.name, p.until.Format(soakTime))
	default:
		p.doomed = p.doing == soakAcking
	}
}

const soakTime = "15:04:05.000"

// takeBack notes that a claim was abandoned.
func (*soakLedger) takeBack(c *soakClaim) {
	if !c.settled && c.ignores {
		for _, m := range c.messages {
			m.high--
			if !c.guessed {
				m.low--
			}
		}
	}
	c.settled = true
}

// deletedSince reports whether an instance may have been deleted after that time.
func (l *soakLedger) deletedSince(instance string, since time.Time) bool {
	for _, d := range l.deleted[l.roots[instance]] {
		if d.returned.IsZero() || d.returned.After(since) {
			return true
		}
	}
	return false
}

// begin notes what a call is about to do with a claim.
func (l *soakLedger) begin(c *soakClaim, doing soakDoing, ignores bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.doing, c.ignores = doing, ignores
}

// mayBeLost reports whether a call that returned at that time may have found the
// lock gone.
func (l *soakLedger) mayBeLost(c *soakClaim, returned time.Time) bool {
	if !returned.Add(l.maxSkew).Before(c.until) || l.deletedSince(c.instance, c.began) {
		return true
	}
	for _, m := range c.messages {
		if m.cancelling > 0 {
			return true
		}
	}
	return false
}

// held checks the outcome of a call that needs the lock.
func (l *soakLedger) held(op string, c *soakClaim, began, returned time.Time, lost bool) {
	switch {
	case lost && !l.mayBeLost(c, returned):
		l.broke(soakLockLost, "%s of %s on %s at %v, whose lease ends %v", op, c.what, c.node.name,
			returned.Format(soakTime), c.until.Format(soakTime))
	case lost:
	case !c.takenAt.IsZero() && c.takenAt.Before(began):
		l.broke(soakNoLock, "%s of %s on %s, which somebody else had since %v", op, c.what, c.node.name,
			c.takenAt.Format(soakTime))
	default:
		for _, d := range l.deleted[l.roots[c.instance]] {
			if d.began.After(c.returned) && !d.returned.IsZero() && d.returned.Before(began) && l.isRoot(c.instance) {
				l.broke(soakNoLock, "%s of %s, which was deleted meanwhile", op, c.what)
			}
		}
	}
}

func (l *soakLedger) isRoot(instance string) bool { return l.roots[instance] == instance }

// renewed notes the outcome of a renewal, which failed only because of the lock.
func (l *soakLedger) renewed(c *soakClaim, began, returned time.Time, lease time.Duration, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held("renewal", c, began, returned, lost)
	if end := l.leaseEnd(c.node, began, lease); !lost && end.After(c.until) {
		c.until = end
	}
}

// abandoned notes the outcome of an abandonment.
func (l *soakLedger) abandoned(c *soakClaim, began, returned time.Time, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held("abandonment", c, began, returned, lost)
	c.doing = soakDone
	switch {
	case !lost:
		l.takeBack(c)
	case c.settled:
		l.broke(soakTwoLocks, "%s was claimed by somebody else although %s still had it", c.what, c.node.name)
	case c.guessed && c.ignores:
		for _, m := range c.messages {
			m.low++
		}
	}
}

// acked notes the outcome of an acknowledgement, the messages that it sends and
// the activities that it cancels.
func (l *soakLedger) acked(c *soakClaim, began, returned time.Time, lost bool, sends, cancels []*soakMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held("acknowledgement", c, began, returned, lost)
	c.doing = soakDone
	l.settle(sends, !lost)
	for _, m := range cancels {
		switch {
		case lost:
			m.cancelling--
		case m.cancelled.IsZero():
			m.cancelled = returned
		}
	}
	if lost {
		return
	}
	if c.doomed {
		l.broke(soakNoLock, "%s was acknowledged on %s although its messages went to somebody else", c.what, c.node.name)
	}
	for _, m := range c.messages {
		if m.taken++; m.taken > 1 {
			l.broke(soakTwice, "%q was acknowledged %d times", m.key, m.taken)
		}
		if !m.cancelled.IsZero() && m.cancelled.Before(began) {
			l.broke(soakTwice, "%q was acknowledged after it was cancelled", m.key)
		}
	}
}

// cancel notes activities that a call is about to cancel.
func (l *soakLedger) cancel(keys []string) []*soakMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*soakMessage
	for _, key := range keys {
		m := l.messages[key]
		if m == nil {
			l.broke(soakHistory, "nobody sent %q, which is to be cancelled", key)
			continue
		}
		m.cancelling++
		found = append(found, m)
	}
	return found
}
