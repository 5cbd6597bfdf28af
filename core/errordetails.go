package core

import "fmt"

// ErrorDetails is the error of an activity or an orchestration as it is stored
// (contract 2.3): one of [InfrastructureError], [ConfigurationError],
// [ApplicationError] and [PoisonError], as a value and not as a pointer. Each is
// also a Go error whose text is what user code sees and what a failed execution
// stores as its output.
type ErrorDetails interface {
	error
	// Category is "infrastructure", "configuration", "application" or "poison".
	Category() string
	// IsRetryable reports whether trying again may help; it is false for
	// configuration errors and poison.
	IsRetryable() bool
	isErrorDetails()
}

// InfrastructureError is a failure of storage or of the runtime itself.
type InfrastructureError struct {
	Operation string
	Message   string
	Retryable bool
}

// ConfigErrorKind says what is wrong with the code or its deployment.
type ConfigErrorKind string

// Nondeterminism is the only configuration error: code that does not repeat
// what its history records.
const Nondeterminism ConfigErrorKind = "Nondeterminism"

// ConfigurationError is code or a deployment that does not fit the history.
type ConfigurationError struct {
	Kind     ConfigErrorKind
	Resource string
	// Message is nil when there is nothing to add to Resource.
	Message *string
}

// AppErrorKind says which kind of application error it is. The zero value is
// invalid.
type AppErrorKind struct {
	// Name is "ActivityFailed", "OrchestrationFailed", "Panicked" or "Cancelled".
	Name string
	// Reason is set only for "Cancelled".
	Reason string
}

// The application error kinds without a payload.
var (
	KindActivityFailed      = AppErrorKind{Name: "ActivityFailed"}
	KindOrchestrationFailed = AppErrorKind{Name: "OrchestrationFailed"}
	KindPanicked            = AppErrorKind{Name: "Panicked"}
)

// nameCancelled is the stored name of the one kind that has a payload.
const nameCancelled = "Cancelled"

// KindCancelled is the application error kind of a cancelled orchestration.
func KindCancelled(reason string) AppErrorKind {
	return AppErrorKind{Name: nameCancelled, Reason: reason}
}

// ApplicationError is an error that user code returned or caused. It is the
// only category that a parent or caller can catch.
type ApplicationError struct {
	Kind      AppErrorKind
	Message   string
	Retryable bool
}

// PoisonMessageType names what could not be processed: one of
// [PoisonOrchestration], [PoisonActivity] and [PoisonUndecodable].
type PoisonMessageType interface{ isPoisonMessageType() }

// PoisonOrchestration is an orchestration whose messages were fetched too often.
type PoisonOrchestration struct {
	Instance    string
	ExecutionID uint64
}

// PoisonActivity is an activity that was fetched too often.
type PoisonActivity struct {
	Instance     string
	ExecutionID  uint64
	ActivityName string
	ActivityID   uint64
}

// PoisonUndecodable is an instance whose history cannot be decoded. Its stored
// name is "FailedDeserialization".
type PoisonUndecodable struct {
	Instance    string
	ExecutionID uint64
	Error       string
}

func (PoisonOrchestration) isPoisonMessageType() {}
func (PoisonActivity) isPoisonMessageType()      {}
func (PoisonUndecodable) isPoisonMessageType()   {}

// PoisonError is a message that was delivered more often than allowed.
type PoisonError struct {
	AttemptCount uint32
	MaxAttempts  uint32
	MessageType  PoisonMessageType
	// Message is the JSON of what could not be processed.
	Message string
}

// Error returns the display text of contract 2.3.
func (e InfrastructureError) Error() string {
	return "infrastructure:" + e.Operation + ": " + e.Message
}

// Error returns the display text of contract 2.3.
func (e ConfigurationError) Error() string {
	if e.Message == nil {
		return "nondeterministic in " + e.Resource
	}
	return "nondeterministic: " + *e.Message
}

// Error returns the display text of contract 2.3.
func (e ApplicationError) Error() string {
	switch e.Kind.Name {
	case nameCancelled:
		return "canceled: " + e.Kind.Reason
	case "Panicked":
		return "orchestration panicked: " + e.Message
	}
	return e.Message
}

// Error returns the display text of contract 2.3.
func (e PoisonError) Error() string {
	switch m := e.MessageType.(type) {
	case PoisonActivity:
		return fmt.Sprintf("poison: activity %s#%d exceeded %d attempts (max %d)",
			m.ActivityName, m.ActivityID, e.AttemptCount, e.MaxAttempts)
	case PoisonUndecodable:
		return fmt.Sprintf("poison: orchestration %s history deserialization failed after %d attempts (max %d): %s",
			m.Instance, e.AttemptCount, e.MaxAttempts, m.Error)
	case PoisonOrchestration:
		return fmt.Sprintf("poison: orchestration %s exceeded %d attempts (max %d)",
			m.Instance, e.AttemptCount, e.MaxAttempts)
	}
	return fmt.Sprintf("poison: exceeded %d attempts (max %d)", e.AttemptCount, e.MaxAttempts)
}

// Category implements [ErrorDetails].
func (InfrastructureError) Category() string { return "infrastructure" }

// Category implements [ErrorDetails].
func (ConfigurationError) Category() string { return "configuration" }

// Category implements [ErrorDetails].
func (ApplicationError) Category() string { return "application" }

// Category implements [ErrorDetails].
func (PoisonError) Category() string { return "poison" }

// IsRetryable implements [ErrorDetails].
func (e InfrastructureError) IsRetryable() bool { return e.Retryable }

// IsRetryable implements [ErrorDetails].
func (ConfigurationError) IsRetryable() bool { return false }

// IsRetryable implements [ErrorDetails].
func (e ApplicationError) IsRetryable() bool { return e.Retryable }

// IsRetryable implements [ErrorDetails].
func (PoisonError) IsRetryable() bool { return false }

func (InfrastructureError) isErrorDetails() {}
func (ConfigurationError) isErrorDetails()  {}
func (ApplicationError) isErrorDetails()    {}
func (PoisonError) isErrorDetails()         {}
