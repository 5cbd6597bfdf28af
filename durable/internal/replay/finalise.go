package replay

import (
	"cmp"
	"fmt"
	"maps"
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
	if reason := t.rec.cancelReason; reason != nil {
		return t.cancelled(*reason)
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
	for _, c := range t.rec.running() {
		out.OrchestratorItems = append(out.OrchestratorItems, core.CancelInstanceItem{
			Instance: core.ChildInstanceID(t.in.Instance, c.name), Reason: reasonParentCancels,
		})
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
		Orchestration:       t.rec.started.Name,
		Input:               next.Input,
		Version:             next.Version,
		ParentInstance:      t.rec.started.ParentInstance,
		ParentID:            t.rec.started.ParentID,
		ParentExecutionID:   t.rec.started.ParentExecutionID,
		CarryForwardEvents:  t.unread(),
		InitialCustomStatus: t.rec.status,
	})
	return t.end(out, core.OrchestrationContinuedAsNew{Input: next.Input})
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
	dropped := slices.DeleteFunc(slices.Clone(t.x.dropped), func(f *Future) bool {
		return f.id == 0 || f.kind == timerSchedule || t.rec.schedules[f.id].givenUp
	})
	slices.SortFunc(dropped, func(a, b *Future) int {
		return cmp.Or(cmp.Compare(dropOrder[a.kind], dropOrder[b.kind]), cmp.Compare(a.seq, b.seq))
	})
	for _, f := range dropped {
		t.recordDrop(out, f)
	}
	return nil
}

// dropOrder is the order of the rows of one turn's drops.
var dropOrder = map[scheduleKind]int{activitySchedule: 1, childSchedule: 2, waitSchedule: 3, queueSchedule: 4}

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
	for _, f := range t.x.dropped {
		dropped[f.id] = true
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

// breadcrumbs records the waits that the end of the execution leaves unfed.
func (t *turn) breadcrumbs() {
	for _, w := range slices.Clone(t.rec.waits) {
		if !w.over {
			t.push(new(w.id), core.ExternalSubscribedCancelled{Reason: reasonTerminal})
		}
	}
	delivered := maps.Clone(t.rec.delivered)
	for _, w := range slices.Clone(t.rec.queues) {
		switch {
		case w.over:
		case delivered[w.name] > 0:
			delivered[w.name]--
		default:
			t.push(new(w.id), core.QueueSubscriptionCancelled{Reason: reasonTerminal})
		}
	}
}
