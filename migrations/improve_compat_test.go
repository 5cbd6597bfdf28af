package migrations_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/migrations"
)

// The statements that a Rust client sends: arguments by position, SELECT * where it
// decodes by position, names where it decodes by name.
const (
	rustFetch       = `SELECT * FROM {S}.fetch_orchestration_item($1, $2, $3, $4)`
	rustAck         = `SELECT {S}.ack_orchestration_item($1, $2, $3, $4, $5, $6, $7, $8)`
	rustAbandon     = `SELECT {S}.abandon_orchestration_item($1, $2, $3, $4)`
	rustRenew       = `SELECT {S}.renew_orchestration_item_lock($1, $2, $3)`
	rustEnqueue     = `SELECT {S}.enqueue_orchestrator_work($1, $2, $3, $4, $5, $6, $7)`
	rustEnqueueWork = `SELECT {S}.enqueue_worker_work($1, $2, $3, $4)`
	rustFetchWork   = `SELECT * FROM {S}.fetch_work_item($1, $2, $3, $4, $5, $6)`
	rustAckWork     = `SELECT {S}.ack_worker($1, $2, $3, $4)`
	rustRenewWork   = `SELECT {S}.renew_work_item_lock($1, $2, $3)`
	rustAbandonWork = `SELECT {S}.abandon_work_item($1, $2, $3, $4)`
	rustRenewSess   = `SELECT {S}.renew_session_lock($1, $2, $3, $4)`
	rustCleanSess   = `SELECT {S}.cleanup_orphaned_sessions($1)`
	rustAppend      = `SELECT {S}.append_history($1, $2, $3, $4)`
	rustDelete      = `SELECT * FROM {S}.delete_instances_atomic($1, $2)`
	rustPrune       = `SELECT * FROM {S}.prune_executions($1, $2, $3)`
	rustRefresh     = `SELECT (EXTRACT(EPOCH FROM visible_at) * 1000)::BIGINT FROM {S}.orchestrator_queue
		WHERE (EXTRACT(EPOCH FROM visible_at) * 1000)::BIGINT > $1 AND (EXTRACT(EPOCH FROM visible_at) * 1000)::BIGINT <= $2 AND lock_token IS NULL`
	rustBulk = `SELECT i.instance_id FROM {S}.instances i LEFT JOIN {S}.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
		WHERE i.parent_instance_id IS NULL AND e.status IN ('Completed', 'Failed', 'ContinuedAsNew') AND e.completed_at < $1 ORDER BY 1`
)

// rustReads are those about one instance.
var rustReads = []string{
	`SELECT out_event_data FROM {S}.fetch_history($1)`,
	`SELECT out_event_data FROM {S}.fetch_history_with_execution($1, 1)`,
	`SELECT event_data FROM {S}.history WHERE instance_id = $1 AND execution_id = 1 ORDER BY event_id`,
	`SELECT * FROM {S}.get_custom_status($1, 0)`,
	`SELECT * FROM {S}.get_kv_value($1, 'a')`,
	`SELECT * FROM {S}.get_kv_all_values($1)`,
	`SELECT * FROM {S}.get_instance_stats($1)`,
	`SELECT execution_id FROM {S}.list_executions($1)`,
	`SELECT {S}.latest_execution_id($1)`,
	`SELECT * FROM {S}.get_instance_info($1)`,
	`SELECT * FROM {S}.get_execution_info($1, 1)`,
	`SELECT child_instance_id FROM {S}.list_children($1)`,
	`SELECT {S}.get_parent_id($1)`,
}

// token stands for a lock token: each schema has made its own.
type token int

// lockstep sends every statement to both schemas and compares all that it can see.
type lockstep struct {
	*testing.T
	sides  [2]fixture
	tokens [][2]string
	log    []string
	now    int64
	epoch  int64
	failed int // calls
}

