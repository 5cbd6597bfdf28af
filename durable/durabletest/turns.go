package durabletest

import (
	"slices"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// turn is one turn of a history: what had happened before the code ran, and
// what the code did.
type turn struct {
	before []core.Event // the history so far, with what arrived for this turn
	did    []core.Event
	next   *core.Event // what is recorded after it, nil for nothing
}

// splitTurns finds the turns. Where one ends is not recorded: a turn in which
// the code did nothing is joined with the next one, which is the same to it.
func splitTurns(events []core.Event) []turn {
	var turns []turn
	for i := 0; i < len(events); {
		for i < len(events) && !replay.IsDeed(events[i].Data) {
			i++
		}
		t := turn{before: events[:i]}
		for i < len(events) && replay.IsDeed(events[i].Data) {
			t.did = append(t.did, events[i])
			i++
		}
		if i < len(events) {
			t.next = &events[i]
		}
		turns = append(turns, t)
	}
	return turns
}

// endedByRuntime reports whether the turn ends with a failure that no code
// caused, such as poison.
func (t turn) endedByRuntime() bool {
	for _, ev := range t.did {
		if f, ok := ev.Data.(core.OrchestrationFailed); ok {
			_, application := f.Details.(core.ApplicationError)
			return !application
		}
	}
	return false
}

// tail returns the first turn after which nothing is recorded that the code did;
// past all turns when the execution has ended.
func tail(events []core.Event, turns []turn) int {
	if slices.ContainsFunc(events, core.Event.IsTerminal) {
		return len(turns)
	}
	last := len(turns) - 1
	if last > 0 && len(turns[last].did) == 0 {
		last--
	}
	return last
}

// deeds leaves out what merely follows from an end.
func deeds(events []core.Event) []core.Event {
	return slices.DeleteFunc(slices.Clone(events), func(ev core.Event) bool { return replay.IsConsequence(ev.Data) })
}
