package migrations_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The performance improvements, by facts that do not depend on the machine: how
// many pages a call touches, what a statement waits for, which updates stay on
// their page. The benchmarks of the same names give the times.

// blocks is how many pages a call on a connection touches, all that its functions
// do included. It is undone. The least of some calls counts: now and then the
// server drops what a session knows of the catalogue.
func (f fixture) blocks(conn *pgx.Conn, calls int, text string, args ...any) int {
	f.Helper()
	least := math.MaxInt
	for range calls {
		f.execOn(conn, `BEGIN`)
		least = min(least, f.explain(conn, `BUFFERS, `, text, args...).Plan.blocks())
		f.execOn(conn, `ROLLBACK`)
	}
	return least
}

type explained struct {
	Plan     plan
	Triggers []struct {
		Name  string `json:"Trigger Name"`
		Calls int
	}
}

type plan struct {
	Hit  int `json:"Shared Hit Blocks"`
	Read int `json:"Shared Read Blocks"`
}

func (p plan) blocks() int { return p.Hit + p.Read }

func (f fixture) explain(conn *pgx.Conn, options, text string, args ...any) explained {
	f.Helper()
	var out []byte
	explain := `EXPLAIN (ANALYZE, ` + options + `FORMAT JSON) ` + f.sql(text)
	if err := conn.QueryRow(f.Context(), explain, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...).Scan(&out); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	var plans []explained
	if err := json.Unmarshal(out, &plans); err != nil {
		f.Fatal(err)
	}
	return plans[0]
}

// cheaper checks the pages of a call: many on the plain schema, few on the
// improved one.
func (v variant) cheaper(what string, atLeast, atMost int, text string, args ...any) {
	v.Helper()
	got := v.blocks(v.connect(), 4, text, args...)
	v.Logf("%s: %d pages", what, got)
	if !v.improved && got < atLeast {
		v.Errorf("%s: %d pages, want the defect: at least %d", what, got, atLeast)
	}
	if v.improved && got > atMost {
		v.Errorf("%s: %d pages, want at most %d", what, got, atMost)
	}
}

const (
	fillMessages = `INSERT INTO {S}.orchestrator_queue (instance_id, work_item, visible_at, created_at)
		SELECT 'i' || n, '{"CancelInstance": {"instance": "i' || n || '"}}', to_timestamp($2::float8 / 1000), now()
		  FROM generate_series(1, $1::integer) n`
	// $1 rows, the first $2 of them claimed until $3.
	fillActivities = `INSERT INTO {S}.worker_queue (work_item, visible_at, created_at, lock_token, locked_until)
		SELECT '{"ActivityExecute": {"instance": "i' || n % 100 || '", "execution_id": 1, "id": ' || n || ', "name": "a", "input": "x"}}',
		       now() - interval '1 s', now(), CASE WHEN n <= $2::integer THEN 'lock_' || n END, CASE WHEN n <= $2::integer THEN $3::bigint END
		  FROM generate_series(1, $1::integer) n`
)

// fillActivities makes activities as the functions of the variant leave them, the
// first ones claimed.
func (v variant) fillActivities(n, claimed int) {
	v.Helper()
	text := fillActivities
	if v.improved {
		text = strings.NewReplacer(
			"locked_until)", "locked_until, dxgo_instance_id, dxgo_execution_id, dxgo_activity_id, dxgo_claimed_until)",
			"$3::bigint END", "$3::bigint END, 'i' || n % 100, 1, n, CASE WHEN n <= $2::integer THEN $3::bigint END",
		).Replace(text)
	}
	v.exec(text, n, claimed, nowMs()+600_000)
}

func (f fixture) analyze() {
	f.Helper()
	f.exec(`VACUUM ANALYZE {S}.orchestrator_queue, {S}.worker_queue, {S}.instance_locks, {S}.instances, {S}.executions`)
}

