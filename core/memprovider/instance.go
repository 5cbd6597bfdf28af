package memprovider

import (
	"cmp"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// An instance is everything that is stored under one instance id. Most parts
// exist independently: messages and events may be there without a row.
type instance struct {
	id         string
	row        *instanceRow // nil until an acknowledgement names the orchestration
	executions map[uint64]*execution
	latest     uint64 // the highest id in executions, 1 without any
	histories  map[uint64]*history
	kv         keyValues

	// waiting holds the messages that no fetch has marked, in the order in
	// which they become visible; batch those that the last fetch marked, in
	// the order of their ids, and batchOldest the one of them that was visible
	// first. An expired lock leaves both as they are until somebody takes the
	// instance over.
	waiting     minHeap[*message]
	batch       []*message
	batchOldest *message
	token       string // empty for no lock
	lockedUntil uint64

	turn place[*instance] // in the index of the queue
}

// An instanceRow is what the first named acknowledgement creates.
type instanceRow struct {
	seq                  uint64 // order of creation
	name, version        string
	current              uint64
	turnToken            string // of the last acknowledged turn
	parent               *string
	createdAt, updatedAt uint64
	customStatus         *string
	customStatusVersion  uint64
}

// An execution is the row of one execution.
type execution struct {
	status      core.ExecutionStatus
	output      *string
	pinned      pin
	startedAt   uint64
	completedAt *uint64
}

// A pin is the runtime version of an execution, packed; unset for any version.
type pin struct {
	set    bool
	packed uint64
}

// A message is one row of the orchestrator queue.
type message struct {
	id        uint64
	item      core.WorkItem
	visibleAt uint64
	attempts  uint32
	waiting   place[*message]
	corrupt   bool // as if it could not be decoded; see CorruptQueues
}

// older orders messages by when they became visible, then by arrival.
func older(a, b *message) bool {
	return cmp.Or(cmp.Compare(a.visibleAt, b.visibleAt), cmp.Compare(a.id, b.id)) < 0
}

func newInstance(id string) *instance {
	return &instance{
		id:         id,
		executions: map[uint64]*execution{},
		latest:     core.FirstExecutionID,
		histories:  map[uint64]*history{},
		waiting: minHeap[*message]{
			less:  older,
			place: func(m *message) *place[*message] { return &m.waiting },
		},
	}
}

// oldest returns the message that makes the instance a candidate first, nil if
// it has none.
func (i *instance) oldest() *message {
	top, ok := i.waiting.top()
	if !ok || (i.batchOldest != nil && older(i.batchOldest, top)) {
		return i.batchOldest
	}
	return top
}

// pinned returns the pin that a version filter looks at: that of the current
// execution, none without the rows.
func (i *instance) pinned() pin {
	if i.row == nil || i.executions[i.row.current] == nil {
		return pin{}
	}
	return i.executions[i.row.current].pinned
}

// lock marks every visible message with a new token.
func (i *instance) lock(now, until uint64) {
	i.putBack()
	for m, ok := i.waiting.top(); ok && m.visibleAt <= now; m, ok = i.waiting.top() {
		i.batch = append(i.batch, i.waiting.pop())
		m.attempts++
	}
	i.batchOldest = i.batch[0]
	slices.SortFunc(i.batch, func(a, b *message) int { return cmp.Compare(a.id, b.id) })
	i.token, i.lockedUntil = newToken(), until
}

// unlock forgets the token and the messages that it marks.
func (i *instance) unlock() {
	i.batch, i.batchOldest = nil, nil
	i.token, i.lockedUntil = "", 0
}

// putBack returns the marked messages to those that wait, and unlocks.
func (i *instance) putBack() {
	for _, m := range i.batch {
		i.waiting.push(m)
	}
	i.unlock()
}

// isEmpty reports whether nothing is stored under the id.
func (i *instance) isEmpty() bool {
	return i.row == nil && len(i.executions) == 0 && len(i.histories) == 0 && i.kv.isEmpty() &&
		i.waiting.len() == 0 && len(i.batch) == 0
}

// A turnQueue is the index of the orchestrator queue. Every instance with
// messages is in exactly one heap: while its lock lives in locked, ordered by
// expiry, else in the heap of its pin, ordered by its oldest message. With one
// heap for each pin a version filter never steps over what it excludes.
type turnQueue struct {
	ready  map[pin]*minHeap[*instance]
	locked minHeap[*instance]
	tokens map[string]*instance
	bell   bell
}

func turnPlace(i *instance) *place[*instance] { return &i.turn }

func (q *turnQueue) init() {
	q.ready = map[pin]*minHeap[*instance]{}
	q.tokens = map[string]*instance{}
	q.locked = minHeap[*instance]{
		less:  func(a, b *instance) bool { return a.lockedUntil < b.lockedUntil },
		place: turnPlace,
	}
}

// file puts an instance where it belongs after any change to its lock, its
// messages or its pin. The change must not have happened while it was filed:
// take it out with i.turn.leave first.
func (q *turnQueue) file(i *instance, now uint64) {
	if i.lockedUntil > now {
		q.locked.push(i)
		q.bell.announce(i.lockedUntil)
		return
	}
	m := i.oldest()
	if m == nil {
		return
	}
	pool := q.ready[i.pinned()]
	if pool == nil {
		pool = &minHeap[*instance]{
			less:  func(a, b *instance) bool { return older(a.oldest(), b.oldest()) },
			place: turnPlace,
		}
		q.ready[i.pinned()] = pool
	}
	pool.push(i)
	q.bell.announce(m.visibleAt)
}

// expire files the instances anew whose lock has run out.
func (q *turnQueue) expire(now uint64) {
	for i, ok := q.locked.top(); ok && i.lockedUntil <= now; i, ok = q.locked.top() {
		q.locked.pop()
		q.file(i, now)
	}
}

// candidate returns the instance with the oldest visible message among those
// that no live lock and no filter excludes. Without one it returns the time of
// the next that becomes visible or unlocked.
func (q *turnQueue) candidate(f *core.CapabilityFilter, now uint64) (best *instance, next uint64) {
	q.expire(now)
	next = never
	if i, ok := q.locked.top(); ok {
		next = i.lockedUntil
	}
	for pin, pool := range q.ready {
		if !supports(f, pin) {
			continue
		}
		i, ok := pool.top()
		if !ok {
			continue
		}
		if at := i.oldest().visibleAt; at > now {
			next = min(next, at)
		} else if best == nil || older(i.oldest(), best.oldest()) {
			best = i
		}
	}
	return best, next
}

// supports applies the filter as all providers of the family do: its first
// range only, packed versions, and no pin passes.
func supports(f *core.CapabilityFilter, p pin) bool {
	if f == nil {
		return true
	}
	if len(f.SupportedVersions) == 0 {
		return false
	}
	r := f.SupportedVersions[0]
	return !p.set || (r.Min.Packed() <= p.packed && p.packed <= r.Max.Packed())
}
