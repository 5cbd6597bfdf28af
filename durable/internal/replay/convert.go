package replay

import (
	"github.com/duroxide/duroxide-go/core"
)

// maxQuiescence bounds the polls of one turn after the walk. The family stops
// at 100, which a drained mailbox of 100 messages reaches; replay never gets
// here, so a higher bound writes histories that every runtime can replay.
const maxQuiescence = 10_000

// convert turns the actions that history does not hold into events (1.6). The
// code is polled where replay will poll it: after each bound dequeue, before
// the next action is. So a race of several dequeues that find messages waiting
// has the same winner in every turn.
func (t *turn) convert() *codeFailure {
	for len(t.x.fifo) > 0 {
		if t.x.mustPoll && !t.x.returned {
			if f := t.pollAgain(); f != nil {
				return f
			}
		}
		a := t.x.fifo[0]
		t.x.fifo = t.x.fifo[1:]
		t.convertOne(a)
	}
	return nil
}

func (t *turn) convertOne(a action) {
	id := t.nextID
	if a.next != nil {
		t.nextID++ // it takes an id, though it leaves no row
		t.pending = append(t.pending, boundAction{a, id})
		return
	}
	name := ""
	switch d := a.data.(type) {
	case core.ExternalSubscribed:
		name = d.Name
	case core.QueueSubscribed:
		name = d.Name
		t.x.mustPoll = true
	case core.SubOrchestrationScheduled:
		if d.Instance == "" {
			d.Instance = core.AutoChildID(t.in.Execution, id)
			a.data = d
		}
	case core.KeyValueSet:
		t.x.keyRecorded(d, a.setter)
	}
	t.push(nil, a.data)
	t.x.bind(a.future, id, name)
	t.pending = append(t.pending, boundAction{a, id})
}

// quiesce polls until nothing new is asked for, so that a dequeue that was
// just bound can take a message that had already arrived (1.7).
func (t *turn) quiesce() *codeFailure {
	for !t.x.returned && len(t.pending) > 0 {
		if f := t.pollAgain(); f != nil {
			return f
		}
		if len(t.x.fifo) == 0 {
			return nil
		}
		if f := t.convert(); f != nil {
			return f
		}
	}
	return nil
}

func (t *turn) pollAgain() *codeFailure {
	t.polls++
	if t.polls > maxQuiescence {
		return &codeFailure{details: core.InfrastructureError{
			Operation: "quiescence_loop",
			Message:   "the orchestration goes on emitting work without waiting for any of it",
		}}
	}
	return t.x.poll()
}