// All fetches stood in line for the first candidate.
func TestP1FetchesDoNotWait(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.exec(fillMessages, 5, 0)
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.execOn(other, fetchSQL, nowMs(), 60_000) // its claim is not committed
		conn := v.impatient()
		var instance string
		err := conn.QueryRow(v.Context(), v.sql(`SELECT out_instance_id FROM {S}.fetch_orchestration_item($1, 1000)`), nowMs()).Scan(&instance)
		is(v, "error", code(err), "57014", "")
		is(v, "instance", instance, "", "i2")
		v.execOn(other, `ROLLBACK`)
	})
}

// Of ten fetches at once for ten instances each gets one.
func TestP1ConcurrentFetchesAllSucceed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for round := range 20 {
		f.exec(`TRUNCATE {S}.orchestrator_queue, {S}.instance_locks`)
		f.exec(fillMessages, 10, 0)
		got := make(chan string, 10)
		start := make(chan struct{})
		for range 10 {
			go func() {
				<-start
				rows, err := f.query(`SELECT out_instance_id FROM {S}.fetch_orchestration_item($1, 60000)`, nowMs())
				got <- fmt.Sprint(rows, err)
			}()
		}
		close(start)
		seen := map[string]bool{}
		for range 10 {
			seen[<-got] = true
		}
		if len(seen) != 10 || seen["[] <nil>"] {
			t.Fatalf("round %d: %v", round, seen)
		}
	}
}

// Equal times, as after a bulk start, were sorted at each fetch.
func TestP2CandidatesComeInOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.exec(fillMessages, 5000, 0)
		v.analyze()
		v.cheaper("fetch with 5,000 messages due at one time", 100, 60, fetchSQL, nowMs(), 1000)
	})
}

func TestP4CancellationAndDeletionDoNotScan(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.fillActivities(5000, 0)
		v.enqueue("i1", `{"CancelInstance": {}}`, 0)
		r := v.claim(time.Minute)
		v.analyze()
		cancelled := `[{"execution_id": 1, "activity_id": 101}, {"execution_id": 1, "activity_id": 201}, {"execution_id": 1, "activity_id": 301}]`
		v.cheaper("acknowledgement that cancels 3 of 5,000 activities", 3*100, 200,
			`SELECT {S}.ack_orchestration_item($1, $2, 1, '[]', '[]', '[]', '{}', $3::text::jsonb)`, r.token, nowMs(), cancelled)
		v.cheaper("deletion of an instance without activities", 100, 100, deleteSQL, []string{"unknown"}, true)
		// The same rows go, wherever they were written.
		v.exec(`SELECT {S}.enqueue_worker_work('{"ActivityExecute": {"instance": "i1", "execution_id": 1, "id": 9}}', 0)`)
		v.exec(`INSERT INTO {S}.worker_queue (work_item, visible_at, created_at)
			VALUES ('{"ActivityExecute": {"instance": "i1", "execution_id": 1, "id": 8}}', now(), now())`)
		v.ack(r.token, nowMs(), ack{cancelled: strings.Replace(cancelled, "[", `[{"execution_id": 1, "activity_id": 8}, {"execution_id": 1, "activity_id": 9}, `, 1)})
		v.want([]string{"4997"}, `SELECT count(*) FROM {S}.worker_queue`)
		v.want([]string{"0|1|0|47"}, deleteSQL, []string{"i1"}, true)
	})
}

// Text that jsonb cannot hold used to stop every cancellation and deletion.
func TestP4UnreadableActivities(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.exec(`SELECT {S}.enqueue_worker_work('{"ActivityExecute": {"instance": "i", "execution_id": 1, "id": 1, "input": "\u0000"}}', 0),
			{S}.enqueue_worker_work('no JSON', 0), {S}.enqueue_worker_work('{"ActivityExecute": {"instance": "i", "execution_id": "x", "id": 2}}', 0)`)
		_, err := v.query(deleteSQL, []string{"i"}, true)
		is(v, "error of a deletion", code(err), "22P05", "")
		if v.improved {
			v.want([]string{"no JSON"}, `SELECT work_item FROM {S}.worker_queue`)
		}
	})
}

