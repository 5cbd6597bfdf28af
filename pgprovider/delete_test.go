package pgprovider_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// forAdmin runs a test on both lineages and over the simple protocol.
func forAdmin(t *testing.T, test func(*testing.T, *migrationstest.DB, *pgprovider.Provider)) {
	t.Run("own lineage", func(t *testing.T) {
		t.Parallel()
		p, db := openDB(t, noLongPoll)
		test(t, db, p)
	})
	t.Run("shared lineage", func(t *testing.T) {
		t.Parallel()
		p, db := openShared(t)
		test(t, db, p)
	})
	t.Run("simple protocol", func(t *testing.T) {
		t.Parallel()
		db := migrationstest.New(t)
		p, _ := openPool(t, db, mode(pgx.QueryExecModeSimpleProtocol))
		test(t, db, p)
	})
}

// openShared makes a provider on a schema that a Rust process made.
func openShared(t *testing.T) (*pgprovider.Provider, *migrationstest.DB) {
	t.Helper()
	db := migrationstest.NewAt(t, migrations.SharedVersion)
	return openOn(t, db.URL, db.Schema, noLongPoll, func(o *pgprovider.Options) { o.Migrations = migrations.ApplyShared }), db
}

// wipe removes everything.
func wipe(t *testing.T, db *migrationstest.DB) {
	t.Helper()
	sql(t, db, `
WITH a AS (DELETE FROM @.instances), b AS (DELETE FROM @.executions), c AS (DELETE FROM @.history),
     d AS (DELETE FROM @.orchestrator_queue), e AS (DELETE FROM @.worker_queue), f AS (DELETE FROM @.instance_locks),
     g AS (DELETE FROM @.kv_store), h AS (DELETE FROM @.kv_delta)
DELETE FROM @.sessions`)
}

// insert makes an instance whose only execution, of one event, has that status
// and ended at that second; a child of parent unless that is empty.
func insert(t *testing.T, db *migrationstest.DB, instance, parent string, status core.ExecutionStatus, ended int) {
	t.Helper()
	sql(t, db, `
WITH i AS (
  INSERT INTO @.instances (instance_id, orchestration_name, orchestration_version, created_at, updated_at, parent_instance_id)
  VALUES ($1::text, 'Orch', '1.0.0', now(), now(), nullif($2::text, ''))),
e AS (
  INSERT INTO @.executions (instance_id, execution_id, status, started_at, completed_at)
  VALUES ($1, 1, $3::text, now(), CASE WHEN $3 IN ('Completed', 'Failed') THEN to_timestamp($4::integer) END))
INSERT INTO @.history VALUES ($1, 1, 1, 'Event', '{}', now())`, instance, parent, status, ended)
}

// mixed makes one instance of every kind, and messages.
func mixed(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) (all []string) {
	t.Helper()
	wipe(t, db)
	insert(t, db, "done", "", core.StatusCompleted, 1)
	insert(t, db, "failed", "", core.StatusFailed, 2)
	insert(t, db, "continued", "", core.StatusContinuedAsNew, 0)
	insert(t, db, "running", "", core.StatusRunning, 0)
	insert(t, db, "root", "", core.StatusCompleted, 3)
	insert(t, db, "child", "root", core.StatusCompleted, 1)
	insert(t, db, "grandchild", "child", core.StatusRunning, 0)
	insert(t, db, "lost", "nobody", core.StatusCompleted, 1)
	insert(t, db, "rowless", "", core.StatusRunning, 0)
	sql(t, db, `DELETE FROM @.instances WHERE instance_id = 'rowless'`)
	insert(t, db, "statusless", "", core.StatusCompleted, 1)
	sql(t, db, `DELETE FROM @.executions WHERE instance_id = 'statusless'`)
	for _, instance := range []string{"done", "activities only"} {
		for id := range uint64(2) {
			enqueueWork(t, p, core.ActivityExecuteItem{Instance: instance, ID: id})
		}
	}
	message := core.ExternalRaisedItem{Instance: "messages only"}
	enqueue(t, p, message, message)
	mustFetch(t, p)
	enqueue(t, p, message)
	return []string{"child", "continued", "done", "failed", "grandchild", "lost", "root", "running", "statusless"}
}

func instances(t *testing.T, p *pgprovider.Provider) []string {
	t.Helper()
	ids, err := p.ListInstances(t.Context())
	must(t, err)
	slices.Sort(ids)
	return ids
}

// without returns the ids that are not among gone.
func without(all []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(gone, id) })
}

