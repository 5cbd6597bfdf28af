package migrations_test

import (
	"fmt"
	"testing"
)

// Tests write times as small numbers of milliseconds since the epoch.

func (f fixture) enqueue(instance, item string, visibleAtMs int64) {
	f.Helper()
	f.exec(`SELECT {S}.enqueue_orchestrator_work($1, $2, to_timestamp($3 / 1000.0), 0)`, instance, item, float64(visibleAtMs))
}

// turn is what fetch_orchestration_item returns.
type turn struct {
	instance, name           string
	version                  *string
	execution                int64
	history, messages, token string
	attempt                  int
	kv                       string
}

func (f fixture) fetch(now, timeout int64, versions ...any) *turn {
	f.Helper()
	versions = append(versions, nil, nil)[:2]
	rows, err := f.Pool.Query(f.Context(), f.sql(
		`SELECT out_instance_id, out_orchestration_name, out_orchestration_version, out_execution_id, out_history::text,
		        out_messages::text, out_lock_token, out_attempt_count, out_kv_snapshot::text
		   FROM {S}.fetch_orchestration_item($1, $2, $3::bigint, $4::bigint)`), now, timeout, versions[0], versions[1])
	if err != nil {
		f.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if rows.Err() != nil {
			f.Fatal(rows.Err())
		}
		return nil
	}
	r := &turn{}
	if err := rows.Scan(&r.instance, &r.name, &r.version, &r.execution, &r.history, &r.messages, &r.token, &r.attempt, &r.kv); err != nil {
		f.Fatal(err)
	}
	return r
}

const ackSQL = `SELECT {S}.ack_orchestration_item($1, $2, $3, $4::jsonb, $5::jsonb, $6::jsonb, $7::jsonb, $8::jsonb)`

// ack is an acknowledgement; empty fields stand for empty JSON.
type ack struct {
	execution                                  int64
	history, worker, orch, metadata, cancelled string
}

func (a ack) args(token string, now int64) []any {
	or := func(text, empty string) string {
		if text == "" {
			return empty
		}
		return text
	}
	return []any{
		token, now, max(a.execution, 1), or(a.history, "[]"), or(a.worker, "[]"), or(a.orch, "[]"),
		or(a.metadata, "{}"), or(a.cancelled, "[]"),
	}
}

func (f fixture) ack(token string, now int64, a ack) {
	f.Helper()
	f.exec(ackSQL, a.args(token, now)...)
}

const started = `{"orchestration_name": "Order", "orchestration_version": "1.0.0"}`

// start makes an instance by a first turn.
func (f fixture) start(instance string, a ack) {
	f.Helper()
	f.enqueue(instance, `{"CancelInstance": {}}`, 0)
	if a.metadata == "" {
		a.metadata = started
	}
	r := f.fetch(0, 1000)
	if r == nil || r.instance != instance {
		f.Fatalf("fetched %+v, want %s", r, instance)
	}
	f.ack(r.token, 0, a)
}

func TestFetchOrchestrationItemChoice(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.enqueue("late", `{"m": 1}`, 30)
	f.enqueue("early", `{"m": 2}`, 20)
	f.enqueue("early", `{"m": 3}`, 40)
	f.enqueue("early", `{"m": 4}`, 10)

	if r := f.fetch(9, 100); r != nil {
		t.Errorf("fetched %+v before anything is visible", r)
	}
	r := f.fetch(30, 100)
	if r == nil || r.instance != "early" || r.messages != `[{"m": 2}, {"m": 4}]` || r.attempt != 1 || r.history != "[]" || r.kv != "{}" {
		t.Fatalf("got %+v, want the visible messages of early by id", r)
	}
	f.want([]string{"3|<nil>|0", "2|130|1", "4|130|1"},
		`SELECT id, locked_until, attempt_count FROM {S}.orchestrator_queue WHERE instance_id = 'early'
		  ORDER BY locked_until NULLS FIRST, id`)
	f.want([]string{"early|130|30"}, `SELECT instance_id, locked_until, locked_at FROM {S}.instance_locks`)

	if r := f.fetch(40, 100); r == nil || r.instance != "late" {
		t.Errorf("got %+v, want late", r)
	}
	if r := f.fetch(129, 100); r != nil {
		t.Errorf("got %+v while all leases are live", r)
	}
	// A lease that ends now has run out. All visible messages come, and the
	// largest count.
	again := f.fetch(130, 100)
	if again == nil || again.messages != `[{"m": 2}, {"m": 3}, {"m": 4}]` || again.attempt != 2 || again.token == r.token {
		t.Errorf("got %+v, want a second attempt at early", again)
	}
}

