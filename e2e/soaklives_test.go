package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// soakLife is an instance from a start to a deletion; the id may start again.
type soakLife struct {
	name     string
	instance string
	plan     soakPlan
	start    *soakMessage
	born     bool // a turn was recorded, so that messages are not for nobody
	ended    bool // completed or failed
	doomed   bool // somebody is about to delete it
	deleted  bool // a deletion of it succeeded

	events   map[uint64]int // recorded, by execution
	turns    int
	statuses int    // turns that set the custom status
	current  uint64 // execution
	status   core.ExecutionStatus
}

func newSoakLife(plan soakPlan, instance string) *soakLife {
	return &soakLife{name: plan.Life, instance: instance, plan: plan, events: map[uint64]int{}}
}

func (v *soakLife) isChild() bool { return v.plan.Parent != "" }

// startItem is the message that starts it.
func (v *soakLife) startItem() core.StartOrchestrationItem {
	item := core.StartOrchestrationItem{
		Instance: v.instance, Orchestration: soakName, Input: v.plan.encode(), ExecutionID: core.FirstExecutionID,
	}
	if v.isChild() {
		item.ParentInstance, item.ParentID, item.ParentExecutionID = &v.plan.Parent, &v.plan.ParentID, &v.plan.ParentExecution
	}
	return item
}

// bear notes lives whose start was noted as sent before.
func (l *soakLedger) bear(lives ...*soakLife) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range lives {
		v.start = l.messages[soakKey(v.startItem())]
		l.lives[v.name] = v
		l.roots[v.instance] = v.instance
		if v.isChild() {
			l.roots[v.instance] = l.roots[v.plan.Parent]
		}
	}
}

// recorded notes a turn that was acknowledged. Two turns of an instance may be
// noted in the wrong order.
func (l *soakLedger) recorded(t *soakTurn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.lives[t.plan.Life]
	if v == nil || len(t.ack.HistoryDelta) == 0 {
		return // of nobody, or after the end
	}
	v.born = true
	v.turns++
	v.events[t.ack.ExecutionID] += len(t.ack.HistoryDelta)
	for _, ev := range t.ack.HistoryDelta {
		if _, ok := ev.Data.(core.CustomStatusUpdated); ok {
			v.statuses++
			break
		}
	}
	if t.ack.ExecutionID > v.current {
		v.current, v.status = t.ack.ExecutionID, core.StatusRunning
	}
	if t.ack.ExecutionID == v.current && t.ack.Metadata.Status != "" {
		v.status = t.ack.Metadata.Status
	}
	v.ended = v.ended || t.ended
}

// choose returns up to n lives at random that a condition admits, of those that
// are there as far as is known.
func (a *soakActor) choose(n int, admits func(*soakLife) bool) []*soakLife {
	l := a.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	var chosen []*soakLife
	for _, v := range l.lives {
		gone := v.deleted || v.isChild() && l.deletedSince(v.instance, v.start.began)
		if !gone && admits(v) {
			chosen = append(chosen, v)
		}
	}
	a.rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:min(n, len(chosen))]
}

// doom is choose for lives of which the caller alone may delete the roots.
func (a *soakActor) doom(n int, admits func(*soakLife) bool) []*soakLife {
	lives := a.choose(n, func(v *soakLife) bool { return v.born && !v.doomed && !v.isChild() && admits(v) })
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return slices.DeleteFunc(lives, func(v *soakLife) bool {
		taken := v.doomed
		v.doomed = true
		return taken
	})
}

// deleting notes that a call is about to delete trees, and returns what notes
// the outcome.
func (l *soakLedger) deleting(lives []*soakLife) func(returned time.Time, ok bool) {
	span := &soakSpan{began: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range lives {
		l.deleted[v.instance] = append(l.deleted[v.instance], span)
	}
	return func(returned time.Time, ok bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		span.returned = returned
		for _, v := range lives {
			v.doomed, v.deleted = ok, ok
			if !ok {
				l.deleted[v.instance] = slices.DeleteFunc(l.deleted[v.instance], func(s *soakSpan) bool { return s == span })
			}
		}
	}
}

// alive counts the roots that go on, and returns the ids that may start again.
func (l *soakLedger) alive() (n int, free []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := map[string]bool{}
	for _, v := range l.lives {
		switch {
		case v.isChild():
		case v.deleted:
			free = append(free, v.instance)
		default:
			taken[v.instance] = true
			if !v.ended {
				n++
			}
		}
	}
	free = slices.DeleteFunc(free, func(id string) bool { return taken[id] })
	slices.Sort(free)
	return n, slices.Compact(free)
}

// sorted returns all lives in the order of their names.
func (l *soakLedger) sorted() []*soakLife {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Values(l.lives), func(a, b *soakLife) int {
		return strings.Compare(a.name, b.name)
	})
}
