package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
)

// soakSessions is more than the rest of the longest lease of a session.
const soakSessions = 5 * time.Second

const (
	// soakTwoTokens finds messages of a live claim that is not the instance's.
	soakTwoTokens = `
SELECT q.instance_id || ': ' || q.lock_token || ' beside ' || coalesce(l.lock_token, 'none')
  FROM @.orchestrator_queue q
  LEFT JOIN @.instance_locks l ON l.instance_id = q.instance_id
 WHERE q.lock_token IS NOT NULL
   AND q.locked_until > extract(epoch FROM clock_timestamp()) * 1000 + $1
   AND l.lock_token IS DISTINCT FROM q.lock_token`

	soakWaiting = `
SELECT 'message ' || instance_id || ' ' || work_item FROM @.orchestrator_queue
UNION ALL SELECT 'activity ' || work_item FROM @.worker_queue
UNION ALL SELECT 'lock ' || instance_id || ' ' || lock_token FROM @.instance_locks`

	soakInstances = `
SELECT i.instance_id, i.current_execution_id, i.custom_status_version,
       coalesce((SELECT v.value FROM @.kv_store v WHERE v.instance_id = i.instance_id AND v.key = $1), '0')
  FROM @.instances i`

	soakExecutions = `
SELECT e.instance_id, e.execution_id, e.status,
       count(h.event_id), coalesce(min(h.event_id), 0), coalesce(max(h.event_id), 0)
  FROM @.executions e
  LEFT JOIN @.history h ON h.instance_id = e.instance_id AND h.execution_id = e.execution_id
 GROUP BY e.instance_id, e.execution_id, e.status`

	// soakOrphans finds rows that belong to nothing.
	soakOrphans = `
SELECT DISTINCT 'history of ' || h.instance_id FROM @.history h
 WHERE NOT EXISTS (SELECT FROM @.executions e WHERE e.instance_id = h.instance_id AND e.execution_id = h.execution_id)
    OR NOT EXISTS (SELECT FROM @.instances i WHERE i.instance_id = h.instance_id)
UNION SELECT 'values of ' || v.instance_id FROM @.kv_store v
 WHERE NOT EXISTS (SELECT FROM @.instances i WHERE i.instance_id = v.instance_id)
UNION SELECT 'changed values of ' || d.instance_id FROM @.kv_delta d
 WHERE NOT EXISTS (SELECT FROM @.instances i WHERE i.instance_id = d.instance_id)`
)

// watch looks for two live claims of one instance at the same moment. Those of an
// owner whose clock is behind may be over for one whose clock is ahead.
func (a *soakActor) watch() {
	for !a.stopping() {
		a.pause(10 * a.pace)
		_, _, _ = a.call("look for two locks", 0, func(ctx context.Context) error {
			rows, _ := a.Pool.Query(ctx, a.sql(soakTwoTokens), a.ledger.maxSkew.Milliseconds())
			found, err := pgx.CollectRows(rows, pgx.RowTo[string])
			for _, text := range found {
				a.ledger.violation(soakTwoLocks, "%s", text)
			}
			return err
		})
	}
}

// all returns the rows of a statement.
func all[T any](t testing.TB, w *world, to pgx.RowToFunc[T], text string, args ...any) []T {
	t.Helper()
	rows, err := w.Pool.Query(w.ctx, w.sql(text), args...)
	must(t, err)
	found, err := pgx.CollectRows(rows, to)
	must(t, err)
	return found
}