func TestP5WorkersPassByClaimedRows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.fillActivities(5000, 5000)
		v.exec(`SELECT {S}.enqueue_worker_work('free', 0)`)
		v.analyze()
		v.cheaper("fetch past 5,000 claimed rows", 100, 50, `SELECT * FROM {S}.fetch_work_item($1, 1000)`, nowMs())
		// A claim that ran out is still found, in its order.
		v.exec(`UPDATE {S}.worker_queue SET locked_until = 1 WHERE id IN (30, 20)`)
		if v.improved {
			v.exec(`UPDATE {S}.worker_queue SET dxgo_claimed_until = NULL WHERE id IN (30, 20)`)
		}
		for _, id := range []string{"20", "30", "5001"} {
			v.exec(`SELECT {S}.fetch_work_item($1, 600000)`, nowMs())
			v.want([]string{id}, `SELECT id FROM {S}.worker_queue ORDER BY xmin::text::bigint DESC LIMIT 1`)
		}
	})
}

// After a crash many claims run out at once. Workers that come together each get one,
// and none is told that there is nothing.
func TestP5ExpiredClaimsForEverybody(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.fillActivities(10, 10)
		v.exec(`UPDATE {S}.worker_queue SET locked_until = 1`)
		if v.improved {
			v.exec(`UPDATE {S}.worker_queue SET dxgo_claimed_until = 1`)
		}
		seen := map[string]bool{}
		for range 10 { // each claim stays uncommitted
			conn := v.connect()
			v.execOn(conn, `BEGIN`)
			var item string
			if err := conn.QueryRow(v.Context(), `SELECT out_work_item FROM fetch_work_item($1, 60000)`, nowMs()).Scan(&item); err != nil {
				v.Fatalf("after %d: %v", len(seen), err)
			}
			seen[item] = true
		}
		if len(seen) != 10 {
			v.Errorf("got %v", seen)
		}
	})
}

// The old look-ahead compared an expression.
func TestP6LookAheadUsesIndexes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.exec(`INSERT INTO {S}.orchestrator_queue (instance_id, work_item, visible_at, created_at)
			SELECT 'i' || n, '1', now() + interval '1 h' + n * interval '1 ms', now() FROM generate_series(1, 5000) n`)
		v.fillActivities(3000, 2000)
		query := `SELECT * FROM {S}.dxgo_due_times($1, $2)`
		if !v.improved {
			query = `SELECT (extract(epoch FROM visible_at) * 1000)::bigint FROM {S}.orchestrator_queue
				WHERE (extract(epoch FROM visible_at) * 1000)::bigint > $1 AND (extract(epoch FROM visible_at) * 1000)::bigint <= $2
				  AND lock_token IS NULL`
		}
		v.cheaper("look-ahead with nothing due among 5,000 messages", 40, 30, query, nowMs(), nowMs()+60_000)
	})
}

func TestP9OneNotificationPerStatement(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		collect := v.listen()
		v.exec(`INSERT INTO {S}.orchestrator_queue (instance_id, work_item, visible_at, created_at)
			SELECT 'i', '1', to_timestamp(n % 3), now() FROM generate_series(1, 100) n`)
		v.fillActivities(100, 0)
		got := collect()
		if len(got) != 4 || strings.Join(got[:3], ",") != "_orch_work 0,_orch_work 1000,_orch_work 2000" && v.improved {
			v.Errorf("got %q, want each time once", got)
		}
		if v.improved { // rows born claimed are nobody else's
			v.exec(`INSERT INTO {S}.worker_queue (work_item, visible_at, created_at, lock_token, locked_until) VALUES ('1', now(), now(), 'x', 1)`)
			if got := collect(); len(got) > 0 {
				v.Errorf("a claimed row notified: %q", got)
			}
		}
		calls := v.explain(v.connect(), "", strings.NewReplacer("$1::integer", "1000", "$2::float8", "0").Replace(fillMessages)).Triggers
		if len(calls) != 1 || calls[0].Name != "trg_notify_orch_work" {
			v.Fatalf("triggers %+v", calls)
		}
		is(v, "calls of the trigger for 1,000 rows", calls[0].Calls, 1000, 1)
	})
}

