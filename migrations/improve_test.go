package migrations_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/migrations"
)

// Tests of the improvements from 0101 on. Each runs against the shared lineage
// alone, where it must show the defect, and against the improved schema.

// variant is one of the two schemas that a test compares.
type variant struct {
	fixture
	improved bool
}

// onBoth runs a test on a plain and on an improved schema.
func onBoth(t *testing.T, test func(v variant)) {
	t.Helper()
	for name, version := range map[string]int{"plain": migrations.SharedVersion, "improved": lastVersion()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(variant{setupAt(t, version), version > migrations.SharedVersion})
		})
	}
}

// is compares with what the variant should give.
func is[T any](v variant, what string, got, plain, improved T) {
	v.Helper()
	want := plain
	if v.improved {
		want = improved
	}
	if diff := cmp.Diff(want, got); diff != "" {
		v.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func nowMs() int64 { return time.Now().UnixMilli() }

// code is the SQLSTATE of an error, "" without one.
func code(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// impatient connects for a statement that has no end on the plain schema, and some
// time for it on the improved one.
func (v variant) impatient() *pgx.Conn {
	v.Helper()
	conn := v.connect()
	limit := "300ms"
	if v.improved {
		limit = "10s"
	}
	v.execOn(conn, fmt.Sprintf(`SET statement_timeout = '%s'`, limit))
	return conn
}

// background runs a statement on a connection of its own, which has a time-out. It
// looks for a deadlock once, after the other side has had time to wait as well. The
// channel gives its error.
func (f fixture) background(text string, args ...any) <-chan error {
	f.Helper()
	conn := f.connect()
	f.execOn(conn, `SET statement_timeout = '10s'`)
	f.execOn(conn, `SET deadlock_timeout = '2s'`)
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(f.Context(), f.sql(text), args...)
		done <- err
	}()
	return done
}

// blocked waits until a number of connections waits for a lock in this schema's
// statements.
func (f fixture) blocked(n int) {
	f.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		rows := f.rows(`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND position($1 IN query) > 0`, f.Schema)
		if len(rows) >= n {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("%d statements wait for locks, want %d", len(rows), n)
		}
		time.Sleep(time.Millisecond)
	}
}

// claim fetches an instance at the present time.
func (f fixture) claim(timeout time.Duration) *turn {
	f.Helper()
	r := f.fetch(nowMs(), timeout.Milliseconds())
	if r == nil {
		f.Fatal("nothing to claim")
	}
	return r
}

const (
	fetchSQL   = `SELECT * FROM {S}.fetch_orchestration_item($1, $2)`
	renewSQL   = `SELECT {S}.renew_orchestration_item_lock($1, $2, $3)`
	abandonSQL = `SELECT {S}.abandon_orchestration_item($1, $2, $3, $4)`
	deleteSQL  = `SELECT * FROM {S}.delete_instances_atomic($1, $2)`
)

// The shared objects are there as the family knows them, what is new bears our
// name.
func TestImprovedCatalogue(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var want []string
	for _, fields := range readTSV(t, "functions.tsv") {
		want = append(want, strings.Join(fields[:12], "\t"))
	}
	slices.Sort(want)
	var shared []string
	overloads := map[string]int{}
	for _, line := range describe(t, f.Pool, f.Schema, functionsSQL) {
		name, _, _ := strings.Cut(line, "\t")
		overloads[name]++
		if !strings.HasPrefix(name, "dxgo_") {
			shared = append(shared, line)
		}
	}
	if diff := cmp.Diff(want, shared); diff != "" {
		t.Errorf("shared functions (-want +got):\n%s", diff)
	}
	for name, n := range overloads {
		if n != 1 {
			t.Errorf("function %s has %d overloads", name, n)
		}
	}
	f.want([]string{}, `SELECT proname::text FROM pg_proc WHERE pronamespace = $1::regnamespace
		AND NOT ('search_path=' || $1 || ', pg_temp' = ANY (coalesce(proconfig, '{}')))`, f.Schema)

	// Indexes that no query uses are gone and the triggers are other ones;
	// everything else that is shared is as it was, in its place.
	gone := []string{
		"idx_history_lookup", "idx_instance_locks_locked_until", "idx_kv_store_execution", "idx_orch_lock",
		"idx_orch_visible", "idx_worker_queue_session_id", "idx_worker_queue_tag", "idx_worker_visible",
		"trg_notify_orch_work", "trg_notify_worker_work",
	}
	got := describe(t, f.Pool, f.Schema, objectsSQL)
	for _, fields := range readTSV(t, "schema.tsv") {
		line := strings.Join(fields[:7], "\t")
		if present := slices.Contains(got, line); present == slices.Contains(gone, fields[2]) {
			t.Errorf("present is %v: %s", present, line)
		}
		got = slices.DeleteFunc(got, func(l string) bool { return l == line })
	}
	for _, line := range got {
		fields := strings.Split(line, "\t")
		ownTable := fields[1] == "_duroxide_go_migrations" || strings.HasPrefix(fields[1], "dxgo_")
		switch {
		case ownTable, strings.HasPrefix(fields[2], "dxgo_") && fields[3] != "NOT NULL":
		case fields[0] == "trigger" && slices.Contains(gone, fields[2]):
		default:
			t.Errorf("unexpected object: %s", line)
		}
		if fields[0] == "column" && !ownTable && fields[4] != "NULL" {
			t.Errorf("a column that older functions cannot leave out: %s", line)
		}
	}
	for _, line := range describe(t, f.Pool, f.Schema, objectsSQL) {
		if strings.Contains(line, "locked_until") && strings.HasPrefix(line, "index") {
			t.Errorf("renewals would not be HOT: %s", line)
		}
	}
}

func TestImprovedCleanup(t *testing.T) {
	t.Parallel()
	for version := migrations.SharedVersion; version <= lastVersion(); version++ {
		if !slices.ContainsFunc(migrations.Files(), func(f migrations.File) bool { return f.Version == version }) {
			continue
		}
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			f, other := setupAt(t, version), setup(t)
			want := catalogue(t, other.Pool, other.Schema)
			f.execOn(other.connect(), f.sql(`SELECT {S}.cleanup_schema()`))
			if left := catalogue(t, f.Pool, f.Schema); len(left) > 0 {
				t.Errorf("left in the schema: %q", left)
			}
			if diff := cmp.Diff(want, catalogue(t, other.Pool, other.Schema)); diff != "" {
				t.Errorf("the other schema changed (-before +after):\n%s", diff)
			}
		})
	}
}

