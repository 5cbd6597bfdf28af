package notifier

import (
	"context"
	"time"
)

// Source opens connections that can listen. Each call makes a new one.
type Source interface {
	Connect(ctx context.Context) (Conn, error)
}

// Conn is a connection that listens. It is used by one goroutine at a time. It
// never connects again by itself: an outage has to be seen.
type Conn interface {
	// Listen subscribes to channels, whose names are taken as they are.
	Listen(ctx context.Context, channels ...string) error
	// Wait returns the next notification. It has to notice within a minute or
	// so when the server is gone without a word.
	Wait(ctx context.Context) (Notification, error)
	// Close closes the connection and waits until nothing of it runs.
	Close(ctx context.Context) error
}

// Notification is a message of the database.
type Notification struct {
	Channel string
	Payload string
}

// Refresher asks the database which due times lie ahead.
type Refresher interface {
	// Refresh returns when rows of either queue become visible and when locks
	// expire, up to the given time. What is due by now counts too; once is
	// enough.
	Refresh(ctx context.Context, now, until time.Time) (Due, error)
}

// Due is the answer of a [Refresher].
type Due struct {
	Orchestrator []time.Time
	Worker       []time.Time
	// Until is set if there was too much: the answer is complete up to then.
	Until time.Time
}
