package replay

import (
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// walk runs the code against stored history and the prepared events (1.4).
// Between two events that can wake the code it is polled once, so that it sees
// completions one at a time and in history order.
func (t *turn) walk() *codeFailure {
	x := t.x
	persisted := len(t.in.History)
	i := 0
	for ev := range t.events {
		if x.mustPoll {
			if f := x.poll(); f != nil {
				return f
			}
			if x.returned {
				return t.returnedEarly(i)
			}
		}
		// The poll that the last stored completion causes is still replay, so
		// the flag falls after it.
		if i >= persisted {
			x.replaying = false
		}
		i++
		if err := x.apply(ev); err != nil {
			return &codeFailure{details: err.details(), nondeterminism: err}
		}
	}
	x.replaying = false
	if x.mustPoll && !x.returned {
		if f := x.poll(); f != nil {
			return f
		}
	}
	return t.endWalk()
}

func (t *turn) endWalk() *codeFailure {
	t.x.replaying = false
	if t.x.legacy {
		t.x.leaveLegacyQueues()
	}
	return nil
}

// returnedEarly finds, with strict replay, what history records after the
// event at which the code returned. The family lets it pass.
func (t *turn) returnedEarly(applied int) *codeFailure {
	if !t.in.StrictReplay || applied >= len(t.in.History) {
		return t.endWalk()
	}
	for _, ev := range t.in.History[applied:] {
		switch ev.Data.(type) {
		case core.ActivityScheduled, core.TimerCreated, core.ExternalSubscribed, core.QueueSubscribed,
			core.SubOrchestrationScheduled, core.OrchestrationChained:
			err := &NondeterminismError{EventID: ev.ID, Message: "returned early: " + describe(ev.Data) + " is recorded, but the code returned before it"}
			return &codeFailure{details: err.details(), nondeterminism: err}
		}
	}
	return t.endWalk()
}

// leaveLegacyQueues takes dropped dequeues out of the matching where the old
// race policy does: at the end of the walk.
func (x *execution) leaveLegacyQueues() {
	for _, f := range x.dropped {
		if f.kind == queueSchedule && f.sub != nil {
			f.sub.cancel(false)
		}
	}
}

// apply gives one event its effect on the code's state.
func (x *execution) apply(ev core.Event) *NondeterminismError {
	switch d := ev.Data.(type) {
	case core.OrchestrationStarted:
		// The code was polled before, with the status and the time of this
		// event; it may have set another status since.
	case core.ActivityScheduled, core.TimerCreated:
		return x.matchSchedule(ev, "")
	case core.ExternalSubscribed:
		return x.matchSchedule(ev, d.Name)
	case core.QueueSubscribed:
		x.mustPoll = true // a message may have been waiting for it
		return x.matchSchedule(ev, d.Name)
	case core.SubOrchestrationScheduled:
		return x.matchSchedule(ev, "")
	case core.OrchestrationChained:
		_, err := x.match(ev)
		return err
	case core.CustomStatusUpdated, core.KeyValuesCleared:
		return x.matchState(ev)
	case core.KeyValueSet:
		return x.matchKeySet(ev, d)
	case core.KeyValueCleared:
		return x.matchKeyClear(ev, d)
	case core.ActivityCompleted:
		return x.complete(ev, activitySchedule, d.Result, nil)
	case core.ActivityFailed:
		return x.complete(ev, activitySchedule, "", d.Details)
	case core.TimerFired:
		return x.complete(ev, timerSchedule, "", nil)
	case core.SubOrchestrationCompleted:
		return x.complete(ev, childSchedule, d.Result, nil)
	case core.SubOrchestrationFailed:
		return x.complete(ev, childSchedule, "", d.Details)
	case core.ExternalEvent:
		x.arriveEvent(ev, d)
	case core.QueueEventDelivered:
		x.delivered(ev)
		a := &arrival{name: d.Name, data: d.Data}
		box := x.box(x.queues, d.Name)
		box.arrivals = append(box.arrivals, a)
		x.queueArrivals = append(x.queueArrivals, a)
		x.mustPoll = true
	case core.ExternalSubscribedCancelled, core.QueueSubscriptionCancelled:
		if ev.SourceID != nil {
			if s := x.subs[*ev.SourceID]; s != nil {
				s.cancel(false)
			}
		}
	}
	return nil
}

// arriveEvent keeps a positional event if a wait is there for it; an early one
// stays in history and is delivered to nobody.
func (x *execution) arriveEvent(ev core.Event, d core.ExternalEvent) {
	box := x.box(x.waits, d.Name)
	if box.live <= len(box.arrivals) {
		if !x.replaying {
			x.t.in.Logger.Warn("external event dropped: nothing waits for it",
				"instance_id", x.t.in.Instance, "event_name", d.Name)
		}
		return
	}
	x.delivered(ev)
	box.arrivals = append(box.arrivals, &arrival{name: d.Name, data: d.Data})
	x.mustPoll = true
}

// complete delivers an outcome to the future of its schedule.
func (x *execution) complete(ev core.Event, want scheduleKind, value string, details core.ErrorDetails) *NondeterminismError {
	if ev.SourceID == nil {
		return nil
	}
	f := x.open[*ev.SourceID]
	if f == nil {
		return &NondeterminismError{EventID: ev.ID, Message: "completion without open schedule"}
	}
	if f.kind != want {
		return &NondeterminismError{EventID: ev.ID, Message: "completion kind mismatch: expected " + want.String()}
	}
	delete(x.open, *ev.SourceID)
	x.delivered(ev)
	f.done, f.value, f.details = true, value, details
	x.mustPoll = true
	return nil
}

// match takes the oldest unmatched action and compares it with a recorded event.
func (x *execution) match(ev core.Event) (action, *NondeterminismError) {
	if len(x.fifo) == 0 {
		what := "history schedule but no emitted action: "
		if ev.Data.EventType() == core.TypeOrchestrationChained {
			what = "history OrchestrationChained but no emitted action: "
		}
		return action{}, &NondeterminismError{
			EventID: ev.ID, Message: what + describe(ev.Data) + " is recorded, but the code asked for nothing",
			Site: x.root.waitsAt,
		}
	}
	a := x.fifo[0]
	x.fifo = x.fifo[1:]
	return a, x.compare(a, ev, "schedule mismatch: ")
}

func (x *execution) compare(a action, ev core.Event, prefix string) *NondeterminismError {
	difference, inputOnly := matches(a, ev.Data)
	if difference == "" {
		return nil
	}
	if inputOnly && !x.t.in.StrictInputs {
		x.t.in.Logger.Warn("recorded input differs from the code's: history wins",
			"instance_id", x.t.in.Instance, "event_id", ev.ID, "difference", difference)
		return nil
	}
	return &NondeterminismError{EventID: ev.ID, Message: prefix + difference, Site: a.site}
}

func (x *execution) matchSchedule(ev core.Event, name string) *NondeterminismError {
	a, err := x.match(ev)
	if err != nil {
		return err
	}
	x.bind(a.future, ev.ID, name)
	return nil
}

// matchState matches a row without a future. Old histories may hold one that
// the code no longer emits at the end, so an empty list is tolerated.
func (x *execution) matchState(ev core.Event) *NondeterminismError {
	if len(x.fifo) == 0 {
		return nil
	}
	prefix := "custom status mismatch: "
	if _, ok := ev.Data.(core.KeyValuesCleared); ok {
		prefix = "kv clear_all mismatch: "
	}
	a := x.fifo[0]
	x.fifo = x.fifo[1:]
	return x.compare(a, ev, prefix)
}

// matchKeySet also takes the recorded time over, so that a key's age is the
// same in every turn.
func (x *execution) matchKeySet(ev core.Event, d core.KeyValueSet) *NondeterminismError {
	if len(x.fifo) == 0 {
		return nil
	}
	a := x.fifo[0]
	x.fifo = x.fifo[1:]
	if err := x.compare(a, ev, "kv set mismatch: "); err != nil {
		return err
	}
	x.keyRecorded(d, a.setter)
	return nil
}

// keyRecorded gives a key what its event says, unless it was set again since.
func (x *execution) keyRecorded(d core.KeyValueSet, setter uint64) {
	if e, ok := x.kv[d.Key]; ok && e.setter == setter {
		x.kv[d.Key] = kvEntry{value: d.Value, ms: d.LastUpdatedAtMs, setter: setter}
	}
}

// matchKeyClear accepts a run of clears in any order: pruning once listed keys
// unsorted.
func (x *execution) matchKeyClear(ev core.Event, d core.KeyValueCleared) *NondeterminismError {
	for i, a := range x.fifo {
		c, ok := a.data.(core.KeyValueCleared)
		if !ok {
			break
		}
		if c.Key == d.Key {
			x.fifo = slices.Delete(x.fifo, i, i+1)
			return nil
		}
	}
	if len(x.fifo) == 0 {
		return nil
	}
	a := x.fifo[0]
	x.fifo = x.fifo[1:]
	return x.compare(a, ev, "kv clear mismatch: ")
}