func newLockstep(t *testing.T) *lockstep {
	l := &lockstep{T: t, now: nowMs()}
	l.epoch = l.now
	for i, version := range []int{migrations.SharedVersion, lastVersion()} {
		l.sides[i] = setupAt(t, version)
	}
	return l
}

// anyOffender is the instance that a deletion of several is refused for: when more
// than one stands in its way, either is named.
var anyOffender = regexp.MustCompile(`nstance \S+`)

// call returns the rows, with tokens by number.
func (l *lockstep) call(text string, args ...any) []string {
	l.Helper()
	l.log = append(l.log, fmt.Sprint(text, args))
	l.now++ // no two calls at the same time
	var results [2][]string
	var found [2][]string
	for side, f := range l.sides {
		var resolved []any
		for _, arg := range args {
			if n, ok := arg.(token); ok {
				arg = l.tokens[n][side]
			}
			resolved = append(resolved, arg)
		}
		rows, err := f.Pool.Query(f.Context(), f.sql(text), resolved...)
		if err != nil {
			l.Fatalf("%s: %v", text, err)
		}
		var header []string
		for _, column := range rows.FieldDescriptions() {
			header = append(header, fmt.Sprint(column.Name, ":", column.DataTypeOID))
		}
		results[side] = []string{strings.Join(header, " ")}
		var body []string
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				l.Fatal(err)
			}
			line := ""
			for i, value := range values {
				if s, ok := value.(string); ok && rows.FieldDescriptions()[i].Name == "out_lock_token" {
					found[side] = append(found[side], s)
					value = fmt.Sprint("token ", len(l.tokens))
				}
				line += fmt.Sprintf("%v|", value)
			}
			body = append(body, line)
		}
		if strings.Contains(text, "get_kv_all_values") {
			slices.Sort(body) // in no order
		}
		results[side] = append(results[side], body...)
		if err := rows.Err(); err != nil {
			var pgErr *pgconn.PgError
			if !errors.As(err, &pgErr) {
				l.Fatalf("%s: %v", text, err)
			}
			results[side] = []string{"error " + pgErr.Code + " " + anyOffender.ReplaceAllString(pgErr.Message, "nstance ?")}
			l.failed++
		}
	}
	if diff := cmp.Diff(results[0], results[1]); diff != "" {
		l.Fatalf("the schemas differ (-plain +improved):\n%s\nafter:\n%s", diff, strings.Join(l.log[max(0, len(l.log)-25):], "\n"))
	}
	if len(found[0]) > 0 {
		l.tokens = append(l.tokens, [2]string{found[0][0], found[1][0]})
	}
	return results[0][1:]
}

// claim is a call that may claim; it returns the token.
func (l *lockstep) claim(text string, args ...any) (t token, ok bool) {
	l.Helper()
	before := len(l.tokens)
	l.call(text, args...)
	return token(before), len(l.tokens) > before
}

// tables compares what is stored: all columns of the shared lineage, with tokens
// by number, and deadlines in hours since the start, because renewals differ.
func (l *lockstep) tables() {
	l.Helper()
	hours := func(column string) string { return fmt.Sprintf(`(%s - %d) / 3600000`, column, l.epoch) }
	for _, query := range []string{
		`SELECT instance_id, orchestration_name, orchestration_version, current_execution_id, created_at, updated_at, parent_instance_id,
			custom_status, custom_status_version FROM {S}.instances ORDER BY 1`,
		`SELECT * FROM {S}.executions ORDER BY 1, 2`,
		`SELECT * FROM {S}.history ORDER BY 1, 2, 3`,
		`SELECT instance_id, work_item, visible_at, lock_token, ` + hours("locked_until") + `, created_at, attempt_count FROM {S}.orchestrator_queue ORDER BY id`,
		`SELECT work_item, visible_at, lock_token, ` + hours("locked_until") + `, created_at, attempt_count, session_id, tag FROM {S}.worker_queue ORDER BY id`,
		`SELECT instance_id, lock_token, ` + hours("locked_until") + `, locked_at FROM {S}.instance_locks ORDER BY 1`,
		`SELECT session_id, worker_id, ` + hours("locked_until") + `, last_activity_at FROM {S}.sessions ORDER BY 1`,
		`SELECT * FROM {S}.kv_store ORDER BY 1, 2`,
		`SELECT * FROM {S}.kv_delta ORDER BY 1, 2`,
		`SELECT version, name FROM {S}._duroxide_migrations ORDER BY 1`,
	} {
		var contents [2][]string
		for side, f := range l.sides {
			contents[side] = f.rows(query)
			for i, row := range contents[side] {
				for n, pair := range l.tokens {
					row = strings.ReplaceAll(row, pair[side], fmt.Sprint("token ", n))
				}
				contents[side][i] = row
			}
		}
		if diff := cmp.Diff(contents[0], contents[1]); diff != "" {
			l.Fatalf("%s\n(-plain +improved):\n%s\nafter:\n%s", query, diff, strings.Join(l.log[max(0, len(l.log)-25):], "\n"))
		}
	}
}

