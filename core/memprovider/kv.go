package memprovider

import (
	"context"
	"maps"

	"github.com/duroxide/duroxide-go/core"
)

// keyValues are the two layers of an instance's key-value store: what its
// finished executions left, and what the current one changed since.
type keyValues struct {
	store map[string]core.KVEntry
	delta map[string]kvChange
}

// A kvChange is a new entry or, without one, a tombstone.
type kvChange struct {
	entry   core.KVEntry
	removed bool
}

func (kv *keyValues) isEmpty() bool { return len(kv.store) == 0 && len(kv.delta) == 0 }

// apply records the changes among the events in order.
func (kv *keyValues) apply(events []core.Event, now uint64) {
	tombstone := kvChange{entry: core.KVEntry{LastUpdatedAtMs: now}, removed: true}
	for _, e := range events {
		switch d := e.Data.(type) {
		case core.KeyValueSet:
			kv.change(d.Key, kvChange{entry: core.KVEntry{Value: d.Value, LastUpdatedAtMs: d.LastUpdatedAtMs}})
		case core.KeyValueCleared:
			kv.change(d.Key, tombstone)
		case core.KeyValuesCleared:
			for key := range kv.delta {
				kv.delta[key] = tombstone
			}
			for key := range kv.store {
				kv.change(key, tombstone)
			}
		}
	}
}

func (kv *keyValues) change(key string, c kvChange) {
	if kv.delta == nil {
		kv.delta = map[string]kvChange{}
	}
	kv.delta[key] = c
}

// merge makes the changes of an execution that ends part of the store.
func (kv *keyValues) merge() {
	kv.store, kv.delta = kv.live(), nil
}

// live returns the store with the changes over it.
func (kv *keyValues) live() map[string]core.KVEntry {
	live := kv.snapshot()
	for key, c := range kv.delta {
		if c.removed {
			delete(live, key)
		} else {
			live[key] = c.entry
		}
	}
	return live
}

// snapshot returns what a turn starts from: the store without the changes of
// the running execution, which replay makes again.
func (kv *keyValues) snapshot() map[string]core.KVEntry {
	if kv.store == nil {
		return map[string]core.KVEntry{}
	}
	return maps.Clone(kv.store)
}

// GetKVValue implements [core.KVStore].
func (p *Provider) GetKVValue(ctx context.Context, a core.GetKVValueParams) (*string, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	i := p.instances[a.Instance]
	if i == nil {
		return nil, nil
	}
	if c, ok := i.kv.delta[a.Key]; ok {
		if c.removed {
			return nil, nil
		}
		return &c.entry.Value, nil
	}
	if entry, ok := i.kv.store[a.Key]; ok {
		return &entry.Value, nil
	}
	return nil, nil
}

// GetKVAllValues implements [core.KVStore].
func (p *Provider) GetKVAllValues(ctx context.Context, a core.GetKVAllValuesParams) (map[string]string, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	values := map[string]string{}
	if i := p.instances[a.Instance]; i != nil {
		for key, entry := range i.kv.live() {
			values[key] = entry.Value
		}
	}
	return values, nil
}
