package pgprovider_test

import (
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

func mustDelete(t *testing.T, p *pgprovider.Provider, ids ...string) *core.DeleteInstanceResult {
	t.Helper()
	result, err := p.DeleteInstancesAtomic(t.Context(), core.DeleteInstancesAtomicParams{Instances: ids, Force: true})
	must(t, err)
	return result
}

// nothingLeft checks that no row of any table belongs to an instance.
func nothingLeft(t *testing.T, db *migrationstest.DB) {
	t.Helper()
	equal(t, "rows left", 0, sqlValue[int](t, db, `
SELECT (SELECT count(*) FROM @.instances) + (SELECT count(*) FROM @.executions) + (SELECT count(*) FROM @.history)
     + (SELECT count(*) FROM @.orchestrator_queue) + (SELECT count(*) FROM @.worker_queue)
     + (SELECT count(*) FROM @.instance_locks) + (SELECT count(*) FROM @.kv_store) + (SELECT count(*) FROM @.kv_delta)`))
}

func TestDeletedTurnCannotEnd(t *testing.T) {
	t.Parallel()
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		ctx := t.Context()
		create(t, p, "a", event("a", 2, core.KeyValueSet{Key: "k", Value: "v"}), event("a", 3, core.CustomStatusUpdated{Status: ptr("s")}))
		enqueue(t, p, core.ExternalRaisedItem{Instance: "a"})
		token := mustFetch(t, p).LockToken
		enqueueWork(t, p, core.ActivityExecuteItem{Instance: "a", ID: 1}, core.ActivityExecuteItem{Instance: "a", ID: 2, SessionID: ptr("s")})
		ends := map[string]func() error{
			"ack_orchestration_item": func() error {
				return p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
					LockToken: token, ExecutionID: 1, HistoryDelta: []core.Event{event("a", 4, core.KeyValueSet{Key: "l"})},
					WorkerItems: []core.WorkItem{activity(1)}, OrchestratorItems: []core.WorkItem{start("b")}, Metadata: named(),
				})
			},
			"abandon_orchestration_item": func() error {
				return p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: token})
			},
			"renew_orchestration_item_lock": func() error {
				return p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
			},
		}
		equal(t, "deleted", &core.DeleteInstanceResult{
			InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 3, QueueMessagesDeleted: 3,
		}, mustDelete(t, p, "a"))
		for op, end := range ends {
			wantOp(t, op, end(), core.ErrLockLost)
		}
		nothingLeft(t, db)

		// The id starts clean, and the old token is of no use against it.
		enqueue(t, p, start("a"))
		item := mustFetch(t, p)
		equal(t, "turn", &core.OrchestrationItem{
			Instance: "a", OrchestrationName: "Orch", Version: "1.0.0", ExecutionID: 1, History: []core.Event{},
			Messages: []core.WorkItem{start("a")}, KVSnapshot: map[string]core.KVEntry{}, LockToken: item.LockToken, AttemptCount: 1,
		}, item)
		for op, end := range ends {
			wantOp(t, op, end(), core.ErrLockLost)
		}
		other := core.ExecutionMetadata{OrchestrationName: ptr("Other"), OrchestrationVersion: ptr("2.0.0")}
		must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1, Metadata: other}))
		info, err := p.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: "a"})
		must(t, err)
		equal(t, "name", "Other", info.OrchestrationName)
		status, err := p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: "a"})
		must(t, err)
		equal(t, "custom status", nil, status)
	})
}

func TestDeletedActivityCannotEnd(t *testing.T) {
	t.Parallel()
	forAdmin(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider) {
		ctx := t.Context()
		create(t, p, "i")
		enqueueWork(t, p, activity(1), core.ActivityExecuteItem{Instance: "other", ID: 2})
		token := mustFetchWork(t, p).LockToken
		equal(t, "messages", 1, mustDelete(t, p, "i").QueueMessagesDeleted)
		create(t, p, "i") // the same id again
		for op, end := range map[string]func() error{
			"ack_work_item": func() error {
				return p.AckWorkItem(ctx, core.AckWorkItemParams{
					LockToken: token, Completion: core.ActivityCompletedItem{Instance: "i", ExecutionID: 1, ID: 1},
				})
			},
			"abandon_work_item": func() error { return p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: token}) },
			"renew_work_item_lock": func() error {
				return p.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
			},
		} {
			wantError(t, op, end(), core.ErrLockLost)
		}
		if item := fetch(t, p); item != nil {
			t.Errorf("fetched %+v after the completion of a deleted activity", item)
		}
		equal(t, "next activity", "other", mustFetchWork(t, p).Item.RoutingInstance())
		mustDelete(t, p, "i", "other")
		nothingLeft(t, db)
	})
}

// adminCalls are all that delete and prune, with a text for the id.
func adminCalls(t *testing.T, p *pgprovider.Provider) map[string]func(id string) error {
	ctx := t.Context()
	return map[string]func(string) error{
		"get_instance_tree": func(id string) error {
			return second(p.GetInstanceTree(ctx, core.GetInstanceTreeParams{Instance: id}))
		},
		"delete_instances_atomic": func(id string) error {
			return second(p.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{Instances: []string{"ok", id}}))
		},
		"delete_instance": func(id string) error {
			return second(p.DeleteInstance(ctx, core.DeleteInstanceParams{Instance: id}))
		},
		"delete_instance_bulk": func(id string) error {
			return second(p.DeleteInstanceBulk(ctx, core.DeleteInstanceBulkParams{Filter: core.InstanceFilter{InstanceIDs: []string{"ok", id}}}))
		},
		"prune_executions": func(id string) error {
			return second(p.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: id}))
		},
		"prune_executions_bulk": func(id string) error {
			return second(p.PruneExecutionsBulk(ctx, core.PruneExecutionsBulkParams{Filter: core.InstanceFilter{InstanceIDs: []string{"ok", id}}}))
		},
	}
}

func TestAdminRefusesWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	p := open(t, noLongPoll)
	for op, call := range adminCalls(t, p) {
		err := call("a\x00")
		wantOp(t, op, err, core.ErrInvalidArgument)
		if err != nil && !strings.Contains(err.Error(), "Instance") {
			t.Errorf("%v does not name the field", err)
		}
	}
}

func TestAdminAfterClose(t *testing.T) {
	t.Parallel()
	p := open(t, noLongPoll)
	must(t, p.Close())
	for op, call := range adminCalls(t, p) {
		wantOp(t, op, call("a"), core.ErrClosed)
	}
	// Calls that need no database know it too.
	ctx := t.Context()
	none := core.InstanceFilter{InstanceIDs: []string{}}
	wantOp(t, "delete_instances_atomic", second(p.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{})), core.ErrClosed)
	wantOp(t, "delete_instance_bulk", second(p.DeleteInstanceBulk(ctx, core.DeleteInstanceBulkParams{Filter: none})), core.ErrClosed)
	wantOp(t, "prune_executions_bulk", second(p.PruneExecutionsBulk(ctx, core.PruneExecutionsBulkParams{Filter: none})), core.ErrClosed)
}
