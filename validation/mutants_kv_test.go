package validation_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/duroxide/duroxide-go/core"
)

// Mutants of the key-values.
var kvMutants = []mutant{
	{"values are lost", "TestKvSetAndGet", still(broken{
		ackTurn: onDelta(func(d core.EventData) core.EventData {
			if _, ok := d.(core.KeyValueSet); ok {
				return core.OrchestrationCancelRequested{}
			}
			return d
		}),
	})},
	{"the first value of a key counts", "TestKvOverwrite", func() broken {
		var seen memo[string, bool]
		return broken{ackTurn: onDelta(func(d core.EventData) core.EventData {
			if s, ok := d.(core.KeyValueSet); ok {
				if seen.get(s.Key) {
					return core.OrchestrationCancelRequested{}
				}
				seen.put(s.Key, true)
			}
			return d
		})}
	}},
	{"a key cannot be cleared", "TestKvClearSingle", still(broken{
		ackTurn: onDelta(func(d core.EventData) core.EventData {
			if _, ok := d.(core.KeyValueCleared); ok {
				return core.OrchestrationCancelRequested{}
			}
			return d
		}),
	})},
	{"clearing all keys clears none", "TestKvClearAll", still(broken{
		ackTurn: onDelta(func(d core.EventData) core.EventData {
			if _, ok := d.(core.KeyValuesCleared); ok {
				return core.OrchestrationCancelRequested{}
			}
			return d
		}),
	})},
	{"clearing all keys also undoes what the ack sets", "TestKvSetAfterClear", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
			cleared := false
			var events []core.Event
			for _, e := range a.HistoryDelta {
				if _, ok := e.Data.(core.KeyValuesCleared); ok {
					cleared = true
				}
				if _, ok := e.Data.(core.KeyValueSet); !ok || !cleared {
					events = append(events, e)
				}
			}
			a.HistoryDelta = events
		}),
	})},
	{"a cleared key holds the empty text", "TestKvClearNonexistentKey", still(broken{
		ackTurn: onDelta(func(d core.EventData) core.EventData {
			if c, ok := d.(core.KeyValueCleared); ok {
				return core.KeyValueSet{Key: c.Key}
			}
			return d
		}),
	})},
	{"a missing key holds the empty text", "TestKvGetNonexistent", still(broken{
		value: answers(core.Provider.GetKVValue, func(_ core.GetKVValueParams, v *string) *string {
			if v == nil {
				v = new(string)
			}
			return v
		}),
	})},
	{"asking an unknown instance for a key is an error", "TestKvGetUnknownInstance", still(broken{
		value: func(p core.Provider, ctx context.Context, a core.GetKVValueParams) (*string, error) {
			if s, err := p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: a.Instance}); s == nil {
				return nil, errors.Join(core.ErrNotFound, err)
			}
			return p.GetKVValue(ctx, a)
		},
	})},
	{"values are cut off", "TestKvLargeValue", still(broken{
		value: answers(core.Provider.GetKVValue, func(_ core.GetKVValueParams, v *string) *string {
			if v != nil {
				*v = (*v)[:min(len(*v), 8000)]
			}
			return v
		}),
	})},
	{"keys are ASCII", "TestKvSpecialCharsInKey", still(broken{
		ackTurn: onDelta(func(d core.EventData) core.EventData {
			if s, ok := d.(core.KeyValueSet); ok {
				s.Key = strings.Map(func(r rune) rune { return min(r, '~') }, s.Key)
				return s
			}
			return d
		}),
	})},
	{"instances share their keys", "TestKvInstanceIsolation", func() broken {
		var all memo[string, string]
		return broken{
			ackTurn: onDelta(func(d core.EventData) core.EventData {
				if s, ok := d.(core.KeyValueSet); ok {
					all.put(s.Key, s.Value)
				}
				return d
			}),
			value: answers(core.Provider.GetKVValue, func(a core.GetKVValueParams, v *string) *string {
				if v != nil {
					*v = all.get(a.Key)
				}
				return v
			}),
		}
	}},
	{"clearing all keys clears those of all instances", "TestKvClearIsolation", func() broken {
		var cleared memo[string, bool]
		return broken{
			ackTurn: onDelta(func(d core.EventData) core.EventData {
				if _, ok := d.(core.KeyValuesCleared); ok {
					cleared.put("all", true)
				}
				return d
			}),
			value: answers(core.Provider.GetKVValue, func(_ core.GetKVValueParams, v *string) *string {
				if cleared.get("all") {
					return nil
				}
				return v
			}),
		}
	}},
	{"the snapshot is always empty", "TestKvSnapshotInFetch", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { clear(item.KVSnapshot) }),
	})},
	{"there is always something in the snapshot", "TestKvSnapshotEmpty", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) { item.KVSnapshot["mutant"] = core.KVEntry{} }),
	})},
	{"the snapshot has no times", "TestKvDeltaMergedOnCan", still(broken{
		fetchTurn: onTurn(func(item *core.OrchestrationItem) {
			for key, entry := range item.KVSnapshot {
				item.KVSnapshot[key] = core.KVEntry{Value: entry.Value}
			}
		}),
	})},
	{"the values of a failed execution are not merged", "TestKvDeltaMergedOnCompletion", still(broken{
		ackTurn: givenAct(core.Provider.AckOrchestrationItem, func(a *ackTurnParams) {
			if a.Metadata.Status == core.StatusFailed {
				a.Metadata.Status = core.StatusRunning
			}
		}),
	})},
	{"clients do not see what the running execution has set", "TestKvDeltaClientReadsMerged", func() broken {
		var snapshots memo[string, map[string]core.KVEntry]
		return broken{
			fetchTurn: onTurn(func(item *core.OrchestrationItem) { snapshots.put(item.Instance, maps.Clone(item.KVSnapshot)) }),
			value: func(_ core.Provider, _ context.Context, a core.GetKVValueParams) (*string, error) {
				if entry, ok := snapshots.get(a.Instance)[a.Key]; ok {
					return &entry.Value, nil
				}
				return nil, nil
			},
		}
	}},
	{"pruning takes values along", "TestKvPrunePreservesAllKeys", func() broken {
		var pruned memo[string, bool]
		return broken{
			admin: &brokenAdmin{prune: func(m core.Admin, ctx context.Context, a core.PruneExecutionsParams) (*core.PruneResult, error) {
				pruned.put(a.Instance, true)
				return m.PruneExecutions(ctx, a)
			}},
			value: answers(core.Provider.GetKVValue, func(a core.GetKVValueParams, v *string) *string {
				if pruned.get(a.Instance) {
					return nil
				}
				return v
			}),
		}
	}},
	{"values survive the deletion of their instance", "TestKvDeleteInstanceCascades", func() broken {
		var mu sync.Mutex
		old := map[core.GetKVValueParams]string{}
		return broken{
			ackTurn: func(p core.Provider, ctx context.Context, a ackTurnParams) error {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range a.HistoryDelta {
					if s, ok := e.Data.(core.KeyValueSet); ok {
						old[core.GetKVValueParams{Instance: e.InstanceID, Key: s.Key}] = s.Value
					}
				}
				return p.AckOrchestrationItem(ctx, a)
			},
			value: func(p core.Provider, ctx context.Context, a core.GetKVValueParams) (*string, error) {
				mu.Lock()
				defer mu.Unlock()
				stats, err := p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: a.Instance})
				if v, ok := old[a]; ok && stats == nil && err == nil {
					return &v, nil
				}
				return p.GetKVValue(ctx, a)
			},
		}
	}},
}