func (l *lockstep) at(ms int64) time.Time { return time.UnixMilli(ms) }

const (
	lease  = 600_000   // 10 min
	hour   = 3_600_000 // expires every lease
	aStart = `{"StartOrchestration": {"instance": "%s", "orchestration": "Order", "version": "1.0.0", "input": "x", "execution_id": 1}}`
)

// Every statement, with arguments that are right, missing, unknown and wrong.
func TestRustClientFixedCalls(t *testing.T) {
	t.Parallel()
	l := newLockstep(t)
	enqueue := func(instance, item string, at int64) {
		l.call(rustEnqueue, instance, item, l.at(at), l.now, nil, nil, nil)
	}
	enqueue("i", fmt.Sprintf(aStart, "i"), l.now)
	enqueue("j", `{"QueueMessage": {"instance": "j", "name": "n", "data": "d"}}`, l.now)
	enqueue("later", `{"TimerFired": {"instance": "later", "execution_id": 1, "id": 3, "fire_at_ms": 1}}`, l.now+hour)
	l.call(rustFetch, l.now-hour, lease, nil, nil) // nothing is visible yet
	first, ok := l.claim(rustFetch, l.now, lease, 0, 1_000_000)
	if !ok {
		t.Fatal("nothing fetched")
	}
	l.tables()
	for _, args := range [][]any{
		{"lock_unknown", l.now, 1, `[]`, `[]`, `[]`, `{}`, `[]`},
		{first, l.now + hour, 1, `[]`, `[]`, `[]`, `{}`, `[]`},
		{first, l.now, 1, `null`, `[]`, `[]`, `{}`, `[]`},
		{first, l.now, 1, `[]`, `null`, `[]`, `{}`, `[]`},
		{first, l.now, 1, `[]`, `[]`, `null`, `{}`, `[]`},
		{first, l.now, 1, `[]`, `[]`, `[]`, `{}`, `null`},
		{first, l.now, 1, `[]`, `[]`, `[]`, `{"kv_mutations": null}`, `[]`},
		{first, l.now, 1, `[{"event_id": 1, "event_type": "Event", "event_data": "a"}, {"event_id": 1, "event_type": "Event", "event_data": "b"}]`, `[]`, `[]`, `{}`, `[]`},
		{first, l.now, 1, `[]`, `[]`, `[{"QueueMessage": {}}]`, `{}`, `[]`},
		{first, l.now, 1, `[{"event_id": "x"}]`, `[]`, `[]`, `{}`, `[]`},
	} {
		l.call(rustAck, args...)
	}
	l.tables()
	l.call(rustRenew, first, l.now, 60_000)
	l.call(rustRenew, first, l.now+hour, 60_000)
	l.call(rustRenew, "lock_unknown", l.now, 60_000)
	l.call(rustAck, first, l.now, 1,
		`[{"event_id": 1, "event_type": "Event", "event_data": "{\"type\": \"OrchestrationStarted\", \"carry_forward_events\": [1, 2]}"}]`,
		`[{"ActivityExecute": {"instance": "i", "execution_id": 1, "id": 2, "name": "a", "input": "x"}},
		  {"ActivityExecute": {"instance": "i", "execution_id": 1, "id": 3, "name": "a", "input": "x", "session_id": "s", "tag": "gpu"}},
		  {"ActivityExecute": {"instance": "i", "execution_id": 1, "id": 4, "name": "a", "input": "x"}}, {"Odd": 1}, 5]`,
		fmt.Sprintf(`[{"TimerFired": {"instance": "i", "fire_at_ms": %d}}, {"StartOrchestration": {"instance": "child", "orchestration": "C"}}, {"Odd": 1}, 7,
		  {"SubOrchFailed": {"parent_instance": "p"}}, {"TimerFired": {"instance": "i", "fire_at_ms": 0}}, {"zz": 0, "QueueMessage": {"instance": "q"}}]`, l.now+hour),
		`{"orchestration_name": "Order", "orchestration_version": "1.0.0", "parent_instance_id": "p", "pinned_duroxide_version": {"major": 0, "minor": 1, "patch": 32},
		  "custom_status_action": "set", "custom_status_value": "busy", "kv_mutations": [{"action": "set", "key": "a", "value": "1", "last_updated_at_ms": 5},
		  {"action": "set", "key": "b", "value": "2"}, {"action": "clear_key", "key": "a"}, {"action": "other"}, {"action": "set", "key": "c", "value": "3"}]}`,
		`[{"execution_id": 1, "activity_id": 4}, {"execution_id": 9, "activity_id": 4}]`)
	l.tables()

	for _, mode := range []string{"none", "tags", "default_and", "any", "default_only", "odd"} {
		l.call(rustFetchWork, l.now, lease, nil, nil, []string{"cpu"}, mode)
	}
	work, ok := l.claim(rustFetchWork, l.now, lease, "w1", lease, []string{"gpu"}, "any")
	if !ok {
		t.Fatal("no work fetched")
	}
	l.call(rustRenewWork, work, l.now, 60_000)
	l.call(rustRenewWork, work, l.now+hour, 60_000)
	l.call(rustRenewWork, "lock_unknown", l.now, 60_000)
	l.call(rustAckWork, work, nil, `{}`, l.now)
	l.call(rustAckWork, work, "i", `{}`, nil)
	l.call(rustAckWork, work, "i", `{"ActivityCompleted": {"instance": "i", "execution_id": 1, "id": 3, "result": "r"}}`, l.now+hour)
	l.call(rustAckWork, work, "i", `{"ActivityCompleted": {"instance": "i", "execution_id": 1, "id": 3, "result": "r"}}`, l.now)
	l.call(rustAckWork, work, "i", `{}`, l.now)
	l.call(rustAbandonWork, work, l.now, nil, false)
	l.call(rustRenewSess, []string{"w1", "w2"}, l.now, lease, lease)
	l.call(rustRenewSess, []string{"w1"}, l.now, lease, 0)
	l.call(rustCleanSess, l.now)
	l.call(rustCleanSess, l.now+2*hour)
	l.tables()

	second, ok := l.claim(rustFetch, l.now+hour, lease, 0, 1_000_000)
	if !ok {
		t.Fatal("nothing fetched")
	}
	l.call(rustAbandon, second, l.now+hour, 5000, true)
	l.call(rustAbandon, second, l.now+hour, nil, false)
	for {
		next, ok := l.claim(rustFetch, l.now+2*hour, lease, nil, nil)
		if !ok {
			break
		}
		l.call(rustAck, next, l.now+2*hour, 2, `[]`, `[]`, `[]`, `{"orchestration_name": "N", "orchestration_version": "2", "status": "Completed", "output": "o",
			"custom_status_action": "clear", "kv_mutations": [{"action": "set", "key": "x", "value": "1"}, {"action": "clear_all"}, {"action": "set", "key": "a", "value": "9"}]}`, nil)
		l.tables()
	}
	l.call(rustAppend, "i", 2, `[{"event_id": 1, "event_type": "Event", "event_data": "{}"}, {"event_id": 2, "event_type": "Event", "event_data": "{}"}]`, l.now)
	l.call(rustAppend, "i", 2, `[{"event_id": 0}]`, l.now)
	for _, read := range rustReads {
		l.call(read, "i")
		l.call(read, "unknown")
	}
	for _, text := range []string{
		`SELECT instance_id FROM {S}.list_instances()`, `SELECT instance_id FROM {S}.list_instances_by_status('Completed')`,
		`SELECT * FROM {S}.get_system_metrics()`,
	} {
		l.call(text)
	}
	l.call(`SELECT * FROM {S}.get_queue_depths($1)`, l.now+3*hour)
	l.call(rustRefresh, l.now, l.now+4*hour)
	l.call(rustBulk, l.at(l.now+3*hour))
	l.call(rustPrune, "unknown", nil, nil)
	l.call(rustPrune, "i", 1, nil)
	l.call(rustDelete, []string{"i"}, false)
	l.call(rustDelete, []string{}, true)
	l.tables()
}