// A Rust client that finds a table missing runs its files again over ours.
func TestImprovedSurvivesSharedFiles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	conn := f.connect()
	for _, file := range migrations.Files() {
		if file.Shared() {
			f.applyPlain(conn, file)
		}
	}
	f.enqueue("i", `{"CancelInstance": {}}`, nowMs())
	r := f.claim(time.Minute)
	f.ack(r.token, nowMs(), ack{metadata: started, worker: `[{"ActivityExecute": {"instance": "i", "execution_id": 1, "id": 2}}]`})
	f.want([]string{"1"}, `SELECT out_attempt_count FROM {S}.fetch_work_item($1, 1000)`, nowMs())
	f.want([]string{"1|1|0|1"}, deleteSQL, []string{"i"}, true)
}

// ---- Defect 1: a fetch span while somebody else held the rows of its candidate.

func TestDefect1FetchDoesNotSpin(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("held", `{"CancelInstance": {}}`, 0)
		v.enqueue("free", `{"CancelInstance": {}}`, 10)
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.execOn(other, `SELECT 1 FROM orchestrator_queue WHERE instance_id = 'held' FOR UPDATE`)
		conn := v.impatient()
		var instance string
		err := conn.QueryRow(v.Context(), `SELECT out_instance_id FROM fetch_orchestration_item($1, 1000)`, nowMs()).Scan(&instance)
		is(v, "error", code(err), "57014", "")
		is(v, "instance", instance, "", "free")
		// Only the held one is left: there is nothing to have, and the call ends.
		err = conn.QueryRow(v.Context(), `SELECT out_instance_id FROM fetch_orchestration_item($1, 1000)`, nowMs()).Scan(&instance)
		is(v, "error without other work", code(err), "57014", pgx.ErrNoRows.Error())
		v.execOn(other, `ROLLBACK`)
	})
}

