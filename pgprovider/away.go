package pgprovider

import (
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/notifier"
)

const (
	// awayVersion is the migration from which on a fetch can leave work to others.
	awayVersion = 111

	// maxAway bounds what is left to others at a time, of each queue. Each fetch
	// passes it by.
	maxAway = 1000
)

// away is the work that this process gave back because it has no code for it, and
// does not fetch for a while, so that others come first: without it, this process
// would be woken at the same time as they, those of Rust 0.1 s later, and have it
// again each time, until the work is poison.
type away struct {
	instances leftAlone[string]
	rows      leftAlone[int64] // of the worker queue
}

// leftAlone holds when things are left alone.
type leftAlone[K comparable] struct {
	mu   sync.Mutex
	when map[K]span
}

// span is a time with an end. Before it begins, what was given back is hidden from
// everybody, and what else comes under its key is for everybody.
type span struct{ from, until time.Time }

// add reports whether there was room.
func (l *leftAlone[K]) add(key K, when span) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.when == nil {
		l.when = map[K]span{}
	}
	if _, ok := l.when[key]; !ok && len(l.when) >= maxAway {
		return false
	}
	l.when[key] = when
	return true
}

// list returns what is left alone now, and forgets what was. It is never nil.
func (l *leftAlone[K]) list(now time.Time) []K {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := make([]K, 0, len(l.when))
	for key, when := range l.when {
		switch {
		case !when.until.After(now):
			delete(l.when, key)
		case !when.from.After(now):
			keys = append(keys, key)
		}
	}
	return keys
}

// leave keeps this process from what it gave back at a time, and wakes it when that
// ends.
func leave[K comparable](p *Provider, q notifier.Queue, l *leftAlone[K], key K, gave time.Time, params core.AbandonParams) {
	due := gave.Truncate(time.Millisecond).Add(max(params.Delay, 0)) // as the database has it, or a little before
	until := due.Add(params.StayAway)
	if l.add(key, span{due, until}) && p.notifier != nil {
		p.notifier.At(q, until)
	}
}
