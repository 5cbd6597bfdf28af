package replay

import (
	"errors"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// action is something that user code asked for and that is not an event yet.
type action struct {
	// data is the event that it becomes; nil for a continue-as-new. The
	// instance of a child without an explicit id is filled in with its id.
	data core.EventData
	// future waits for the outcome; nil when there is none.
	future *Future
	// version is the version asked for, of a child or detached start.
	version *string
	// firstAttempt is the first attempt's id, of an activity that is tried again.
	firstAttempt *uint64
	// setter identifies a KeyValueSet, so that its recorded time can be taken over.
	setter uint64
	// site is where user code asked for it; empty unless sites are asked for.
	site string
	// next is set for a continue-as-new.
	next *ContinueAsNew
}

// boundAction is an action with the id of its event.
type boundAction struct {
	action
	id uint64
}

// ContinueAsNew asks, when an orchestration returns it as its error, to end
// this execution and to start the next one.
type ContinueAsNew struct {
	Input string
	// Version asks for an exact version; nil leaves it to the registry.
	Version *string
}

// Error says what happens when the value is used as an ordinary error.
func (*ContinueAsNew) Error() string {
	return "continue as new: return this value from the orchestration"
}

func asContinueAsNew(err error) (*ContinueAsNew, bool) {
	var next *ContinueAsNew
	return next, errors.As(err, &next)
}

// matches compares an action with the event that history records in its place
// (1.4). It returns why they differ, and whether only an input or a value
// does, which history wins unless inputs are strict.
func matches(a action, recorded core.EventData) (difference string, inputOnly bool) {
	if a.next != nil {
		return describe(recorded) + " is recorded, but the code continued as new", false
	}
	differ := func() (string, bool) {
		return fmt.Sprintf("%s is recorded, but the code asked for %s", describe(recorded), describe(a.data)), false
	}
	input := func(same bool) (string, bool) {
		if same {
			return "", false
		}
		return fmt.Sprintf("%s is recorded with another input or value than the code's", describe(recorded)), true
	}
	switch r := recorded.(type) {
	case core.ActivityScheduled:
		g, ok := a.data.(core.ActivityScheduled)
		if !ok || g.Name != r.Name || !equal(g.SessionID, r.SessionID) || !equal(g.Tag, r.Tag) {
			return differ()
		}
		return input(g.Input == r.Input)
	case core.TimerCreated:
		if _, ok := a.data.(core.TimerCreated); !ok {
			return differ()
		}
	case core.ExternalSubscribed:
		if g, ok := a.data.(core.ExternalSubscribed); !ok || g.Name != r.Name {
			return differ()
		}
	case core.QueueSubscribed:
		if g, ok := a.data.(core.QueueSubscribed); !ok || g.Name != r.Name {
			return differ()
		}
	case core.SubOrchestrationScheduled:
		g, ok := a.data.(core.SubOrchestrationScheduled)
		if !ok || g.Name != r.Name {
			return differ()
		}
		return input(g.Input == r.Input)
	case core.OrchestrationChained:
		g, ok := a.data.(core.OrchestrationChained)
		if !ok || g.Name != r.Name || g.Instance != r.Instance {
			return differ()
		}
		return input(g.Input == r.Input)
	case core.CustomStatusUpdated:
		if _, ok := a.data.(core.CustomStatusUpdated); !ok {
			return differ()
		}
	case core.KeyValueSet:
		g, ok := a.data.(core.KeyValueSet)
		if !ok || g.Key != r.Key {
			return differ()
		}
		return input(g.Value == r.Value)
	case core.KeyValueCleared:
		if g, ok := a.data.(core.KeyValueCleared); !ok || g.Key != r.Key {
			return differ()
		}
	case core.KeyValuesCleared:
		if _, ok := a.data.(core.KeyValuesCleared); !ok {
			return differ()
		}
	}
	return "", false
}

func equal(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// describe puts what an event stands for in words, payloads left out.
func describe(d core.EventData) string {
	switch d := d.(type) {
	case core.ActivityScheduled:
		s := fmt.Sprintf("activity %q", d.Name)
		if d.SessionID != nil {
			s += fmt.Sprintf(" on session %q", *d.SessionID)
		}
		if d.Tag != nil {
			s += fmt.Sprintf(" with tag %q", *d.Tag)
		}
		return s
	case core.TimerCreated:
		return "a timer"
	case core.ExternalSubscribed:
		return fmt.Sprintf("a wait for event %q", d.Name)
	case core.QueueSubscribed:
		return fmt.Sprintf("a dequeue from %q", d.Name)
	case core.SubOrchestrationScheduled:
		return fmt.Sprintf("sub-orchestration %q", d.Name)
	case core.OrchestrationChained:
		return fmt.Sprintf("detached orchestration %q with instance id %q", d.Name, d.Instance)
	case core.CustomStatusUpdated:
		return "a custom status"
	case core.KeyValueSet:
		return fmt.Sprintf("a set of key %q", d.Key)
	case core.KeyValueCleared:
		return fmt.Sprintf("a clear of key %q", d.Key)
	case core.KeyValuesCleared:
		return "a clear of all keys"
	}
	return d.EventType()
}
