package validation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var concurrentCases = inCategory("concurrent",
	Case{
		Name:     "TestConcurrentTurns",
		Rule:     "However many send and take turns at once, every message is processed once, one at a time holds an instance, and attempts are exact.",
		Contract: "1.3, 3.1, 3.2, 5.2, 5.4",
		run:      concurrentTurns,
	},
	Case{
		Name:     "TestConcurrentActivities",
		Rule:     "However many schedule and work at once, every activity completes once, a session has one owner, and attempts are exact.",
		Contract: "1.3, 3.8, 3.9, 5.2",
		run:      concurrentActivities,
	},
	Case{
		Name:     "TestConcurrentCancellation",
		Rule:     "An activity that is cancelled while its worker finishes it is either completed or refused, never both and never neither.",
		Contract: "3.2, 3.9, 5.5",
		run:      concurrentCancellation,
	},
	Case{
		Name:     "TestConcurrentTakeover",
		Rule:     "At the moment when a lease ends, a turn is either acknowledged by its holder or taken over, never both.",
		Contract: "3.2, 5.1, 5.4",
		run:      concurrentTakeover,
	},
	Case{
		Name:     "TestConcurrentDeletion",
		Rule:     "Whatever is acknowledged while an instance is deleted, nothing of it is left.",
		Contract: "4.1",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      concurrentDeletion,
	},
	Case{
		Name:     "TestConcurrentWake",
		Rule:     "Every fetch that waits returns soon after there is work for it, also work that was delayed.",
		Contract: "3.1, 3.8",
		polling:  longPolling,
		run:      concurrentWake,
	},
)

// insist repeats a call while its error says that it may succeed later.
func insist(t *trial, what string, call func() error) {
	t.check(what, t.settle(call))
}

// settle repeats a call while its error says that it may succeed later, a bounded
// number of times, and returns its last error.
func (t *trial) settle(call func() error) error {
	err := call()
	for n := 1; core.IsRetryable(err) && n < 20; n++ {
		t.sleep(10 * time.Millisecond)
		err = call()
	}
	return err
}

// pause waits for some part of d, so that who comes first differs.
func (t *trial) pause(r *rand.Rand, d time.Duration) { t.sleep(time.Duration(r.Int64N(int64(d)))) }

// A tally counts fetches of what is known by a name, and what became of it.
type tally struct {
	mu       sync.Mutex
	attempts map[string]uint32
	holder   map[string]bool
	done     atomic.Int64
}

func newTally() *tally {
	return &tally{attempts: map[string]uint32{}, holder: map[string]bool{}}
}

// hold counts a fetch and compares the attempt count that it told.
func (c *tally) hold(t *trial, holder string, attempts uint32, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holder[holder] {
		t.fatalf("%s was fetched while somebody else holds it", holder)
	}
	c.holder[holder] = true
	var want uint32
	for _, name := range names {
		c.attempts[name]++
		want = max(want, c.attempts[name])
	}
	if attempts != want {
		t.fatalf("attempt count %d of %q, want %d", attempts, names, want)
	}
}

// leave is called before what was held is given back.
func (c *tally) leave(holder string, ignoreAttempt bool, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holder[holder] = false
	for _, name := range names {
		if ignoreAttempt {
			c.attempts[name]--
		}
	}
}

func concurrentTurns(t *trial) {
	const instances, senders, workers = 4, 2, 5
	messages := 10 * t.h.Scale
	all := int64(instances * senders * messages)
	for i := range instances {
		t.create(name("busy", i))
	}
	seen := newTally()
	t.random(0)
	t.atOnce(senders+workers, 0, func(n int) {
		r := t.random(n)
		if n < senders {
			for m := range messages {
				for i := range instances {
					item := queued(name("busy", i), fmt.Sprintf("%d-%d", n, m))
					insist(t, "enqueue_for_orchestrator", func() error {
						return t.p.EnqueueForOrchestrator(t.ctx, core.EnqueueForOrchestratorParams{Item: item})
					})
				}
			}
			return
		}
		for seen.done.Load() < all && !t.ended() {
			t.takeTurn(r, seen)
		}
	})
	t.noTurn("all messages were acknowledged")
	for i := range instances {
		t.wantOnce(name("busy", i), senders*messages)
	}
}

