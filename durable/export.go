package durable

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
)

// ExportOptions change what [Client.ExportHistory] writes. The zero value is
// the default.
type ExportOptions struct {
	// AllExecutions writes the executions before the current one too, as far
	// as they are stored.
	AllExecutions bool
	// Redact writes placeholders of the same shape in the place of inputs,
	// results, messages, errors, statuses and values. Names, ids, tags,
	// sessions, the keys of objects and of the store, and times stay.
	Redact bool
}

// ExportHistory writes the history of an instance's current execution, as JSON
// lines that durabletest.Replay and durabletest.CheckMain replay. Several
// instances may be written one after the other. It only reads, so that it is
// safe on an instance that is running. Nil options are the defaults.
//
// It returns [ErrInstanceNotFound] for an instance that has not started, and
// [ErrNotSupported] when the provider has no [core.AdminReader].
func (c *Client) ExportHistory(ctx context.Context, w io.Writer, id string, o *ExportOptions) error {
	var opts ExportOptions
	if o != nil {
		opts = *o
	}
	executions, err := c.recordedExecutions(ctx, id, opts.AllExecutions)
	if err != nil {
		return fmt.Errorf("export %s: %w", id, err)
	}
	for i := range executions {
		e := executions[i]
		if opts.Redact {
			e = recording.Redact(e)
		}
		if err := recording.Write(w, &e); err != nil {
			return fmt.Errorf("export %s: %w", id, err)
		}
	}
	return nil
}

func (c *Client) recordedExecutions(ctx context.Context, id string, all bool) ([]recording.Execution, error) {
	admin, ok := core.Ability[core.AdminReader](c.provider)
	if !ok {
		return nil, ErrNotSupported
	}
	ids, err := admin.ListExecutions(ctx, core.ListExecutionsParams{Instance: id})
	if err != nil {
		return nil, err
	}
	// Only if there are keys does the current execution depend on earlier ones.
	current := ids[max(len(ids)-1, 0):]
	if !all && len(ids) > 1 {
		usesKV, err := c.usesKV(ctx, id, current[0])
		if err != nil {
			return nil, err
		}
		if !usesKV {
			ids = current
		}
	}
	var executions []recording.Execution
	for _, execution := range ids {
		events, err := c.ExecutionHistory(ctx, id, execution)
		if err != nil {
			return nil, err
		}
		if len(events) > 0 { // else it was pruned since
			executions = append(executions, recording.Execution{Instance: id, ID: execution, Events: events})
		}
	}
	if len(executions) == 0 {
		return nil, ErrInstanceNotFound
	}
	if err := c.addKV(ctx, id, executions); err != nil {
		return nil, err
	}
	if !all {
		executions = executions[len(executions)-1:]
	}
	return executions, nil
}

// usesKV reports whether the instance has keys or the execution changed any.
func (c *Client) usesKV(ctx context.Context, id string, execution uint64) (bool, error) {
	values, err := c.KVAll(ctx, id)
	if err != nil || len(values) > 0 {
		return true, err
	}
	events, err := c.ExecutionHistory(ctx, id, execution)
	return slices.ContainsFunc(events, changesKV), err
}

func changesKV(ev core.Event) bool {
	switch ev.Data.(type) {
	case core.KeyValueSet, core.KeyValueCleared, core.KeyValuesCleared:
		return true
	}
	return false
}

// addKV gives each execution the key-value state before it, which the events of
// those before it make. What executions left that are not stored any more is
// known for the keys that none of the stored ones changed.
func (c *Client) addKV(ctx context.Context, id string, executions []recording.Execution) error {
	state := map[string]core.KVEntry{}
	if executions[0].ID != core.FirstExecutionID {
		values, err := c.KVAll(ctx, id)
		if err != nil {
			return err
		}
		for key, value := range values {
			if !slices.ContainsFunc(executions, func(e recording.Execution) bool { return changesKey(e.Events, key) }) {
				state[key] = core.KVEntry{Value: value}
			}
		}
	}
	for i := range executions {
		executions[i].KV = maps.Clone(state)
		for _, ev := range executions[i].Events {
			switch d := ev.Data.(type) {
			case core.KeyValueSet:
				state[d.Key] = core.KVEntry{Value: d.Value, LastUpdatedAtMs: d.LastUpdatedAtMs}
			case core.KeyValueCleared:
				delete(state, d.Key)
			case core.KeyValuesCleared:
				clear(state)
			}
		}
	}
	return nil
}

func changesKey(events []core.Event, key string) bool {
	return slices.ContainsFunc(events, func(ev core.Event) bool {
		switch d := ev.Data.(type) {
		case core.KeyValueSet:
			return d.Key == key
		case core.KeyValueCleared:
			return d.Key == key
		}
		return false
	})
}