// Items were inserted one by one. A command has a number.
func TestP10ItemsAreInsertedTogether(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		items := func(format string) string {
			var all []string
			for n := range 100 {
				all = append(all, fmt.Sprintf(format, n))
			}
			return "[" + strings.Join(all, ",") + "]"
		}
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		v.ack(v.claim(time.Minute).token, nowMs(), ack{
			worker:   items(`{"ActivityExecute": {"instance": "i", "execution_id": 1, "id": %d}}`),
			orch:     items(`{"QueueMessage": {"instance": "q", "n": %d}}`),
			metadata: `{"orchestration_name": "A", "orchestration_version": "1", "kv_mutations": ` + items(`{"action": "set", "key": "k%d", "value": "v"}`) + `}`,
		})
		for table, order := range map[string]string{
			"worker_queue":       `work_item::jsonb -> 'ActivityExecute' ->> 'id'`,
			"orchestrator_queue": `work_item::jsonb -> 'QueueMessage' ->> 'n'`,
			"kv_delta":           `0`,
		} {
			is(v, "commands for "+table, v.rows(`SELECT count(DISTINCT cmin::text) FROM {S}.`+table), []string{"100"}, []string{"1"})
			if table != "kv_delta" { // ids follow the array
				v.want([]string{"true"}, `SELECT bool_and(n = first + id - low) FROM (SELECT id, (`+order+`)::bigint AS n, min((`+order+`)::bigint) OVER () AS first, min(id) OVER () AS low FROM {S}.`+table+`) x`)
			}
		}
	})
}

func TestP11IndexesThatNobodyUses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		is(v, "duplicate or unused indexes", v.rows(`SELECT relname::text FROM pg_class WHERE relnamespace = $1::regnamespace AND relname = ANY ($2) ORDER BY 1`, v.Schema,
			[]string{"idx_history_lookup", "idx_instance_locks_locked_until", "idx_worker_visible", "idx_kv_store_execution", "idx_orch_lock"}),
			[]string{"idx_history_lookup", "idx_instance_locks_locked_until", "idx_kv_store_execution", "idx_orch_lock", "idx_worker_visible"}, []string{})
	})
}

func TestP12IndexesThatWereMissing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.exec(`INSERT INTO {S}.instance_locks SELECT 'i' || n, 'lock_' || n, $1, 0 FROM generate_series(1, 5000) n`, nowMs()+600_000)
		v.exec(`INSERT INTO {S}.instances (instance_id, orchestration_name, created_at, updated_at)
			SELECT 'i' || n, 'A', now() - n * interval '1 s', now() FROM generate_series(1, 5000) n`)
		v.exec(`INSERT INTO {S}.executions (instance_id, execution_id, status, started_at, completed_at)
			SELECT 'i' || n, 1, CASE n WHEN 77 THEN 'Failed' ELSE 'Completed' END, now(), now() - n * interval '1 s' FROM generate_series(1, 5000) n`)
		v.analyze()
		v.cheaper("renewal beside 5,000 claims", 40, 40, renewSQL, "lock_4000", nowMs(), 1000)
		v.cheaper("instances by a rare status", 60, 40, `SELECT * FROM {S}.list_instances_by_status('Failed')`)
		v.cheaper("the hundred oldest ends", 40, 20, `SELECT instance_id FROM {S}.executions
			WHERE status = 'Completed' AND completed_at < now() - interval '4900 s'`)
		v.cheaper("the newest instances", 40, 20, `SELECT instance_id FROM {S}.instances ORDER BY created_at DESC LIMIT 20`)
	})
}

