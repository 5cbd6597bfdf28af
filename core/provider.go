package core

import (
	"context"
	"time"
)

// Provider is storage for orchestrations: two queues, histories, sessions,
// custom status and key-values. It is composed of small interfaces so that
// code can ask for what it needs.
//
// Every method is safe for concurrent use by many goroutines and processes.
// "Nothing there" is a nil or zero result without an error. Errors are
// [ProviderError]s that wrap the sentinels of this package, except that the
// error of an ended context passes through untouched. A call whose context
// ends has either taken effect completely or not at all.
//
// Optional abilities, [Admin] among them, are found with [Ability]. Methods may
// be added to this interface in minor releases before version 1.
type Provider interface {
	OrchestrationQueue
	WorkerQueue
	HistoryStore
	SessionStore
	StatusStore
	KVStore

	// Name returns the provider's name, such as "postgres".
	Name() string
	// Version returns the provider's version, such as "0.1.0".
	Version() string
}

// OrchestrationQueue hands out instances that have messages, one locked
// instance with all its visible messages at a time (contract 3.1 to 3.4, 3.6).
type OrchestrationQueue interface {
	// FetchOrchestrationItem locks the oldest instance that has visible
	// messages and no live lock, and returns everything that its turn needs;
	// nil when there is none. Each fetched message's attempt count is raised
	// by one. History that cannot be decoded is reported in the item, not as
	// an error. An instance that does not exist yet and whose start is hidden
	// should be left alone until then, see [OrchestrationItem.AwaitsStart].
	FetchOrchestrationItem(ctx context.Context, p FetchOrchestrationItemParams) (*OrchestrationItem, error)
	// AckOrchestrationItem makes everything that a turn produced durable,
	// together or not at all, deletes the messages of the fetch, and releases
	// the lock. A failed call leaves the lock as it was. It returns
	// [ErrLockLost] for a token that is not live, and [ErrDuplicateEvent] or
	// [ErrInvalidArgument] for bad event ids.
	AckOrchestrationItem(ctx context.Context, p AckOrchestrationItemParams) error
	// AbandonOrchestrationItem gives the messages of a fetch back. A lock that
	// has expired but was not taken over can still be abandoned; otherwise it
	// returns [ErrLockLost].
	AbandonOrchestrationItem(ctx context.Context, p AbandonParams) error
	// RenewOrchestrationItemLock extends a live lock to now + ExtendFor, never
	// shortening it. It returns [ErrLockLost] for a token that is not live.
	RenewOrchestrationItemLock(ctx context.Context, p RenewLockParams) error
	// EnqueueForOrchestrator adds one message. It never creates an instance
	// and returns [ErrInvalidItem] for an [ActivityExecuteItem].
	EnqueueForOrchestrator(ctx context.Context, p EnqueueForOrchestratorParams) error
}

// WorkerQueue hands out activities, one locked item at a time (contract 3.7
// to 3.11).
type WorkerQueue interface {
	// EnqueueForWorker adds one activity. It returns [ErrInvalidItem] for
	// anything but an [ActivityExecuteItem].
	EnqueueForWorker(ctx context.Context, p EnqueueForWorkerParams) error
	// FetchWorkItem locks the oldest eligible activity and returns it; nil
	// when there is none. Its attempt count is raised by one.
	FetchWorkItem(ctx context.Context, p FetchWorkItemParams) (*LockedWorkItem, error)
	// AckWorkItem deletes a locked item and, in the same transaction, enqueues
	// its completion. It returns [ErrLockLost] for a token that is not live,
	// which includes an item that was cancelled.
	AckWorkItem(ctx context.Context, p AckWorkItemParams) error
	// RenewWorkItemLock extends a live lock to now + ExtendFor. [ErrLockLost]
	// is how a worker learns that its activity was cancelled.
	RenewWorkItemLock(ctx context.Context, p RenewLockParams) error
	// AbandonWorkItem gives a locked item back. A lock that has expired but
	// was not taken over can still be abandoned; otherwise it returns
	// [ErrLockLost].
	AbandonWorkItem(ctx context.Context, p AbandonParams) error
}

// HistoryStore reads and appends history outside a turn (contract 3.5).
type HistoryStore interface {
	// Read returns the events of an instance's latest execution in order,
	// none for an unknown instance. A single event that cannot be decoded
	// makes the whole call fail with [ErrUndecodable].
	Read(ctx context.Context, p ReadParams) ([]Event, error)
	// ReadWithExecution returns the events of one execution, as Read does.
	ReadWithExecution(ctx context.Context, p ReadWithExecutionParams) ([]Event, error)
	// AppendWithExecution adds events atomically. Ids are taken as given; an
	// id of 0 is [ErrInvalidArgument]; an id that exists is refused with
	// [ErrDuplicateEvent] or ignored, never overwritten.
	AppendWithExecution(ctx context.Context, p AppendWithExecutionParams) error
}

// SessionStore keeps workers' claims on sessions (contract 3.12, 3.13).
type SessionStore interface {
	// RenewSessionLock extends the live claims of the owners whose last
	// activity is less than IdleTimeout ago, and returns how many.
	RenewSessionLock(ctx context.Context, p RenewSessionLockParams) (uint64, error)
	// CleanupOrphanedSessions deletes expired claims that no queued activity
	// refers to, and returns how many.
	CleanupOrphanedSessions(ctx context.Context, p CleanupOrphanedSessionsParams) (uint64, error)
}

