package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestHistoryFunctions(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const appendSQL = `SELECT {S}.append_history('i', $1, $2::jsonb, 0)`
	f.exec(appendSQL, 1, nil)
	f.exec(appendSQL, 1, `[]`)
	f.exec(appendSQL, 1, `[{"event_id": 2, "event_type": "E", "event_data": "b"}, {"event_id": 1, "event_type": "E", "event_data": "a"}]`)
	f.exec(appendSQL, 1, `[{"event_id": 2, "event_type": "E", "event_data": "changed"}, {"event_id": 3, "event_type": "E", "event_data": "c"}]`)
	f.exec(appendSQL, 2, `[{"event_id": 1, "event_type": "E", "event_data": "second"}]`)
	for _, events := range []string{
		`[{"event_type": "E", "event_data": "x"}]`, `[{"event_id": 0}]`, `[{"event_id": -1}]`, `[{"event_id": null}]`,
		`[{"event_id": 9, "event_type": "E", "event_data": "x"}, {"event_id": 0}]`,
	} {
		f.wantError("Invalid event_id in append_history", appendSQL, 1, events)
	}
	const read = `SELECT out_event_data FROM {S}.fetch_history('i')`
	f.want([]string{"a", "b", "c"}, read) // 1 where executions knows none
	f.exec(`INSERT INTO {S}.executions (instance_id, execution_id, started_at) VALUES ('i', 1, now()), ('i', 2, now())`)
	f.want([]string{"second"}, read)
	f.want([]string{"a", "b", "c"}, `SELECT out_event_data FROM {S}.fetch_history_with_execution('i', 1)`)
	f.want([]string{}, `SELECT out_event_data FROM {S}.fetch_history('unknown')`)
}

// tree makes instances: root has the children a and b, c is on its own.
func (f fixture) tree() {
	f.Helper()
	f.exec(`INSERT INTO {S}.instances (instance_id, orchestration_name, current_execution_id, parent_instance_id, created_at, updated_at)
		SELECT v.id, 'N', v.execution, v.parent, to_timestamp(v.at), to_timestamp(v.at + 1)
		  FROM (VALUES ('root', 2, NULL, 1), ('b', 1, 'root', 3), ('a', 1, 'root', 2), ('c', 1, NULL, 4)) v (id, execution, parent, at)`)
	f.exec(`INSERT INTO {S}.executions (instance_id, execution_id, status, output, started_at, completed_at) VALUES
		('root', 1, 'ContinuedAsNew', NULL, to_timestamp(1), NULL), ('root', 2, 'Completed', 'out', to_timestamp(2), to_timestamp(3)),
		('a', 1, 'Failed', NULL, to_timestamp(1), to_timestamp(2)), ('b', 1, 'Running', NULL, to_timestamp(1), NULL)`)
	f.exec(`INSERT INTO {S}.history SELECT i.id, 1, n, 'E', '{}', now() FROM (VALUES ('root'), ('a'), ('b'), ('c')) i (id), generate_series(1, 2) n`)
}

