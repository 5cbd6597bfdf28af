package core

import "context"

// Admin is the management capability of a provider (contract 4), found with
// [Ability]. A provider may implement only some of its parts.
type Admin interface {
	AdminReader
	AdminDeleter
	AdminPruner
}

// AdminReader lists and inspects.
type AdminReader interface {
	// ListInstances returns all instance ids, newest first.
	ListInstances(ctx context.Context) ([]string, error)
	// ListInstancesByStatus returns the ids of the instances whose current
	// execution has exactly that status, newest first.
	ListInstancesByStatus(ctx context.Context, p ListInstancesByStatusParams) ([]string, error)
	// ListExecutions returns the execution ids of an instance in order, none
	// for an unknown one.
	ListExecutions(ctx context.Context, p ListExecutionsParams) ([]uint64, error)
	// ReadHistory returns the events of the latest execution, none for an
	// unknown instance.
	ReadHistory(ctx context.Context, p ReadHistoryParams) ([]Event, error)
	// ReadHistoryWithExecutionID returns the events of one execution.
	ReadHistoryWithExecutionID(ctx context.Context, p ReadHistoryWithExecutionIDParams) ([]Event, error)
	// LatestExecutionID returns the highest execution id, 1 for an unknown instance.
	LatestExecutionID(ctx context.Context, p LatestExecutionIDParams) (uint64, error)
	// GetInstanceInfo returns what is known of an instance, or [ErrNotFound].
	GetInstanceInfo(ctx context.Context, p GetInstanceInfoParams) (*InstanceInfo, error)
	// GetExecutionInfo returns what is known of an execution, or [ErrNotFound].
	GetExecutionInfo(ctx context.Context, p GetExecutionInfoParams) (*ExecutionInfo, error)
	// GetSystemMetrics counts instances, executions and events.
	GetSystemMetrics(ctx context.Context) (*SystemMetrics, error)
	// GetQueueDepths counts the messages that could be fetched now.
	GetQueueDepths(ctx context.Context) (*QueueDepths, error)
	// ListChildren returns the ids of the direct children, none for an
	// unknown instance.
	ListChildren(ctx context.Context, p ListChildrenParams) ([]string, error)
	// GetParentID returns the parent's id, nil for a root, or [ErrNotFound].
	GetParentID(ctx context.Context, p GetParentIDParams) (*string, error)
}

// AdminDeleter deletes instances (contract 4.1 to 4.3).
type AdminDeleter interface {
	// GetInstanceTree returns the instance and all its descendants.
	GetInstanceTree(ctx context.Context, p GetInstanceTreeParams) (*InstanceTree, error)
	// DeleteInstancesAtomic deletes exactly the given instances or none. It
	// returns [ErrStillRunning] without Force, and [ErrOrphan] when a child of
	// one of them is not among them.
	DeleteInstancesAtomic(ctx context.Context, p DeleteInstancesAtomicParams) (*DeleteInstanceResult, error)
	// DeleteInstance deletes a root with its tree. It returns [ErrNotFound],
	// [ErrSubOrchestration], or what DeleteInstancesAtomic returns.
	DeleteInstance(ctx context.Context, p DeleteInstanceParams) (*DeleteInstanceResult, error)
	// DeleteInstanceBulk deletes finished roots with their trees.
	DeleteInstanceBulk(ctx context.Context, p DeleteInstanceBulkParams) (*DeleteInstanceResult, error)
}

// AdminPruner deletes old executions (contract 4.4, 4.5).
type AdminPruner interface {
	// PruneExecutions deletes executions of one instance that are neither
	// current nor running, or returns [ErrNotFound].
	PruneExecutions(ctx context.Context, p PruneExecutionsParams) (*PruneResult, error)
	// PruneExecutionsBulk prunes every instance that the filter selects.
	PruneExecutionsBulk(ctx context.Context, p PruneExecutionsBulkParams) (*PruneResult, error)
}

// ListInstancesByStatusParams are the parameters of ListInstancesByStatus.
type ListInstancesByStatusParams struct{ Status ExecutionStatus }

// ListExecutionsParams are the parameters of ListExecutions.
type ListExecutionsParams struct{ Instance string }

// ReadHistoryParams are the parameters of ReadHistory.
type ReadHistoryParams struct{ Instance string }

// ReadHistoryWithExecutionIDParams are the parameters of ReadHistoryWithExecutionID.
type ReadHistoryWithExecutionIDParams struct {
	Instance    string
	ExecutionID uint64
}

// LatestExecutionIDParams are the parameters of LatestExecutionID.
type LatestExecutionIDParams struct{ Instance string }

