package validation

import (
	"context"
	"time"
)

// EngineOptions says what runtime a case wants. A runtime that lets an instance
// wait when its code does not fit its history must be told to fail it.
type EngineOptions struct {
	// Orchestrations are all that the runtime can run. They call no activities
	// that run.
	Orchestrations []EngineOrchestration
	// MaxAttempts is how often a message may be delivered before it is poison; zero
	// for the runtime's default.
	MaxAttempts uint32
	// UnregisteredBackoff is the delay before an instance without code, or one
	// that waits for its next execution, is tried again; zero for the runtime's
	// default. It may grow with every attempt.
	UnregisteredBackoff time.Duration
}

// EngineOrchestration is an orchestration with its code.
type EngineOrchestration struct {
	Name    string
	Version string
	// Run is the code. Inputs, outputs, messages and results are texts that are
	// stored as they are, without any encoding.
	Run func(c EngineContext, input string) (string, error)
}

// Engine is a runtime that works until it is stopped.
type Engine interface {
	// Stop shuts the runtime down and returns when nothing of it runs any more.
	// Stopping it again is no error.
	Stop(ctx context.Context) error
}

// EngineContext is what the code of an [EngineOrchestration] works with.
type EngineContext interface {
	// Activity calls an activity.
	Activity(name, input string) EngineFuture
	// Child starts a child under the given instance id.
	Child(name, instance, input string) EngineFuture
	// Timer creates a timer.
	Timer(d time.Duration) EngineFuture
	// Wait waits for an external event of that name, by position.
	Wait(name string) EngineFuture
	// Dequeue takes the next message of a queue.
	Dequeue(queue string) EngineFuture
	// Await blocks until the future has a result. That of a timer is empty.
	Await(f EngineFuture) (string, error)
	// Race blocks until one of the futures has a result, drops the others, which
	// cancels them, and returns the index of the winner. Await then gives its
	// result.
	Race(futures ...EngineFuture) int
	// ContinueAsNew returns the error to return in order to go on as a new
	// execution of the given orchestration with that input.
	ContinueAsNew(name, input string) error
}

// EngineFuture is something that an orchestration waits for: what the methods of
// its [EngineContext] return, of whatever type.
type EngineFuture any