// Many calls in any order. The clock goes on by an hour now and then, which ends
// every lease.
func TestRustClientRandomCalls(t *testing.T) {
	t.Parallel()
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newLockstep(t)
			r := rand.New(rand.NewPCG(seed, 1))
			for range 250 {
				l.random(r)
				if r.IntN(10) == 0 {
					l.tables()
				}
			}
			l.tables()
			t.Logf("%d calls, %d claims, %d errors", len(l.log), len(l.tokens), l.failed/2)
			if len(l.tokens) < 8 || l.failed/2 > len(l.log)/2 {
				t.Error("too little happened to tell")
			}
		})
	}
}

func oneOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// random makes a call that a client could make, sometimes a wrong one.
func (l *lockstep) random(r *rand.Rand) {
	l.Helper()
	instance := fmt.Sprint("i", r.IntN(4))
	session := oneOf[any](r, nil, nil, "s1", "s2")
	tag := oneOf[any](r, nil, nil, "gpu", "cpu")
	anyToken := func() any {
		if len(l.tokens) == 0 || r.IntN(20) == 0 {
			return "lock_unknown"
		}
		return token(max(0, len(l.tokens)-1-r.IntN(6)))
	}
	activity := func() string {
		more := ""
		if s := oneOf(r, "", "s1", "s2"); s != "" {
			more = fmt.Sprintf(`, "session_id": "%s"`, s)
		}
		return fmt.Sprintf(`{"ActivityExecute": {"instance": "%s", "execution_id": 1, "id": %d%s}}`, instance, r.IntN(4), more)
	}
	switch r.IntN(18) {
	case 0, 1, 2:
		item := oneOf(r, fmt.Sprintf(aStart, instance), `{"QueueMessage": {"instance": "i", "name": "n", "data": "d"}}`, `{"ContinueAsNew": {"orchestration": "Next"}}`, `7`)
		l.call(rustEnqueue, instance, item, l.at(l.now+oneOf[int64](r, 0, 0, -hour, hour)), l.now, nil, nil, nil)
	case 3:
		l.call(rustEnqueueWork, activity(), l.now, session, tag)
	case 4, 5, 6:
		low, high := any(nil), any(nil)
		if r.IntN(3) == 0 {
			low, high = 0, oneOf(r, 1_000, 1_032, 9_000_000)
		}
		l.call(rustFetch, l.now, lease, low, high)
	case 7, 8, 9:
		history := `[]`
		if r.IntN(2) == 0 {
			history = fmt.Sprintf(`[{"event_id": %d, "event_type": "Event", "event_data": "{\"n\": %d}"}]`, 1+r.IntN(30), r.IntN(9))
		}
		worker, orch := `[]`, `[]`
		if r.IntN(2) == 0 {
			worker = fmt.Sprintf(`[%s, %s]`, activity(), activity())
			orch = fmt.Sprintf(`[{"QueueMessage": {"instance": "%s"}}, {"TimerFired": {"instance": "%s", "fire_at_ms": %d}}, {"SubOrchCompleted": {"parent_instance": "i0"}}]`,
				instance, instance, l.now+oneOf[int64](r, -1, 0, hour))
		}
		metadata := oneOf(r, `{}`, started, `{"orchestration_name": "A", "orchestration_version": null, "status": "Running"}`,
			`{"orchestration_name": "A", "orchestration_version": "2", "parent_instance_id": "i0", "pinned_duroxide_version": {"major": 0, "minor": 1, "patch": 32}}`,
			`{"status": "Completed", "output": "o"}`, `{"status": "ContinuedAsNew"}`, `{"status": "Failed", "output": null, "custom_status_action": "clear"}`,
			`{"custom_status_action": "set", "custom_status_value": "v", "kv_mutations": `+l.mutations(r)+`}`, `{"status": "Completed", "kv_mutations": `+l.mutations(r)+`}`)
		cancelled := oneOf(r, `[]`, `[{"execution_id": 1, "activity_id": 1}, {"execution_id": 1, "activity_id": 2}, {"execution_id": 1, "activity_id": 1}]`)
		l.call(rustAck, anyToken(), l.now, oneOf(r, 1, 1, 1, 2), history, worker, orch, metadata, cancelled)
	case 10:
		l.call(rustAbandon, anyToken(), l.now, oneOf[any](r, nil, 0, 5000), r.IntN(2) == 0)
	case 11:
		l.call(oneOf(r, rustRenew, rustRenewWork), anyToken(), l.now, 60_000)
	case 12, 13:
		owner, timeout := oneOf[any](r, nil, "w1", "w2"), oneOf[any](r, nil, lease, lease)
		l.call(rustFetchWork, l.now, lease, owner, timeout, oneOf(r, nil, []string{"gpu"}, []string{"gpu", "cpu"}), oneOf(r, "default_only", "tags", "default_and", "any"))
	case 14:
		l.call(rustAckWork, anyToken(), instance, `{"ActivityCompleted": {"instance": "i", "execution_id": 1, "id": 1, "result": "r"}}`, l.now)
	case 15:
		l.call(rustAbandonWork, anyToken(), l.now, oneOf[any](r, nil, 0, 5000), r.IntN(2) == 0)
	case 16:
		l.call(oneOf(r, rustReads...), instance)
		l.call(rustRenewSess, []string{"w1"}, l.now, lease, lease)
		l.call(rustCleanSess, l.now)
		l.call(`SELECT * FROM {S}.get_queue_depths($1)`, l.now)
	case 17:
		switch r.IntN(4) {
		case 0:
			l.now += hour
		case 1:
			l.call(rustDelete, []string{instance, fmt.Sprint("i", r.IntN(4))}, r.IntN(2) == 0)
		case 2:
			l.call(rustPrune, instance, oneOf[any](r, nil, 1), oneOf[any](r, nil, l.now))
		case 3:
			l.call(rustAppend, instance, 1, `[{"event_id": 40, "event_type": "Event", "event_data": "{}"}]`, l.now)
		}
	}
}

func (l *lockstep) mutations(r *rand.Rand) string {
	var all []string
	for range r.IntN(6) {
		all = append(all, oneOf(r,
			fmt.Sprintf(`{"action": "set", "key": "%s", "value": "%d", "last_updated_at_ms": %d}`, oneOf(r, "a", "b", "c"), r.IntN(9), r.IntN(9)),
			fmt.Sprintf(`{"action": "set", "key": "%s", "value": "v"}`, oneOf(r, "a", "b", "c")),
			fmt.Sprintf(`{"action": "clear_key", "key": "%s"}`, oneOf(r, "a", "b", "d")),
			`{"action": "clear_all"}`, `{"action": "odd"}`))
	}
	return "[" + strings.Join(all, ",") + "]"
}
