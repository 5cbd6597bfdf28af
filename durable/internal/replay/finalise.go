package replay

import (
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// The reasons that cancellation rows carry.
const (
	reasonDropped       = "dropped_future"
	reasonTerminal      = "orchestration_terminal"
	reasonParentCancels = "parent canceled"
	reasonParentDropped = "parent dropped sub-orchestration future"
)

// finalise decides what the turn means (1.8) and writes it down (1.9).
func (t *turn) finalise(failure *codeFailure) Output {
	if failure != nil {
		out := t.fail(failure.details)
		out.Nondeterminism, out.PanicStack = failure.nondeterminism, failure.stack
		return out
	}
	if reason, ok := t.cancelReason(); ok {
		return t.cancelled(reason)
	}
	if next := t.nextExecution(); next != nil {
		return t.continuedAsNew(next)
	}
	out := Output{Result: Continue}
	if err := t.recordDrops(&out); err != nil {
		out = t.fail(err.details())
		out.Nondeterminism = err
		return out
	}
	switch {
	case !t.x.returned:
		t.sendAll(&out)
		return t.finish(out)
	case t.x.failure != nil:
		out.Result, out.Failure = Failed, t.x.failure
		return t.end(out, core.OrchestrationFailed{Details: out.Failure})
	default:
		out.Result = Completed
		return t.end(out, core.OrchestrationCompleted{Output: t.x.output})
	}
}

// fail ends the execution without looking at what the code returned.
func (t *turn) fail(details core.ErrorDetails) Output {
	return t.end(Output{Result: Failed, Failure: details}, core.OrchestrationFailed{Details: details})
}

func (t *turn) cancelled(reason string) Output {
	details := core.ApplicationError{Kind: core.KindCancelled(reason)}
	out := Output{Result: Cancelled, Failure: details}
	for _, child := range t.runningChildren() {
		out.OrchestratorItems = append(out.OrchestratorItems, core.CancelInstanceItem{Instance: child, Reason: reasonParentCancels})
	}
	return t.end(out, core.OrchestrationFailed{Details: details})
}

func (t *turn) continuedAsNew(next *ContinueAsNew) Output {
	out := Output{Result: ContinuedAsNew}
	// Detached starts of the same turn are recorded, so they are sent; the
	// family's first runtime forgot them.
	t.sendDetached(&out)
	out.OrchestratorItems = append(out.OrchestratorItems, core.ContinueAsNewItem{
		Instance:            t.in.Instance,
		Orchestration:       t.started.Name,
		Input:               next.Input,
		Version:             next.Version,
		ParentInstance:      t.started.ParentInstance,
		ParentID:            t.started.ParentID,
		ParentExecutionID:   t.started.ParentExecutionID,
		CarryForwardEvents:  t.unread(),
		InitialCustomStatus: t.finalStatus(),
	})
	return t.end(out, core.OrchestrationContinuedAsNew{Input: next.Input})
}

func (t *turn) cancelReason() (string, bool) {
	for ev := range t.events {
		if c, ok := ev.Data.(core.OrchestrationCancelRequested); ok {
			return c.Reason, true
		}
	}
	return "", false
}

func (t *turn) nextExecution() *ContinueAsNew {
	for _, a := range t.pending {
		if a.next != nil {
			return a.next
		}
	}
	return nil
}

// recordDrops writes a row for every future that nobody wants any more and
// that has none yet (1.11). It checks first that the code still drops what
// history says it dropped.
func (t *turn) recordDrops(out *Output) *NondeterminismError {
	if err := t.checkRecordedDrops(); err != nil {
		return err
	}
	has := map[uint64]bool{}
	for ev := range t.events {
		if ev.SourceID == nil {
			continue
		}
		switch ev.Data.(type) {
		case core.ActivityCancelRequested, core.SubOrchestrationCancelRequested,
			core.ExternalSubscribedCancelled, core.QueueSubscriptionCancelled:
			has[*ev.SourceID] = true
		}
	}
	for _, kind := range []scheduleKind{activitySchedule, childSchedule, waitSchedule, queueSchedule} {
		for _, f := range t.x.futures {
			if f.kind == kind && f.dropped && f.id != 0 && !has[f.id] {
				t.recordDrop(out, f)
			}
		}
	}
	return nil
}

func (t *turn) recordDrop(out *Output, f *Future) {
	switch f.kind {
	case activitySchedule:
		t.push(new(f.id), core.ActivityCancelRequested{Reason: reasonDropped})
		out.CancelledActivities = append(out.CancelledActivities, t.activity(f.id))
	case childSchedule:
		t.push(new(f.id), core.SubOrchestrationCancelRequested{Reason: reasonDropped})
	case waitSchedule:
		t.push(new(f.id), core.ExternalSubscribedCancelled{Reason: reasonDropped})
	case queueSchedule:
		t.push(new(f.id), core.QueueSubscriptionCancelled{Reason: reasonDropped})
	}
}

func (t *turn) activity(id uint64) core.ActivityIdentifier {
	return core.ActivityIdentifier{Instance: t.in.Instance, ExecutionID: t.in.Execution, ActivityID: id}
}

// checkRecordedDrops: what history dropped, the code must drop again.
func (t *turn) checkRecordedDrops() *NondeterminismError {
	dropped := map[uint64]bool{}
	for _, f := range t.x.futures {
		if f.dropped && f.id != 0 {
			dropped[f.id] = true
		}
	}
	check := func(ev core.Event, reason, kind string) *NondeterminismError {
		if reason != reasonDropped || ev.SourceID == nil || dropped[*ev.SourceID] {
			return nil
		}
		return &NondeterminismError{EventID: ev.ID, Message: fmt.Sprintf(
			"cancellation mismatch (%s): history gave up schedule %d, the code does not", kind, *ev.SourceID)}
	}
	for _, ev := range t.in.History {
		var err *NondeterminismError
		switch d := ev.Data.(type) {
		case core.ActivityCancelRequested:
			err = check(ev, d.Reason, "activities")
		case core.SubOrchestrationCancelRequested:
			err = check(ev, d.Reason, "sub-orchestrations")
		case core.ExternalSubscribedCancelled:
			err = check(ev, d.Reason, "external waits")
		case core.QueueSubscriptionCancelled:
			err = check(ev, d.Reason, "persistent waits")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// runningChildren returns the instance ids of the children that are neither
// finished nor already asked to cancel, in order.
func (t *turn) runningChildren() []string {
	type child struct {
		id       uint64
		instance string
	}
	var children []child
	over := map[uint64]bool{}
	for ev := range t.events {
		switch d := ev.Data.(type) {
		case core.SubOrchestrationScheduled:
			children = append(children, child{ev.ID, core.ChildInstanceID(t.in.Instance, d.Instance)})
		case core.SubOrchestrationCompleted, core.SubOrchestrationFailed, core.SubOrchestrationCancelRequested:
			if ev.SourceID != nil {
				over[*ev.SourceID] = true
			}
		}
	}
	var ids []string
	for _, c := range children {
		if !over[c.id] {
			ids = append(ids, c.instance)
		}
	}
	return ids
}

// unread returns the queued messages that the next execution gets, oldest
// first. Those beyond the limit are lost with a warning.
func (t *turn) unread() []core.QueueEvent {
	taken := func(*arrival) bool { return false }
	if t.x.legacy {
		// The old policy counts: per name, live dequeues take the oldest.
		left := map[string]int{}
		for name, box := range t.x.queues {
			left[name] = box.live
		}
		taken = func(a *arrival) bool {
			left[a.name]--
			return left[a.name] >= 0
		}
	}
	var carry []core.QueueEvent
	for _, a := range t.x.queueArrivals {
		if t.x.legacy && taken(a) || !t.x.legacy && a.read {
			continue
		}
		if len(carry) == core.MaxCarryForwardEvents {
			t.in.Logger.Warn("queued message lost: too many to carry to the next execution",
				"instance_id", t.in.Instance, "queue", a.name, "limit", core.MaxCarryForwardEvents)
			continue
		}
		carry = append(carry, core.QueueEvent{Name: a.name, Data: a.data})
	}
	return carry
}

// finalStatus is the custom status that the next execution starts with.
func (t *turn) finalStatus() *string {
	status := t.started.InitialCustomStatus
	for ev := range t.events {
		if s, ok := ev.Data.(core.CustomStatusUpdated); ok {
			status = s.Status
		}
	}
	return status
}

// breadcrumbs records the waits that the end of the execution leaves unfed.
func (t *turn) breadcrumbs() {
	type wait struct {
		id   uint64
		name string
	}
	var waits, queues []wait
	over := map[uint64]bool{} // fed or cancelled
	delivered := map[string]int{}
	feed := func(name string) { // the oldest pending wait of the name
		for _, w := range waits {
			if w.name == name && !over[w.id] {
				over[w.id] = true
				return
			}
		}
	}
	for ev := range t.events {
		switch d := ev.Data.(type) {
		case core.ExternalSubscribed:
			waits = append(waits, wait{ev.ID, d.Name})
		case core.QueueSubscribed:
			queues = append(queues, wait{ev.ID, d.Name})
		case core.ExternalEvent:
			feed(d.Name)
		case core.QueueEventDelivered:
			delivered[d.Name]++
		case core.ExternalSubscribedCancelled, core.QueueSubscriptionCancelled:
			if ev.SourceID != nil {
				over[*ev.SourceID] = true
			}
		}
	}
	for _, w := range waits {
		if !over[w.id] {
			t.push(new(w.id), core.ExternalSubscribedCancelled{Reason: reasonTerminal})
		}
	}
	for _, w := range queues {
		switch {
		case over[w.id]:
		case delivered[w.name] > 0:
			delivered[w.name]--
		default:
			t.push(new(w.id), core.QueueSubscriptionCancelled{Reason: reasonTerminal})
		}
	}
}

// inFlight returns the activities that were scheduled and have neither an
// outcome nor a cancellation row, in order.
func (t *turn) inFlight() []uint64 {
	open := map[uint64]bool{}
	for ev := range t.events {
		switch ev.Data.(type) {
		case core.ActivityScheduled:
			open[ev.ID] = true
		case core.ActivityCompleted, core.ActivityFailed, core.ActivityCancelRequested:
			if ev.SourceID != nil {
				delete(open, *ev.SourceID)
			}
		}
	}
	ids := make([]uint64, 0, len(open))
	for id := range open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
