package notifier

import (
	"container/heap"
	"time"
)

// maxEntries bounds the due times of one queue. What does not fit is left to a
// refresh that then comes earlier.
const maxEntries = 10_000

// entry is a time at which a queue may have work.
type entry struct {
	// due is wall time, epoch milliseconds, by which visibility is judged.
	due int64
	// fire is the monotonic instant at which due is expected.
	fire time.Time
}

// dueTimes is a heap of entries, the earliest first, without repeated due times.
// The zero value is empty and ready to use.
type dueTimes struct {
	entries entries
	known   map[int64]struct{}
}

// push adds an entry. It reports false if there is no room.
func (d *dueTimes) push(e entry) bool {
	if _, ok := d.known[e.due]; ok {
		return true
	}
	if len(d.entries) >= maxEntries {
		return false
	}
	if d.known == nil {
		d.known = map[int64]struct{}{}
	}
	d.known[e.due] = struct{}{}
	heap.Push(&d.entries, e)
	return true
}

// next returns when the earliest entry fires.
func (d *dueTimes) next() (fire time.Time, ok bool) {
	if len(d.entries) == 0 {
		return time.Time{}, false
	}
	return d.entries[0].fire, true
}

// pop removes all entries that have fired by now, the earliest first.
func (d *dueTimes) pop(now time.Time) []entry {
	var fired []entry
	for len(d.entries) > 0 && !d.entries[0].fire.After(now) {
		e := heap.Pop(&d.entries).(entry)
		delete(d.known, e.due)
		fired = append(fired, e)
	}
	return fired
}

// entries implements [heap.Interface].
type entries []entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].fire.Before(e[j].fire) }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)        { *e = append(*e, x.(entry)) }
func (e *entries) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}
