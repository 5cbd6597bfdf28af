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

// schedules indexes history by schedule id while messages are prepared.
type schedules struct {
	kind map[uint64]scheduleKind
	// closed holds the kind of the completion that a schedule already has.
	closed map[uint64]scheduleKind
	// cancelRequested and finished say what the execution already went through.
	cancelRequested, finished bool
}

func (t *turn) indexSchedules() schedules {
	s := schedules{kind: map[uint64]scheduleKind{}, closed: map[uint64]scheduleKind{}}
	for ev := range t.events {
		s.add(ev)
	}
	return s
}

func (s *schedules) add(ev core.Event) {
	switch ev.Data.(type) {
	case core.ActivityScheduled:
		s.kind[ev.ID] = activitySchedule
	case core.TimerCreated:
		s.kind[ev.ID] = timerSchedule
	case core.SubOrchestrationScheduled:
		s.kind[ev.ID] = childSchedule
	case core.ExternalSubscribed:
		s.kind[ev.ID] = waitSchedule
	case core.QueueSubscribed:
		s.kind[ev.ID] = queueSchedule
	case core.ActivityCompleted, core.ActivityFailed:
		s.close(ev.SourceID, activitySchedule)
	case core.TimerFired:
		s.close(ev.SourceID, timerSchedule)
	case core.SubOrchestrationCompleted, core.SubOrchestrationFailed:
		s.close(ev.SourceID, childSchedule)
	case core.OrchestrationCancelRequested:
		s.cancelRequested = true
	case core.OrchestrationCompleted, core.OrchestrationFailed:
		s.finished = true
	}
}

func (s *schedules) close(source *uint64, k scheduleKind) {
	if source != nil {
		s.closed[*source] = k
	}
}

// prepare turns each message into at most one event (1.5).
func (t *turn) prepare() {
	if len(t.in.Messages) == 0 {
		return
	}
	s := t.indexSchedules()
	for _, m := range t.in.Messages {
		t.prepareOne(&s, m)
	}
}

func (t *turn) prepareOne(s *schedules, m core.WorkItem) {
	switch m := m.(type) {
	case core.ActivityCompletedItem:
		t.completion(s, m.ExecutionID, m.ID, activitySchedule, core.ActivityCompleted{Result: m.Result}, nil)
	case core.ActivityFailedItem:
		t.completion(s, m.ExecutionID, m.ID, activitySchedule, core.ActivityFailed{Details: m.Details}, m.Details)
	case core.TimerFiredItem:
		t.completion(s, m.ExecutionID, m.ID, timerSchedule, core.TimerFired{FireAtMs: m.FireAtMs}, nil)
	case core.SubOrchCompletedItem:
		t.completion(s, m.ParentExecutionID, m.ParentID, childSchedule, core.SubOrchestrationCompleted{Result: m.Result}, nil)
	case core.SubOrchFailedItem:
		t.completion(s, m.ParentExecutionID, m.ParentID, childSchedule, core.SubOrchestrationFailed{Details: m.Details}, m.Details)
	case core.ExternalRaisedItem:
		t.push(nil, core.ExternalEvent{Name: m.Name, Data: m.Data})
	case core.QueueMessageItem:
		t.push(nil, core.QueueEventDelivered{Name: m.Name, Data: m.Data})
	case core.CancelInstanceItem:
		if !s.cancelRequested && !s.finished {
			s.add(t.push(nil, core.OrchestrationCancelRequested{Reason: m.Reason}))
		}
	default:
		t.in.Logger.Warn("message ignored: not a completion", "instance_id", t.in.Instance, "message_type", m.ItemType())
	}
}

// completion appends the event of a completion message, unless the message is
// stale, a duplicate, or does not fit its schedule. Details that are not an
// application's fail the execution, since user code cannot catch them.
func (t *turn) completion(s *schedules, execution, id uint64, want scheduleKind, data core.EventData, details core.ErrorDetails) {
	log := t.in.Logger.With("instance_id", t.in.Instance, "event_type", data.EventType(), "schedule_id", id)
	if execution != t.in.Execution {
		log.Warn("completion dropped: it belongs to another execution", "execution_id", execution, "current_execution_id", t.in.Execution)
		return
	}
	if s.closed[id] == want {
		log.Warn("completion dropped: the schedule already has one")
		return
	}
	if got := s.kind[id]; got != want {
		msg := fmt.Sprintf("completion kind mismatch for id=%d, expected '%s', got '%s'", id, got, want)
		if got == noSchedule {
			what := map[scheduleKind]string{activitySchedule: "completion", timerSchedule: "timer", childSchedule: "sub-orchestration"}[want]
			msg = fmt.Sprintf("no matching schedule for %s id=%d", what, id)
		}
		t.abort = core.ConfigurationError{Kind: core.Nondeterminism, Message: &msg}
		return
	}
	s.add(t.push(new(id), data))
	if details == nil {
		return
	}
	if _, application := details.(core.ApplicationError); !application && t.abort == nil {
		t.abort = details
	}
}
