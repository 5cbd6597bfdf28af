package pgprovider_test

import (
	"slices"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// eternal makes an instance of five executions: the first continued as new, the
// second was left running, the third and fourth ended at the third and fourth
// second, and the last is the current one. The n-th has n events.
func eternal(t *testing.T, db *migrationstest.DB, instance, parent string, last core.ExecutionStatus) {
	t.Helper()
	insert(t, db, instance, parent, core.StatusContinuedAsNew, 0)
	sql(t, db, `
INSERT INTO @.executions (instance_id, execution_id, status, started_at, completed_at) VALUES
  ($1::text, 2, 'Running', now(), NULL),
  ($1, 3, 'Completed', now(), to_timestamp(3)),
  ($1, 4, 'Failed', now(), to_timestamp(4)),
  ($1, 5, $2::text, now(), CASE WHEN $2 <> 'Running' THEN to_timestamp(5) END)`, instance, last)
	sql(t, db, `
INSERT INTO @.history SELECT $1::text, x, v, 'Event', '{}', now() FROM generate_series(2, 5) x, LATERAL generate_series(1, x) v`, instance)
	sql(t, db, `UPDATE @.instances SET current_execution_id = 5 WHERE instance_id = $1`, instance)
}

func executions(t *testing.T, p *pgprovider.Provider, instance string) []uint64 {
	t.Helper()
	ids, err := p.ListExecutions(t.Context(), core.ListExecutionsParams{Instance: instance})
	must(t, err)
	return ids
}

// pruned is the result for one instance of eternal with the executions left.
func pruned(left []uint64) *core.PruneResult {
	r := &core.PruneResult{InstancesProcessed: 1}
	for id := uint64(1); id <= 5; id++ {
		if !slices.Contains(left, id) {
			r.ExecutionsDeleted++
			r.EventsDeleted += id
		}
	}
	return r
}

func TestPruneExecutions(t *testing.T) {
	t.Parallel()
	type ids = []uint64
	tests := []struct {
		name    string
		options core.PruneOptions
		left    ids
	}{
		{"no options", core.PruneOptions{}, ids{2, 5}},
		{"keep 0", core.PruneOptions{KeepLast: ptr(uint32(0))}, ids{2, 5}},
		{"keep 1", core.PruneOptions{KeepLast: ptr(uint32(1))}, ids{2, 5}},
		{"keep 2", core.PruneOptions{KeepLast: ptr(uint32(2))}, ids{2, 4, 5}},
		{"keep 3", core.PruneOptions{KeepLast: ptr(uint32(3))}, ids{2, 3, 4, 5}},
		{"keep as many as there are", core.PruneOptions{KeepLast: ptr(uint32(5))}, ids{1, 2, 3, 4, 5}},
		{"keep more than there are", core.PruneOptions{KeepLast: ptr(^uint32(0))}, ids{1, 2, 3, 4, 5}},
		{"before the third ended", core.PruneOptions{CompletedBeforeMs: ptr(uint64(3000))}, ids{1, 2, 3, 4, 5}},
		{"a millisecond later", core.PruneOptions{CompletedBeforeMs: ptr(uint64(3001))}, ids{1, 2, 4, 5}},
		// In the shared schema what continued as new has no completion time.
		{"before the end of time", core.PruneOptions{CompletedBeforeMs: ptr(^uint64(0))}, ids{1, 2, 5}},
		{"both conditions, few kept", core.PruneOptions{KeepLast: ptr(uint32(1)), CompletedBeforeMs: ptr(uint64(4000))}, ids{1, 2, 4, 5}},
		{"both conditions, many kept", core.PruneOptions{KeepLast: ptr(uint32(2)), CompletedBeforeMs: ptr(uint64(9000))}, ids{1, 2, 4, 5}},
	}
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		for _, last := range []core.ExecutionStatus{core.StatusRunning, core.StatusCompleted} {
			for _, tt := range tests {
				t.Run(tt.name+", "+string(last), func(t *testing.T) {
					wipe(t, db)
					eternal(t, db, "a", "", last)
					eternal(t, db, "b", "", last)
					got, err := p.PruneExecutions(t.Context(), core.PruneExecutionsParams{Instance: "a", Options: tt.options})
					must(t, err)
					equal(t, "result", pruned(tt.left), got)
					equal(t, "executions", tt.left, executions(t, p, "a"))
					equal(t, "executions of another", 5, len(executions(t, p, "b")))
				})
			}
		}
	})
}