// takeTurn fetches a turn and acknowledges or abandons it.
func (t *trial) takeTurn(r *rand.Rand, seen *tally) {
	var turn *core.OrchestrationItem
	insist(t, "fetch_orchestration_item", func() (err error) {
		turn, err = t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease})
		return err
	})
	if turn == nil {
		t.sleep(10 * time.Millisecond)
		return
	}
	var names []string
	var data []core.EventData
	for _, m := range turn.Messages {
		m := m.(core.QueueMessageItem)
		names = append(names, turn.Instance+"/"+m.Data)
		data = append(data, core.QueueEventDelivered{Name: m.Name, Data: m.Data})
	}
	seen.hold(t, turn.Instance, turn.AttemptCount, names...)
	t.pause(r, 2*time.Millisecond)
	if r.IntN(4) == 0 {
		ignore := r.IntN(2) == 0
		seen.leave(turn.Instance, ignore, names...)
		insist(t, "abandon_orchestration_item", func() error {
			return t.p.AbandonOrchestrationItem(t.ctx, core.AbandonParams{LockToken: turn.LockToken, IgnoreAttempt: ignore})
		})
		return
	}
	events := eventsOf(turn.Instance, 1, uint64(len(turn.History))+1, data...)
	seen.leave(turn.Instance, false)
	insist(t, "ack_orchestration_item", func() error { return t.tryAck(turn, ack{events: events}) })
	seen.done.Add(int64(len(names)))
}

// wantOnce checks that every message is in the history once.
func (t *trial) wantOnce(instance string, n int) {
	counts := map[string]int{}
	for _, e := range t.read(instance) {
		if d, ok := e.Data.(core.QueueEventDelivered); ok {
			counts[d.Data]++
		}
	}
	for data, times := range counts {
		if times != 1 {
			t.errorf("%s has processed message %s %d times", instance, data, times)
		}
	}
	if len(counts) != n {
		t.fatalf("%s has processed %d of %d messages", instance, len(counts), n)
	}
}

func concurrentActivities(t *trial) {
	const id, schedulers, workers = "working", 2, 5
	activities := 20 * t.h.Scale
	t.create(id)
	seen := newTally()
	var owners sync.Map
	t.random(0)
	t.atOnce(schedulers+workers, 0, func(n int) {
		if n < schedulers {
			for i := range activities {
				item := activity(id, uint64(n*activities+i))
				if i%3 > 0 {
					item.SessionID = ptr(name("session", i%3))
				}
				insist(t, "enqueue_for_worker", func() error {
					return t.p.EnqueueForWorker(t.ctx, core.EnqueueForWorkerParams{Item: item})
				})
			}
			return
		}
		r := t.random(n)
		for seen.done.Load() < int64(schedulers*activities) && !t.ended() {
			t.workOn(r, name("worker", n), &owners, seen)
		}
	})
	t.noWork(take{session: by("nobody", time.Second)}, "all activities were acknowledged")
	got := map[uint64]int{}
	for _, m := range t.turn(id).Messages {
		got[m.(core.ActivityCompletedItem).ID]++
	}
	for a, times := range got {
		if times != 1 {
			t.errorf("activity %d has completed %d times", a, times)
		}
	}
	if len(got) != schedulers*activities {
		t.fatalf("%d of %d activities have completed", len(got), schedulers*activities)
	}
}

