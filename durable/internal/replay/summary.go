package replay

import (
	"cmp"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Summary is what an observer may want to know of an execution after a turn,
// whether its history was at hand or not.
type Summary struct {
	// Name and Version are the orchestration's, Child says that it has a parent.
	// They are what the first event says, empty if there is none.
	Name, Version string
	Child         bool
	// StartedMs is the time of the first event in epoch milliseconds, 0 for none.
	StartedMs uint64
	// Events are those stored, with those of the turn.
	Events int
	// Turns are those that the events show: one in which the code did nothing
	// is joined with the next.
	Turns int
	// Children are the sub-orchestrations whose outcome the turn recorded.
	Children []ChildOutcome
}

// ChildOutcome is a sub-orchestration as its parent learned of its end.
type ChildOutcome struct {
	Instance      string // as it was scheduled
	Orchestration string
	Details       core.ErrorDetails // nil for success
	Took          time.Duration     // from the schedule to the outcome, as recorded
}

// Summarise returns the summary of an execution after a turn in which its code
// had no part.
func Summarise(history, delta []core.Event) *Summary {
	r := newRecord(history, nil)
	for _, ev := range delta {
		r.add(ev)
	}
	return r.summary(delta)
}

func (r *record) summary(delta []core.Event) *Summary {
	s := &Summary{
		Name: r.started.Name, Version: r.started.Version, Child: r.started.ParentInstance != nil,
		StartedMs: r.startedMs, Events: r.events, Turns: r.turns,
	}
	for _, ev := range delta {
		switch d := ev.Data.(type) {
		case core.SubOrchestrationCompleted:
			s.addChild(r, ev, nil)
		case core.SubOrchestrationFailed:
			s.addChild(r, ev, d.Details)
		}
	}
	return s
}

// addChild adds the child whose end an event records.
func (s *Summary) addChild(r *record, end core.Event, details core.ErrorDetails) {
	i, ok := slices.BinarySearchFunc(r.children, *end.SourceID, func(c child, id uint64) int { return cmp.Compare(c.id, id) })
	if !ok { // the ids of this history do not ascend
		return
	}
	c := r.children[i]
	took := time.Duration(max(int64(end.TimestampMs)-int64(c.scheduledMs), 0)) * time.Millisecond
	s.Children = append(s.Children, ChildOutcome{Instance: c.name, Orchestration: c.orchestration, Details: details, Took: took})
}
