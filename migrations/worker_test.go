package migrations_test

import (
	"testing"
)

const (
	workSQL    = `SELECT out_work_item, out_attempt_count FROM {S}.fetch_work_item($1, 100, $2, $3, $4, $5)`
	workRowSQL = `SELECT lock_token IS NOT NULL, locked_until, attempt_count, (extract(epoch FROM visible_at) * 1000)::bigint FROM {S}.worker_queue`
)

// work claims an activity without an owner or tags, and returns its token.
func (f fixture) work(now int64) string {
	f.Helper()
	tokens := f.rows(`SELECT out_lock_token FROM {S}.fetch_work_item($1, 100)`, now)
	if len(tokens) != 1 {
		f.Fatalf("fetched %q, want one item", tokens)
	}
	return tokens[0]
}

func TestFetchWorkItemOrder(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const fetch = `SELECT out_work_item, out_attempt_count FROM {S}.fetch_work_item($1, 100)`
	f.exec(`SELECT {S}.enqueue_worker_work('late', 20)`)
	f.exec(`SELECT {S}.enqueue_worker_work('not JSON', 10)`)
	f.want([]string{}, fetch, 9)
	f.want([]string{"not JSON|1"}, fetch, 10)
	f.want([]string{"late|1"}, fetch, 20) // by id, not by time
	f.want([]string{}, fetch, 109)
	f.want([]string{"not JSON|2"}, fetch, 110) // a lease that ends now has run out
	f.want([]string{"true"}, `SELECT bool_and(lock_token ~ '^lock_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') FROM {S}.worker_queue`)
}

func TestFetchWorkItemTags(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	for _, test := range []struct {
		mode   any
		filter []string
		want   []string
	}{
		{"default_only", nil, []string{"plain"}},
		{"default_only", []string{"a"}, []string{"plain"}},
		{"tags", []string{"a", "c"}, []string{"a"}},
		{"tags", []string{"a", "b"}, []string{"a", "b"}},
		{"tags", []string{}, nil},
		{"tags", nil, nil},
		{"default_and", []string{"b"}, []string{"plain", "b"}},
		{"default_and", nil, []string{"plain"}},
		{"any", nil, []string{"a", "plain", "b"}},
		{"none", []string{"a"}, nil},
		{"unheard of", []string{"a"}, []string{"plain"}},
		{nil, []string{"a"}, []string{"plain"}},
	} {
		f.exec(`TRUNCATE {S}.worker_queue`)
		f.exec(`SELECT {S}.enqueue_worker_work('a', 0, NULL, 'a'), {S}.enqueue_worker_work('plain', 0), {S}.enqueue_worker_work('b', 0, NULL, 'b')`)
		for _, want := range test.want {
			f.want([]string{want + "|1"}, workSQL, 0, nil, nil, test.filter, test.mode)
		}
		f.want([]string{}, workSQL, 0, nil, nil, test.filter, test.mode)
	}
}

func TestFetchWorkItemSessions(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const (
		fetch    = `SELECT out_work_item, out_attempt_count FROM {S}.fetch_work_item($1, 10, $2, $3)`
		sessions = `SELECT * FROM {S}.sessions`
	)
	for _, item := range []string{"s1", "s2", "s3"} {
		f.exec(`SELECT {S}.enqueue_worker_work($1, 0, 'S')`, item)
	}
	f.exec(`SELECT {S}.enqueue_worker_work('free', 0)`)
	f.want([]string{"free|1"}, fetch, 0, nil, nil) // nobody in particular
	f.exec(`DELETE FROM {S}.worker_queue WHERE session_id IS NULL`)
	f.want([]string{}, fetch, 0, "w1", nil) // needs a session time-out too
	f.want([]string{}, fetch, 0, nil, 50)   // and an owner
	f.want([]string{"s1|1"}, fetch, 0, "w1", 50)
	f.want([]string{"S|w1|50|0"}, sessions)
	f.want([]string{}, fetch, 5, "w2", 50)
	f.want([]string{"s2|1"}, fetch, 5, "w1", 50) // by its owner, again
	f.want([]string{"S|w1|55|5"}, sessions)
	f.want([]string{}, fetch, 9, "w2", 50)
	f.want([]string{"s1|2"}, fetch, 55, "w2", 50) // the session's lease ends now
	f.want([]string{"S|w2|105|55"}, sessions)
	f.want([]string{}, fetch, 60, "w1", 50)
}

// A search that saw a free session can lose it to another worker before it
// takes it. The item then stays, and the call returns nothing.
func TestFetchWorkItemLosesTheSession(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.exec(`SELECT {S}.enqueue_worker_work('s', 0, 'S')`)
	other := f.connect()
	f.execOn(other, `BEGIN`)
	f.execOn(other, `INSERT INTO {S}.sessions VALUES ('S', 'w2', 1000, 0)`)
	done := f.startBlocked(`SELECT out_work_item FROM {S}.fetch_work_item(0, 10, 'w1', 50)`)
	f.execOn(other, `COMMIT`)
	if got := <-done; len(got) != 0 {
		t.Errorf("got %q, want nothing", got)
	}
	f.want([]string{"false|<nil>|0|0"}, workRowSQL)
	f.want([]string{"S|w2|1000|0"}, `SELECT * FROM {S}.sessions`)
}