// wantOp is wantError for an error of that method.
func wantOp(t *testing.T, op string, err, sentinel error) {
	t.Helper()
	var pe *core.ProviderError
	if !errors.Is(err, sentinel) || !errors.As(err, &pe) || pe.Op != op || pe.Retryable {
		t.Errorf("error %v, want a permanent one of %s that is %v", err, op, sentinel)
	}
}

func TestDeleteInstancesAtomic(t *testing.T) {
	t.Parallel()
	type ids = []string
	result := func(instances, events, messages uint64) core.DeleteInstanceResult {
		return core.DeleteInstanceResult{
			InstancesDeleted: instances, ExecutionsDeleted: events, EventsDeleted: events, QueueMessagesDeleted: messages,
		}
	}
	tests := []struct {
		name  string
		ids   ids
		force bool
		err   error
		want  core.DeleteInstanceResult
	}{
		{name: "nil"},
		{name: "nothing", ids: ids{}, force: true},
		{name: "unknown ids", ids: ids{"x", `it's, {"y"}`}},
		{name: "completed, with activities", ids: ids{"done"}, want: result(1, 1, 2)},
		{name: "the same twice, and an unknown one", ids: ids{"failed", "x", "failed"}, want: result(1, 1, 0)},
		{name: "continued as new", ids: ids{"continued"}, want: result(1, 1, 0)},
		{name: "running", ids: ids{"running"}, err: core.ErrStillRunning},
		{name: "running, by force", ids: ids{"running"}, force: true, want: result(1, 1, 0)},
		{name: "running among others", ids: ids{"done", "failed", "running"}, err: core.ErrStillRunning},
		{name: "a root without its child", ids: ids{"root"}, err: core.ErrOrphan},
		{name: "a root without its child, by force", ids: ids{"root"}, force: true, err: core.ErrOrphan},
		{name: "a tree without its leaf", ids: ids{"root", "child"}, err: core.ErrOrphan},
		{name: "a tree with a running leaf", ids: ids{"grandchild", "root", "child"}, err: core.ErrStillRunning},
		{name: "a tree with a running leaf, by force", ids: ids{"grandchild", "root", "child"}, force: true, want: result(3, 3, 0)},
		{name: "a leaf without its root", ids: ids{"grandchild"}, force: true, want: result(1, 1, 0)},
		{name: "never named", ids: ids{"rowless"}, want: result(0, 1, 0)},
		{name: "messages locked and waiting", ids: ids{"messages only"}, want: result(0, 0, 3)},
		{name: "activities alone", ids: ids{"activities only"}, want: result(0, 0, 2)},
	}
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				all := mixed(t, db, p)
				got, err := p.DeleteInstancesAtomic(t.Context(), core.DeleteInstancesAtomicParams{Instances: tt.ids, Force: tt.force})
				if tt.err != nil {
					wantOp(t, "delete_instances_atomic", err, tt.err)
					equal(t, "instances", all, instances(t, p))
					return
				}
				must(t, err)
				equal(t, "result", &tt.want, got)
				equal(t, "instances", without(all, tt.ids...), instances(t, p))
			})
		}
	})
}

func TestDeleteInstance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id string
		force    bool
		err      error
		gone     []string
	}{
		{name: "completed", id: "done", gone: []string{"done"}},
		{name: "running", id: "running", err: core.ErrStillRunning},
		{name: "running, by force", id: "running", force: true, gone: []string{"running"}},
		{name: "a root with a running grandchild", id: "root", err: core.ErrStillRunning},
		{name: "a root with a running grandchild, by force", id: "root", force: true, gone: []string{"root", "child", "grandchild"}},
		{name: "a child", id: "child", err: core.ErrSubOrchestration},
		{name: "a child, by force", id: "child", force: true, err: core.ErrSubOrchestration},
		{name: "a child of nobody", id: "lost", force: true, err: core.ErrSubOrchestration},
		{name: "unknown", id: "x", force: true, err: core.ErrNotFound},
		{name: "never named", id: "rowless", force: true, err: core.ErrNotFound},
		{name: "messages only", id: "messages only", force: true, err: core.ErrNotFound},
	}
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				all := mixed(t, db, p)
				got, err := p.DeleteInstance(t.Context(), core.DeleteInstanceParams{Instance: tt.id, Force: tt.force})
				if tt.err != nil {
					wantOp(t, "delete_instance", err, tt.err)
				} else {
					must(t, err)
					equal(t, "deleted", uint64(len(tt.gone)), got.InstancesDeleted)
				}
				equal(t, "instances", without(all, tt.gone...), instances(t, p))
			})
		}
	})
}

