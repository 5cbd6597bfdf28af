package core

import (
	"context"
	"sync"
)

// InstanceWatcher is the optional ability to tell when an instance may have ended
// or changed its custom status, so that those who wait for it need not ask all
// the time.
type InstanceWatcher interface {
	// WatchInstances calls f with hints until ctx ends, whose cause it returns,
	// or until there will be none, as when the provider is closed. Nothing of it
	// runs when it returns. The first hint comes at once and names no instance.
	// f may be called by several goroutines at the same time; it must not block
	// and not call the provider.
	WatchInstances(ctx context.Context, f func(InstanceHint)) error
}

// InstanceHint says that somebody who waits may have waited long enough. What is
// stored is the truth.
type InstanceHint struct {
	// Instance has perhaps ended or changed its custom status. It is empty when
	// any instance may have done so without a hint.
	Instance string
	// Blind counts if Instance is empty. It says that from now on there are no
	// hints of what other processes record, until a hint that says otherwise.
	Blind bool
}

// InstanceStateReader is the optional ability to look at many instances at once.
// The alternative is [AdminReader], and [StatusStore] for the custom status.
type InstanceStateReader interface {
	// GetInstanceStates returns the state of each of the instances that exists,
	// in no particular order.
	GetInstanceStates(ctx context.Context, p GetInstanceStatesParams) ([]InstanceState, error)
}

// GetInstanceStatesParams are the parameters of GetInstanceStates.
type GetInstanceStatesParams struct{ Instances []string }

// InstanceState is what those who wait for an instance have to know.
type InstanceState struct {
	InstanceID string
	// ExecutionID is the current execution; Status and Output are its own, as in
	// [InstanceInfo].
	ExecutionID uint64
	Status      ExecutionStatus
	Output      *string
	// CustomStatus is nil when it was never set or was cleared; its version grows
	// by one with every turn that touches it.
	CustomStatus        *string
	CustomStatusVersion uint64
}

// InstanceHints passes hints on inside a process, for providers that are an
// [InstanceWatcher]. The zero value is ready to use, and safe for concurrent use.
type InstanceHints struct {
	mu       sync.RWMutex
	watchers map[*byte]func(InstanceHint)
}

// Add lets f have the hints until remove is called. They no longer arrive when
// remove returns.
func (h *InstanceHints) Add(f func(InstanceHint)) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[*byte]func(InstanceHint){}
	}
	key := new(byte)
	h.watchers[key] = f
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, key)
	}
}

// Tell gives a hint.
func (h *InstanceHints) Tell(hint InstanceHint) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, f := range h.watchers {
		f(hint)
	}
}

// Acked gives a hint if a turn that was just recorded is worth one.
func (h *InstanceHints) Acked(p *AckOrchestrationItemParams) {
	if len(p.HistoryDelta) == 0 {
		return
	}
	worth := p.Metadata.Status == StatusCompleted || p.Metadata.Status == StatusFailed
	for _, ev := range p.HistoryDelta {
		if _, ok := ev.Data.(CustomStatusUpdated); ok {
			worth = true
		}
	}
	if worth {
		h.Tell(InstanceHint{Instance: p.HistoryDelta[0].InstanceID})
	}
}
