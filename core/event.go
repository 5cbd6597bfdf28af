package core

// Event is one immutable row of an execution's history (contract 2.2).
//
// The runtime makes events; a provider stores and returns them unchanged and
// never numbers, rewrites, filters or reorders them. An Event is plain data:
// copies may be read concurrently as long as nobody writes to them.
type Event struct {
	// ID is the position in the execution, starting at 1. Zero means "not
	// assigned yet" and is refused by every provider.
	ID uint64
	// SourceID is the ID of the event that this one answers: the scheduling
	// event of a completion or of a cancellation. Nil for lifecycle and
	// scheduling events and for delivered external events.
	SourceID *uint64
	// InstanceID and ExecutionID are copies of the owner's ids. A provider
	// takes its row key from the call's arguments, not from here.
	InstanceID  string
	ExecutionID uint64
	// TimestampMs is the creation time in milliseconds since the Unix epoch.
	TimestampMs uint64
	// DuroxideVersion names the runtime that made the event, such as
	// "0.1.32". The stamp of an execution's first event selects the rules
	// under which that execution is replayed, so it is never re-stamped.
	DuroxideVersion string
	// Data is the payload, one of the 26 kinds below. Nil is invalid.
	Data EventData
}

// EventData is the payload of an [Event]: exactly one of the structs of this
// package that carry the EventType method, as a value and not as a pointer. The
// set is closed; a tag outside it is a decoding error, never something to skip.
type EventData interface {
	// EventType returns the tag that is stored under "type".
	EventType() string
	isEventData()
}

// The tags of the event kinds as they are stored (contract 2.2).
const (
	TypeOrchestrationStarted            = "OrchestrationStarted"
	TypeOrchestrationCompleted          = "OrchestrationCompleted"
	TypeOrchestrationFailed             = "OrchestrationFailed"
	TypeOrchestrationContinuedAsNew     = "OrchestrationContinuedAsNew"
	TypeOrchestrationCancelRequested    = "OrchestrationCancelRequested"
	TypeActivityScheduled               = "ActivityScheduled"
	TypeActivityCompleted               = "ActivityCompleted"
	TypeActivityFailed                  = "ActivityFailed"
	TypeActivityCancelRequested         = "ActivityCancelRequested"
	TypeTimerCreated                    = "TimerCreated"
	TypeTimerFired                      = "TimerFired"
	TypeExternalSubscribed              = "ExternalSubscribed"
	TypeExternalEvent                   = "ExternalEvent"
	TypeExternalSubscribedCancelled     = "ExternalSubscribedCancelled"
	TypeQueueSubscribed                 = "ExternalSubscribedPersistent"
	TypeQueueEventDelivered             = "ExternalEventPersistent"
	TypeQueueSubscriptionCancelled      = "ExternalSubscribedPersistentCancelled"
	TypeOrchestrationChained            = "OrchestrationChained"
	TypeSubOrchestrationScheduled       = "SubOrchestrationScheduled"
	TypeSubOrchestrationCompleted       = "SubOrchestrationCompleted"
	TypeSubOrchestrationFailed          = "SubOrchestrationFailed"
	TypeSubOrchestrationCancelRequested = "SubOrchestrationCancelRequested"
	TypeCustomStatusUpdated             = "CustomStatusUpdated"
	TypeKeyValueSet                     = "KeyValueSet"
	TypeKeyValueCleared                 = "KeyValueCleared"
	TypeKeyValuesCleared                = "KeyValuesCleared"
)

// QueueEvent is a queued message that nobody has read yet, carried from one
// execution to the next. On the wire it is the pair [name, data].
type QueueEvent struct {
	// Name is the queue.
	Name string
	// Data is the encoded message.
	Data string
}

// OrchestrationStarted is the first event of every execution.
type OrchestrationStarted struct {
	// Name and Version say which code runs this execution, now and on every
	// later turn. Version "0.0.0" means "unset": resolve by policy.
	Name    string
	Version string
	// Input is the encoded input.
	Input string
	// ParentInstance, ParentID and ParentExecutionID link a child to the
	// scheduling event of its parent. All are nil for a root; the last is
	// also nil in rows written by old runtimes.
	ParentInstance    *string
	ParentID          *uint64
	ParentExecutionID *uint64
	// CarryForwardEvents holds the queued messages that the previous
	// execution left unread. Nil is omitted on the wire; an empty list that
	// is present is written as [].
	CarryForwardEvents []QueueEvent
	// InitialCustomStatus is the status that the previous execution left.
	InitialCustomStatus *string
	// RequestID is that of the start, see [StartOrchestrationItem].
	RequestID *string
}

