package dispatch

import (
	"github.com/duroxide/duroxide-go/core"
)

// batch is a fetched item sorted into what starts an execution and what
// answers one (runtime 2.2, step 6).
type batch struct {
	item *core.OrchestrationItem
	// start is the first start of the batch that counts; nil for none.
	start core.WorkItem
	// starts are all StartOrchestration messages that carry a parent.
	starts []core.StartOrchestrationItem
	// messages are the rest in order; those carried by a ContinueAsNew first.
	messages []core.WorkItem
	// started is the first event of the stored history, if there is one.
	started *core.OrchestrationStarted
	// Where the stored execution stands.
	completed, failed, continued bool
}

func readBatch(item *core.OrchestrationItem) batch {
	b := batch{item: item}
	if len(item.History) > 0 {
		if s, ok := item.History[0].Data.(core.OrchestrationStarted); ok {
			b.started = &s
		}
	}
	for _, ev := range item.History {
		switch ev.Data.(type) {
		case core.OrchestrationCompleted:
			b.completed = true
		case core.OrchestrationFailed:
			b.failed = true
		case core.OrchestrationContinuedAsNew:
			b.continued = true
		}
	}
	var rest []core.WorkItem
	for _, m := range item.Messages {
		switch m := m.(type) {
		case core.StartOrchestrationItem:
			if m.ParentInstance != nil && m.ParentID != nil {
				b.starts = append(b.starts, m)
			}
			if b.start == nil && len(item.History) == 0 {
				b.start = m
			}
		case core.ContinueAsNewItem:
			if b.start == nil {
				b.start = m
				for _, q := range m.CarryForwardEvents {
					b.messages = append(b.messages, core.QueueMessageItem{Instance: item.Instance, Name: q.Name, Data: q.Data})
				}
			}
		case core.ActivityExecuteItem:
			// It cannot be here; nothing can be done with it.
		default:
			rest = append(rest, m)
		}
	}
	b.messages = append(b.messages, rest...)
	return b
}

// successor reports whether the turn starts the execution after the stored one.
func (b *batch) successor() bool {
	_, ok := b.start.(core.ContinueAsNewItem)
	return ok && len(b.item.History) > 0
}

// awaitsSuccessor reports whether the stored execution continued as new but
// the start of the next one is not in the batch. A failure after the
// continue-as-new, as old runtimes wrote it, is an end.
func (b *batch) awaitsSuccessor() bool {
	return b.continued && !b.failed && !b.successor()
}

// terminal reports whether the stored execution is over for good.
func (b *batch) terminal() bool { return b.completed || b.failed }

// execution returns the id of the execution that the turn belongs to.
func (b *batch) execution() uint64 {
	if b.successor() {
		return b.item.ExecutionID + 1
	}
	return b.item.ExecutionID
}

// history returns the stored events of that execution.
func (b *batch) history() []core.Event {
	if b.successor() {
		return nil
	}
	return b.item.History
}

// newStart returns the first event of a new execution, its version as asked
// for; ok is false when the batch starts nothing.
func (b *batch) newStart() (s core.OrchestrationStarted, version *string, ok bool) {
	switch m := b.start.(type) {
	case core.StartOrchestrationItem:
		return core.OrchestrationStarted{
			Name: m.Orchestration, Input: m.Input,
			ParentInstance: m.ParentInstance, ParentID: m.ParentID, ParentExecutionID: m.ParentExecutionID,
			RequestID: m.RequestID,
		}, m.Version, true
	case core.ContinueAsNewItem:
		s := core.OrchestrationStarted{
			Name: m.Orchestration, Input: m.Input,
			ParentInstance: m.ParentInstance, ParentID: m.ParentID, ParentExecutionID: m.ParentExecutionID,
			InitialCustomStatus: m.InitialCustomStatus,
		}
		if len(m.CarryForwardEvents) > 0 {
			s.CarryForwardEvents = m.CarryForwardEvents
		}
		return s, m.Version, true
	}
	return core.OrchestrationStarted{}, nil, false
}

// collisions returns the notices to parents whose child id was already taken
// (runtime 2.2, step 9). A parent that merely sent its own start again is told
// nothing.
func (b *batch) collisions(parentExecution func(parent string) uint64) []core.WorkItem {
	owner := b.started
	if owner == nil {
		s, _, ok := b.newStart()
		if !ok {
			return nil
		}
		owner = &s
	}
	var notices []core.WorkItem
	for _, s := range b.starts {
		if !b.terminal() && sameCall(owner, s) {
			continue
		}
		execution := uint64(0)
		if s.ParentExecutionID != nil {
			execution = *s.ParentExecutionID
		} else {
			execution = parentExecution(*s.ParentInstance)
		}
		text := "sub-orchestration instance id '" + b.item.Instance + "' already exists"
		if b.terminal() {
			text += " and is terminal"
		}
		notices = append(notices, core.SubOrchFailedItem{
			ParentInstance: *s.ParentInstance, ParentExecutionID: execution, ParentID: *s.ParentID,
			Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: text},
		})
	}
	return notices
}

func sameCall(owner *core.OrchestrationStarted, s core.StartOrchestrationItem) bool {
	same := func(a, b *uint64) bool { return a != nil && b != nil && *a == *b }
	return owner.ParentInstance != nil && *owner.ParentInstance == *s.ParentInstance &&
		same(owner.ParentID, s.ParentID) &&
		(same(owner.ParentExecutionID, s.ParentExecutionID) || owner.ParentExecutionID == nil && s.ParentExecutionID == nil)
}
