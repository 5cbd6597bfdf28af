package replay

import (
	"errors"

	"github.com/duroxide/duroxide-go/core"
)

// ErrDropped is what waiting for a future gives that lost a race, was
// cancelled, or whose block has ended.
var ErrDropped = errors.New("the future was cancelled")

// Future is the outcome of something that user code scheduled.
type Future struct {
	x    *execution
	kind scheduleKind
	// seq is its place among the futures of the execution, id the schedule id,
	// 0 while the action is not bound to an event.
	seq, id uint64
	sub     *subscription

	done    bool
	value   string
	details core.ErrorDetails
	// refused is set when nothing was scheduled at all.
	refused error

	observed, dropped bool
}

// Ready reports whether Take has something to give. It has no effect.
func (f *Future) Ready() bool {
	return f.done || f.dropped || f.sub != nil && f.sub.arrived() != nil
}

// Take returns the outcome of a ready future and marks it observed. Details
// are set when an activity or a child failed, err when there is no outcome.
func (f *Future) Take() (value string, details core.ErrorDetails, err error) {
	if f.refused != nil {
		return "", nil, f.refused
	}
	if f.dropped && !f.observed {
		return "", nil, ErrDropped
	}
	f.observed = true
	if !f.done {
		a := f.sub.arrived()
		a.read = true
		f.done, f.value = true, a.data
	}
	return f.value, f.details, nil
}

// ID returns the schedule id, 0 while there is none.
func (f *Future) ID() uint64 { return f.id }

// Drop gives the future up: nobody wants its outcome any more (1.11). It has no
// effect on one that was observed.
func (f *Future) Drop() {
	if f.observed || f.dropped || f.refused != nil || f.x.over {
		return
	}
	f.dropped = true
	f.x.dropped = append(f.x.dropped, f)
	if f.sub != nil && !f.x.legacy {
		f.sub.cancel(f.kind == waitSchedule)
	}
}

// bind ties the future of an action to the event that records it.
func (x *execution) bind(f *Future, id uint64, name string) {
	if f == nil {
		return
	}
	f.id = id
	switch f.kind {
	case waitSchedule:
		f.sub = x.box(x.waits, name).subscribe()
	case queueSchedule:
		f.sub = x.box(x.queues, name).subscribe()
	default:
		x.open[id] = f
		return
	}
	x.subs[id] = f.sub
	if f.dropped && !x.legacy {
		f.sub.cancel(false)
	}
}
