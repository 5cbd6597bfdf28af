package replay

import (
	"github.com/duroxide/duroxide-go/core"
)

// maxQuiescence bounds the polls of one turn after the walk. The family stops
// at 100, which a drained mailbox of 100 messages reaches; replay never gets
// here, so a higher bound writes histories that every runtime can replay.
const maxQuiescence = 10_000

// convert turns the actions that history does not hold into events (1.6).
func (t *turn) convert() {
	fifo := t.x.fifo
	t.x.fifo = nil
	for _, a := range fifo {
		id := t.nextID
		if a.next != nil {
			t.nextID++ // it takes an id, though it leaves no row
			t.pending = append(t.pending, boundAction{a, id})
			continue
		}
		name := ""
		switch d := a.data.(type) {
		case core.ExternalSubscribed:
			name = d.Name
		case core.QueueSubscribed:
			name = d.Name
		case core.SubOrchestrationScheduled:
			if d.Instance == "" {
				d.Instance = core.AutoChildID(t.in.Execution, id)
				a.data = d
			}
		}
		t.push(nil, a.data)
		if d, ok := a.data.(core.KeyValueSet); ok {
			t.x.keyRecorded(d, a.setter)
		}
		t.x.bind(a.future, id, name)
		t.pending = append(t.pending, boundAction{a, id})
	}
}

// quiesce polls until nothing new is asked for, so that a dequeue that was
// just bound can take a message that had already arrived (1.7).
func (t *turn) quiesce() *codeFailure {
	for n := 0; !t.x.returned && len(t.pending) > 0; n++ {
		if n == maxQuiescence {
			return &codeFailure{details: core.InfrastructureError{
				Operation: "quiescence_loop",
				Message:   "the orchestration goes on emitting work without waiting for any of it",
			}}
		}
		if f := t.x.poll(); f != nil {
			return f
		}
		if len(t.x.fifo) == 0 {
			return nil
		}
		t.convert()
	}
	return nil
}