// ---- Defect 2: one row that jsonb cannot hold stopped the whole queue.

func TestDefect2UnreadableRowsAreQuarantined(t *testing.T) {
	t.Parallel()
	const message = `{"QueueMessage": {"instance": "bad", "name": "n", "data": "d"}}`
	for name, test := range map[string]struct {
		item, event string // of the instance bad
		state       string
		identity    string
		messages    string
	}{
		"NUL in a start": {
			item:  `{"StartOrchestration": {"instance": "bad", "orchestration": "Order", "version": "1", "input": "a\u0000b"}}`,
			state: "22P05", identity: "Order|1|1",
			messages: `[{"ExternalRaised": {"data": "null", "name": "dxgo_unreadable", "instance": "bad"}}]`,
		},
		"no JSON": {
			item: `{"StartOrchestration": `, state: "22P02", identity: "Unknown|unknown|1",
			messages: `[{"ExternalRaised": {"data": "null", "name": "dxgo_unreadable", "instance": "bad"}}]`,
		},
		"a queue message": {
			item: `{"QueueMessage": {"instance": "bad", "name": "n", "data": "\u0000"}}`, state: "22P05", identity: "Unknown|unknown|1",
			messages: `[{"ExternalRaised": {"data": "null", "name": "dxgo_unreadable", "instance": "bad"}}]`,
		},
		"deep nesting": {
			item: strings.Repeat("[", 100_000), state: "54001", identity: "Unknown|unknown|1",
			messages: `[{"ExternalRaised": {"data": "null", "name": "dxgo_unreadable", "instance": "bad"}}]`,
		},
		"NUL in an event": {
			item: message, event: `{"type": "ExternalEvent", "data": "\u0000"}`, state: "22P05", identity: "Order|1.0.0|1",
			messages: `[{"QueueMessage": {"data": "d", "name": "n", "instance": "bad"}}]`,
		},
		"no JSON in an event": {
			item: message, event: `{`, state: "22P02", identity: "Order|1.0.0|1",
			messages: `[{"QueueMessage": {"data": "d", "name": "n", "instance": "bad"}}]`,
		},
		"number of an execution": {
			item:  `{"StartOrchestration": {"instance": "bad", "orchestration": "Order", "execution_id": "x"}}`,
			state: "22P02", identity: "Order|unknown|1",
			messages: "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(v variant) {
				if test.event != "" {
					v.enqueue("bad", `{"CancelInstance": {}}`, 0)
					v.ack(v.claim(time.Minute).token, nowMs(), ack{metadata: started})
					v.exec(`INSERT INTO {S}.history VALUES ('bad', 1, 1, 'Event', $1, now())`, test.event)
				}
				v.enqueue("bad", test.item, 0)
				v.enqueue("good", `{"CancelInstance": {}}`, 10)

				_, err := v.query(fetchSQL, nowMs(), 1)
				is(v, "error", code(err), test.state, "")
				if !v.improved {
					// Again and again: no attempt is counted, and the good one waits.
					_, err := v.query(fetchSQL, nowMs(), 1)
					is(v, "error again", code(err), test.state, "")
					v.want([]string{"0", "0"}, `SELECT attempt_count FROM {S}.orchestrator_queue`)
					return
				}
				time.Sleep(5 * time.Millisecond)
				bad := v.claim(time.Minute)
				if good := v.claim(time.Minute); bad.instance != "bad" || bad.attempt != 2 || good.instance != "good" {
					v.Errorf("got %+v and %+v, want the second attempt at bad, and good", bad, good)
				}
				if got := fmt.Sprintf("%s|%s|%d", bad.name, *bad.version, bad.execution); got != test.identity {
					v.Errorf("identity is %q, want %q", got, test.identity)
				}
				if test.messages == "" {
					return
				}
				if bad.messages != test.messages || !strings.Contains(bad.history, `"type": "dxgo_unreadable"`) {
					v.Errorf("messages are %s beside history %s", bad.messages, bad.history)
				}
				// The client gives up on it: the message goes.
				v.ack(bad.token, nowMs(), ack{
					metadata: `{"orchestration_name": "Order", "orchestration_version": "1", "status": "Failed", "output": "poison"}`,
					history:  `[{"event_id": 99999, "event_type": "E", "event_data": "{}"}]`,
				})
				v.want([]string{"good"}, `SELECT instance_id FROM {S}.orchestrator_queue`)
			})
		})
	}
}

