package validation

import "github.com/duroxide/duroxide-go/core"

// A kvRun is an instance that works with key-values, turn by turn.
type kvRun struct {
	t        *trial
	instance string
	exec     uint64
	next     uint64 // event id
}

// kv creates an instance.
func (t *trial) kv(instance string) *kvRun {
	t.create(instance)
	return &kvRun{t, instance, 1, 2}
}

// events numbers events of the current execution.
func (r *kvRun) events(data ...core.EventData) []core.Event {
	events := eventsOf(r.instance, r.exec, r.next, data...)
	r.next += uint64(len(data))
	return events
}

// do runs a turn that leaves the execution running.
func (r *kvRun) do(data ...core.EventData) {
	r.t.step(r.instance, ack{exec: r.exec, events: r.events(data...)})
}

// end runs a turn that ends the execution.
func (r *kvRun) end(status core.ExecutionStatus, data ...core.EventData) {
	r.t.step(r.instance, ack{exec: r.exec, events: r.events(data...), meta: core.ExecutionMetadata{Status: status}})
}

// complete completes the execution.
func (r *kvRun) complete(data ...core.EventData) {
	r.end(core.StatusCompleted, append(data, core.OrchestrationCompleted{Output: "done"})...)
}

// continueAsNew ends the execution and starts the next one.
func (r *kvRun) continueAsNew(data ...core.EventData) {
	r.t.step(r.instance, ack{
		exec:     r.exec,
		events:   r.events(append(data, core.OrchestrationContinuedAsNew{Input: "{}"})...),
		messages: []core.WorkItem{core.ContinueAsNewItem{Instance: r.instance, Orchestration: "TestOrch", Input: "{}"}},
		meta:     core.ExecutionMetadata{Status: core.StatusContinuedAsNew, Output: ptr("{}")},
	})
	r.exec, r.next = r.exec+1, 2
	r.t.ack(r.t.turn(r.instance), ack{
		exec: r.exec, events: []core.Event{started(r.instance, r.exec)}, meta: named("TestOrch", "1.0.0"),
	})
}

// want compares what clients read for a key.
func (r *kvRun) want(key, value string) {
	got := r.t.value(r.instance, key)
	if got == nil {
		r.t.fatalf("key %q has no value, want %q", key, value)
	}
	wantEqual(r.t, "value of "+key, *got, value)
}

// wantNone checks that clients read nothing for the keys.
func (r *kvRun) wantNone(keys ...string) {
	for _, key := range keys {
		if got := r.t.value(r.instance, key); got != nil {
			r.t.fatalf("key %q has the value %q, want none", key, *got)
		}
	}
}

// wantSnapshot compares what a fetch brings, given as pairs of key and value.
func (r *kvRun) wantSnapshot(pairs ...string) {
	r.t.enqueue(raised(r.instance, "look"))
	turn := r.t.turn(r.instance)
	r.t.ack(turn, ack{})
	want := map[string]core.KVEntry{}
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = core.KVEntry{Value: pairs[i+1], LastUpdatedAtMs: stampedAt}
	}
	if len(turn.KVSnapshot) != 0 || len(want) != 0 {
		wantEqual(r.t, "snapshot", turn.KVSnapshot, want)
	}
}

// value returns what clients read for a key, nil if there is none.
func (t *trial) value(instance, key string) *string {
	v, err := t.p.GetKVValue(t.ctx, core.GetKVValueParams{Instance: instance, Key: key})
	t.check("get_kv_value", err)
	all, err := t.p.GetKVAllValues(t.ctx, core.GetKVAllValuesParams{Instance: instance})
	t.check("get_kv_all_values", err)
	if other, ok := all[key]; ok != (v != nil) || ok && other != *v {
		t.fatalf("get_kv_value and get_kv_all_values disagree on key %q", key)
	}
	return v
}

// clearKey is the event that clears a key.
func clearKey(key string) core.EventData { return core.KeyValueCleared{Key: key} }

// clearKeys is the event that clears all keys.
func clearKeys() core.EventData { return core.KeyValuesCleared{} }