// GetInstanceInfoParams are the parameters of GetInstanceInfo.
type GetInstanceInfoParams struct{ Instance string }

// GetExecutionInfoParams are the parameters of GetExecutionInfo.
type GetExecutionInfoParams struct {
	Instance    string
	ExecutionID uint64
}

// ListChildrenParams are the parameters of ListChildren.
type ListChildrenParams struct{ Instance string }

// GetParentIDParams are the parameters of GetParentID.
type GetParentIDParams struct{ Instance string }

// GetInstanceTreeParams are the parameters of GetInstanceTree.
type GetInstanceTreeParams struct{ Instance string }

// DeleteInstancesAtomicParams are the parameters of DeleteInstancesAtomic.
type DeleteInstancesAtomicParams struct {
	Instances []string
	// Force deletes running instances too.
	Force bool
}

// DeleteInstanceParams are the parameters of DeleteInstance.
type DeleteInstanceParams struct {
	Instance string
	// Force deletes running instances too.
	Force bool
}

// DeleteInstanceBulkParams are the parameters of DeleteInstanceBulk.
type DeleteInstanceBulkParams struct{ Filter InstanceFilter }

// PruneExecutionsParams are the parameters of PruneExecutions.
type PruneExecutionsParams struct {
	Instance string
	Options  PruneOptions
}

// PruneExecutionsBulkParams are the parameters of PruneExecutionsBulk.
type PruneExecutionsBulkParams struct {
	Filter  InstanceFilter
	Options PruneOptions
}

// InstanceInfo describes an instance.
type InstanceInfo struct {
	InstanceID           string
	OrchestrationName    string
	OrchestrationVersion string
	CurrentExecutionID   uint64
	// Status and Output are those of the current execution; Status is
	// "Unknown" when its row is missing, Output nil when there is none.
	Status ExecutionStatus
	Output *string
	// CreatedAtMs and UpdatedAtMs are epoch milliseconds.
	CreatedAtMs uint64
	UpdatedAtMs uint64
	// ParentInstanceID is nil for a root.
	ParentInstanceID *string
}

// ExecutionInfo describes an execution.
type ExecutionInfo struct {
	ExecutionID uint64
	Status      ExecutionStatus
	Output      *string
	// StartedAtMs is epoch milliseconds, and so is CompletedAtMs, which is nil
	// while the execution runs and, in the shared schema, for one that
	// continued as new.
	StartedAtMs   uint64
	CompletedAtMs *uint64
	EventCount    uint64
}

// SystemMetrics counts what is stored. The three statuses count instances by
// their current execution.
type SystemMetrics struct {
	TotalInstances     uint64
	TotalExecutions    uint64
	RunningInstances   uint64
	CompletedInstances uint64
	FailedInstances    uint64
	TotalEvents        uint64
}

// QueueDepths counts messages that could be fetched now. Timers live in the
// orchestrator queue, so TimerQueue is always 0.
type QueueDepths struct {
	OrchestratorQueue uint64
	WorkerQueue       uint64
	TimerQueue        uint64
}

// InstanceFilter selects instances; all conditions must hold.
type InstanceFilter struct {
	// InstanceIDs restricts the selection; nil for no restriction, empty for
	// nothing at all.
	InstanceIDs []string
	// CompletedBeforeMs selects instances whose current execution ended
	// strictly before it, epoch milliseconds; nil for no restriction.
	CompletedBeforeMs *uint64
	// Limit bounds how many instances are taken; nil for [DefaultBulkLimit].
	Limit *uint32
}

// PruneOptions selects executions; all conditions must hold. The zero value
// keeps only the current execution.
type PruneOptions struct {
	// KeepLast keeps that many of the newest executions; nil, 0 and 1 keep
	// the current one only.
	KeepLast *uint32
	// CompletedBeforeMs selects executions that ended strictly before it,
	// epoch milliseconds; nil for no restriction.
	CompletedBeforeMs *uint64
}

// DeleteInstanceResult counts what a deletion removed.
type DeleteInstanceResult struct {
	InstancesDeleted     uint64
	ExecutionsDeleted    uint64
	EventsDeleted        uint64
	QueueMessagesDeleted uint64
}

// PruneResult counts what pruning removed.
type PruneResult struct {
	InstancesProcessed uint64
	ExecutionsDeleted  uint64
	EventsDeleted      uint64
}

// InstanceTree is an instance with all its descendants.
type InstanceTree struct {
	RootID string
	// AllIDs holds the root too, in no particular order.
	AllIDs []string
}
