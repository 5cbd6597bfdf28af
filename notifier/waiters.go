package notifier

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Waiter is a fetch that waits for work. It belongs to one goroutine.
type Waiter struct {
	set  *waiters
	key  string
	wake chan struct{} // holds at most one signal
}

// C returns the channel on which a wake-up arrives. Wake-ups that come before
// one was taken are one.
func (w *Waiter) C() <-chan struct{} { return w.wake }

// Release ends the wait. A wake-up that was not taken goes to another waiter.
func (w *Waiter) Release() { w.set.remove(w) }

// waiters are the waiting fetches of one queue, the longest waiting first.
type waiters struct {
	mu   sync.Mutex
	list []*Waiter
	// all: every wake-up is for all of them.
	all bool
	// hints counts what there was to wake for, also when nobody waited.
	hints atomic.Uint64
}

func (s *waiters) add(key string) *Waiter {
	w := &Waiter{set: s, key: key, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, w)
	return w
}

func (s *waiters) remove(w *Waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.list, w)
	if i < 0 {
		return
	}
	s.list = slices.Delete(s.list, i, i+1)
	select {
	case <-w.wake:
		if !s.all {
			s.wakeOneOf(w.key)
		}
	default:
	}
}

// wakeSome wakes what a hint is for: everyone, or one waiter of each key. It
// needs nobody who is there to take a hint: a fetch that begins later queries
// first.
func (s *waiters) wakeSome() {
	if s.all {
		s.wakeAll()
		return
	}
	s.hints.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Keys are few: almost always one.
	for i, w := range s.list {
		if !slices.ContainsFunc(s.list[:i], func(o *Waiter) bool { return o.key == w.key }) {
			s.wakeOneOf(w.key)
		}
	}
}

// wakeOneOf wakes one waiter that has no wake-up yet. If all have one, they will
// query after it, which is enough.
func (s *waiters) wakeOneOf(key string) {
	for _, w := range s.list {
		if w.key != key {
			continue
		}
		select {
		case w.wake <- struct{}{}:
			return
		default:
		}
	}
}

// wakeAll wakes everyone.
func (s *waiters) wakeAll() {
	s.hints.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.list {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
