package core

// The limits and constants of the family (contract 6). A runtime enforces
// them before it acknowledges a turn; a provider only stores what it is given.
const (
	// FirstExecutionID is the id of an instance's first execution.
	FirstExecutionID uint64 = 1
	// FirstEventID is the id of an execution's first event.
	FirstEventID uint64 = 1
	// PoisonEventID is the id of the one event that ends an execution whose
	// history cannot be decoded.
	PoisonEventID uint64 = 99999
	// MaxCarryForwardEvents is how many unread queued messages cross a
	// continue-as-new; the oldest are kept.
	MaxCarryForwardEvents = 100
	// MaxCustomStatusBytes bounds the custom status.
	MaxCustomStatusBytes = 256 * 1024
	// MaxWorkerTags is how many distinct tags a [TagFilter] may hold.
	MaxWorkerTags = 5
	// MaxTagBytes bounds an activity's tag.
	MaxTagBytes = 256
	// MaxKVKeys is how many keys an instance may hold.
	MaxKVKeys = 150
	// MaxKVValueBytes bounds one value of the key-value store.
	MaxKVValueBytes = 64 * 1024
	// DefaultBulkLimit is how many instances a bulk operation takes when its
	// filter has no limit.
	DefaultBulkLimit = 1000
	// VersionComponentBound: minor and patch of a pinned version are below it,
	// since providers compare versions packed into one integer.
	VersionComponentBound = 1000
	// SyscallPrefix starts the names of the activities that the runtime
	// itself provides.
	SyscallPrefix = "__duroxide_syscall:"
	// UnknownVersion is the orchestration version that a fetch reports when
	// none is stored.
	UnknownVersion = "unknown"
	// ExecutionVersionUnset is the orchestration version "0.0.0", which means
	// "resolve by policy".
	ExecutionVersionUnset = "0.0.0"
)
