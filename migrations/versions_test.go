package migrations_test

import (
	"testing"

	"github.com/duroxide/duroxide-go/migrations"
)

// Versions before the last are only passed through, but another member of the
// family may continue from any of them: what each one is about must be there.

func TestVersion1WorkerQueue(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 3} {
		f := setupAt(t, version)
		const (
			item  = `{"ActivityExecute": {"instance": "i", "execution_id": 1, "id": 1}}`
			fetch = `SELECT out_work_item, out_attempt_count, out_execution_status FROM {S}.fetch_work_item($1, 100)`
			renew = `SELECT {S}.renew_work_item_lock($1, $2, 50)`
			token = `SELECT lock_token FROM {S}.worker_queue`
		)
		f.exec(`SELECT {S}.enqueue_worker_work($1, 0)`, item)
		f.want([]string{item + "|1|<nil>"}, fetch, 0)
		f.want([]string{"<nil>"}, renew, f.rows(token)[0], 0)
		f.want([]string{"100"}, `SELECT locked_until FROM {S}.worker_queue`) // not extended

		f.exec(`INSERT INTO {S}.executions (instance_id, execution_id, started_at) VALUES ('i', 1, now())`)
		f.want([]string{item + "|2|<nil>"}, fetch, 100) // still without an instance
		f.exec(`INSERT INTO {S}.instances VALUES ('i', 'N', NULL, 1, now(), now())`)
		f.want([]string{item + "|3|Running"}, fetch, 200)
		f.want([]string{"Running"}, renew, f.rows(token)[0], 200)
		f.want([]string{"350"}, `SELECT locked_until FROM {S}.worker_queue`)

		f.exec(`UPDATE {S}.executions SET status = 'Failed'`)
		f.want([]string{"Failed"}, renew, f.rows(token)[0], 300)
		f.want([]string{"350"}, `SELECT locked_until FROM {S}.worker_queue`)
		f.wantError("Lock token invalid, expired, or already acked", renew, f.rows(token)[0], 350)
		f.want([]string{item + "|4|Failed"}, fetch, 350)
	}
}

func TestVersion1AckWorker(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 4} {
		f := setupAt(t, version)
		const ack = `SELECT {S}.ack_worker($1, $2, $3, $4)`
		f.exec(`SELECT {S}.enqueue_worker_work('{}', 0)`)
		token := f.work(0)
		f.wantError("instance_id required when completion_json is provided", ack, token, nil, "{}", 0)
		f.exec(ack, token, "i", "{}", 5000) // long after the lease
		f.wantError("Worker queue item not found or already processed", ack, token, "i", "{}", 0)
	}
}

func TestVersion1To4RouteQueueMessagesToTheCaller(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{1: "i", 4: "i", 5: "other", 6: "other"} {
		f := setupAt(t, version)
		f.enqueue("i", `1`, 0)
		token := f.rows(`SELECT out_lock_token FROM {S}.fetch_orchestration_item(0, 10)`)[0]
		f.ack(token, 0, ack{orch: `[{"QueueMessage": {"instance": "other"}}]`})
		f.want([]string{want}, `SELECT instance_id FROM {S}.orchestrator_queue`)
	}
}

// contend lets another process take the candidate of a fetch between its choice
// and its claim, and returns what the fetch claims.
func contend(t *testing.T, version int) []string {
	t.Helper()
	f := setupAt(t, version)
	f.enqueue("first", `1`, 1)
	f.enqueue("second", `2`, 2)
	other := f.connect()
	f.execOn(other, `SELECT pg_advisory_lock(hashtext($1)::bigint)`, "first")
	done := f.startBlocked(`SELECT out_instance_id FROM {S}.fetch_orchestration_item(10, 100)`)
	f.execOn(other, `INSERT INTO {S}.instance_locks VALUES ('first', 'theirs', 1000, 0)`)
	f.execOn(other, `SELECT pg_advisory_unlock(hashtext($1)::bigint)`, "first")
	got := <-done
	f.want([]string{"theirs"}, `SELECT lock_token FROM {S}.instance_locks WHERE instance_id = 'first'`)
	return got
}