func TestFetchOrchestrationItemIdentity(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		history, message         string
		name, version, execution string
	}{
		"start":              {"", `{"StartOrchestration": {"orchestration": "A", "version": "2.0.0", "execution_id": 7}}`, "A", "2.0.0", "7"},
		"start without both": {"", `{"StartOrchestration": {"orchestration": "A"}}`, "A", "unknown", "1"},
		"continue as new":    {"", `{"ContinueAsNew": {"orchestration": "B", "version": "3.0.0", "execution_id": 7}}`, "B", "3.0.0", "1"},
		"anything else":      {"", `{"QueueMessage": {}}`, "Unknown", "unknown", "1"},
		"not an object":      {"", `5`, "Unknown", "unknown", "1"},
		"old history":        {`{"OrchestrationStarted": {"name": "C"}}`, `{"QueueMessage": {}}`, "C", "<nil>", "1"},
		"history of today":   {`{"type": "OrchestrationStarted", "name": "C"}`, `{"QueueMessage": {}}`, "Unknown", "unknown", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupShared(t)
			if test.history != "" {
				f.exec(`INSERT INTO {S}.history VALUES ('i', 3, 1, 'Event', $1, now())`, test.history)
			}
			f.enqueue("i", test.message, 0)
			f.want([]string{test.name + "|" + test.version + "|" + test.execution},
				`SELECT out_orchestration_name, out_orchestration_version, out_execution_id FROM {S}.fetch_orchestration_item(0, 10)`)
		})
	}
}