func TestInstanceTree(t *testing.T) {
	t.Parallel()
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		mixed(t, db, p)
		insert(t, db, "second child", "root", core.StatusCompleted, 1)
		insert(t, db, "ring a", "ring b", core.StatusCompleted, 1) // parents may be anything
		insert(t, db, "ring b", "ring a", core.StatusCompleted, 1)
		for id, want := range map[string][]string{
			"root":    {"child", "grandchild", "root", "second child"},
			"child":   {"child", "grandchild"},
			"done":    {"done"},
			"nobody":  {"lost", "nobody"},
			"unknown": {"unknown"},
			"ring a":  {"ring a", "ring b"},
		} {
			tree, err := p.GetInstanceTree(t.Context(), core.GetInstanceTreeParams{Instance: id})
			must(t, err)
			slices.Sort(tree.AllIDs)
			equal(t, "tree of "+id, &core.InstanceTree{RootID: id, AllIDs: want}, tree)
		}
	})
}

func TestDeleteInstanceBulk(t *testing.T) {
	t.Parallel()
	type filter = core.InstanceFilter
	tree := []string{"root", "child", "grandchild"}
	tests := []struct {
		name   string
		filter filter
		gone   []string
	}{
		{"finished roots, with their trees", filter{}, append([]string{"done", "failed", "continued"}, tree...)},
		{"no ids", filter{InstanceIDs: []string{}}, nil},
		{"by id", filter{InstanceIDs: []string{"done", "done", "root"}}, append([]string{"done"}, tree...)},
		{"running, unknown and children are passed over",
			filter{InstanceIDs: []string{"running", "x", "child", "lost", "rowless", "statusless", "failed"}}, []string{"failed"}},
		{"limit counts roots", filter{InstanceIDs: []string{"root", "child"}, Limit: ptr(uint32(1))}, tree},
		{"limit 0", filter{Limit: ptr(uint32(0))}, nil},
		{"ended long ago", filter{CompletedBeforeMs: ptr(uint64(1000))}, nil},
		{"ended in the first second", filter{CompletedBeforeMs: ptr(uint64(2000))}, []string{"done"}},
		{"ended a millisecond later", filter{CompletedBeforeMs: ptr(uint64(2001))}, []string{"done", "failed"}},
		// In the shared schema what continued as new has no completion time.
		{"ended before the end of time", filter{CompletedBeforeMs: ptr(^uint64(0))}, append([]string{"done", "failed"}, tree...)},
		{"both conditions", filter{InstanceIDs: []string{"done", "root"}, CompletedBeforeMs: ptr(uint64(3000))}, []string{"done"}},
	}
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				all := mixed(t, db, p)
				got, err := p.DeleteInstanceBulk(t.Context(), core.DeleteInstanceBulkParams{Filter: tt.filter})
				must(t, err)
				equal(t, "deleted", uint64(len(tt.gone)), got.InstancesDeleted)
				equal(t, "instances", without(all, tt.gone...), instances(t, p))
			})
		}
		t.Run("limit by limit", func(t *testing.T) {
			mixed(t, db, p)
			var left []int
			for range 3 {
				_, err := p.DeleteInstanceBulk(t.Context(), core.DeleteInstanceBulkParams{Filter: filter{
					InstanceIDs: []string{"done", "failed", "continued", "running"}, Limit: ptr(uint32(2)),
				}})
				must(t, err)
				left = append(left, len(instances(t, p)))
			}
			equal(t, "left", []int{7, 6, 6}, left)
		})
	})
}

func TestBulkLimitByDefault(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, noLongPoll)
	sql(t, db, `INSERT INTO @.instances (instance_id, orchestration_name, created_at, updated_at)
		SELECT n, 'Orch', now(), now() FROM generate_series(1, $1::integer) n`, core.DefaultBulkLimit+1)
	sql(t, db, `INSERT INTO @.executions (instance_id, execution_id, status, started_at)
		SELECT instance_id, 1, 'Completed', now() FROM @.instances`)
	pruned, err := p.PruneExecutionsBulk(t.Context(), core.PruneExecutionsBulkParams{})
	must(t, err)
	equal(t, "pruned", &core.PruneResult{InstancesProcessed: core.DefaultBulkLimit}, pruned)
	deleted, err := p.DeleteInstanceBulk(t.Context(), core.DeleteInstanceBulkParams{})
	must(t, err)
	equal(t, "deleted", core.DefaultBulkLimit, deleted.InstancesDeleted)
	equal(t, "left", 1, len(instances(t, p)))
}
