package replay

import (
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// end writes the terminal row with what goes before it, and tells the parent.
func (t *turn) end(out Output, terminal core.EventData) Output {
	if out.Result == Completed || out.Result == Failed {
		t.sendDetached(&out)
	}
	// Rows outside the walk follow the highest id there is: the id that a
	// continue-as-new took is free again.
	t.nextID = t.rec.maxID + 1
	t.breadcrumbs()
	t.push(nil, terminal)
	t.notifyParent(&out)
	t.cancelDroppedChildren(&out)
	return t.finish(out)
}

// notifyParent sends the outcome to the execution that scheduled this one.
func (t *turn) notifyParent(out *Output) {
	parent := t.rec.started.ParentInstance
	if parent == nil || t.rec.started.ParentID == nil {
		return
	}
	execution := core.FirstExecutionID
	switch {
	case t.rec.started.ParentExecutionID != nil:
		execution = *t.rec.started.ParentExecutionID
	case t.in.ParentExecution != nil:
		execution = t.in.ParentExecution(*parent)
	}
	switch {
	case out.Failure != nil:
		out.OrchestratorItems = append(out.OrchestratorItems, core.SubOrchFailedItem{
			ParentInstance: *parent, ParentExecutionID: execution, ParentID: *t.rec.started.ParentID, Details: out.Failure,
		})
	case out.Result == Completed:
		out.OrchestratorItems = append(out.OrchestratorItems, core.SubOrchCompletedItem{
			ParentInstance: *parent, ParentExecutionID: execution, ParentID: *t.rec.started.ParentID, Result: t.x.output,
		})
	}
}

// sendAll makes the work items of everything that the turn scheduled (1.6).
func (t *turn) sendAll(out *Output) {
	for _, a := range t.pending {
		switch d := a.data.(type) {
		case core.ActivityScheduled:
			out.WorkerItems = append(out.WorkerItems, core.ActivityExecuteItem{
				Instance: t.in.Instance, ExecutionID: t.in.Execution, ID: a.id,
				Name: d.Name, Input: d.Input, SessionID: d.SessionID, Tag: d.Tag, FirstAttempt: a.firstAttempt,
			})
		case core.TimerCreated:
			out.OrchestratorItems = append(out.OrchestratorItems, core.TimerFiredItem{
				Instance: t.in.Instance, ExecutionID: t.in.Execution, ID: a.id, FireAtMs: d.FireAtMs,
			})
		case core.SubOrchestrationScheduled:
			out.OrchestratorItems = append(out.OrchestratorItems, core.StartOrchestrationItem{
				Instance:      core.ChildInstanceID(t.in.Instance, d.Instance),
				Orchestration: d.Name, Input: d.Input, Version: a.version,
				ParentInstance: new(t.in.Instance), ParentID: new(a.id), ParentExecutionID: new(t.in.Execution),
				ExecutionID: core.FirstExecutionID,
			})
		case core.OrchestrationChained:
			out.OrchestratorItems = append(out.OrchestratorItems, detachedStart(d, a.version))
		}
	}
	t.cancelDroppedChildren(out)
}

// sendDetached makes the starts that are sent even though the execution ends.
func (t *turn) sendDetached(out *Output) {
	for _, a := range t.pending {
		if d, ok := a.data.(core.OrchestrationChained); ok {
			out.OrchestratorItems = append(out.OrchestratorItems, detachedStart(d, a.version))
		}
	}
}

func detachedStart(d core.OrchestrationChained, version *string) core.StartOrchestrationItem {
	return core.StartOrchestrationItem{
		Instance: d.Instance, Orchestration: d.Name, Input: d.Input, Version: version,
		ExecutionID: core.FirstExecutionID,
	}
}

// cancelDroppedChildren tells the children whose rows this turn wrote. They
// come after all other items.
func (t *turn) cancelDroppedChildren(out *Output) {
	for _, ev := range t.delta {
		if _, ok := ev.Data.(core.SubOrchestrationCancelRequested); !ok {
			continue
		}
		i := slices.IndexFunc(t.rec.children, func(c child) bool { return c.id == *ev.SourceID })
		out.OrchestratorItems = append(out.OrchestratorItems, core.CancelInstanceItem{
			Instance: core.ChildInstanceID(t.in.Instance, t.rec.children[i].name), Reason: reasonParentDropped,
		})
	}
}

// finish checks limits, cancels what is in flight at an end, and says what the
// turn means for the execution row.
func (t *turn) finish(out Output) Output {
	if violation := t.limitViolation(); violation != "" {
		out = t.breakLimit(violation)
	}
	t.metadata(&out)
	if out.Metadata.Status != "" {
		reason := map[core.ExecutionStatus]string{
			core.StatusCompleted:      "orchestration_terminal_completed",
			core.StatusFailed:         "orchestration_terminal_failed",
			core.StatusContinuedAsNew: "orchestration_terminal_continued_as_new",
		}[out.Metadata.Status]
		for _, id := range t.rec.inFlight() {
			t.push(new(id), core.ActivityCancelRequested{Reason: reason})
			out.CancelledActivities = append(out.CancelledActivities, t.activity(id))
		}
	}
	out.Delta = t.delta
	return out
}

// metadata says what the ack stores with the instance and the execution.
func (t *turn) metadata(out *Output) {
	m := &out.Metadata
	for _, ev := range t.delta {
		switch d := ev.Data.(type) {
		case core.OrchestrationStarted:
			m.OrchestrationName, m.OrchestrationVersion = &d.Name, &d.Version
			m.ParentInstanceID = d.ParentInstance
			if v, err := core.ParseVersion(ev.DuroxideVersion); err == nil {
				m.PinnedDuroxideVersion = &v
			}
		case core.OrchestrationCompleted:
			m.Status, m.Output = core.StatusCompleted, &d.Output
		case core.OrchestrationFailed:
			m.Status, m.Output = core.StatusFailed, new(d.Details.Error())
		case core.OrchestrationContinuedAsNew:
			m.Status, m.Output = core.StatusContinuedAsNew, &d.Input
		}
	}
}