// Updates that change no indexed column and find room stay on their page.
func TestP13ClaimsAndRenewalsStayOnTheirPage(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.exec(fillMessages, 10, 0)
		v.fillActivities(10, 0)
		conn := v.connect()
		v.execOn(conn, `BEGIN`)
		for range 10 {
			v.execOn(conn, `SELECT renew_orchestration_item_lock(out_lock_token, $1, 60000) FROM fetch_orchestration_item($1, 60000)`, nowMs())
			v.execOn(conn, `SELECT renew_work_item_lock(out_lock_token, $1, 60000) FROM fetch_work_item($1, 60000)`, nowMs())
		}
		hot := map[string]int{}
		rows, err := conn.Query(v.Context(), `SELECT relname::text, n_tup_upd::integer, n_tup_hot_upd::integer
			FROM pg_stat_xact_user_tables WHERE schemaname = $1 AND n_tup_upd > 0`, v.Schema)
		if err != nil {
			v.Fatal(err)
		}
		var table string
		var all, onPage int
		if _, err = pgx.ForEachRow(rows, []any{&table, &all, &onPage}, func() error {
			hot[table] = 100 * onPage / all
			return nil
		}); err != nil {
			v.Fatal(err)
		}
		v.execOn(conn, `ROLLBACK`)
		v.Logf("updates that stay on the page, %%: %v", hot)
		for table, limits := range map[string]struct{ plainAtMost, improvedAtLeast int }{
			"instance_locks":     {0, 95},
			"orchestrator_queue": {60, 95}, // a claim and a renewal each
			"worker_queue":       {60, 45},
		} {
			if got := hot[table]; !v.improved && got > limits.plainAtMost || v.improved && got < limits.improvedAtLeast {
				v.Errorf("%s: %d %%, want %+v", table, got, limits)
			}
		}
		is(v, "tables with settings", v.rows(`SELECT relname::text FROM pg_class WHERE relnamespace = $1::regnamespace
			AND reloptions::text LIKE '%fillfactor%autovacuum%' ORDER BY 1`, v.Schema),
			[]string{}, []string{"instance_locks", "orchestrator_queue", "sessions", "worker_queue"})
	})
}

// A plan that a session made while the queues were almost empty must still be good
// when they are full, and the other way round.
func TestPlansOutliveTheTablesTheyWereMadeFor(t *testing.T) {
	t.Parallel()
	calls := []struct {
		name  string
		text  string
		limit int
	}{
		{"fetch", `SELECT * FROM {S}.fetch_orchestration_item($1, 1000, 0, 9000000)`, 80},
		{"fetch activity", `SELECT * FROM {S}.fetch_work_item($1, 1000, 'w', 1000)`, 60},
		{"ack", `SELECT {S}.ack_orchestration_item('lock_1', $1, 1, '[]', '[]', '[]', '{}', '[{"execution_id": 1, "activity_id": 1}]')`, 100},
		{"renew", `SELECT {S}.renew_orchestration_item_lock('lock_1', $1, 1000)`, 40},
		{"abandon", `SELECT {S}.abandon_orchestration_item('lock_1', $1)`, 40},
		{"ack activity", `SELECT {S}.ack_worker('lock_1', 'i', '{}', $1)`, 40},
		{"renew activity", `SELECT {S}.renew_work_item_lock('lock_1', $1, 1000)`, 40},
		{"abandon activity", `SELECT {S}.abandon_work_item('lock_1', $1)`, 40},
		{"look-ahead", `SELECT * FROM {S}.dxgo_due_times($1, $1::bigint + 1000)`, 60},
		{"deletion", `SELECT * FROM {S}.delete_instances_atomic('{x1}', $1::bigint > 0)`, 200},
	}
	const few, many = 2, 20_000 // rows of each queue, half of the activities claimed
	for _, test := range []struct {
		name          string
		before, after int
	}{{"few then many", few, many}, {"many then few", many, few}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			fill := func(n int) {
				f.exec(`TRUNCATE {S}.orchestrator_queue, {S}.worker_queue, {S}.instance_locks RESTART IDENTITY`)
				f.exec(fillMessages, n, 0)
				until := nowMs() + 600_000
				f.exec(`INSERT INTO {S}.instance_locks SELECT 'x' || n, 'lock_' || n, $2, 0 FROM generate_series(1, $1::integer) n`, max(n/20, 1), until)
				variant{f, true}.fillActivities(n, n/2)
			}
			fill(test.before)
			f.analyze()
			conn := f.connect()
			for _, call := range calls {
				f.blocks(conn, 8, call.text, nowMs())
			}
			fill(test.after)
			for _, call := range calls {
				got := f.blocks(conn, 4, call.text, nowMs())
				t.Logf("%s: %d pages", call.name, got)
				if got > call.limit {
					t.Errorf("%s: %d pages, want at most %d", call.name, got, call.limit)
				}
			}
		})
	}
}
