package core

import "context"

// Ability looks for an optional ability of a provider: T is an interface that
// the provider may implement beside [Provider], such as [Admin] or
// [AdminReader]. Decorators are looked through: a provider that wraps another
// one and offers Unwrap() Provider never hides what it does not itself
// implement.
//
//	admin, ok := core.Ability[core.AdminReader](provider)
func Ability[T any](p Provider) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		u, ok := p.(interface{ Unwrap() Provider })
		if !ok {
			break
		}
		p = u.Unwrap()
	}
	var none T
	return none, false
}

// TurnTracker is the optional ability to tell which turn of an instance was
// stored last, so that a runtime which kept the code suspended after that turn
// can go on without the history. A provider that has it fills
// OrchestrationItem.LastEventID and TurnToken, and may leave the history out as
// FetchOrchestrationItemParams.HistoryLimit allows.
//
// The token must be a new one with each turn, whoever stores it, and none for an
// instance that was deleted and started anew: ids repeat then, with another
// content.
type TurnTracker interface {
	// TracksTurns reports whether the store behind the provider does it; false
	// for a schema that is not far enough.
	TracksTurns() bool
}

// HistoryRangeReader is the optional ability to read a part of a history. The
// alternative is [HistoryStore].
type HistoryRangeReader interface {
	// ReadHistoryRange returns the events of one execution after AfterEventID
	// in order, at most Limit of them; none for an unknown execution. An event
	// that cannot be decoded makes the call fail with [ErrUndecodable].
	ReadHistoryRange(ctx context.Context, p ReadHistoryRangeParams) ([]Event, error)
}

// ReadHistoryRangeParams are the parameters of ReadHistoryRange.
type ReadHistoryRangeParams struct {
	Instance    string
	ExecutionID uint64
	// AfterEventID is the id before the first one wanted; 0 from the start.
	AfterEventID uint64
	// Limit is how many events are wanted at most; 0 for all.
	Limit int
}