// OrchestrationCompleted ends an execution with a result.
type OrchestrationCompleted struct{ Output string }

// OrchestrationFailed ends an execution with an error.
type OrchestrationFailed struct{ Details ErrorDetails }

// OrchestrationContinuedAsNew ends an execution whose successor starts with Input.
type OrchestrationContinuedAsNew struct{ Input string }

// OrchestrationCancelRequested records that somebody asked to cancel the instance.
type OrchestrationCancelRequested struct{ Reason string }

// ActivityScheduled records a call of an activity.
type ActivityScheduled struct {
	Name  string
	Input string
	// SessionID pins the activity to the owner of a session; nil for none.
	SessionID *string
	// Tag restricts which workers may run it; nil for none. The empty string
	// is a tag.
	Tag *string
}

// ActivityCompleted records an activity's result.
type ActivityCompleted struct{ Result string }

// ActivityFailed records an activity's error.
type ActivityFailed struct{ Details ErrorDetails }

// ActivityCancelRequested records that an activity's result is no longer wanted.
type ActivityCancelRequested struct{ Reason string }

// TimerCreated records a timer that is due at FireAtMs, epoch milliseconds.
type TimerCreated struct{ FireAtMs uint64 }

// TimerFired records that a timer went off; FireAtMs is when it was due.
type TimerFired struct{ FireAtMs uint64 }

// ExternalSubscribed records a wait for an external event of that name.
type ExternalSubscribed struct{ Name string }

// ExternalEvent records an external event that arrived. Waits and events of
// one name are matched by position.
type ExternalEvent struct{ Name, Data string }

// ExternalSubscribedCancelled records that a wait was given up.
type ExternalSubscribedCancelled struct{ Reason string }

// QueueSubscribed records a dequeue from the named queue. Its stored tag is
// "ExternalSubscribedPersistent".
type QueueSubscribed struct{ Name string }

// QueueEventDelivered records a message that arrived in the named queue. Its
// stored tag is "ExternalEventPersistent".
type QueueEventDelivered struct{ Name, Data string }

// QueueSubscriptionCancelled records that a dequeue was given up. Its stored
// tag is "ExternalSubscribedPersistentCancelled".
type QueueSubscriptionCancelled struct{ Reason string }

// OrchestrationChained records the start of a detached orchestration.
type OrchestrationChained struct{ Name, Instance, Input string }

// SubOrchestrationScheduled records the start of a child. Instance is the
// explicit id, or the generated suffix "sub::…" (see [ChildInstanceID]).
type SubOrchestrationScheduled struct{ Name, Instance, Input string }

// SubOrchestrationCompleted records a child's result.
type SubOrchestrationCompleted struct{ Result string }

// SubOrchestrationFailed records a child's error.
type SubOrchestrationFailed struct{ Details ErrorDetails }

// SubOrchestrationCancelRequested records that a child's result is no longer wanted.
type SubOrchestrationCancelRequested struct{ Reason string }

// CustomStatusUpdated records a new custom status; nil clears it.
type CustomStatusUpdated struct{ Status *string }

// KeyValueSet records that the instance set a key.
type KeyValueSet struct {
	Key   string
	Value string
	// LastUpdatedAtMs is the wall clock of the call in epoch milliseconds; 0
	// in rows written before the field existed.
	LastUpdatedAtMs uint64
}

// KeyValueCleared records that the instance removed a key.
type KeyValueCleared struct{ Key string }

// KeyValuesCleared records that the instance removed all its keys.
type KeyValuesCleared struct{}

// EventType implements [EventData].
func (OrchestrationStarted) EventType() string { return TypeOrchestrationStarted }

// EventType implements [EventData].
func (OrchestrationCompleted) EventType() string { return TypeOrchestrationCompleted }

// EventType implements [EventData].
func (OrchestrationFailed) EventType() string { return TypeOrchestrationFailed }