func TestVersion7SearchesOn(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]int{1: 0, 3: 0, 6: 0, 7: 1, 8: 1, 9: 1} {
		got := contend(t, version)
		if len(got) != want || want == 1 && got[0] != "second" {
			t.Errorf("version %d: a fetch that lost its candidate got %q", version, got)
		}
	}
}

func TestVersion4SessionTimeouts(t *testing.T) {
	t.Parallel()
	for _, version := range []int{4, 5} {
		f := setupAt(t, version)
		f.exec(`SELECT {S}.enqueue_worker_work('1', 0, 'S')`)
		f.want([]string{}, `SELECT out_work_item FROM {S}.fetch_work_item(0, 100, NULL, 500)`)
		f.want([]string{"1"}, `SELECT out_work_item FROM {S}.fetch_work_item(0, 100, 'w')`)
		f.want([]string{"S|w|100|0"}, `SELECT * FROM {S}.sessions`)
		f.want([]string{"1"}, `SELECT out_work_item FROM {S}.fetch_work_item(100, 100, 'w', 500)`)
		f.want([]string{"S|w|600|100"}, `SELECT * FROM {S}.sessions`)
	}
	f := setupAt(t, 6)
	f.exec(`SELECT {S}.enqueue_worker_work('1', 0, 'S')`)
	f.want([]string{}, `SELECT out_work_item FROM {S}.fetch_work_item(0, 100, 'w')`)
	f.want([]string{"1"}, `SELECT out_work_item FROM {S}.fetch_work_item(0, 100, 'w', 500)`)
}

func TestVersion8And9WriteKVDirectly(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]struct{ store, snapshot string }{
		8: {`{"key": "b", "value": "2", "execution_id": 1}`, `{"b": "2"}`},
		9: {`{"key": "b", "value": "2", "execution_id": 1, "last_updated_at_ms": 7}`, `{"b": {"value": "2", "last_updated_at_ms": 7}}`},
	} {
		f := setupAt(t, version)
		f.mutate(10, 1, "", `[{"action": "set", "key": "a", "value": "1"}, {"action": "set", "key": "x", "value": "9"},
			{"action": "clear_all"}, {"action": "set", "key": "a", "value": "1"}, {"action": "unheard of"},
			{"action": "set", "key": "b", "value": "1"}, {"action": "set", "key": "b", "value": "2", "last_updated_at_ms": 7},
			{"action": "clear_key", "key": "a"}]`)
		f.want([]string{want.store}, `SELECT (to_jsonb(s) - 'instance_id')::text FROM {S}.kv_store s`)
		f.enqueue("i", `1`, 20)
		if r := f.fetch(20, 1); r.kv != want.snapshot {
			t.Errorf("version %d: snapshot is %s", version, r.kv)
		}
	}
	f := setupAt(t, 9)
	f.mutate(10, 1, "", `[{"action": "set", "key": "a", "value": "1"}]`)
	f.want([]string{"10"}, `SELECT last_updated_at_ms FROM {S}.kv_store`)
}

func TestVersion8PrunesKV(t *testing.T) {
	t.Parallel()
	for version, want := range map[int][]string{8: {"2"}, 9: {"1", "2"}} {
		f := setupAt(t, version)
		f.mutate(10, 1, `"ContinuedAsNew"`, `[{"action": "set", "key": "of 1", "value": "1"}]`)
		f.mutate(20, 2, "", `[{"action": "set", "key": "of 2", "value": "1"}]`)
		f.want([]string{"1|1|0"}, `SELECT * FROM {S}.prune_executions('i')`)
		f.want(want, `SELECT execution_id FROM {S}.kv_store ORDER BY 1`)
		f.want([]string{"1|1|0|0"}, `SELECT * FROM {S}.delete_instances_atomic(ARRAY['i'], true)`)
		f.want([]string{}, `SELECT key FROM {S}.kv_store`)
	}
}

func TestVersion10DropsAnOldOverload(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 9)
	f.exec(`CREATE FUNCTION {S}.ack_orchestration_item(text, bigint, bigint, jsonb, jsonb, jsonb, jsonb) RETURNS void LANGUAGE sql AS ''`)
	f.applyPlain(f.connect(), migrations.Files()[9])
	f.want([]string{"1"}, `SELECT count(*) FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname = 'ack_orchestration_item'`, f.Schema)
}