// workOn fetches an activity and acknowledges or abandons it.
func (t *trial) workOn(r *rand.Rand, owner string, owners *sync.Map, seen *tally) {
	var item *core.LockedWorkItem
	insist(t, "fetch_work_item", func() (err error) {
		item, err = t.p.FetchWorkItem(t.ctx, core.FetchWorkItemParams{LockTimeout: longLease, Session: by(owner, longClaim)})
		return err
	})
	if item == nil {
		t.sleep(10 * time.Millisecond)
		return
	}
	a := t.activityOf(item)
	if a.SessionID != nil {
		if other, _ := owners.LoadOrStore(*a.SessionID, owner); other != owner {
			t.fatalf("%s got an activity of %s, which %s owns", owner, *a.SessionID, other)
		}
	}
	who := name("activity", int(a.ID))
	seen.hold(t, who, item.AttemptCount, who)
	t.pause(r, 2*time.Millisecond)
	if r.IntN(4) == 0 {
		ignore := r.IntN(2) == 0
		seen.leave(who, ignore, who)
		insist(t, "abandon_work_item", func() error {
			return t.p.AbandonWorkItem(t.ctx, core.AbandonParams{LockToken: item.LockToken, IgnoreAttempt: ignore})
		})
		return
	}
	seen.leave(who, false)
	insist(t, "ack_work_item", func() error { return t.tryAckWork(item, completed(a.Instance, a.ID)) })
	seen.done.Add(1)
}

