package replay

import (
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// scheduleKind is what kind of thing a schedule id stands for.
type scheduleKind int

const (
	noSchedule scheduleKind = iota
	activitySchedule
	timerSchedule
	childSchedule
	waitSchedule
	queueSchedule
)

func (k scheduleKind) String() string {
	switch k {
	case activitySchedule:
		return "activity"
	case timerSchedule:
		return "timer"
	case childSchedule:
		return "suborchestration"
	case waitSchedule:
		return "external event"
	case queueSchedule:
		return "queue"
	}
	return "none"
}

// prepare turns each message into at most one event (1.5).
func (t *turn) prepare() {
	for _, m := range t.in.Messages {
		t.prepareOne(m)
	}
}

func (t *turn) prepareOne(m core.WorkItem) {
	switch m := m.(type) {
	case core.ActivityCompletedItem:
		t.completion(m.ExecutionID, m.ID, activitySchedule, core.ActivityCompleted{Result: m.Result}, nil)
	case core.ActivityFailedItem:
		t.completion(m.ExecutionID, m.ID, activitySchedule, core.ActivityFailed{Details: m.Details}, m.Details)
	case core.TimerFiredItem:
		t.completion(m.ExecutionID, m.ID, timerSchedule, core.TimerFired{FireAtMs: m.FireAtMs}, nil)
	case core.SubOrchCompletedItem:
		t.completion(m.ParentExecutionID, m.ParentID, childSchedule, core.SubOrchestrationCompleted{Result: m.Result}, nil)
	case core.SubOrchFailedItem:
		t.completion(m.ParentExecutionID, m.ParentID, childSchedule, core.SubOrchestrationFailed{Details: m.Details}, m.Details)
	case core.ExternalRaisedItem:
		t.push(nil, core.ExternalEvent{Name: m.Name, Data: m.Data})
	case core.QueueMessageItem:
		t.push(nil, core.QueueEventDelivered{Name: m.Name, Data: m.Data})
	case core.CancelInstanceItem:
		if t.rec.cancelReason == nil && !t.rec.finished {
			t.push(nil, core.OrchestrationCancelRequested{Reason: m.Reason})
		}
	default:
		t.in.Logger.Warn("message ignored: not a completion", "instance_id", t.in.Instance, "message_type", m.ItemType())
	}
}

// completion appends the event of a completion message, unless the message is
// stale, a duplicate, or does not fit its schedule. Details that are not an
// application's fail the execution, since user code cannot catch them.
func (t *turn) completion(execution, id uint64, want scheduleKind, data core.EventData, details core.ErrorDetails) {
	log := t.in.Logger.With("instance_id", t.in.Instance, "event_type", data.EventType(), "schedule_id", id)
	if execution != t.in.Execution {
		log.Warn("completion dropped: it belongs to another execution", "execution_id", execution, "current_execution_id", t.in.Execution)
		return
	}
	s := t.rec.schedules[id]
	if s.closed == want {
		log.Warn("completion dropped: the schedule already has one")
		return
	}
	if got := s.kind; got != want {
		msg := fmt.Sprintf("completion kind mismatch for id=%d, expected '%s', got '%s'", id, got, want)
		if got == noSchedule {
			what := map[scheduleKind]string{activitySchedule: "completion", timerSchedule: "timer", childSchedule: "sub-orchestration"}[want]
			msg = fmt.Sprintf("no matching schedule for %s id=%d", what, id)
		}
		t.abort = core.ConfigurationError{Kind: core.Nondeterminism, Message: &msg}
		return
	}
	t.push(new(id), data)
	if details == nil {
		return
	}
	if _, application := details.(core.ApplicationError); !application && t.abort == nil {
		t.abort = details
	}
}
