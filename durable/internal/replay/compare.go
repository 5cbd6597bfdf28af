package replay

import (
	"github.com/duroxide/duroxide-go/core"
)

// Compare compares an event that the code causes with the one that is recorded
// in its place, by the rules by which a turn matches them. It is for replaying
// histories in tests. Payload is true when the two differ only in what they
// carry.
func Compare(recorded, got core.EventData) (same, payload bool) {
	if recorded.EventType() != got.EventType() {
		return false, false
	}
	outcome := func(equal bool) (bool, bool) { return equal, !equal }
	switch r := recorded.(type) {
	case core.OrchestrationCompleted:
		return outcome(r == got)
	case core.OrchestrationContinuedAsNew:
		return outcome(r == got)
	case core.OrchestrationFailed:
		g := got.(core.OrchestrationFailed)
		if kind(r.Details) != kind(g.Details) {
			return false, false
		}
		return outcome(r.Details.Error() == g.Details.Error())
	}
	difference, inputOnly := matches(action{data: got}, recorded)
	return difference == "", inputOnly
}

// kind tells a panic, a cancellation and an error apart.
func kind(d core.ErrorDetails) string {
	if a, ok := d.(core.ApplicationError); ok {
		return a.Kind.Name
	}
	return d.Category()
}

// Describe puts what the event of an action or an end stands for in words,
// payloads left out but for errors.
func Describe(data core.EventData) string {
	switch d := data.(type) {
	case core.OrchestrationCompleted:
		return "returned"
	case core.OrchestrationFailed:
		return "failed: " + d.Details.Error()
	case core.OrchestrationContinuedAsNew:
		return "continued as new"
	case core.ActivityCancelRequested, core.SubOrchestrationCancelRequested, core.ExternalSubscribedCancelled, core.QueueSubscriptionCancelled:
		return "gave up"
	}
	return describe(data)
}

// IsDeed reports whether the code causes an event of this type; the others
// arrive.
func IsDeed(data core.EventData) bool {
	switch data.(type) {
	case core.OrchestrationStarted, core.OrchestrationCancelRequested,
		core.ActivityCompleted, core.ActivityFailed, core.TimerFired,
		core.SubOrchestrationCompleted, core.SubOrchestrationFailed,
		core.ExternalEvent, core.QueueEventDelivered:
		return false
	}
	return true
}

// IsConsequence reports whether an event gives up something that the code had
// not given up itself: it follows from the end of the execution.
func IsConsequence(data core.EventData) bool {
	switch d := data.(type) {
	case core.ActivityCancelRequested:
		return d.Reason != reasonDropped
	case core.SubOrchestrationCancelRequested:
		return d.Reason != reasonDropped
	case core.ExternalSubscribedCancelled:
		return d.Reason != reasonDropped
	case core.QueueSubscriptionCancelled:
		return d.Reason != reasonDropped
	}
	return false
}