// The block that catches bad rows must not cost a transaction id: past 64 of them
// in one transaction, every snapshot of the server gets slow.
func TestQuarantineTakesNoSubtransactionID(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i := range 100 {
		f.enqueue(fmt.Sprint(i), `{"CancelInstance": {"reason": "\u0000"}}`, 0)
	}
	conn := f.connect()
	f.execOn(conn, `BEGIN`)
	for range 100 {
		f.execOn(conn, `SELECT * FROM fetch_orchestration_item($1, 1000)`, nowMs())
	}
	// An id is locked until the whole transaction ends.
	var ids int
	err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid = pg_backend_pid()`).Scan(&ids)
	if err != nil || ids != 1 {
		t.Errorf("%d transaction ids, error %v", ids, err)
	}
	f.execOn(conn, `ROLLBACK`)
}

// ---- Defect 3: an acknowledgement could commit after the claim was lost.

// holdInstance takes the advisory lock under which an instance changes hands.
func (v variant) holdInstance(conn *pgx.Conn, instance string) {
	v.Helper()
	key := `hashtext($1)::bigint`
	if v.improved {
		key = `dxgo_instance_key($1)`
	}
	v.execOn(conn, `SELECT pg_advisory_xact_lock(`+key+`)`, instance)
}

func TestDefect3AckAfterTakeover(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		first := v.claim(time.Minute)
		// The acknowledgement stalls after it looked at its token: something holds
		// a row that it needs. Meanwhile the claim is taken over.
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.holdInstance(other, "i")
		v.execOn(other, `INSERT INTO executions (instance_id, execution_id, started_at) VALUES ('i', 1, now())`)
		done := v.background(ackSQL, ack{metadata: started, worker: `[{"ActivityExecute": {"instance": "i"}}]`}.args(first.token, nowMs())...)
		v.blocked(1)
		v.execOn(other, `UPDATE orchestrator_queue SET lock_token = 'lock_second'`)
		v.execOn(other, `UPDATE instance_locks SET lock_token = 'lock_second'`)
		v.execOn(other, `COMMIT`)
		is(v, "error of the first owner", code(<-done), "", "P0001")
		is(v, "activities scheduled without a claim", v.rows(`SELECT count(*) FROM {S}.worker_queue`), []string{"1"}, []string{"0"})
		v.want([]string{"lock_second"}, `SELECT lock_token FROM {S}.orchestrator_queue`)
	})
}

func TestDefect3AckDuringDeletion(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		v.ack(v.claim(time.Minute).token, nowMs(), ack{metadata: started})
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		r := v.claim(time.Minute)
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.execOn(other, deleteSQL, []string{"i"}, true)
		done := v.background(ackSQL, ack{metadata: started, history: `[{"event_id": 1, "event_type": "E", "event_data": "1"}]`}.args(r.token, nowMs())...)
		v.blocked(1)
		v.execOn(other, `COMMIT`)
		is(v, "error of the acknowledgement", code(<-done), "", "P0001")
		is(v, "what is left of a deleted instance",
			v.rows(`SELECT (SELECT count(*) FROM {S}.instances), (SELECT count(*) FROM {S}.executions), count(*) FROM {S}.history`),
			[]string{"1|1|1"}, []string{"0|0|0"})
	})
}

// An acknowledgement that is repeated while the first one still runs, because its
// caller went away.
func TestDefect3AckRepeated(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		r := v.claim(time.Minute)
		turn := ack{metadata: started, history: `[{"event_id": 1, "event_type": "E", "event_data": "1"}]`}
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.execOn(other, ackSQL, turn.args(r.token, nowMs())...)
		done := v.background(ackSQL, turn.args(r.token, nowMs())...)
		v.blocked(1)
		v.execOn(other, `COMMIT`)
		is(v, "error of the second acknowledgement", code(<-done), "23505", "P0001")
		v.want([]string{"1"}, `SELECT count(*) FROM {S}.history`)
	})
}

// The status was checked before the instance was locked.
func TestDefect15DeletionChecksUnderItsLocks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		v.ack(v.claim(time.Minute).token, nowMs(), ack{metadata: `{"orchestration_name": "A", "orchestration_version": "1", "status": "Completed"}`})
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		r := v.claim(time.Minute)
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.execOn(other, ackSQL, ack{execution: 2}.args(r.token, nowMs())...) // begins another execution
		done := v.background(deleteSQL, []string{"i"}, false)
		v.blocked(1)
		v.execOn(other, `COMMIT`)
		is(v, "error of the deletion", code(<-done), "", "P0001")
		is(v, "running instances", v.rows(`SELECT instance_id FROM {S}.list_instances_by_status('Running')`), []string{}, []string{"i"})
	})
}

// A list that is too long for advisory locks relies on the locks of the rows.
func TestLargeDeletionAgainstATurn(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"deletion", "turn"} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			list := []string{"i"}
			for n := range 1000 {
				list = append(list, fmt.Sprint("unknown", n))
			}
			f.enqueue("i", `{"CancelInstance": {}}`, 0)
			f.ack(f.claim(time.Minute).token, nowMs(), ack{metadata: started})
			f.enqueue("i", `{"CancelInstance": {}}`, 0)
			turn := ack{metadata: started, history: `[{"event_id": 1, "event_type": "E", "event_data": "1"}]`}.args(f.claim(time.Minute).token, nowMs())
			deletion := []any{list, true}

			other := f.connect()
			f.execOn(other, `BEGIN`)
			var done <-chan error
			want := ""
			if first == "deletion" {
				f.execOn(other, deleteSQL, deletion...)
				done, want = f.background(ackSQL, turn...), "P0001"
			} else {
				f.execOn(other, ackSQL, turn...)
				done = f.background(deleteSQL, deletion...)
			}
			f.blocked(1)
			f.execOn(other, `COMMIT`)
			if got := code(<-done); got != want {
				t.Errorf("error %q, want %q", got, want)
			}
			f.want([]string{"0|0|0|0"}, `SELECT (SELECT count(*) FROM {S}.instances), (SELECT count(*) FROM {S}.executions),
				(SELECT count(*) FROM {S}.history), count(*) FROM {S}.orchestrator_queue`)
		})
	}
}

// A renewal locked the claim and then its messages, everybody else the messages
// first.
func TestDefect3RenewalDeadlock(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		r := v.claim(time.Minute)
		// An acknowledgement that has removed the messages and not yet the claim.
		other := v.connect()
		v.execOn(other, `SET deadlock_timeout = '1min'`)
		v.execOn(other, `BEGIN`)
		v.holdInstance(other, "i")
		v.execOn(other, `DELETE FROM orchestrator_queue WHERE lock_token = $1`, r.token)
		done := v.background(renewSQL, r.token, nowMs(), 60_000)
		v.blocked(1)
		acked := make(chan error, 1)
		go func() {
			_, err := other.Exec(v.Context(), `DELETE FROM instance_locks WHERE lock_token = $1`, r.token)
			if err == nil {
				_, err = other.Exec(v.Context(), `COMMIT`)
			}
			acked <- err
		}()
		is(v, "error of the renewal", code(<-done), "40P01", "P0001")
		if err := <-acked; err != nil {
			v.Error(err)
		}
	})
}

// Leases began when the caller had read its clock, before it waited.
func TestDefect3LeaseBeginsAtTheClaim(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		const lease = 10_000
		late := nowMs() - 60_000 // the time that the caller read
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		v.exec(`SELECT {S}.enqueue_worker_work('{}', 0, 's')`)
		r := v.fetch(late, lease)
		_, err := v.query(ackSQL, ack{}.args(r.token, nowMs())...)
		is(v, "error of the first acknowledgement", code(err), "P0001", "")
		token := v.rows(`SELECT out_lock_token FROM {S}.fetch_work_item($1, $2, 'w', $2)`, late, lease)[0]
		_, err = v.query(`SELECT {S}.renew_work_item_lock($1, $2, $3)`, token, nowMs(), lease)
		is(v, "error of the first renewal", code(err), "P0001", "")
		is(v, "live sessions", v.rows(`SELECT count(*) FROM {S}.sessions WHERE locked_until > $1`, nowMs()), []string{"0"}, []string{"1"})
	})
}

// A caller whose clock is ahead keeps its lease by its own clock.
func TestLeaseOfAClockAhead(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		ahead := nowMs() + 60_000
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		r := v.fetch(ahead, 10_000)
		v.exec(renewSQL, r.token, ahead+9_000, 10_000)
		v.ack(r.token, ahead+15_000, ack{})
	})
}

// ---- Defect 4: every renewal added to the old end of the lease.

func TestDefect4RenewalsDoNotAddUp(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		const lease = 30_000
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		r := v.claim(lease * time.Millisecond)
		v.exec(`SELECT {S}.enqueue_worker_work('{}', 0)`)
		token := v.rows(`SELECT out_lock_token FROM {S}.fetch_work_item($1, $2)`, nowMs(), lease)[0]
		for range 4 {
			v.exec(renewSQL, r.token, nowMs(), lease)
			v.exec(`SELECT {S}.renew_work_item_lock($1, $2, $3)`, token, nowMs(), lease)
		}
		leases := v.rows(`SELECT round((locked_until - $1) / 30000.0) FROM {S}.instance_locks
			UNION ALL SELECT round((locked_until - $1) / 30000.0) FROM {S}.orchestrator_queue
			UNION ALL SELECT round((locked_until - $1) / 30000.0) FROM {S}.worker_queue`, nowMs())
		is(v, "leases left", fmt.Sprint(leases), "[{5 0 false finite true} {5 0 false finite true} {5 0 false finite true}]",
			"[{1 0 false finite true} {1 0 false finite true} {1 0 false finite true}]")

		// A shorter extension does not take anything away.
		v.exec(renewSQL, r.token, nowMs(), 1)
		v.exec(`SELECT {S}.renew_work_item_lock($1, $2, $3)`, token, nowMs(), 1)
		v.want([]string{"true|true"}, `SELECT (SELECT locked_until - $1 > 25000 FROM {S}.instance_locks), locked_until - $1 > 25000 FROM {S}.worker_queue`, nowMs())
	})
}

// A renewal that waited past the end of its lease fails.
func TestDefect4RenewalThatWaited(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 0)
		const lease = 4 * time.Second // a busy machine must get to the renewal in it
		other := v.connect()
		r := v.claim(lease)
		claimed := time.Now()
		v.execOn(other, `BEGIN`)
		v.holdInstance(other, "i")
		v.execOn(other, `SELECT 1 FROM instance_locks FOR UPDATE`)
		done := v.background(renewSQL, r.token, nowMs(), lease.Milliseconds())
		v.blocked(1)
		time.Sleep(time.Until(claimed.Add(lease + 50*time.Millisecond)))
		v.execOn(other, `COMMIT`)
		is(v, "error", code(<-done), "", "P0001")
	})
}

// ---- Defect 5: fetches collected advisory locks, shared with every other schema.

func TestDefect5SchemasDoNotShareLocks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		tenant := variant{setupAt(v.T, migrations.SharedVersion), false}
		if v.improved {
			tenant = variant{setup(v.T), true}
		}
		v.enqueue("same id", `{"CancelInstance": {}}`, 0)
		other := tenant.connect()
		v.execOn(other, `BEGIN`)
		tenant.holdInstance(other, "same id")
		conn := v.impatient()
		var instance string
		err := conn.QueryRow(v.Context(), `SELECT out_instance_id FROM fetch_orchestration_item($1, 1000)`, nowMs()).Scan(&instance)
		is(v, "error", code(err), "57014", "")
		v.execOn(other, `ROLLBACK`)
	})
}

// Two transactions that each have claimed an instance and look for another one.
func TestDefect5FetchesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("pinned", `{"CancelInstance": {}}`, 0)
		v.ack(v.claim(time.Minute).token, nowMs(), ack{metadata: `{"orchestration_name": "A", "orchestration_version": "1",
			"pinned_duroxide_version": {"major": 9, "minor": 0, "patch": 0}}`})
		v.enqueue("pinned", `{"CancelInstance": {}}`, 0)
		v.enqueue("free", `{"CancelInstance": {}}`, 1)

		fetchRange := v.sql(`SELECT out_instance_id FROM {S}.fetch_orchestration_item($1, 60000, $2, $3)`)
		one, two := v.connect(), v.connect()
		v.execOn(one, `BEGIN; SET LOCAL deadlock_timeout = '50ms'`)
		v.execOn(two, `BEGIN; SET LOCAL deadlock_timeout = '1min'`)
		v.execOn(one, fetchRange, nowMs(), 0, 1) // claims free
		v.execOn(two, fetchRange, nowMs(), nil, nil)
		errs := make(chan error, 1)
		go func() {
			_, err := two.Exec(v.Context(), fetchRange, nowMs(), nil, nil)
			errs <- err
		}()
		if !v.improved {
			v.blocked(1)
		}
		_, err := one.Exec(v.Context(), fetchRange, nowMs(), nil, nil)
		is(v, "error", code(err), "40P01", "")
		v.execOn(one, `ROLLBACK`)
		if err := <-errs; err != nil {
			v.Error(err)
		}
		v.execOn(two, `ROLLBACK`)
	})
}

// ---- Defect 6: a fetch that lost a session returned nothing beside other work.

func TestDefect6FetchGoesOnAfterALostSession(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		for _, session := range []any{"S", "S", nil, "T"} {
			v.exec(`SELECT {S}.enqueue_worker_work('{}', 0, $1)`, session)
		}
		other := v.connect()
		v.execOn(other, `BEGIN`)
		v.execOn(other, `INSERT INTO sessions VALUES ('S', 'w2', $1, 0)`, nowMs()+60_000)
		done := v.startBlocked(`SELECT out_attempt_count FROM {S}.fetch_work_item($1, 10000, 'w1', 10000)`, nowMs())
		v.execOn(other, `COMMIT`)
		is(v, "fetched", <-done, []string{}, []string{"1"})
		is(v, "claimed", v.rows(`SELECT session_id FROM {S}.worker_queue WHERE lock_token IS NOT NULL`), []string{}, []string{"<nil>"})
		v.want([]string{"S|w2"}, `SELECT session_id, worker_id FROM {S}.sessions`)
	})
}

func TestFetchTakesAnotherSessionAfterALostOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, session := range []string{"S", "T", "U"} {
		f.exec(`SELECT {S}.enqueue_worker_work('{}', 0, $1)`, session)
	}
	f.exec(`INSERT INTO {S}.sessions VALUES ('S', 'w2', 1, 0), ('T', 'w2', 1, 0), ('U', 'w2', 1, 0)`)
	other := f.connect()
	f.execOn(other, `BEGIN`)
	f.execOn(other, `UPDATE sessions SET locked_until = $1 WHERE session_id IN ('S', 'T')`, nowMs()+60_000)
	done := f.startBlocked(`SELECT out_attempt_count FROM {S}.fetch_work_item($1, 10000, 'w1', 10000)`, nowMs())
	f.execOn(other, `COMMIT`)
	if got := <-done; len(got) != 1 {
		t.Errorf("fetched %q", got)
	}
	f.want([]string{"U|w1"}, `SELECT session_id, worker_id FROM {S}.sessions WHERE worker_id = 'w1'`)
	f.want([]string{"0", "0", "1"}, `SELECT attempt_count FROM {S}.worker_queue ORDER BY session_id`)
}

// ---- Defect 7 is fixed in the shared lineage: see TestCleanupSchema.

// ---- Defect 8: nobody was told of work that was given back.

// listen returns what the channels of the schema carry until a text arrives.
func (f fixture) listen() (collect func() []string) {
	f.Helper()
	conn := f.connect()
	for _, suffix := range []string{"_orch_work", "_worker_work", "_dxgo_wait"} {
		f.execOn(conn, `LISTEN `+pgx.Identifier{f.Schema + suffix}.Sanitize())
	}
	return func() []string {
		f.Helper()
		f.exec(`SELECT pg_notify($1, 'end')`, f.Schema+"_worker_work")
		texts := []string{}
		for {
			n, err := conn.WaitForNotification(f.Context())
			if err != nil {
				f.Fatal(err)
			}
			if n.Payload == "end" {
				return texts
			}
			texts = append(texts, strings.TrimPrefix(n.Channel, f.Schema)+" "+n.Payload)
		}
	}
}

func TestDefect8GivingBackNotifies(t *testing.T) {
	t.Parallel()
	onBoth(t, func(v variant) {
		v.enqueue("i", `{"CancelInstance": {}}`, 1000)
		v.enqueue("i", `{"CancelInstance": {}}`, 500)
		v.exec(`SELECT {S}.enqueue_worker_work('{}', 0)`)
		collect := v.listen()
		now := nowMs()
		at := fmt.Sprint

		v.exec(abandonSQL, v.claim(time.Minute).token, now, nil, false)
		is(v, "abandoned", collect(), []string{}, []string{"_orch_work 500"})
		v.exec(abandonSQL, v.claim(time.Minute).token, now, 5000, false)
		is(v, "abandoned for 5 s", collect(), []string{}, []string{"_orch_work " + at(now+5000)})
		v.exec(`UPDATE {S}.orchestrator_queue SET visible_at = to_timestamp(0.7)`)

		token := v.rows(`SELECT out_lock_token FROM {S}.fetch_work_item($1, 1000)`, now)[0]
		v.exec(`SELECT {S}.abandon_work_item($1, $2)`, token, now)
		is(v, "activity abandoned", collect(), []string{}, []string{"_worker_work " + at(now)})
		token = v.rows(`SELECT out_lock_token FROM {S}.fetch_work_item($1, 1000)`, now)[0]
		v.exec(`SELECT {S}.abandon_work_item($1, $2, 5000)`, token, now)
		is(v, "activity abandoned for 5 s", collect(), []string{}, []string{"_worker_work " + at(now+5000)})

		// A message that came during the turn found the instance claimed.
		r := v.claim(time.Minute)
		v.enqueue("i", `{"CancelInstance": {}}`, 1)
		v.enqueue("i", `{"CancelInstance": {}}`, now+60_000)
		collect()
		v.ack(r.token, now, ack{})
		is(v, "released", collect(), []string{}, []string{"_orch_work " + at(now)})
		v.exec(`UPDATE {S}.orchestrator_queue SET visible_at = to_timestamp(1) WHERE visible_at < now()`)
		v.ack(v.claim(time.Minute).token, now, ack{})
		is(v, "released with nothing visible", collect(), []string{}, []string{})
	})
}

// What nobody notifies of is found by the look-ahead.
func TestDefect8LookAhead(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.enqueue("due", `1`, 500)
	f.enqueue("due too", `1`, 600)
	for range 3 {
		f.enqueue("soon", `1`, 1500)
	}
	f.enqueue("late", `1`, 9000)
	f.exec(`INSERT INTO {S}.instance_locks VALUES ('a', 't1', 400, 0), ('b', 't2', 2500, 0), ('c', 't3', 9000, 0)`)
	f.exec(`INSERT INTO {S}.worker_queue (work_item, visible_at, lock_token, locked_until, created_at) VALUES
		('1', to_timestamp(0.7), NULL, NULL, now()), ('1', to_timestamp(1.7), NULL, NULL, now()), ('1', to_timestamp(1.7), NULL, NULL, now()),
		('1', to_timestamp(9), NULL, NULL, now()), ('1', to_timestamp(0), 'a', 900, now()), ('1', to_timestamp(0), 'b', 1800, now()),
		('1', to_timestamp(0), 'c', 9000, now())`)
	f.exec(`INSERT INTO {S}.sessions VALUES ('gone', 'w', 900, 0), ('held', 'w', 1900, 0), ('long', 'w', 9000, 0)`)
	const due = `SELECT * FROM {S}.dxgo_due_times(1000, 3000)`
	f.want([]string{
		"orch|ready|500", "orch|visible|1500", "orch|lease|1000", "orch|lease|2500",
		"worker|ready|700", "worker|visible|1700", "worker|lease|1000", "worker|lease|1800", "worker|session|1900",
	}, due)
}