func TestReads(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.tree()
	f.want([]string{"c", "b", "a", "root"}, `SELECT instance_id FROM {S}.list_instances()`)
	f.want([]string{"root"}, `SELECT instance_id FROM {S}.list_instances_by_status('Completed')`)
	f.want([]string{}, `SELECT instance_id FROM {S}.list_instances_by_status('ContinuedAsNew')`)
	f.want([]string{"1", "2"}, `SELECT execution_id FROM {S}.list_executions('root')`)
	f.want([]string{"2"}, `SELECT {S}.latest_execution_id('root')`)
	f.want([]string{"<nil>"}, `SELECT {S}.latest_execution_id('unknown')`)
	f.want([]string{"root|N|unknown|2|true|true|Completed|out|<nil>"}, `SELECT instance_id, orchestration_name, orchestration_version,
		current_execution_id, created_at = to_timestamp(1), updated_at = to_timestamp(2), status, output, parent_instance_id FROM {S}.get_instance_info('root')`)
	f.want([]string{"<nil>|<nil>"}, `SELECT status, output FROM {S}.get_instance_info('c')`)
	f.want([]string{}, `SELECT * FROM {S}.get_instance_info('unknown')`)
	f.want([]string{"1|ContinuedAsNew|<nil>|true|<nil>|2"}, `SELECT execution_id, status, output, started_at = to_timestamp(1), completed_at, event_count
		FROM {S}.get_execution_info('root', 1)`)
	f.want([]string{}, `SELECT * FROM {S}.get_execution_info('root', 3)`)
	f.want([]string{"4|4|1|1|1|8"}, `SELECT * FROM {S}.get_system_metrics()`)
	f.want([]string{"a", "b"}, `SELECT child_instance_id FROM {S}.list_children('root')`)
	f.want([]string{"root|<nil>"}, `SELECT {S}.get_parent_id('a'), {S}.get_parent_id('c')`)
	f.wantError("Instance not found: unknown", `SELECT {S}.get_parent_id('unknown')`)
}

func TestQueueDepths(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.exec(`INSERT INTO {S}.orchestrator_queue (instance_id, work_item, visible_at, lock_token, locked_until, created_at) VALUES
		('i', '1', to_timestamp(0.1), NULL, NULL, now()), ('i', '1', to_timestamp(0.1), 'x', 100, now()),
		('i', '1', to_timestamp(0.1), 'x', 101, now()), ('i', '1', to_timestamp(0.101), NULL, NULL, now())`)
	f.exec(`SELECT {S}.enqueue_worker_work('1', 100)`)
	f.want([]string{"2|1"}, `SELECT * FROM {S}.get_queue_depths(100)`)
	f.want([]string{"0|0"}, `SELECT * FROM {S}.get_queue_depths(99)`)
}

func TestDeleteInstances(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const del = `SELECT * FROM {S}.delete_instances_atomic($1, $2)`
	f.tree()
	f.enqueue("a", `{}`, 0)
	f.exec(`SELECT {S}.enqueue_worker_work('{"ActivityExecute": {"instance": "a"}}', 0)`)
	f.exec(`SELECT {S}.enqueue_worker_work('{"ActivityExecute": {"instance": "c"}}', 0)`)
	f.exec(`INSERT INTO {S}.kv_store VALUES ('a', 'k', 'v', 1), ('c', 'k', 'v', 1)`)
	f.exec(`INSERT INTO {S}.kv_delta VALUES ('a', 'k', 'v', 1), ('c', 'k', 'v', 1)`)
	f.exec(`INSERT INTO {S}.sessions VALUES ('s', 'w', 1, 1)`)
	r := f.fetch(0, 1000)

	f.want([]string{"0|0|0|0"}, del, []string{}, true)
	f.want([]string{"0|0|0|0"}, del, nil, false)
	f.want([]string{"0|0|0|0"}, del, []string{"unknown"}, false)
	f.wantError("Instance b is Running. Use force=true to delete.", del, []string{"root", "a", "b"}, false)
	f.wantError("Instance b is Running. Use force=true to delete.", del, []string{"b"}, nil)
	f.wantError("Orphan detected: instance b has parent in delete list but is not included", del, []string{"root", "a"}, false)
	f.want([]string{"3|4|6|2"}, del, []string{"root", "a", "b"}, true)

	f.want([]string{"c"}, `SELECT instance_id FROM {S}.instances`)
	f.want([]string{"c|c|1|0"}, `SELECT (SELECT string_agg(instance_id, ',') FROM {S}.kv_store), (SELECT string_agg(instance_id, ',') FROM {S}.kv_delta),
		(SELECT count(*) FROM {S}.sessions), (SELECT count(*) FROM {S}.instance_locks)`)
	f.want([]string{`{"ActivityExecute": {"instance": "c"}}`}, `SELECT work_item FROM {S}.worker_queue`)
	// The turn that was in progress cannot bring the instance back.
	f.wantError("Invalid lock token", ackSQL, ack{metadata: started}.args(r.token, 0)...)
}