// waitUntilDone waits until nothing is queued or locked, and no longer than until
// enough is known.
func (s *soakRun) waitUntilDone(t *testing.T) {
	t.Helper()
	end := time.After(s.drain)
	for {
		left := all(t, s.world, pgx.RowTo[string], soakWaiting+` LIMIT 5`)
		if len(left) == 0 {
			return
		}
		select {
		case <-s.ledger.enough:
			return
		case <-end:
			s.ledger.violation(soakLeft, "after %v: %q", s.drain, left)
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// soakRow is what the database holds of an instance.
type soakRow struct {
	current, statuses int64
	turns             string
	executions        map[uint64]soakExecution
}

type soakExecution struct {
	status              string
	events, first, last int64
}

// checkEnd compares what is left in the database with what the ledger knows. No
// actor runs any more.
func (s *soakRun) checkEnd(t *testing.T) {
	t.Helper()
	rows := map[string]*soakRow{}
	type instance struct {
		ID                string
		Current, Statuses int64
		Turns             string
	}
	for _, i := range all(t, s.world, pgx.RowToStructByPos[instance], soakInstances, soakTurnKey) {
		rows[i.ID] = &soakRow{i.Current, i.Statuses, i.Turns, map[uint64]soakExecution{}}
	}
	type execution struct {
		Instance            string
		ID                  int64
		Status              string
		Events, First, Last int64
	}
	l := s.ledger
	for _, e := range all(t, s.world, pgx.RowToStructByPos[execution], soakExecutions) {
		if rows[e.Instance] != nil {
			rows[e.Instance].executions[uint64(e.ID)] = soakExecution{e.Status, e.Events, e.First, e.Last}
			continue
		}
		// A turn of nobody leaves this one row, which no event and no instance is
		// beside: a message came after the deletion, or it came from a child.
		if s.nobodies++; e.Events > 0 || e.Status != string(core.StatusRunning) || len(l.deleted[l.roots[e.Instance]]) == 0 {
			l.violation(soakRows, "execution %d of %s, %s, without its instance", e.ID, e.Instance, e.Status)
		}
	}
	for _, text := range all(t, s.world, pgx.RowTo[string], soakOrphans) {
		l.violation(soakRows, "%s", text)
	}
	s.checkMessages()
	for _, v := range l.sorted() {
		switch {
		case v.deleted || !v.start.sent:
		case rows[v.instance] == nil:
			if !v.isChild() || !l.deletedSince(v.instance, v.start.began) {
				l.violation(soakLost, "%s, the instance %s, is not there", v.name, v.instance)
			}
		default:
			s.checkLife(v, rows[v.instance])
			delete(rows, v.instance)
		}
	}
	for id := range rows {
		l.violation(soakRows, "%s is there", id)
	}
	s.checkSessions(t)
}

// checkMessages looks for messages that were sent and never processed.
func (s *soakRun) checkMessages() {
	l := s.ledger
	for _, key := range slices.Sorted(maps.Keys(l.messages)) {
		m := l.messages[key]
		switch {
		case !m.sent || m.taken > 0 || !m.cancelled.IsZero() || l.deletedSince(m.instance, m.began):
		case strings.HasPrefix(key, soakQueued) && len(l.deleted[l.roots[m.instance]]) > 0:
			// There was nobody to take it.
		default:
			l.violation(soakLost, "%q, sent to %s at %v", key, m.instance, m.began.Format(soakTime))
		}
	}
}

// checkLife checks what is stored of an instance that was not deleted.
func (s *soakRun) checkLife(v *soakLife, row *soakRow) {
	wrong := func(format string, args ...any) {
		s.ledger.violation(soakHistory, "%s, the instance %s: %s", v.name, v.instance, fmt.Sprintf(format, args...))
	}
	if !v.ended {
		wrong("it does not end")
	}
	if uint64(row.current) != v.current || row.statuses != int64(v.statuses) || row.turns != strconv.Itoa(v.turns) {
		wrong("%d executions, %d statuses and %s turns, want %d, %d and %d", row.current, row.statuses, row.turns,
			v.current, v.statuses, v.turns)
	}
	for id := range v.current {
		id++
		e, ok := row.executions[id]
		switch {
		case !ok && id+soakKeep <= v.current:
			continue // pruned
		case !ok:
			wrong("execution %d of %d is not there", id, v.current)
			continue
		case e.first != 1 || e.last != e.events:
			wrong("execution %d has the events %d to %d, which are %d", id, e.first, e.last, e.events)
		case e.events != int64(v.events[id]):
			wrong("execution %d has %d events, want %d", id, e.events, v.events[id])
		}
		status := core.StatusContinuedAsNew
		if id == v.current {
			status = v.status
		}
		if e.status != string(status) {
			wrong("execution %d is %s, want %s", id, e.status, status)
		}
		s.checkHistory(v, id, wrong)
	}
	if len(row.executions) > int(v.current) {
		wrong("it has %d executions, want at most %d", len(row.executions), v.current)
	}
}

// checkHistory replays an execution.
func (s *soakRun) checkHistory(v *soakLife, execution uint64, wrong func(string, ...any)) {
	events, err := s.nodes[0].ReadWithExecution(s.ctx, core.ReadWithExecutionParams{Instance: v.instance, ExecutionID: execution})
	if err != nil {
		wrong("execution %d: %v", execution, err)
		return
	}
	turn := newSoakTurn(s.ledger, rand.New(rand.NewPCG(0, 0)), time.Now(), &core.OrchestrationItem{
		Instance: v.instance, ExecutionID: execution, History: events,
	})
	if turn.wrong != "" {
		wrong("execution %d: %s", execution, turn.wrong)
	}
	if turn.plan.Life != v.name {
		wrong("execution %d is of %s", execution, turn.plan.Life)
	}
}

// checkSessions sees that no session stays long after its lease is over.
func (s *soakRun) checkSessions(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(soakSessions); ; {
		_, err := s.nodes[0].CleanupOrphanedSessions(s.ctx, core.CleanupOrphanedSessionsParams{IdleTimeout: soakIdle})
		must(t, err)
		n := value[int](t, s.world, `SELECT count(*) FROM @.sessions`)
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			s.ledger.violation(soakLeft, "%d sessions", n)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
