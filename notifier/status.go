package notifier

import (
	"context"
	"time"
)

// Status is a snapshot of a notifier.
type Status struct {
	// Listening says that notifications arrive at present.
	Listening bool
	// Since is when Listening last changed.
	Since time.Time
	// ListenError is why nothing listens, or why that was so last time.
	ListenError error
	// Connects counts connections that could subscribe; all but the first
	// followed a loss.
	Connects uint64
	// Notifications counts what arrived on the channels of the schema.
	Notifications uint64
	// Refreshes counts looks ahead that succeeded, LastRefresh is when the
	// last one began.
	Refreshes   uint64
	LastRefresh time.Time
	// RefreshError is the error of the last look ahead, nil if it succeeded.
	RefreshError error
}

// Status returns a snapshot.
func (n *Notifier) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// Listening reports whether notifications arrive at present, and returns a channel
// that is closed when that changes.
func (n *Notifier) Listening() (listening bool, changed <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status.Listening, n.changed
}

// WaitListening returns when the notifier listens, or with the context's cause.
func (n *Notifier) WaitListening(ctx context.Context) error {
	for {
		listening, changed := n.Listening()
		if listening {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// setListening records a change. The lock is not held.
func (n *Notifier) setListening(listening bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.status.ListenError = err
	}
	if listening {
		n.status.Connects++
	}
	if listening == n.status.Listening {
		return
	}
	n.status.Listening, n.status.Since = listening, time.Now()
	close(n.changed)
	n.changed = make(chan struct{})
	n.floor = n.nextFloor(time.Now())
}
