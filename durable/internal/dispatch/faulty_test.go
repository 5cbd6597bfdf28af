package dispatch

import (
	"context"
	"slices"
	"sync"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

// faulty lets a test look at every provider call that a dispatcher makes, and
// answer it in the provider's place.
type faulty struct {
	core.Provider
	mu    sync.Mutex
	calls map[string]int
	// before may return an error instead of the call; n counts the calls of
	// that method from 1. It runs without the lock.
	before func(ctx context.Context, method string, n int, params any) error
	acks   []core.AckOrchestrationItemParams
	gone   []core.AbandonParams
}

func newFaulty() *faulty {
	return &faulty{Provider: memprovider.New(nil), calls: map[string]int{}}
}

// Unwrap shows the optional abilities of the provider within.
func (f *faulty) Unwrap() core.Provider { return f.Provider }

func (f *faulty) call(ctx context.Context, method string, params any) error {
	f.mu.Lock()
	f.calls[method]++
	n, before := f.calls[method], f.before
	f.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, method, n, params)
}

func (f *faulty) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// total is the number of all calls.
func (f *faulty) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, calls := range f.calls {
		n += calls
	}
	return n
}

func (f *faulty) abandons() []core.AbandonParams {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := slices.Clone(f.gone)
	for i := range out {
		out[i].LockToken = ""
	}
	return out
}

func (f *faulty) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	if err := f.call(ctx, "fetch turn", p); err != nil {
		return nil, err
	}
	return f.Provider.FetchOrchestrationItem(ctx, p)
}

func (f *faulty) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	if err := f.call(ctx, "ack turn", p); err != nil {
		return err
	}
	err := f.Provider.AckOrchestrationItem(ctx, p)
	if err == nil {
		f.mu.Lock()
		f.acks = append(f.acks, p)
		f.mu.Unlock()
	}
	return err
}

func (f *faulty) AbandonOrchestrationItem(ctx context.Context, p core.AbandonParams) error {
	f.mu.Lock()
	f.gone = append(f.gone, p)
	f.mu.Unlock()
	if err := f.call(ctx, "abandon turn", p); err != nil {
		return err
	}
	return f.Provider.AbandonOrchestrationItem(ctx, p)
}

func (f *faulty) RenewOrchestrationItemLock(ctx context.Context, p core.RenewLockParams) error {
	if err := f.call(ctx, "renew turn", p); err != nil {
		return err
	}
	return f.Provider.RenewOrchestrationItemLock(ctx, p)
}

func (f *faulty) FetchWorkItem(ctx context.Context, p core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	if err := f.call(ctx, "fetch activity", p); err != nil {
		return nil, err
	}
	return f.Provider.FetchWorkItem(ctx, p)
}

func (f *faulty) AckWorkItem(ctx context.Context, p core.AckWorkItemParams) error {
	if err := f.call(ctx, "ack activity", p); err != nil {
		return err
	}
	return f.Provider.AckWorkItem(ctx, p)
}

func (f *faulty) AbandonWorkItem(ctx context.Context, p core.AbandonParams) error {
	f.mu.Lock()
	f.gone = append(f.gone, p)
	f.mu.Unlock()
	if err := f.call(ctx, "abandon activity", p); err != nil {
		return err
	}
	return f.Provider.AbandonWorkItem(ctx, p)
}

func (f *faulty) RenewWorkItemLock(ctx context.Context, p core.RenewLockParams) error {
	if err := f.call(ctx, "renew activity", p); err != nil {
		return err
	}
	return f.Provider.RenewWorkItemLock(ctx, p)
}

func (f *faulty) RenewSessionLock(ctx context.Context, p core.RenewSessionLockParams) (uint64, error) {
	if err := f.call(ctx, "renew sessions", p); err != nil {
		return 0, err
	}
	return f.Provider.RenewSessionLock(ctx, p)
}

func (f *faulty) CleanupOrphanedSessions(ctx context.Context, p core.CleanupOrphanedSessionsParams) (uint64, error) {
	if err := f.call(ctx, "clean up sessions", p); err != nil {
		return 0, err
	}
	return f.Provider.CleanupOrphanedSessions(ctx, p)
}

// failing answers the first n calls of a method with an error.
func failing(method string, n int, err error) func(context.Context, string, int, any) error {
	return func(_ context.Context, m string, k int, _ any) error {
		if m == method && k <= n {
			return err
		}
		return nil
	}
}
