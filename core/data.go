package core

// OrchestrationItem is a locked instance with everything that its turn needs
// (contract 2.5, 3.1).
type OrchestrationItem struct {
	Instance          string
	OrchestrationName string
	// Version is the orchestration's version, [UnknownVersion] when none is known.
	Version string
	// ExecutionID is the current execution, 1 for a new instance.
	ExecutionID uint64
	// History is the complete history of that execution in order; empty for a
	// new instance, when HistoryError is set and when HistoryOmitted is.
	History []Event
	// HistoryOmitted says that there is a history which is not in the item,
	// because the fetch allowed that; see FetchOrchestrationItemParams.HistoryLimit.
	HistoryOmitted bool
	// LastEventID is the id of the last event of the execution, and TurnToken
	// the lock token of the turn that was acknowledged last. A provider that
	// is no [TurnTracker] may leave them empty, as they are for a new instance.
	LastEventID uint64
	TurnToken   string
	// Messages is the locked batch in queue order, all for this instance.
	Messages []WorkItem
	// HistoryError says why stored data could not be decoded; empty when it could.
	HistoryError string
	// KVSnapshot is the key-value state that earlier executions left; the
	// current execution's own writes are not in it, replay rebuilds them.
	KVSnapshot map[string]KVEntry
	// LockToken names the lock in the calls that follow.
	LockToken string
	// AttemptCount is the highest number of fetches of any message of the
	// batch, this one included.
	AttemptCount uint32
}

// AwaitsStart reports whether nothing is known of the instance and its start is
// not among the messages. If the start is in the queue but still hidden, a
// provider should leave the instance alone until then: the messages, which come
// too early, would be lost.
func (i *OrchestrationItem) AwaitsStart() bool {
	if len(i.History) > 0 || i.HistoryOmitted || i.HistoryError != "" || i.OrchestrationName != UnknownName {
		return false
	}
	for _, m := range i.Messages {
		switch m.(type) {
		case StartOrchestrationItem, ContinueAsNewItem:
			return false
		}
	}
	return true
}

// IsOrphanBatch reports whether the item holds nothing but queue messages for an
// instance of which nothing is known. Nobody will ever read them, so a provider
// drops them. Other messages may have overtaken the start, and are left to the
// runtime.
func (i *OrchestrationItem) IsOrphanBatch() bool {
	for _, m := range i.Messages {
		if _, ok := m.(QueueMessageItem); !ok {
			return false
		}
	}
	return len(i.Messages) > 0 && i.AwaitsStart()
}

// UnknownName is the name of an orchestration of which nothing is known.
const UnknownName = "Unknown"

// LockedWorkItem is a locked activity.
type LockedWorkItem struct {
	Item WorkItem
	// LockToken names the lock in the calls that follow.
	LockToken string
	// AttemptCount is how often the item was fetched, this time included.
	AttemptCount uint32
}

// KVEntry is one value of the key-value store.
type KVEntry struct {
	Value string
	// LastUpdatedAtMs is when it was set, epoch milliseconds; 0 if unknown.
	LastUpdatedAtMs uint64
}

// ExecutionStatus is the stored status of an execution.
type ExecutionStatus string

// The statuses. All but StatusRunning are terminal.
const (
	StatusRunning        ExecutionStatus = "Running"
	StatusCompleted      ExecutionStatus = "Completed"
	StatusFailed         ExecutionStatus = "Failed"
	StatusContinuedAsNew ExecutionStatus = "ContinuedAsNew"
)

// IsTerminal reports whether the status is the end of an execution.
func (s ExecutionStatus) IsTerminal() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusContinuedAsNew
}

// ExecutionMetadata is what an acknowledged turn says about its execution and
// instance. Nil and empty fields leave what is stored unchanged.
type ExecutionMetadata struct {
	// Status, when not empty, is stored with Output and, for an end, the time.
	Status ExecutionStatus
	// Output is the result, the error's display text, or the next input. It
	// is written whenever Status is set.
	Output *string
	// OrchestrationName and OrchestrationVersion create the instance when both
	// are set, and are stored with it.
	OrchestrationName    *string
	OrchestrationVersion *string
	// ParentInstanceID is stored when the instance is created.
	ParentInstanceID *string
	// PinnedDuroxideVersion is stored with the execution; its pre-release and
	// build parts are dropped.
	PinnedDuroxideVersion *Version
}

// ActivityIdentifier names one activity of one execution.
type ActivityIdentifier struct {
	Instance    string
	ExecutionID uint64
	// ActivityID is the event id of the scheduling event.
	ActivityID uint64
}

// CustomStatus is an instance's custom status.
type CustomStatus struct {
	// Status is nil when it was cleared.
	Status *string
	// Version grows by one with every turn that touches the status.
	Version uint64
}

// SystemStats are the sizes of an instance's current execution.
type SystemStats struct {
	HistoryEventCount uint64 `json:"history_event_count"`
	HistorySizeBytes  uint64 `json:"history_size_bytes"`
	// QueuePendingCount is how many queued messages the execution was started
	// with; it does not shrink as they are read.
	QueuePendingCount uint64 `json:"queue_pending_count"`
	KVUserKeyCount    uint64 `json:"kv_user_key_count"`
	KVTotalValueBytes uint64 `json:"kv_total_value_bytes"`
}
