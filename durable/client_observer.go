package durable

import (
	"context"
	"time"
)

// ClientObserver is a set of functions that a [Client] calls when it did
// something; see [Observer]. They get the caller's context. What is sent in a
// transaction of the caller's is told when it is stored there, whether that
// commits or not.
type ClientObserver struct {
	// Started is called when a start was sent. One that need not be sent,
	// because the instance is there, is not told, but one that will be ignored
	// when it arrives is.
	Started func(context.Context, ClientStarted)
	// EventRaised is called when an event was sent; not for messages to queues.
	EventRaised func(context.Context, ClientEventRaised)
	// Cancelled is called when a cancellation was sent; not for requests to
	// cancel.
	Cancelled func(context.Context, ClientCancelled)
	// Waited is called when a wait for the end of an instance is over, in any
	// way.
	Waited func(context.Context, ClientWaited)
}

// ClientStarted says that a client sent a start.
type ClientStarted struct {
	InstanceID string
	// Name is the orchestration's.
	Name string
}

// ClientEventRaised says that a client sent an event.
type ClientEventRaised struct {
	InstanceID string
	// Name is the event's.
	Name string
}

// ClientCancelled says that a client sent a cancellation.
type ClientCancelled struct{ InstanceID string }

// ClientWaited says that a client waited.
type ClientWaited struct {
	InstanceID string
	Duration   time.Duration
	// Err is what the wait returned, such as that of a context that ended; nil
	// if the instance has ended, in any way.
	Err error
}
