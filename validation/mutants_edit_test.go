package validation_test

import (
	"context"
	"sync"

	"github.com/duroxide/duroxide-go/core"
)

// The functions of this file make mutants of one edit: of what a method is
// given, or of what it answers.

type (
	fetchTurnParams = core.FetchOrchestrationItemParams
	fetchWorkParams = core.FetchWorkItemParams
	ackTurnParams   = core.AckOrchestrationItemParams
)

// given edits what a call is given.
func given[P, R any](sound call[P, R], edit func(*P)) call[P, R] {
	return func(p core.Provider, ctx context.Context, a P) (R, error) {
		edit(&a)
		return sound(p, ctx, a)
	}
}

// givenAct is given for a call without a result.
func givenAct[P any](sound act[P], edit func(*P)) act[P] {
	return func(p core.Provider, ctx context.Context, a P) error {
		edit(&a)
		return sound(p, ctx, a)
	}
}

// answers edits what a call answers; it is not asked about errors.
func answers[P, R any](sound call[P, R], edit func(a P, r R) R) call[P, R] {
	return func(p core.Provider, ctx context.Context, a P) (R, error) {
		r, err := sound(p, ctx, a)
		if err == nil {
			r = edit(a, r)
		}
		return r, err
	}
}

// onTurn edits a turn that is fetched.
func onTurn(edit func(*core.OrchestrationItem)) call[fetchTurnParams, *core.OrchestrationItem] {
	return answers(core.Provider.FetchOrchestrationItem, func(_ fetchTurnParams, item *core.OrchestrationItem) *core.OrchestrationItem {
		if item != nil {
			edit(item)
		}
		return item
	})
}

// onWork edits an activity that is fetched.
func onWork(edit func(*core.LockedWorkItem)) call[fetchWorkParams, *core.LockedWorkItem] {
	return answers(core.Provider.FetchWorkItem, func(_ fetchWorkParams, item *core.LockedWorkItem) *core.LockedWorkItem {
		if item != nil {
			edit(item)
		}
		return item
	})
}

// onDelta edits the events of an ack, one by one; nil drops one.
func onDelta(edit func(core.EventData) core.EventData) act[ackTurnParams] {
	return givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
		var events []core.Event
		for _, e := range a.HistoryDelta {
			if e.Data = edit(e.Data); e.Data != nil {
				events = append(events, e)
			}
		}
		a.HistoryDelta = events
	})
}

// refused is a call that is refused when the question is answered with yes.
func refused[P any](sound act[P], when func(p core.Provider, ctx context.Context, a P) bool) act[P] {
	return func(p core.Provider, ctx context.Context, a P) error {
		if when(p, ctx, a) {
			return core.Permanent("mutant", core.ErrLockLost)
		}
		return sound(p, ctx, a)
	}
}

// pretends is a call whose failure looks like success.
func pretends[P any](sound act[P]) act[P] {
	return func(p core.Provider, ctx context.Context, a P) error {
		_ = sound(p, ctx, a)
		return nil
	}
}

// idle is a call that does nothing.
func idle[P any](core.Provider, context.Context, P) error { return nil }

// giveBack undoes a fetch of a turn.
func giveBack(p core.Provider, ctx context.Context, item *core.OrchestrationItem) {
	if item != nil {
		_ = p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: item.LockToken, IgnoreAttempt: true})
	}
}

// giveWorkBack undoes a fetch of an activity.
func giveWorkBack(p core.Provider, ctx context.Context, item *core.LockedWorkItem) {
	if item != nil {
		_ = p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: item.LockToken, IgnoreAttempt: true})
	}
}

// A memo is what a mutant remembers.
type memo[K comparable, V any] struct{ m sync.Map }

func (m *memo[K, V]) put(k K, v V) { m.m.Store(k, v) }

func (m *memo[K, V]) get(k K) V {
	v, _ := m.m.Load(k)
	r, _ := v.(V)
	return r
}