func TestPruneExecutions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		keep, before  any
		want          string
		keptExecution string
	}{
		{"everything old", nil, nil, "1|4|4", "4,6"},
		{"keep one", 1, nil, "1|4|4", "4,6"},
		{"keep none", 0, nil, "1|4|4", "4,6"},
		{"keep three", 3, nil, "1|3|3", "4,5,6"},
		{"keep all", 100, nil, "1|0|0", "1,2,3,4,5,6"},
		{"completed before 2 s", nil, 2000, "1|1|1", "2,3,4,5,6"},
		{"completed before 3 s", nil, 3000, "1|2|2", "3,4,5,6"}, // never one that continued as new
		{"both", 5, 3000, "1|1|1", "2,3,4,5,6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := setupShared(t)
			f.exec(`INSERT INTO {S}.instances (instance_id, orchestration_name, current_execution_id, created_at, updated_at) VALUES ('i', 'N', 6, now(), now())`)
			f.exec(`INSERT INTO {S}.executions (instance_id, execution_id, status, started_at, completed_at) VALUES
				('i', 1, 'Completed', now(), to_timestamp(1)), ('i', 2, 'Failed', now(), to_timestamp(2)), ('i', 3, 'ContinuedAsNew', now(), NULL),
				('i', 4, 'Running', now(), NULL), ('i', 5, 'Completed', now(), to_timestamp(5)), ('i', 6, 'Completed', now(), to_timestamp(1)),
				('other', 1, 'Completed', now(), to_timestamp(1))`)
			f.exec(`INSERT INTO {S}.history SELECT instance_id, execution_id, 1, 'E', '{}', now() FROM {S}.executions`)
			f.exec(`INSERT INTO {S}.kv_store VALUES ('i', 'k', 'v', 1)`)
			f.want([]string{test.want}, `SELECT * FROM {S}.prune_executions('i', $1, $2)`, test.keep, test.before)
			f.want([]string{test.keptExecution}, `SELECT string_agg(execution_id::text, ',' ORDER BY execution_id) FROM {S}.executions WHERE instance_id = 'i'`)
			f.want([]string{"1|1"}, `SELECT (SELECT count(*) FROM {S}.kv_store), count(*) FROM {S}.history WHERE instance_id = 'other'`)
		})
	}
	f := setupShared(t)
	f.wantError("Instance unknown not found", `SELECT * FROM {S}.prune_executions('unknown')`)
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	conn := f.connect()
	for _, queue := range []string{"_orch_work", "_worker_work"} {
		f.execOn(conn, `LISTEN `+pgx.Identifier{f.Schema + queue}.Sanitize())
	}
	f.exec(`SELECT {S}.enqueue_worker_work('1', 1700000000123)`)
	f.enqueue("i", `1`, 1700000000456)
	r := f.fetch(1700000000456, 1000)
	f.exec(`SELECT {S}.abandon_orchestration_item($1, 0)`, r.token) // silent
	f.exec(`INSERT INTO {S}.orchestrator_queue (instance_id, work_item, visible_at, created_at)
		SELECT 'i', '1', to_timestamp(5), now() FROM generate_series(1, 3)`) // once, being equal
	f.exec(`SELECT {S}.enqueue_worker_work('1', 0)`)
	for _, want := range [][2]string{
		{"_worker_work", "1700000000123"}, {"_orch_work", "1700000000456"}, {"_orch_work", "5000"}, {"_worker_work", "0"},
	} {
		n, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Channel != f.Schema+want[0] || n.Payload != want[1] {
			t.Errorf("got %s on %s, want %s on %s", n.Payload, n.Channel, want[1], want[0])
		}
	}
}