// StatusStore reads what clients poll for (contract 3.14, 3.16).
type StatusStore interface {
	// GetCustomStatus returns the custom status when its version is above
	// LastSeenVersion, else nil; nil also for an unknown instance.
	GetCustomStatus(ctx context.Context, p GetCustomStatusParams) (*CustomStatus, error)
	// GetInstanceStats returns sizes of the current execution, nil for an
	// unknown instance.
	GetInstanceStats(ctx context.Context, p GetInstanceStatsParams) (*SystemStats, error)
}

// KVStore reads the key-values of instances as they are now, writes of the
// running execution included (contract 3.15).
type KVStore interface {
	// GetKVValue returns the value, nil for an unknown key or instance.
	GetKVValue(ctx context.Context, p GetKVValueParams) (*string, error)
	// GetKVAllValues returns all keys and values, empty for an unknown instance.
	GetKVAllValues(ctx context.Context, p GetKVAllValuesParams) (map[string]string, error)
}

// FetchOrchestrationItemParams are the parameters of FetchOrchestrationItem.
type FetchOrchestrationItemParams struct {
	// LockTimeout is how long the lock lives without renewal; above zero.
	LockTimeout time.Duration
	// PollTimeout is how long a provider that can wait may wait for work. Zero
	// returns at once.
	PollTimeout time.Duration
	// Filter restricts the fetch; nil takes everything.
	Filter *CapabilityFilter
	// HistoryLimit allows a [TurnTracker] to leave out the history of an
	// execution whose last event has a higher id; 0 does not allow it. Other
	// providers ignore it.
	HistoryLimit uint64
}

// AckOrchestrationItemParams are the parameters of AckOrchestrationItem. Nil
// lists are empty.
type AckOrchestrationItemParams struct {
	LockToken string
	// ExecutionID is the execution that the turn belongs to; it may be one
	// that does not exist yet.
	ExecutionID uint64
	// HistoryDelta is appended to that execution.
	HistoryDelta []Event
	// WorkerItems go to the worker queue, before CancelledActivities are
	// removed from it.
	WorkerItems []WorkItem
	// OrchestratorItems go to the orchestrator queue in this order.
	OrchestratorItems []WorkItem
	Metadata          ExecutionMetadata
	// CancelledActivities are removed from the worker queue, locked or not;
	// what is not there is ignored.
	CancelledActivities []ActivityIdentifier
}

// AbandonParams are the parameters of both abandon methods.
type AbandonParams struct {
	LockToken string
	// Delay hides what is given back for that long; zero for not at all.
	Delay time.Duration
	// IgnoreAttempt takes back the attempt that the fetch counted.
	IgnoreAttempt bool
	// StayAway is how much longer than Delay this provider's fetches leave the work
	// to other processes, which may have the code that this one lacks; zero and less
	// for not at all. It is a hint: providers may ignore it.
	StayAway time.Duration
}

// RenewLockParams are the parameters of both lock renewals.
type RenewLockParams struct {
	LockToken string
	// ExtendFor is how long the lock lives from now; above zero.
	ExtendFor time.Duration
}

// EnqueueForOrchestratorParams are the parameters of EnqueueForOrchestrator.
type EnqueueForOrchestratorParams struct {
	Item WorkItem
	// Delay hides the message for that long; zero for not at all. A timer is
	// hidden until the later of its due time and the delay.
	Delay time.Duration
}

// EnqueueForWorkerParams are the parameters of EnqueueForWorker.
type EnqueueForWorkerParams struct{ Item WorkItem }

// FetchWorkItemParams are the parameters of FetchWorkItem.
type FetchWorkItemParams struct {
	// LockTimeout is how long the lock lives without renewal; above zero.
	LockTimeout time.Duration
	// PollTimeout is how long a provider that can wait may wait for work. Zero
	// returns at once.
	PollTimeout time.Duration
	// Session lets the fetch take activities that are bound to a session; nil
	// takes only those that are not.
	Session *SessionFetchConfig
	// Tags restricts the fetch; the zero value takes untagged activities.
	Tags TagFilter
}

// SessionFetchConfig names the owner for whom a fetch claims sessions.
type SessionFetchConfig struct {
	OwnerID string
	// LockTimeout is how long a claim lives without renewal; above zero.
	LockTimeout time.Duration
}

// AckWorkItemParams are the parameters of AckWorkItem.
type AckWorkItemParams struct {
	LockToken string
	// Completion is an [ActivityCompletedItem] or [ActivityFailedItem]; nil
	// deletes the item without telling the orchestration.
	Completion WorkItem
}

// ReadParams are the parameters of Read.
type ReadParams struct{ Instance string }

// ReadWithExecutionParams are the parameters of ReadWithExecution.
type ReadWithExecutionParams struct {
	Instance    string
	ExecutionID uint64
}

// AppendWithExecutionParams are the parameters of AppendWithExecution.
type AppendWithExecutionParams struct {
	Instance    string
	ExecutionID uint64
	Events      []Event
}

// RenewSessionLockParams are the parameters of RenewSessionLock.
type RenewSessionLockParams struct {
	OwnerIDs    []string
	ExtendFor   time.Duration
	IdleTimeout time.Duration
}

// CleanupOrphanedSessionsParams are the parameters of CleanupOrphanedSessions.
type CleanupOrphanedSessionsParams struct{ IdleTimeout time.Duration }

// GetCustomStatusParams are the parameters of GetCustomStatus.
type GetCustomStatusParams struct {
	Instance string
	// LastSeenVersion is the version that the caller knows; 0 for none.
	LastSeenVersion uint64
}

// GetInstanceStatsParams are the parameters of GetInstanceStats.
type GetInstanceStatsParams struct{ Instance string }

// GetKVValueParams are the parameters of GetKVValue.
type GetKVValueParams struct{ Instance, Key string }

// GetKVAllValuesParams are the parameters of GetKVAllValues.
type GetKVAllValuesParams struct{ Instance string }