func TestAckWorker(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const ack = `SELECT {S}.ack_worker($1, $2, $3, $4)`
	f.exec(`SELECT {S}.enqueue_worker_work('a', 0)`)
	token := f.work(0)
	f.wantError("Worker queue item not found or already processed", ack, token, "i", "{}", 100) // the lease ends now
	f.wantError("Worker queue item not found or already processed", ack, "lock_unknown", "i", "{}", 0)
	f.wantError("p_instance_id is required when p_completion_json is provided", ack, token, nil, "{}", nil)
	f.wantError("p_now_ms is required when p_completion_json is provided", ack, token, "i", "{}", nil)
	f.exec(ack, token, "i", `{ "kept":  1}`, 99)
	f.want([]string{`i|{ "kept":  1}|true|<nil>|0`}, `SELECT instance_id, work_item, visible_at = to_timestamp(0.099), lock_token, attempt_count
		FROM {S}.orchestrator_queue`)
	f.wantError("Worker queue item not found or already processed", ack, token, "i", "{}", 99)

	f.exec(`SELECT {S}.enqueue_worker_work('b', 0)`)
	f.exec(`SELECT {S}.ack_worker($1)`, f.work(0)) // dropped, whatever the lease
	f.want([]string{"0|1"}, `SELECT (SELECT count(*) FROM {S}.worker_queue), count(*) FROM {S}.orchestrator_queue`)
}

func TestRenewWorkItemLock(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const renew = `SELECT {S}.renew_work_item_lock($1, $2, $3)`
	f.exec(`SELECT {S}.enqueue_worker_work('a', 0)`)
	token := f.work(0)
	f.exec(renew, token, 50, 100)
	f.want([]string{"true|200|1|0"}, workRowSQL)
	f.wantError("Lock token invalid, expired, or already acked", renew, token, 200, 100)
	f.wantError("Lock token invalid, expired, or already acked", renew, "lock_unknown", 0, 100)
}

func TestAbandonWorkItem(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const abandon = `SELECT {S}.abandon_work_item($1, $2, $3, $4)`
	f.exec(`SELECT {S}.enqueue_worker_work('a', 0)`)
	f.exec(abandon, f.work(0), 700, nil, true) // expired, and still given back
	f.want([]string{"false|<nil>|0|700"}, workRowSQL)
	f.exec(abandon, f.work(700), 710, 20, false)
	f.want([]string{"false|<nil>|1|730"}, workRowSQL)
	token := f.work(730)
	f.exec(abandon, token, 740, -5, false)
	f.want([]string{"false|<nil>|2|740"}, workRowSQL)
	f.wantError("Invalid lock token or already acked", abandon, token, 740, nil, false)
	f.exec(`UPDATE {S}.worker_queue SET attempt_count = -1`)
	f.exec(abandon, f.work(740), 740, nil, true) // never below zero
	f.want([]string{"false|<nil>|0|740"}, workRowSQL)
}

func TestSessionsStayWhileUsed(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	const (
		renew   = `SELECT {S}.renew_session_lock($1, $2, $3, $4)`
		cleanup = `SELECT {S}.cleanup_orphaned_sessions($1)`
		all     = `SELECT * FROM {S}.sessions ORDER BY 1`
	)
	f.exec(`SELECT {S}.enqueue_worker_work('x', 0, 'A'), {S}.enqueue_worker_work('y', 0, 'A')`)
	token := f.rows(`SELECT out_lock_token FROM {S}.fetch_work_item(0, 1000, 'w1', 100)`)[0]
	f.exec(`SELECT {S}.renew_work_item_lock($1, 30, 1)`, token)
	f.want([]string{"A|w1|100|30"}, all)
	f.exec(`SELECT {S}.ack_worker($1, NULL, NULL, 40)`, token)
	f.want([]string{"A|w1|100|40"}, all)

	f.exec(`INSERT INTO {S}.sessions VALUES ('B', 'w2', 100, 40), ('C', 'w3', 100, 40)`)
	f.want([]string{"0"}, renew, []string{"w1", "w2"}, 100, 50, 1000)  // run out now
	f.want([]string{"0"}, renew, []string{"w1", "w2"}, 60, 50, 20)     // idle for just as long
	f.want([]string{"2"}, renew, []string{"w1", "w2", "x"}, 60, 5, 21) // shorter is allowed
	f.want([]string{"A|w1|65|40", "B|w2|65|40", "C|w3|100|40"}, all)

	f.want([]string{"0"}, cleanup, 65) // this one time, just now is not yet
	f.want([]string{"1"}, cleanup, 66)
	f.want([]string{"A|w1|65|40", "C|w3|100|40"}, all) // A has work waiting
	f.exec(`DELETE FROM {S}.worker_queue`)
	f.want([]string{"2"}, cleanup, 101)

	// An expired session is not touched by an acknowledgement.
	f.exec(`SELECT {S}.enqueue_worker_work('z', 0, 'D')`)
	token = f.rows(`SELECT out_lock_token FROM {S}.fetch_work_item(0, 1000, 'w1', 100)`)[0]
	f.exec(`SELECT {S}.ack_worker($1, NULL, NULL, 100)`, token)
	f.want([]string{"D|w1|100|0"}, all)
}
