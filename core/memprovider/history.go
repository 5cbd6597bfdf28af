package memprovider

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// A history is the events of one execution, ascending by id. Nil is an empty one.
type history struct {
	events  []core.Event
	corrupt bool // as if an event could not be decoded; see CorruptHistory
}

func (h *history) len() int {
	if h == nil {
		return 0
	}
	return len(h.events)
}

// lastID returns the id of the last event, 0 for none.
func (h *history) lastID() uint64 {
	if h.len() == 0 {
		return 0
	}
	return h.events[len(h.events)-1].ID
}

// read returns copies of the events.
func (h *history) read() ([]core.Event, error) {
	return h.after(0, 0)
}

// after returns copies of the events that follow an id, with a limit at most
// that many.
func (h *history) after(id uint64, limit int) ([]core.Event, error) {
	if h == nil {
		return nil, nil
	}
	if h.corrupt {
		return nil, fmt.Errorf("history: %w", core.ErrUndecodable)
	}
	from, found := h.find(id)
	if found {
		from++
	}
	stored := h.events[from:]
	if limit > 0 {
		stored = stored[:min(limit, len(stored))]
	}
	events := make([]core.Event, len(stored))
	for n, e := range stored {
		events[n], _ = cloneEvent(e)
	}
	return events, nil
}

// find returns where an event id is or belongs.
func (h *history) find(id uint64) (at int, found bool) {
	if h == nil {
		return 0, false
	}
	if n := len(h.events); n == 0 || h.events[n-1].ID < id {
		return n, false // the usual case: behind all
	}
	return slices.BinarySearchFunc(h.events, id, func(e core.Event, id uint64) int { return cmp.Compare(e.ID, id) })
}

// checkAppend refuses ids that are stored already or come twice. Stored events
// are not looked into, so that undecodable ones stand in nobody's way.
func (h *history) checkAppend(delta []core.Event) error {
	seen := make(map[uint64]bool, len(delta))
	for _, e := range delta {
		if _, found := h.find(e.ID); found || seen[e.ID] {
			return fmt.Errorf("%w: id %d", core.ErrDuplicateEvent, e.ID)
		}
		seen[e.ID] = true
	}
	return nil
}

// appendHistory takes over events that checkAppend has passed.
func (i *instance) appendHistory(executionID uint64, delta []core.Event) {
	if len(delta) == 0 {
		return
	}
	h := i.histories[executionID]
	if h == nil {
		h = &history{}
		i.histories[executionID] = h
	}
	for _, e := range delta {
		at, _ := h.find(e.ID)
		h.events = slices.Insert(h.events, at, e)
	}
}

// Read implements [core.HistoryStore].
func (p *Provider) Read(ctx context.Context, a core.ReadParams) ([]core.Event, error) {
	return p.read(ctx, "read", a.Instance, nil)
}

// ReadWithExecution implements [core.HistoryStore].
func (p *Provider) ReadWithExecution(ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
	return p.read(ctx, "read_with_execution", a.Instance, &a.ExecutionID)
}

// read returns the events of one execution, nil for the latest.
func (p *Provider) read(ctx context.Context, op, id string, executionID *uint64) ([]core.Event, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[id]
	if i == nil {
		return nil, nil
	}
	if executionID == nil {
		executionID = &i.latest
	}
	events, err := i.histories[*executionID].read()
	return events, core.Permanent(op, err)
}

// TracksTurns implements [core.TurnTracker].
func (*Provider) TracksTurns() bool { return true }

// ReadHistoryRange implements [core.HistoryRangeReader].
func (p *Provider) ReadHistoryRange(ctx context.Context, a core.ReadHistoryRangeParams) ([]core.Event, error) {
	const op = "read_history_range"
	if a.Limit < 0 {
		return nil, core.Permanent(op, fmt.Errorf("%w: Limit must be zero or more, not %d", core.ErrInvalidArgument, a.Limit))
	}
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil {
		return nil, nil
	}
	events, err := i.histories[a.ExecutionID].after(a.AfterEventID, a.Limit)
	return events, core.Permanent(op, err)
}

// AppendWithExecution implements [core.HistoryStore]. It refuses ids that are
// stored already.
func (p *Provider) AppendWithExecution(ctx context.Context, a core.AppendWithExecutionParams) error {
	const op = "append_with_execution"
	delta, err := cloneEvents(a.Events)
	if err != nil {
		return core.Permanent(op, fmt.Errorf("the field Events: %w", err))
	}
	if _, err := p.begin(ctx); err != nil {
		return err
	}
	defer p.mu.Unlock()
	if len(delta) == 0 {
		return nil
	}
	if i := p.instances[a.Instance]; i != nil {
		err = i.histories[a.ExecutionID].checkAppend(delta)
	} else {
		err = (*history)(nil).checkAppend(delta)
	}
	if err != nil {
		return core.Permanent(op, err)
	}
	p.instance(a.Instance).appendHistory(a.ExecutionID, delta)
	return nil
}
