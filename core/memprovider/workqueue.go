package memprovider

import (
	"iter"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// An activity is one row of the worker queue.
type activity struct {
	id          uint64
	item        core.ActivityExecuteItem
	session     *session
	attempts    uint32
	visibleAt   uint64
	token       string // empty for no lock
	lockedUntil uint64
	corrupt     bool // as if it could not be decoded; see CorruptQueues

	lane *lane            // where it waits; nil while it is locked or hidden
	at   place[*activity] // in the lane or in workQueue.later
}

// due returns when a locked or hidden activity can be fetched again.
func (a *activity) due() uint64 { return max(a.visibleAt, a.lockedUntil) }

func (a *activity) identity() core.ActivityIdentifier {
	return core.ActivityIdentifier{Instance: a.item.Instance, ExecutionID: a.item.ExecutionID, ActivityID: a.item.ID}
}

// A label is the id of a session or a tag, unset for none.
type label struct {
	set  bool
	text string
}

func labelOf(p *string) label {
	if p == nil {
		return label{}
	}
	return label{true, *p}
}

// A holder says who may take the activities of a session. The zero value is
// for those without one: everybody. Those of a session that nobody owns may be
// taken by any fetch with an owner, those of an owned one only by its owner.
type holder struct {
	session, owned bool
	owner          string
}

// A lane holds the activities of one session (or of none) with one tag that
// can be fetched now, oldest first.
type lane struct {
	session *session
	tag     label
	items   minHeap[*activity]
	at      place[*lane]
}

func (l *lane) first() *activity { return l.items.items[0] }

// A workQueue is the index of the worker queue. A fetch looks at one heap of
// lanes for each tag and holder that it may take from, never at what others
// may take.
type workQueue struct {
	lanes      map[label]map[holder]*minHeap[*lane]
	later      minHeap[*activity] // locked or hidden, by when that ends
	tokens     map[string]*activity
	identities map[core.ActivityIdentifier][]*activity

	sessions map[string]*session
	claims   minHeap[*session] // the sessions with a live claim, by expiry
	none     session           // of the activities without a session

	bell bell
}

func activityPlace(a *activity) *place[*activity] { return &a.at }

func (q *workQueue) init() {
	q.lanes = map[label]map[holder]*minHeap[*lane]{}
	q.later = minHeap[*activity]{
		less:  func(a, b *activity) bool { return a.due() < b.due() },
		place: activityPlace,
	}
	q.tokens = map[string]*activity{}
	q.identities = map[core.ActivityIdentifier][]*activity{}
	q.sessions = map[string]*session{}
	q.claims = minHeap[*session]{
		less:  func(a, b *session) bool { return a.lockedUntil < b.lockedUntil },
		place: func(s *session) *place[*session] { return &s.live },
	}
	q.none.lanes = map[label]*lane{}
}

// add takes a new activity in.
func (q *workQueue) add(a *activity, now uint64) {
	a.session = q.session(labelOf(a.item.SessionID))
	a.session.refs++
	q.identities[a.identity()] = append(q.identities[a.identity()], a)
	q.file(a, now)
}

// cancel removes every activity of that identity, locked or not.
func (q *workQueue) cancel(id core.ActivityIdentifier) {
	for _, a := range slices.Clone(q.identities[id]) {
		q.remove(a)
	}
}

func (q *workQueue) remove(a *activity) {
	q.unfile(a)
	delete(q.tokens, a.token)
	same := q.identities[a.identity()]
	if len(same) == 1 {
		delete(q.identities, a.identity())
	} else {
		q.identities[a.identity()] = slices.DeleteFunc(same, func(o *activity) bool { return o == a })
	}
	a.session.refs--
	q.forget(a.session)
}

// unlock takes the token from an activity that is not filed.
func (q *workQueue) unlock(a *activity) {
	delete(q.tokens, a.token)
	a.token, a.lockedUntil = "", 0
}

// file puts an activity into its lane or among those for later.
func (q *workQueue) file(a *activity, now uint64) {
	if a.due() > now {
		q.later.push(a)
		q.bell.announce(a.due())
		return
	}
	tag := labelOf(a.item.Tag)
	l := a.session.lanes[tag]
	if l == nil {
		l = &lane{session: a.session, tag: tag, items: minHeap[*activity]{
			less:  func(a, b *activity) bool { return a.id < b.id },
			place: activityPlace,
		}}
		a.session.lanes[tag] = l
	} else {
		q.unshelve(l)
	}
	a.lane = l
	l.items.push(a)
	q.shelve(l)
	q.bell.announce(0)
}

// unfile takes an activity out of the index, to change or remove it.
func (q *workQueue) unfile(a *activity) {
	l := a.lane
	if l == nil {
		a.at.leave(a)
		return
	}
	a.lane = nil
	q.unshelve(l)
	l.items.remove(a)
	if l.items.len() == 0 {
		delete(l.session.lanes, l.tag)
	} else {
		q.shelve(l)
	}
}

// shelve files a lane that is not empty under its tag and holder.
func (q *workQueue) shelve(l *lane) {
	shelf := q.lanes[l.tag]
	if shelf == nil {
		shelf = map[holder]*minHeap[*lane]{}
		q.lanes[l.tag] = shelf
	}
	h := l.session.holder()
	if shelf[h] == nil {
		shelf[h] = &minHeap[*lane]{
			less:  func(a, b *lane) bool { return a.first().id < b.first().id },
			place: func(l *lane) *place[*lane] { return &l.at },
		}
	}
	shelf[h].push(l)
}

// unshelve is called before the lane or the holder of its session changes.
func (q *workQueue) unshelve(l *lane) {
	l.at.leave(l)
	h := l.session.holder()
	if q.lanes[l.tag][h].len() > 0 {
		return
	}
	delete(q.lanes[l.tag], h)
	if len(q.lanes[l.tag]) == 0 {
		delete(q.lanes, l.tag)
	}
}

// expire files anew what was locked, hidden or claimed until now.
func (q *workQueue) expire(now uint64) {
	for a, ok := q.later.top(); ok && a.due() <= now; a, ok = q.later.top() {
		q.later.pop()
		q.file(a, now)
	}
	for s, ok := q.claims.top(); ok && s.lockedUntil <= now; s, ok = q.claims.top() {
		q.setHolder(s, func() { q.claims.pop() })
	}
}

// candidate returns the oldest activity that the fetch may take. Without one
// it returns the time at which the next may come free.
func (q *workQueue) candidate(f core.TagFilter, owner *core.SessionFetchConfig, now uint64) (best *activity, next uint64) {
	q.expire(now)
	next = never
	if a, ok := q.later.top(); ok {
		next = a.due()
	}
	holders := []holder{{}}
	if owner != nil {
		holders = append(holders, holder{session: true}, holder{session: true, owned: true, owner: owner.OwnerID})
		if s, ok := q.claims.top(); ok {
			next = min(next, s.lockedUntil)
		}
	}
	for tag := range q.tags(f) {
		for _, h := range holders {
			lanes := q.lanes[tag][h]
			if lanes == nil {
				continue
			}
			if l, ok := lanes.top(); ok && (best == nil || l.first().id < best.id) {
				best = l.first()
			}
		}
	}
	return best, next
}

// tags returns the tags that the filter takes, among those that wait.
func (q *workQueue) tags(f core.TagFilter) iter.Seq[label] {
	if f.Mode == core.TagsAny {
		return maps.Keys(q.lanes)
	}
	var tags []label
	if f.Matches(nil) {
		tags = append(tags, label{})
	}
	for _, tag := range f.Tags {
		tags = append(tags, label{true, tag})
	}
	return slices.Values(tags)
}
