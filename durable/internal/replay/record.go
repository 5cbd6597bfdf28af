package replay

import (
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// record is what the engine has to know of the events of an execution, stored
// and new ones, so that a turn of suspended code need not read them all again.
type record struct {
	// started is what the first event says; problem is why it does not.
	started core.OrchestrationStarted
	begun   bool
	problem string
	// startedMs is the time of the first event.
	startedMs uint64
	// maxID is the highest event id, 0 before the first event.
	maxID uint64
	// events and turns count what is recorded; deed says that the code caused
	// the last event.
	events, turns int
	deed          bool
	// schedules are all schedules by id.
	schedules map[uint64]schedule
	// children are all sub-orchestrations in order: one that ended can still
	// be dropped.
	children []child
	// waits and queues are the recorded waits in order. Those that are over
	// stay until compact.
	waits, queues []wait
	// delivered counts the messages of each queue.
	delivered map[string]int
	// status is the custom status.
	status *string
	// keys are the keys of the key-value state.
	keys map[string]struct{}

	// cancelReason is set when a cancellation was requested.
	cancelReason *string
	// finished says that the execution completed or failed, terminal that it
	// ended in any way.
	finished, terminal bool
	// bytes is the size of all payloads.
	bytes int
}

// schedule is what became of one thing that the code scheduled.
type schedule struct {
	kind scheduleKind
	// closed is the kind of the completion that it has.
	closed scheduleKind
	// givenUp says that there is a row of its cancellation.
	givenUp bool
}

// child is a sub-orchestration by its schedule id and the name under which it
// was scheduled.
type child struct {
	id            uint64
	name          string
	orchestration string
	scheduledMs   uint64
}

// wait is one recorded wait for an event or a message.
type wait struct {
	id   uint64
	name string
	over bool // fed or cancelled
}

// newRecord makes the record of a history. The keys are those that earlier
// executions left.
func newRecord(history []core.Event, kv map[string]core.KVEntry) *record {
	r := &record{
		problem:   "corrupted history: empty",
		schedules: map[uint64]schedule{},
		delivered: map[string]int{},
		keys:      make(map[string]struct{}, len(kv)),
	}
	for k := range kv {
		r.keys[k] = struct{}{}
	}
	for _, ev := range history {
		r.add(ev)
	}
	return r
}

func (r *record) add(ev core.Event) {
	first := !r.begun
	r.begun = true
	r.maxID = max(r.maxID, ev.ID)
	r.count(ev, first)
	r.terminal = r.terminal || ev.IsTerminal()
	if started, ok := ev.Data.(core.OrchestrationStarted); first && ok {
		r.started, r.status, r.problem = started, started.InitialCustomStatus, ""
	} else if first {
		r.problem = "corrupted history: first event must be OrchestrationStarted"
	}
	switch d := ev.Data.(type) {
	case core.OrchestrationStarted:
		r.bytes += len(d.Input)
	case core.ActivityScheduled:
		r.open(ev.ID, activitySchedule)
		r.bytes += len(d.Input)
	case core.TimerCreated:
		r.open(ev.ID, timerSchedule)
	case core.SubOrchestrationScheduled:
		r.open(ev.ID, childSchedule)
		r.children = append(r.children, child{ev.ID, d.Instance, d.Name, ev.TimestampMs})
		r.bytes += len(d.Input)
	case core.ExternalSubscribed:
		r.open(ev.ID, waitSchedule)
		r.waits = append(r.waits, wait{id: ev.ID, name: d.Name})
	case core.QueueSubscribed:
		r.open(ev.ID, queueSchedule)
		r.queues = append(r.queues, wait{id: ev.ID, name: d.Name})
	case core.ActivityCompleted:
		r.close(ev.SourceID, activitySchedule)
		r.bytes += len(d.Result)
	case core.ActivityFailed:
		r.close(ev.SourceID, activitySchedule)
	case core.TimerFired:
		r.close(ev.SourceID, timerSchedule)
	case core.SubOrchestrationCompleted:
		r.close(ev.SourceID, childSchedule)
		r.bytes += len(d.Result)
	case core.SubOrchestrationFailed:
		r.close(ev.SourceID, childSchedule)
	case core.ExternalEvent:
		feed(r.waits, d.Name)
		r.bytes += len(d.Data)
	case core.QueueEventDelivered:
		r.delivered[d.Name]++
		r.bytes += len(d.Data)
	case core.ActivityCancelRequested, core.SubOrchestrationCancelRequested:
		r.giveUp(ev.SourceID)
	case core.ExternalSubscribedCancelled, core.QueueSubscriptionCancelled:
		r.giveUp(ev.SourceID)
		if ev.SourceID != nil {
			end(r.waits, *ev.SourceID)
			end(r.queues, *ev.SourceID)
		}
	case core.CustomStatusUpdated:
		r.status = d.Status
	case core.KeyValueSet:
		r.keys[d.Key] = struct{}{}
		r.bytes += len(d.Value)
	case core.KeyValueCleared:
		delete(r.keys, d.Key)
	case core.KeyValuesCleared:
		clear(r.keys)
	case core.OrchestrationCancelRequested:
		if r.cancelReason == nil {
			r.cancelReason = &d.Reason
		}
	case core.OrchestrationCompleted, core.OrchestrationFailed:
		r.finished = true
	}
}

// count counts an event. A turn begins with what arrives after the code did
// something.
func (r *record) count(ev core.Event, first bool) {
	deed := IsDeed(ev.Data)
	if first {
		r.startedMs = ev.TimestampMs
	}
	if first || r.deed && !deed {
		r.turns++
	}
	r.events, r.deed = r.events+1, deed
}

func (r *record) open(id uint64, k scheduleKind) {
	s := r.schedules[id]
	s.kind = k
	r.schedules[id] = s
}

func (r *record) close(source *uint64, k scheduleKind) {
	if source != nil {
		s := r.schedules[*source]
		s.closed = k
		r.schedules[*source] = s
	}
}

func (r *record) giveUp(source *uint64) {
	if source != nil {
		s := r.schedules[*source]
		s.givenUp = true
		r.schedules[*source] = s
	}
}

// feed ends the oldest pending wait of a name.
func feed(waits []wait, name string) {
	for i := range waits {
		if waits[i].name == name && !waits[i].over {
			waits[i].over = true
			return
		}
	}
}

func end(waits []wait, id uint64) {
	for i := len(waits) - 1; i >= 0; i-- { // most often a recent one
		if waits[i].id == id {
			waits[i].over = true
			return
		}
	}
}

// compact forgets what a later turn has no use for.
func (r *record) compact() {
	r.started.Input, r.started.CarryForwardEvents = "", nil
	over := func(w wait) bool { return w.over }
	r.waits = slices.DeleteFunc(r.waits, over)
	r.queues = slices.DeleteFunc(r.queues, over)
}

// running returns the children that have neither ended nor been asked to.
func (r *record) running() []child {
	var running []child
	for _, c := range r.children {
		if s := r.schedules[c.id]; s.closed != childSchedule && !s.givenUp {
			running = append(running, c)
		}
	}
	return running
}

// inFlight returns the activities that were scheduled and have neither an
// outcome nor a cancellation row, in order.
func (r *record) inFlight() []uint64 {
	var ids []uint64
	for id, s := range r.schedules {
		if s.kind == activitySchedule && s.closed != activitySchedule && !s.givenUp {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
