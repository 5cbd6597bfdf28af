package migrations_test

import "testing"

const (
	storeSQL = `SELECT key, value, execution_id, last_updated_at_ms FROM {S}.kv_store WHERE instance_id = 'i' ORDER BY key`
	deltaSQL = `SELECT key, value, last_updated_at_ms FROM {S}.kv_delta WHERE instance_id = 'i' ORDER BY key`
	allKVSQL = `SELECT * FROM {S}.get_kv_all_values('i') ORDER BY 1`
)

// mutate runs a turn of instance i at a time.
func (f fixture) mutate(now, execution int64, status, mutations string) {
	f.Helper()
	f.enqueue("i", `1`, now)
	r := f.fetch(now, 1000)
	if r == nil {
		f.Fatal("nothing to fetch")
	}
	if status == "" {
		status = "null"
	}
	f.ack(r.token, now, ack{execution: execution, metadata: `{"orchestration_name": "A", "orchestration_version": "1",
		"status": ` + status + `, "kv_mutations": ` + mutations + `}`})
}

func TestKVIsStagedUntilTheExecutionEnds(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.exec(`INSERT INTO {S}.kv_delta VALUES ('another', 'a', 'untouched', 0)`)
	f.mutate(10, 1, "", `[{"action": "set", "key": "a", "value": "1", "last_updated_at_ms": 7},
		{"action": "set", "key": "b", "value": "2"}, {"action": "clear_key", "key": "c"}, {"action": "unheard of"}]`)
	f.want([]string{"a|1|7", "b|2|10", "c|<nil>|10"}, deltaSQL)
	f.want([]string{}, storeSQL)
	f.enqueue("i", `1`, 20)
	if r := f.fetch(20, 1); r.kv != "{}" {
		t.Errorf("snapshot is %s before the execution ended", r.kv)
	}

	for i, status := range []string{`"Completed"`, `"ContinuedAsNew"`, `"Failed"`} {
		now := int64(30 + 10*i)
		f.mutate(now, int64(i+1), status, `[]`)
		f.want([]string{}, deltaSQL)
		f.mutate(now+5, int64(i+2), `"Paused"`, `[{"action": "set", "key": "z", "value": "9"}]`) // no end
		f.want([]string{"z|9|" + map[int]string{0: "35", 1: "45", 2: "55"}[i]}, deltaSQL)
	}
	f.want([]string{"a|1|1|7", "b|2|1|10", "z|9|3|45"}, storeSQL)
	f.enqueue("i", `1`, 70)
	if r := f.fetch(70, 1); r.kv != `{"a": {"value": "1", "last_updated_at_ms": 7}, "b": {"value": "2", "last_updated_at_ms": 10}, "z": {"value": "9", "last_updated_at_ms": 45}}` {
		t.Errorf("snapshot is %s", r.kv)
	}
	f.want([]string{"1"}, `SELECT count(*) FROM {S}.kv_delta WHERE instance_id = 'another'`)
}

func TestKVClearing(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.mutate(10, 1, `"ContinuedAsNew"`, `[{"action": "set", "key": "a", "value": "1"}, {"action": "set", "key": "b", "value": "2"}]`)
	f.mutate(20, 2, "", `[{"action": "set", "key": "c", "value": "3"}, {"action": "clear_all"}, {"action": "set", "key": "b", "value": "4"}]`)
	f.want([]string{"a|<nil>|20", "b|4|20", "c|<nil>|20"}, deltaSQL)
	f.want([]string{"b|4"}, allKVSQL)
	f.want([]string{"a|1|1|10", "b|2|1|10"}, storeSQL)
	f.mutate(30, 2, `"Completed"`, `[{"action": "clear_key", "key": "never was"}]`)
	f.want([]string{"b|4|2|20"}, storeSQL)
	f.want([]string{}, deltaSQL)
}

func TestKVReads(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.exec(`INSERT INTO {S}.kv_store VALUES ('i', 'kept', 'store', 1), ('i', 'changed', 'old', 1), ('i', 'cleared', 'x', 1), ('j', 'other', 'x', 1)`)
	f.exec(`INSERT INTO {S}.kv_delta VALUES ('i', 'changed', 'new', 0), ('i', 'cleared', NULL, 0), ('i', 'added', '', 0)`)
	f.want([]string{"added|", "changed|new", "kept|store"}, allKVSQL)
	for key, want := range map[string]string{
		"kept": "store|true", "changed": "new|true", "added": "|true", "cleared": "<nil>|false", "other": "<nil>|false",
	} {
		f.want([]string{want}, `SELECT * FROM {S}.get_kv_value('i', $1)`, key)
	}
}

func TestInstanceStats(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const stats = `SELECT * FROM {S}.get_instance_stats($1)`
	f.want([]string{"false|0|0|0|0|0"}, stats, "unknown")
	f.start("i", ack{})
	f.want([]string{"true|0|0|0|0|0"}, stats, "i")
	f.start("i", ack{execution: 2, history: `[{"event_id": 1, "event_type": "E", "event_data": "{\"carry_forward_events\": [1, 2, 3]}"},
		{"event_id": 2, "event_type": "E", "event_data": "\"é\""}]`})
	f.exec(`INSERT INTO {S}.history VALUES ('i', 1, 1, 'E', 'of another execution', now())`)
	f.exec(`INSERT INTO {S}.kv_store VALUES ('i', 'both', 'é', 1), ('i', 'cleared', 'abc', 1)`)
	f.exec(`INSERT INTO {S}.kv_delta VALUES ('i', 'both', 'x', 0), ('i', 'cleared', NULL, 0), ('i', 'added', 'yy', 0), ('i', 'gone', NULL, 0)`)
	// A cleared key counts as long as the store has it; bytes count twice.
	f.want([]string{"true|2|39|3|3|8"}, stats, "i")
	f.exec(`UPDATE {S}.history SET event_data = '{"carry_forward_events": 5}' WHERE event_id = 1`)
	f.want([]string{"0"}, `SELECT out_queue_pending_count FROM {S}.get_instance_stats('i')`)
}