// EventType implements [EventData].
func (OrchestrationContinuedAsNew) EventType() string { return TypeOrchestrationContinuedAsNew }

// EventType implements [EventData].
func (OrchestrationCancelRequested) EventType() string { return TypeOrchestrationCancelRequested }

// EventType implements [EventData].
func (ActivityScheduled) EventType() string { return TypeActivityScheduled }

// EventType implements [EventData].
func (ActivityCompleted) EventType() string { return TypeActivityCompleted }

// EventType implements [EventData].
func (ActivityFailed) EventType() string { return TypeActivityFailed }

// EventType implements [EventData].
func (ActivityCancelRequested) EventType() string { return TypeActivityCancelRequested }

// EventType implements [EventData].
func (TimerCreated) EventType() string { return TypeTimerCreated }

// EventType implements [EventData].
func (TimerFired) EventType() string { return TypeTimerFired }

// EventType implements [EventData].
func (ExternalSubscribed) EventType() string { return TypeExternalSubscribed }

// EventType implements [EventData].
func (ExternalEvent) EventType() string { return TypeExternalEvent }

// EventType implements [EventData].
func (ExternalSubscribedCancelled) EventType() string { return TypeExternalSubscribedCancelled }

// EventType implements [EventData].
func (QueueSubscribed) EventType() string { return TypeQueueSubscribed }

// EventType implements [EventData].
func (QueueEventDelivered) EventType() string { return TypeQueueEventDelivered }

// EventType implements [EventData].
func (QueueSubscriptionCancelled) EventType() string { return TypeQueueSubscriptionCancelled }

// EventType implements [EventData].
func (OrchestrationChained) EventType() string { return TypeOrchestrationChained }

// EventType implements [EventData].
func (SubOrchestrationScheduled) EventType() string { return TypeSubOrchestrationScheduled }

// EventType implements [EventData].
func (SubOrchestrationCompleted) EventType() string { return TypeSubOrchestrationCompleted }

// EventType implements [EventData].
func (SubOrchestrationFailed) EventType() string { return TypeSubOrchestrationFailed }

// EventType implements [EventData].
func (SubOrchestrationCancelRequested) EventType() string { return TypeSubOrchestrationCancelRequested }

// EventType implements [EventData].
func (CustomStatusUpdated) EventType() string { return TypeCustomStatusUpdated }

// EventType implements [EventData].
func (KeyValueSet) EventType() string { return TypeKeyValueSet }

// EventType implements [EventData].
func (KeyValueCleared) EventType() string { return TypeKeyValueCleared }

// EventType implements [EventData].
func (KeyValuesCleared) EventType() string { return TypeKeyValuesCleared }

func (OrchestrationStarted) isEventData()            {}
func (OrchestrationCompleted) isEventData()          {}
func (OrchestrationFailed) isEventData()             {}
func (OrchestrationContinuedAsNew) isEventData()     {}
func (OrchestrationCancelRequested) isEventData()    {}
func (ActivityScheduled) isEventData()               {}
func (ActivityCompleted) isEventData()               {}
func (ActivityFailed) isEventData()                  {}
func (ActivityCancelRequested) isEventData()         {}
func (TimerCreated) isEventData()                    {}
func (TimerFired) isEventData()                      {}
func (ExternalSubscribed) isEventData()              {}
func (ExternalEvent) isEventData()                   {}
func (ExternalSubscribedCancelled) isEventData()     {}
func (QueueSubscribed) isEventData()                 {}
func (QueueEventDelivered) isEventData()             {}
func (QueueSubscriptionCancelled) isEventData()      {}
func (OrchestrationChained) isEventData()            {}
func (SubOrchestrationScheduled) isEventData()       {}
func (SubOrchestrationCompleted) isEventData()       {}
func (SubOrchestrationFailed) isEventData()          {}
func (SubOrchestrationCancelRequested) isEventData() {}
func (CustomStatusUpdated) isEventData()             {}
func (KeyValueSet) isEventData()                     {}
func (KeyValueCleared) isEventData()                 {}
func (KeyValuesCleared) isEventData()                {}

// IsTerminal reports whether the event ends its execution.
func (e Event) IsTerminal() bool {
	switch e.Data.(type) {
	case OrchestrationCompleted, OrchestrationFailed, OrchestrationContinuedAsNew:
		return true
	}
	return false
}
