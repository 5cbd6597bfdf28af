package core

// WorkItem is a message in one of the two queues (contract 2.4): exactly one
// of the …Item structs of this package, as a value and not as a pointer. Ten
// kinds go to the orchestrator queue, [ActivityExecuteItem] to the worker
// queue. The set is closed.
type WorkItem interface {
	// ItemType returns the name of the variant as it is stored.
	ItemType() string
	// RoutingInstance returns the instance whose turn the item causes, or for
	// an activity the instance that scheduled it.
	RoutingInstance() string
	isWorkItem()
}

// The names of the work item variants as they are stored (contract 2.4).
const (
	ItemStartOrchestration = "StartOrchestration"
	ItemActivityExecute    = "ActivityExecute"
	ItemActivityCompleted  = "ActivityCompleted"
	ItemActivityFailed     = "ActivityFailed"
	ItemTimerFired         = "TimerFired"
	ItemExternalRaised     = "ExternalRaised"
	ItemSubOrchCompleted   = "SubOrchCompleted"
	ItemSubOrchFailed      = "SubOrchFailed"
	ItemCancelInstance     = "CancelInstance"
	ItemContinueAsNew      = "ContinueAsNew"
	ItemQueueMessage       = "QueueMessage"
)

// StartOrchestrationItem starts an instance.
type StartOrchestrationItem struct {
	Instance      string
	Orchestration string
	Input         string
	// Version asks for an exact version; nil leaves the choice to the
	// registry that runs the first turn.
	Version *string
	// ParentInstance, ParentID and ParentExecutionID are set for a child.
	ParentInstance    *string
	ParentID          *uint64
	ParentExecutionID *uint64
	// ExecutionID is 1 for every start that a client or an engine makes.
	ExecutionID uint64
	// RequestID tells a start that is sent again from another one; nil for
	// none. Only the Go members of the family have it; the others ignore it.
	RequestID *string
}

// ActivityExecuteItem asks a worker to run an activity.
type ActivityExecuteItem struct {
	Instance    string
	ExecutionID uint64
	// ID is the event id of the scheduling event.
	ID        uint64
	Name      string
	Input     string
	SessionID *string
	Tag       *string
	// FirstAttempt is the ID of the first attempt of a call that is tried again;
	// nil for that one itself. Only the Go members of the family store it.
	FirstAttempt *uint64
}

// ActivityCompletedItem brings an activity's result to its orchestration.
type ActivityCompletedItem struct {
	Instance    string
	ExecutionID uint64
	ID          uint64
	Result      string
}

// ActivityFailedItem brings an activity's error to its orchestration.
type ActivityFailedItem struct {
	Instance    string
	ExecutionID uint64
	ID          uint64
	Details     ErrorDetails
}

// TimerFiredItem is a timer. It is enqueued when the timer is created and
// becomes visible at FireAtMs, epoch milliseconds.
type TimerFiredItem struct {
	Instance    string
	ExecutionID uint64
	ID          uint64
	FireAtMs    uint64
}

// ExternalRaisedItem delivers an external event.
type ExternalRaisedItem struct{ Instance, Name, Data string }

// SubOrchCompletedItem brings a child's result to its parent.
type SubOrchCompletedItem struct {
	ParentInstance    string
	ParentExecutionID uint64
	ParentID          uint64
	Result            string
}

// SubOrchFailedItem brings a child's error to its parent.
type SubOrchFailedItem struct {
	ParentInstance    string
	ParentExecutionID uint64
	ParentID          uint64
	Details           ErrorDetails
}

// CancelInstanceItem asks to cancel an instance.
type CancelInstanceItem struct{ Instance, Reason string }

// ContinueAsNewItem starts the next execution of an instance.
type ContinueAsNewItem struct {
	Instance      string
	Orchestration string
	Input         string
	// Version asks for an exact version; nil leaves the choice to the registry.
	Version *string
	// The parent link of the execution before, kept so that a child still
	// knows whom to answer.
	ParentInstance    *string
	ParentID          *uint64
	ParentExecutionID *uint64
	// CarryForwardEvents are the unread queued messages, oldest first. Nil
	// and empty are both written as [], which is decoded as nil.
	CarryForwardEvents []QueueEvent
	// InitialCustomStatus is the last custom status; nil for none.
	InitialCustomStatus *string
}

// QueueMessageItem delivers a message to a named queue of an instance.
type QueueMessageItem struct{ Instance, Name, Data string }

// ItemType implements [WorkItem].
func (StartOrchestrationItem) ItemType() string { return ItemStartOrchestration }

// ItemType implements [WorkItem].
func (ActivityExecuteItem) ItemType() string { return ItemActivityExecute }

// ItemType implements [WorkItem].
func (ActivityCompletedItem) ItemType() string { return ItemActivityCompleted }

// ItemType implements [WorkItem].
func (ActivityFailedItem) ItemType() string { return ItemActivityFailed }

// ItemType implements [WorkItem].
func (TimerFiredItem) ItemType() string { return ItemTimerFired }

// ItemType implements [WorkItem].
func (ExternalRaisedItem) ItemType() string { return ItemExternalRaised }

// ItemType implements [WorkItem].
func (SubOrchCompletedItem) ItemType() string { return ItemSubOrchCompleted }

// ItemType implements [WorkItem].
func (SubOrchFailedItem) ItemType() string { return ItemSubOrchFailed }

// ItemType implements [WorkItem].
func (CancelInstanceItem) ItemType() string { return ItemCancelInstance }

// ItemType implements [WorkItem].
func (ContinueAsNewItem) ItemType() string { return ItemContinueAsNew }

// ItemType implements [WorkItem].
func (QueueMessageItem) ItemType() string { return ItemQueueMessage }

// RoutingInstance implements [WorkItem].
func (i StartOrchestrationItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i ActivityExecuteItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i ActivityCompletedItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i ActivityFailedItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i TimerFiredItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i ExternalRaisedItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem]: a child's result goes to its parent.
func (i SubOrchCompletedItem) RoutingInstance() string { return i.ParentInstance }

// RoutingInstance implements [WorkItem]: a child's error goes to its parent.
func (i SubOrchFailedItem) RoutingInstance() string { return i.ParentInstance }

// RoutingInstance implements [WorkItem].
func (i CancelInstanceItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i ContinueAsNewItem) RoutingInstance() string { return i.Instance }

// RoutingInstance implements [WorkItem].
func (i QueueMessageItem) RoutingInstance() string { return i.Instance }

func (StartOrchestrationItem) isWorkItem() {}
func (ActivityExecuteItem) isWorkItem()    {}
func (ActivityCompletedItem) isWorkItem()  {}
func (ActivityFailedItem) isWorkItem()     {}
func (TimerFiredItem) isWorkItem()         {}
func (ExternalRaisedItem) isWorkItem()     {}
func (SubOrchCompletedItem) isWorkItem()   {}
func (SubOrchFailedItem) isWorkItem()      {}
func (CancelInstanceItem) isWorkItem()     {}
func (ContinueAsNewItem) isWorkItem()      {}
func (QueueMessageItem) isWorkItem()       {}
