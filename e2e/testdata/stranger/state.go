package stranger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// encode prepares events for an execution, and refuses ids that are taken.
// What is stored is not looked into: it may be undecodable.
func (i *instance) encode(execution uint64, events []core.Event) (map[uint64][]byte, error) {
	encoded := map[uint64][]byte{}
	for _, e := range events {
		if e.ID == 0 {
			return nil, fmt.Errorf("%w: an event without an id", core.ErrInvalidArgument)
		}
		if encoded[e.ID] != nil || i.history[execution][e.ID] != nil {
			return nil, fmt.Errorf("%w: id %d", core.ErrDuplicateEvent, e.ID)
		}
		var err error
		if encoded[e.ID], err = core.EncodeEvent(e); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

func (i *instance) append(execution uint64, encoded map[uint64][]byte) {
	if i.history[execution] == nil {
		i.history[execution] = map[uint64][]byte{}
	}
	maps.Copy(i.history[execution], encoded)
}

// events decodes the history of an execution: all of it or none.
func (i *instance) events(execution uint64) ([]core.Event, error) {
	var events []core.Event
	for _, id := range slices.Sorted(maps.Keys(i.history[execution])) {
		e, err := core.DecodeEvent(i.history[execution][id])
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", id, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// latest returns the highest execution id, 1 without any.
func (i *instance) latest() uint64 {
	latest := core.FirstExecutionID
	for id := range i.executions {
		latest = max(latest, id)
	}
	return latest
}

// apply makes what the events of a turn say about the instance's state true.
func (i *instance) apply(events []core.Event, now uint64) {
	touched := false
	for _, e := range events {
		switch d := e.Data.(type) {
		case core.KeyValueSet:
			i.delta[d.Key] = &core.KVEntry{Value: d.Value, LastUpdatedAtMs: d.LastUpdatedAtMs}
		case core.KeyValueCleared:
			i.delta[d.Key] = nil
		case core.KeyValuesCleared:
			for key := range i.live() {
				i.delta[key] = nil
			}
		case core.CustomStatusUpdated:
			if i.row != nil {
				i.row.status, touched = clone(d.Status), true
			}
		}
	}
	if touched {
		i.row.statusVersion++ // once, however many events
		i.row.updatedAt = now
	}
}

// live returns the key-values as clients see them.
func (i *instance) live() map[string]core.KVEntry {
	live := maps.Clone(i.store)
	for key, entry := range i.delta {
		if entry == nil {
			delete(live, key)
		} else {
			live[key] = *entry
		}
	}
	return live
}

// merge ends an execution: the next one starts from what it left.
func (i *instance) merge() {
	i.store, i.delta = i.live(), map[string]*core.KVEntry{}
}

// Read implements [core.HistoryStore].
func (p *Provider) Read(ctx context.Context, a core.ReadParams) (events []core.Event, err error) {
	err = p.transaction(ctx, "read", func(uint64) (err error) {
		i := p.instance(a.Instance)
		events, err = i.events(i.latest())
		return err
	})
	return events, err
}

// ReadWithExecution implements [core.HistoryStore].
func (p *Provider) ReadWithExecution(ctx context.Context, a core.ReadWithExecutionParams) (events []core.Event, err error) {
	err = p.transaction(ctx, "read_with_execution", func(uint64) (err error) {
		events, err = p.instance(a.Instance).events(a.ExecutionID)
		return err
	})
	return events, err
}

// AppendWithExecution implements [core.HistoryStore].
func (p *Provider) AppendWithExecution(ctx context.Context, a core.AppendWithExecutionParams) error {
	return p.transaction(ctx, "append_with_execution", func(uint64) error {
		i := p.instance(a.Instance)
		encoded, err := i.encode(a.ExecutionID, a.Events)
		if err == nil {
			i.append(a.ExecutionID, encoded)
		}
		return err
	})
}

// GetCustomStatus implements [core.StatusStore].
func (p *Provider) GetCustomStatus(ctx context.Context, a core.GetCustomStatusParams) (status *core.CustomStatus, err error) {
	err = p.transaction(ctx, "get_custom_status", func(uint64) error {
		if r := p.instance(a.Instance).row; r != nil && r.statusVersion > a.LastSeenVersion {
			status = &core.CustomStatus{Status: clone(r.status), Version: r.statusVersion}
		}
		return nil
	})
	return status, err
}

// GetInstanceStats implements [core.StatusStore].
func (p *Provider) GetInstanceStats(ctx context.Context, a core.GetInstanceStatsParams) (stats *core.SystemStats, err error) {
	err = p.transaction(ctx, "get_instance_stats", func(uint64) error {
		i := p.instance(a.Instance)
		if i.row == nil {
			return nil
		}
		s := &core.SystemStats{}
		for _, data := range i.history[i.row.current] {
			s.HistoryEventCount++
			s.HistorySizeBytes += uint64(len(data))
		}
		if first := i.history[i.row.current][core.FirstEventID]; first != nil {
			e, err := core.DecodeEvent(first)
			if err != nil {
				return err
			}
			if started, ok := e.Data.(core.OrchestrationStarted); ok {
				s.QueuePendingCount = uint64(len(started.CarryForwardEvents))
			}
		}
		for _, entry := range i.live() {
			s.KVUserKeyCount++
			s.KVTotalValueBytes += uint64(len(entry.Value))
		}
		stats = s
		return nil
	})
	return stats, err
}

// GetKVValue implements [core.KVStore].
func (p *Provider) GetKVValue(ctx context.Context, a core.GetKVValueParams) (*string, error) {
	values, err := p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: a.Instance})
	if value, ok := values[a.Key]; ok {
		return &value, nil
	}
	return nil, err
}

// GetKVAllValues implements [core.KVStore].
func (p *Provider) GetKVAllValues(ctx context.Context, a core.GetKVAllValuesParams) (map[string]string, error) {
	values := map[string]string{}
	err := p.transaction(ctx, "get_kv_all_values", func(uint64) error {
		for key, entry := range p.instance(a.Instance).live() {
			values[key] = entry.Value
		}
		return nil
	})
	return values, err
}
