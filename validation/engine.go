package validation

import "context"

// EngineOptions says what runtime a case wants.
type EngineOptions struct {
	// Orchestrations and Activities are everything that the runtime can run.
	Orchestrations []EngineOrchestration
	// Activities maps names to code.
	Activities map[string]func(ctx context.Context, input string) (string, error)
	// MaxAttempts is how often a message may be delivered before it is poison; zero
	// for the runtime's default.
	MaxAttempts uint32
}

// EngineOrchestration is an orchestration with its code. Inputs, outputs and all
// other payloads are taken as they are, without any encoding.
type EngineOrchestration struct {
	Name    string
	Version string
	Run     func(EngineContext) (string, error)
}

// Engine is a runtime that works until it is stopped.
type Engine interface {
	// Stop shuts the runtime down and returns when nothing of it runs any more.
	Stop(ctx context.Context) error
}

// EngineContext is what the code of an [EngineOrchestration] works with.
type EngineContext interface {
	// Input is the input of the execution.
	Input() string
	// Activity calls an activity.
	Activity(name, input string) EngineFuture
	// Timer creates a timer that fires after ms milliseconds.
	Timer(ms uint64) EngineFuture
	// Wait waits for an external event of that name, by position.
	Wait(name string) EngineFuture
	// Dequeue takes the next message of a queue.
	Dequeue(queue string) EngineFuture
	// Await blocks until the future has a value.
	Await(f EngineFuture) (string, error)
	// Race blocks until one of the futures has a value and returns its index and
	// what it has. The others are dropped, which cancels them.
	Race(fs ...EngineFuture) (int, string, error)
	// ContinueAsNew returns the error to return in order to go on as a new
	// execution with that input.
	ContinueAsNew(input string) error
}

// EngineFuture is something that an orchestration waits for: what the methods of
// its [EngineContext] return.
type EngineFuture any