func TestPruneLeavesTheInstanceAlone(t *testing.T) {
	t.Parallel()
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		ctx := t.Context()
		create(t, p, "a", event("a", 2, core.KeyValueSet{Key: "merged", Value: "v"}))
		for id, status := range []core.ExecutionStatus{core.StatusContinuedAsNew, core.StatusRunning} {
			enqueue(t, p, core.ExternalRaisedItem{Instance: "a"})
			execution := uint64(id + 1)
			must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
				LockToken: mustFetch(t, p).LockToken, ExecutionID: execution, Metadata: core.ExecutionMetadata{Status: status},
				HistoryDelta: []core.Event{
					event("a", 3, core.KeyValueSet{Key: "delta", Value: string(status)}), event("a", 4, core.CustomStatusUpdated{Status: ptr("busy")}),
				},
			}))
		}
		enqueue(t, p, core.ExternalRaisedItem{Instance: "a"})
		token := mustFetch(t, p).LockToken
		enqueue(t, p, core.ExternalRaisedItem{Instance: "a"})
		enqueueWork(t, p, core.ActivityExecuteItem{Instance: "a", ID: 1})
		got, err := p.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: "a"})
		must(t, err)
		equal(t, "result", &core.PruneResult{InstancesProcessed: 1, ExecutionsDeleted: 1, EventsDeleted: 4}, got)

		values, err := p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: "a"})
		must(t, err)
		equal(t, "values", map[string]string{"merged": "v", "delta": "Running"}, values)
		status, err := p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: "a"})
		must(t, err)
		equal(t, "custom status", ptr("busy"), status.Status)
		must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: token, ExecutionID: 2}))
		mustFetch(t, p)
		mustFetchWork(t, p)

		// Again, and then there is nothing more to do.
		got, err = p.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: "a"})
		must(t, err)
		equal(t, "result", &core.PruneResult{InstancesProcessed: 1}, got)
	})
}

func TestPruneUnknown(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, noLongPoll)
	mixed(t, db, p)
	for _, id := range []string{"nobody", "messages only", "rowless"} {
		_, err := p.PruneExecutions(t.Context(), core.PruneExecutionsParams{Instance: id})
		wantOp(t, "prune_executions", err, core.ErrNotFound)
	}
}

func TestPruneExecutionsBulk(t *testing.T) {
	t.Parallel()
	type filter = core.InstanceFilter
	worthwhile := []string{"running", "child", "done"}
	tests := []struct {
		name      string
		filter    filter
		options   core.PruneOptions
		processed uint64
		touched   []string
	}{
		{name: "all", processed: 6, touched: worthwhile},
		{name: "no ids", filter: filter{InstanceIDs: []string{}}},
		{name: "by id, unknown and twice too", filter: filter{InstanceIDs: []string{"running", "x", "single", "running"}},
			processed: 2, touched: []string{"running"}},
		{name: "a child", filter: filter{InstanceIDs: []string{"child"}}, processed: 1, touched: []string{"child"}},
		{name: "by the end of the current execution", filter: filter{CompletedBeforeMs: ptr(uint64(5001))},
			processed: 3, touched: []string{"done"}},
		{name: "ended long ago", filter: filter{CompletedBeforeMs: ptr(uint64(1000))}},
		{name: "limit, worthwhile ones first", filter: filter{Limit: ptr(uint32(3))}, processed: 3, touched: worthwhile},
		{name: "limit 0", filter: filter{Limit: ptr(uint32(0))}},
		{name: "nothing old enough", options: core.PruneOptions{CompletedBeforeMs: ptr(uint64(1))}, processed: 6},
		{name: "all are kept", options: core.PruneOptions{KeepLast: ptr(uint32(5))}, processed: 6},
	}
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				wipe(t, db)
				insert(t, db, "single", "", core.StatusCompleted, 1)
				insert(t, db, "single child", "single", core.StatusFailed, 1)
				insert(t, db, "single and running", "", core.StatusRunning, 0)
				eternal(t, db, "running", "", core.StatusRunning)
				eternal(t, db, "child", "running", core.StatusRunning)
				eternal(t, db, "done", "", core.StatusCompleted)
				got, err := p.PruneExecutionsBulk(t.Context(), core.PruneExecutionsBulkParams{Filter: tt.filter, Options: tt.options})
				must(t, err)
				n := uint64(len(tt.touched))
				equal(t, "result", &core.PruneResult{InstancesProcessed: tt.processed, ExecutionsDeleted: 3 * n, EventsDeleted: 8 * n}, got)
				for _, id := range worthwhile {
					want := []uint64{1, 2, 3, 4, 5}
					if slices.Contains(tt.touched, id) {
						want = []uint64{2, 5}
					}
					equal(t, "executions of "+id, want, executions(t, p, id))
				}
			})
		}
	})
}