func concurrentCancellation(t *trial) {
	const workers = 4
	for round := range 3 * t.h.Scale {
		id := name("cancels", round)
		const first, n = 2, 16
		var ids []uint64
		var all []core.ActivityIdentifier
		for a := uint64(first); a < first+n; a++ {
			ids = append(ids, a)
			all = append(all, identify(activity(id, a)))
		}
		t.createWith(id, scheduling(id, ids...))
		t.enqueue(raised(id, "cancel"))
		turn := t.turn(id)
		items := make([]*core.LockedWorkItem, n)
		for i := range items {
			items[i] = t.work(ids[i], take{})
		}
		errs := make([]error, n)
		t.atOnce(workers+1, 0, func(g int) {
			r := t.random(round*100 + g)
			if g == workers {
				t.pause(r, 8*time.Millisecond)
				insist(t, "ack_orchestration_item", func() error { return t.tryAck(turn, ack{cancelled: all}) })
				return
			}
			for i := g; i < n; i += workers {
				t.pause(r, 4*time.Millisecond)
				errs[i] = t.settle(func() error { return t.tryAckWork(items[i], completed(id, ids[i])) })
			}
		})
		var want []uint64
		for i, err := range errs {
			if err == nil {
				want = append(want, ids[i])
			} else {
				t.wantLockLost("the ack of a cancelled activity", err)
			}
		}
		var got []uint64
		if len(want) > 0 {
			for _, m := range t.turn(id).Messages {
				got = append(got, m.(core.ActivityCompletedItem).ID)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.fatalf("the activities %v have completed, but the acks of %v succeeded", got, want)
		}
		t.noTurn("all is acknowledged or locked")
		t.noWork(take{}, "all activities were acknowledged or cancelled")
	}
}

func concurrentTakeover(t *trial) {
	const n = 10
	for i := range n {
		t.create(name("taken", i))
	}
	for i := range n {
		t.enqueue(raised(name("taken", i), "go"))
	}
	lease := t.lease()
	all := t.window("the first lease", lease)
	turns := make([]*core.OrchestrationItem, n)
	ends := make([]time.Time, n)
	var held fetched
	for i := range turns {
		if turns[i] = t.fetch(lease, nil); turns[i] == nil {
			t.fatalf("fetched nothing, want one of %d instances", n)
		}
		ends[i] = time.Now().Add(lease)
		held.add(t, turns[i])
	}
	if t.ended() {
		t.giveUp()
	}
	all.close()

	errs := make([]error, n)
	var taken fetched
	t.random(0)
	t.atOnce(n+2, 0, func(g int) {
		if g >= n { // takes over
			t.sleep(time.Until(ends[0]) - aroundEnd)
			for !t.ended() && time.Until(ends[n-1]) > -2*aroundEnd {
				if item := t.fetch(longLease, nil); item != nil {
					taken.add(t, item)
				}
				t.sleep(time.Millisecond)
			}
			return
		}
		// What lies between the lease's end and when its fetch returned is unknown.
		t.sleep(time.Until(ends[g]) - time.Duration(t.random(g).Int64N(int64(aroundEnd))))
		errs[g] = t.settle(func() error {
			return t.tryAck(turns[g], ack{events: []core.Event{event(turns[g].Instance, 2, core.ExternalEvent{Name: "go"})}})
		})
	})
	t.sleepPast(lease)
	for item := t.fetch(longLease, nil); item != nil && !t.ended(); item = t.fetch(longLease, nil) {
		taken.add(t, item)
	}
	for i, turn := range turns {
		acked, taken := errs[i] == nil, taken.instances[turn.Instance]
		if !acked {
			t.wantLockLost("an ack at the end of its lease", errs[i])
		}
		if acked == taken {
			t.errorf("%s: acknowledged %t, taken over %t, want one of them", turn.Instance, acked, taken)
		}
		if events := t.read(turn.Instance); (len(events) == 2) != acked {
			t.errorf("%s: acknowledged %t, but %d events", turn.Instance, acked, len(events))
		}
	}
}

// aroundEnd is how long before the end of a lease its holder acknowledges, at
// most.
const aroundEnd = 20 * time.Millisecond

func concurrentDeletion(t *trial) {
	for round := range 10 * t.h.Scale {
		id := name("deleted", round)
		t.create(id)
		t.enqueue(raised(id, "go"), activity(id, 9))
		turn, item := t.turn(id), t.work(9, take{})
		t.atOnce(3, 0, func(g int) {
			t.pause(t.random(round*100+g), 4*time.Millisecond)
			switch g {
			case 0:
				a := scheduling(id, 2)
				a.events = append(a.events, event(id, 3, set("k", "v")))
				a.messages = []core.WorkItem{raised(id, "more")}
				_ = t.settle(func() error { return t.tryAck(turn, a) }) // it may come too late
			case 1:
				_ = t.settle(func() error { return t.tryAckWork(item, completed(id, 9)) }) // and so may this
			default:
				insist(t, "delete_instance", func() error {
					_, err := t.tryDelete(id, true)
					return err
				})
			}
		})
		t.wantGone(id)
		t.noTurn("its messages are deleted")
		t.noWork(take{}, "its activities are deleted")
		if v := t.value(id, "k"); v != nil {
			t.fatalf("the value %q is left of a deleted instance", *v)
		}
	}
}

func concurrentWake(t *trial) {
	// A provider may look for work without a notification every half minute.
	const waiters, wait, soon = 3, 50 * time.Second, 20 * time.Second
	var sent atomic.Int64
	arrived := func(what string) {
		if late := time.Since(time.Unix(0, sent.Load())); late > soon {
			t.errorf("a fetch that waits for %s returned %v after there was work", what, late)
		}
	}
	t.atOnce(2*waiters+1, 0, func(g int) {
		switch {
		case g < waiters:
			item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease, PollTimeout: wait})
			t.check("fetch_orchestration_item", err)
			if item == nil {
				t.fatalf("a fetch that waits for a turn got none")
			}
			arrived("a turn")
		case g < 2*waiters:
			item, err := t.p.FetchWorkItem(t.ctx, core.FetchWorkItemParams{LockTimeout: longLease, PollTimeout: wait})
			t.check("fetch_work_item", err)
			if item == nil {
				t.fatalf("a fetch that waits for an activity got none")
			}
			arrived("an activity")
		default:
			t.sleep(500 * time.Millisecond)
			sent.Store(time.Now().Add(500 * time.Millisecond).UnixNano())
			t.enqueueLater(500*time.Millisecond, start("delayed"))
			for i := range waiters {
				if i > 0 {
					t.enqueue(start(name("wakes", i)))
				}
				t.enqueue(activity("working", uint64(i)))
			}
		}
	})
}