func TestFetchOrchestrationItemHistory(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.start("i", ack{history: `[{"event_id": 2, "event_type": "E", "event_data": "{\"n\":2}"}, {"event_id": 1, "event_type": "E", "event_data": "{\"n\":1}"}]`})
	f.exec(`INSERT INTO {S}.history VALUES ('i', 9, 1, 'E', '{"other":"execution"}', now())`)
	f.exec(`UPDATE {S}.instances SET orchestration_version = NULL`)
	f.enqueue("i", `1`, 0)
	r := f.fetch(0, 10)
	if r == nil || r.history != `[{"n": 1}, {"n": 2}]` || r.name != "Order" || *r.version != "unknown" || r.execution != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestFetchOrchestrationItemVersions(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.start("pinned", ack{metadata: `{"orchestration_name": "A", "orchestration_version": "1",
		"pinned_duroxide_version": {"major": 1, "minor": 2, "patch": 3}}`})
	f.want([]string{"1|2|3"}, `SELECT duroxide_version_major, duroxide_version_minor, duroxide_version_patch FROM {S}.executions`)
	f.enqueue("pinned", `1`, 0)
	f.enqueue("free", `2`, 5)
	now := int64(10)
	for _, test := range []struct {
		min, max any
		want     string
	}{
		{1_002_003, 1_002_003, "pinned"},
		{1_002_004, 9_000_000, "free"},
		{0, 1_002_002, "free"},
		{0, nil, "free"}, // no upper bound admits nothing pinned
		{nil, nil, "pinned"},
		{nil, 0, "pinned"}, // the lower bound switches the filter on
	} {
		r := f.fetch(now, 1, test.min, test.max)
		if r == nil || r.instance != test.want {
			t.Errorf("range %v to %v: got %+v, want %s", test.min, test.max, r, test.want)
		}
		now += 10
	}
	f.exec(`UPDATE {S}.executions SET duroxide_version_patch = NULL`)
	if r := f.fetch(now, 1, 0, 9_000_000); r == nil || r.instance != "free" {
		t.Errorf("got %+v, want no half-pinned execution", r)
	}
}

func TestAckOrchestrationItemRecordsATurn(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.enqueue("i", `1`, 0)
	r := f.fetch(0, 1000)
	f.enqueue("i", `2`, 0) // arrives meanwhile, and stays
	a := ack{
		history:  `[{"event_id": 1, "event_type": "T", "event_data": "{ \"kept\" : 1}"}]`,
		metadata: `{"orchestration_name": "A", "orchestration_version": "1", "status": "Completed", "output": "done", "parent_instance_id": "p"}`,
	}
	f.ack(r.token, 5, a)
	f.want([]string{"i|A|1|1|p|true|true"}, `SELECT instance_id, orchestration_name, orchestration_version, current_execution_id,
		parent_instance_id, created_at = to_timestamp(0.005), updated_at = to_timestamp(0.005) FROM {S}.instances`)
	f.want([]string{"Completed|done|true"}, `SELECT status, output, completed_at = to_timestamp(0.005) FROM {S}.executions`)
	f.want([]string{`1|T|{ "kept" : 1}`}, `SELECT event_id, event_type, event_data FROM {S}.history`)
	f.want([]string{"2|<nil>"}, `SELECT work_item, lock_token FROM {S}.orchestrator_queue`)
	f.want([]string{}, `SELECT * FROM {S}.instance_locks`)

	// A later turn: name, version and output change, the parent does not, and
	// the execution never goes back.
	r = f.fetch(10, 1000)
	f.ack(r.token, 10, ack{execution: 2, metadata: `{"orchestration_name": "B", "orchestration_version": "2", "parent_instance_id": "q", "status": "ContinuedAsNew"}`})
	f.want([]string{"B|2|2|p"}, `SELECT orchestration_name, orchestration_version, current_execution_id, parent_instance_id FROM {S}.instances`)
	f.want([]string{"ContinuedAsNew|<nil>|<nil>"}, `SELECT status, output, completed_at FROM {S}.executions WHERE execution_id = 2`)
	f.enqueue("i", `3`, 0)
	r = f.fetch(20, 1000)
	f.ack(r.token, 20, ack{execution: 1, metadata: `{"orchestration_name": "C"}`})
	f.want([]string{"B|2"}, `SELECT orchestration_name, current_execution_id FROM {S}.instances`)
}

func TestAckOrchestrationItemRefuses(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.start("i", ack{history: `[{"event_id": 1, "event_type": "E", "event_data": "1"}]`})
	f.enqueue("i", `1`, 0)
	r := f.fetch(0, 100)
	f.wantError("Invalid lock token", ackSQL, ack{}.args("lock_unknown", 0)...)
	f.wantError("Invalid lock token", ackSQL, ack{}.args(r.token, 100)...) // the lease ends now
	f.wantError("23505", ackSQL, ack{
		history: `[{"event_id": 2, "event_type": "E", "event_data": "1"}, {"event_id": 1, "event_type": "E", "event_data": "1"}]`,
		worker:  `[{"ActivityExecute": {}}]`,
	}.args(r.token, 99)...)
	for _, a := range []ack{
		{history: "null"}, {worker: "null"}, {orch: "null"}, {cancelled: "null"}, {metadata: `{"kv_mutations": null}`},
	} {
		f.wantError("cannot get array length of a scalar", ackSQL, a.args(r.token, 99)...)
	}
	f.want([]string{"1|0|1"}, `SELECT (SELECT count(*) FROM {S}.history), (SELECT count(*) FROM {S}.worker_queue), count(*) FROM {S}.orchestrator_queue`)
	f.exec(`SELECT {S}.ack_orchestration_item($1, 99, 1, NULL, NULL, NULL, NULL, NULL)`, r.token)
}

func TestAckOrchestrationItemRouting(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	var items string
	for _, kind := range []string{
		"StartOrchestration", "ContinueAsNew", "TimerFired", "ActivityCompleted", "ActivityFailed",
		"ExternalRaised", "CancelInstance", "QueueMessage",
	} {
		items += fmt.Sprintf(`{"%s": {"instance": "to %s", "parent_instance": "wrong"}},`, kind, kind)
	}
	for _, kind := range []string{"SubOrchCompleted", "SubOrchFailed"} {
		items += fmt.Sprintf(`{"%s": {"instance": "wrong", "parent_instance": "to %s"}},`, kind, kind)
	}
	items += `{"Other": {"instance": "wrong"}}, 5, "QueueMessage", ["QueueMessage"],
		{"TimerFired": {"instance": "t", "fire_at_ms": 9}}, {"TimerFired": {"instance": "t", "fire_at_ms": 0}},
		{"zz": 1, "QueueMessage": {"instance": "q"}}`
	f.enqueue("i", `1`, 0)
	f.ack(f.fetch(0, 1000).token, 50, ack{orch: "[" + items + "]"})
	f.want([]string{
		"to StartOrchestration|50", "to ContinueAsNew|50", "to TimerFired|50", "to ActivityCompleted|50", "to ActivityFailed|50",
		"to ExternalRaised|50", "to CancelInstance|50", "to QueueMessage|50", "to SubOrchCompleted|50", "to SubOrchFailed|50",
		"i|50", "i|50", "i|50", "i|50", "t|9", "t|50", "q|50",
	}, `SELECT instance_id, (extract(epoch FROM visible_at) * 1000)::bigint FROM {S}.orchestrator_queue ORDER BY id`)
	f.want([]string{`{"Other": {"instance": "wrong"}}`, `5`, `"QueueMessage"`, `["QueueMessage"]`},
		`SELECT work_item FROM {S}.orchestrator_queue WHERE instance_id = 'i' ORDER BY id`)
}

func TestAckOrchestrationItemActivities(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	activity := func(instance string, execution, id int, more string) string {
		return fmt.Sprintf(`{"ActivityExecute": {"instance": "%s", "execution_id": %d, "id": %d%s}}`, instance, execution, id, more)
	}
	f.exec(`SELECT {S}.enqueue_worker_work($1, 0)`, activity("other", 1, 1, ""))
	f.exec(`SELECT {S}.enqueue_worker_work($1, 0)`, activity("i", 1, 7, ""))
	f.exec(`SELECT {S}.fetch_work_item(0, 1000)`)
	f.exec(`SELECT {S}.fetch_work_item(0, 1000)`) // a worker holds the one that is cancelled
	f.start("i", ack{
		worker: "[" + activity("i", 1, 1, "") + "," + activity("i", 1, 2, `, "session_id": "s", "tag": "gpu"`) + "," +
			activity("i", 2, 1, "") + `, {"Other": {"session_id": "s", "tag": "t"}}]`,
		cancelled: `[{"execution_id": 1, "activity_id": 1}, {"execution_id": 1, "activity_id": 7}, {"execution_id": 5, "activity_id": 5}]`,
	})
	f.want([]string{
		`other|1|1|<nil>|<nil>`, `i|1|2|s|gpu`, `i|2|1|<nil>|<nil>`, `<nil>|<nil>|<nil>|<nil>|<nil>`,
	}, `SELECT a ->> 'instance', a ->> 'execution_id', a ->> 'id', session_id, tag
	      FROM (SELECT *, work_item::jsonb -> 'ActivityExecute' AS a FROM {S}.worker_queue) w ORDER BY id`)
}

func TestAckOrchestrationItemCustomStatus(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.start("i", ack{})
	const get = `SELECT * FROM {S}.get_custom_status('i', $1)`
	f.want([]string{}, get, 0)
	for _, step := range []struct{ action, want string }{
		{`"custom_status_action": "set", "custom_status_value": "a"`, "a|1"},
		{`"custom_status_action": "set", "custom_status_value": "a"`, "a|2"},
		{`"custom_status_action": "clear"`, "<nil>|3"},
		{`"custom_status_action": "other"`, "<nil>|3"},
		{`"custom_status_action": null`, "<nil>|3"},
	} {
		f.start("i", ack{metadata: "{" + step.action + "}"})
		f.want([]string{step.want}, get, 0)
	}
	f.want([]string{}, get, 3)
	f.want([]string{}, `SELECT * FROM {S}.get_custom_status('unknown', -1)`)
}

func TestOrchestrationLocks(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const (
		abandon = `SELECT {S}.abandon_orchestration_item($1, $2, $3, $4)`
		renew   = `SELECT {S}.renew_orchestration_item_lock($1, $2, $3)`
		row     = `SELECT lock_token, locked_until, attempt_count, (extract(epoch FROM visible_at) * 1000)::bigint FROM {S}.orchestrator_queue`
	)
	f.enqueue("i", `1`, 3)
	r := f.fetch(10, 100)
	f.exec(renew, r.token, 50, 100) // counted from the deadline, not from now
	f.want([]string{r.token + "|210|1|3"}, row)
	f.want([]string{"210"}, `SELECT locked_until FROM {S}.instance_locks`)
	f.wantError("Lock token invalid, expired, or already released", renew, r.token, 210, 1)
	f.wantError("Lock token invalid, expired, or already released", renew, "lock_unknown", 0, 1)

	// An expired lease can still be given back.
	f.want([]string{"i"}, abandon, r.token, 500, nil, true)
	f.want([]string{"<nil>|<nil>|0|3"}, row)
	f.wantError("Invalid lock token", abandon, r.token, 500, nil, false)

	r = f.fetch(600, 100)
	f.want([]string{"i"}, abandon, r.token, 600, 0, false)
	f.want([]string{"<nil>|<nil>|1|3"}, row)
	r = f.fetch(700, 100)
	f.want([]string{"i"}, abandon, r.token, 700, 50, false)
	f.want([]string{"<nil>|<nil>|2|750"}, row)
	f.want([]string{}, `SELECT * FROM {S}.instance_locks`)
}
