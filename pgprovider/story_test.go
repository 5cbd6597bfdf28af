package pgprovider_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// TestStory calls every method over every kind of connection.
func TestStory(t *testing.T) {
	t.Parallel()
	t.Run("own pool", func(t *testing.T) {
		t.Parallel()
		story(t, open(t))
	})
	t.Run("own pool, simple protocol in the URL", func(t *testing.T) {
		t.Parallel()
		db := migrationstest.New(t)
		story(t, openOn(t, withParam(t, db.URL, "default_query_exec_mode", "simple_protocol"), db.Schema))
	})
	for name, configure := range map[string]func(*pgxpool.Config){
		"caller's pool":                  nil,
		"caller's pool, cache describe":  mode(pgx.QueryExecModeCacheDescribe),
		"caller's pool, describe exec":   mode(pgx.QueryExecModeDescribeExec),
		"caller's pool, exec":            mode(pgx.QueryExecModeExec),
		"caller's pool, simple protocol": mode(pgx.QueryExecModeSimpleProtocol),
		"caller's pool, repeatable read": param("default_transaction_isolation", "repeatable read"),
		"caller's pool, serializable":    param("default_transaction_isolation", "serializable"),
		"caller's pool, read committed":  param("default_transaction_isolation", "read committed"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := openPool(t, migrationstest.New(t), configure)
			story(t, p)
		})
	}
}

func story(t *testing.T, p *pgprovider.Provider) {
	listening(t, p)
	ctx := t.Context()
	const instance = `order "1" \ ü 漢 <&>`

	if item := fetch(t, p); item != nil {
		t.Fatalf("fetched %v from an empty queue", item)
	}
	enqueue(t, p, start(instance))

	// The first turn.
	item := mustFetch(t, p)
	equal(t, "first item", &core.OrchestrationItem{
		Instance: instance, OrchestrationName: "Orch", Version: "1.0.0", ExecutionID: 1, History: []core.Event{},
		Messages: []core.WorkItem{start(instance)}, KVSnapshot: map[string]core.KVEntry{}, LockToken: item.LockToken, AttemptCount: 1,
	}, item)
	must(t, p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: item.LockToken, ExtendFor: lease}))
	must(t, p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: item.LockToken, IgnoreAttempt: true}))
	item = mustFetch(t, p)
	if item.AttemptCount != 1 {
		t.Errorf("attempt %d after an ignored one", item.AttemptCount)
	}
	activity := func(id uint64) core.ActivityExecuteItem {
		return core.ActivityExecuteItem{Instance: instance, ExecutionID: 1, ID: id, Name: "Act", Input: `{"a":"<&>"}`}
	}
	tagged, bound := activity(3), activity(4)
	tagged.Tag, bound.SessionID = ptr("gpu"), ptr("s1")
	history := []core.Event{
		started(instance),
		event(instance, 2, core.ActivityScheduled{Name: "Act", Input: `{"a":"<&>"}`}),
		event(instance, 3, core.CustomStatusUpdated{Status: ptr("first")}),
		event(instance, 4, core.CustomStatusUpdated{Status: ptr("half way")}),
		event(instance, 5, core.KeyValueSet{Key: "gone", Value: "x", LastUpdatedAtMs: 6}),
		event(instance, 6, core.KeyValuesCleared{}),
		event(instance, 7, core.KeyValueSet{Key: "k", Value: "line\nfeed \u2028", LastUpdatedAtMs: 7}),
		event(instance, 8, core.KeyValueSet{Key: "k2", Value: "", LastUpdatedAtMs: 8}),
		event(instance, 9, core.KeyValueCleared{Key: "k2"}),
	}
	must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: history,
		WorkerItems:         []core.WorkItem{activity(2), tagged, bound, activity(9)},
		OrchestratorItems:   []core.WorkItem{core.ExternalRaisedItem{Instance: "other", Name: "n", Data: "d"}},
		CancelledActivities: []core.ActivityIdentifier{{Instance: instance, ExecutionID: 1, ActivityID: 9}},
		Metadata: core.ExecutionMetadata{
			OrchestrationName: ptr("Orch"), OrchestrationVersion: ptr("1.0.0"), ParentInstanceID: ptr("parent"),
			PinnedDuroxideVersion: ptr(core.MustParseVersion("0.1.32")),
		},
	}))

	// What clients see.
	status, err := p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: instance})
	must(t, err)
	equal(t, "custom status", &core.CustomStatus{Status: ptr("half way"), Version: 1}, status)
	value, err := p.GetKVValue(ctx, core.GetKVValueParams{Instance: instance, Key: "k"})
	must(t, err)
	equal(t, "value", ptr("line\nfeed \u2028"), value)
	values, err := p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: instance})
	must(t, err)
	equal(t, "values", map[string]string{"k": "line\nfeed \u2028"}, values)
	stats, err := p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: instance})
	must(t, err)
	if stats == nil || stats.HistoryEventCount != 9 || stats.KVUserKeyCount != 1 {
		t.Errorf("stats %+v", stats)
	}
	events, err := p.Read(ctx, core.ReadParams{Instance: instance})
	must(t, err)
	equal(t, "history", history, events)
	events, err = p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: instance, ExecutionID: 1})
	must(t, err)
	equal(t, "history of the execution", history, events)

	// The workers.
	first := mustFetchWork(t, p)
	equal(t, "first activity", core.WorkItem(activity(2)), first.Item)
	must(t, p.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: first.LockToken, ExtendFor: lease}))
	must(t, p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: first.LockToken}))
	first = mustFetchWork(t, p)
	if first.AttemptCount != 2 {
		t.Errorf("attempt %d", first.AttemptCount)
	}
	completed := core.ActivityCompletedItem{Instance: instance, ExecutionID: 1, ID: 2, Result: `"ok"`}
	must(t, p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: first.LockToken, Completion: completed}))
	withTag, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{
		LockTimeout: lease, Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu", "it's"}},
	})
	must(t, err)
	equal(t, "tagged activity", core.WorkItem(tagged), withTag.Item)
	must(t, p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: withTag.LockToken}))
	inSession, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{
		LockTimeout: lease, Session: &core.SessionFetchConfig{OwnerID: "me", LockTimeout: lease},
	})
	must(t, err)
	equal(t, "bound activity", core.WorkItem(bound), inSession.Item)
	renewed, err := p.RenewSessionLock(ctx, core.RenewSessionLockParams{
		OwnerIDs: []string{"me", `o"th,er`}, ExtendFor: lease, IdleTimeout: lease,
	})
	must(t, err)
	equal(t, "renewed sessions", 1, renewed)
	cleaned, err := p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{})
	must(t, err)
	equal(t, "cleaned sessions", 0, cleaned)
	if more := fetchWork(t, p); more != nil {
		t.Errorf("fetched %v, which was cancelled or is not for us", more)
	}

	// The message to an unknown instance is the oldest.
	other := mustFetch(t, p)
	equal(t, "name of an unknown instance", "Unknown", other.OrchestrationName)
	must(t, p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: other.LockToken, Delay: time.Hour}))

	// The second turn ends the execution.
	firstTurn := item.LockToken
	item = mustFetch(t, p)
	equal(t, "second item", &core.OrchestrationItem{
		Instance: instance, OrchestrationName: "Orch", Version: "1.0.0", ExecutionID: 1, History: history,
		LastEventID: 9, TurnToken: firstTurn,
		Messages: []core.WorkItem{completed}, KVSnapshot: map[string]core.KVEntry{}, LockToken: item.LockToken, AttemptCount: 1,
	}, item)
	must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1,
		HistoryDelta: []core.Event{event(instance, 10, core.CustomStatusUpdated{}), event(instance, 11, core.OrchestrationCompleted{Output: "out"})},
		Metadata:     core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("out")},
	}))
	status, err = p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: instance, LastSeenVersion: 1})
	must(t, err)
	equal(t, "cleared status", &core.CustomStatus{Version: 2}, status)

	// The snapshot of the next execution holds the merged values.
	enqueue(t, p, core.ExternalRaisedItem{Instance: instance, Name: "n"})
	item = mustFetch(t, p)
	equal(t, "snapshot", map[string]core.KVEntry{"k": {Value: "line\nfeed \u2028", LastUpdatedAtMs: 7}}, item.KVSnapshot)
	must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1}))

	must(t, p.AppendWithExecution(ctx, core.AppendWithExecutionParams{
		Instance: instance, ExecutionID: 1, Events: []core.Event{event(instance, 12, core.ExternalEvent{Name: "n"})},
	}))
	operator(t, p, instance)
	if status := p.Notifier().Status(); status.RefreshError != nil || status.Notifications == 0 {
		t.Errorf("notifier %+v", status)
	}
}

// operator checks what the administration shows of the story.
func operator(t *testing.T, p *pgprovider.Provider, instance string) {
	ctx := t.Context()
	ids, err := p.ListInstances(ctx)
	must(t, err)
	equal(t, "instances", []string{instance}, ids)
	ids, err = p.ListInstancesByStatus(ctx, core.ListInstancesByStatusParams{Status: core.StatusCompleted})
	must(t, err)
	equal(t, "completed instances", []string{instance}, ids)
	ids, err = p.ListChildren(ctx, core.ListChildrenParams{Instance: "parent"})
	must(t, err)
	equal(t, "children", []string{instance}, ids)
	executions, err := p.ListExecutions(ctx, core.ListExecutionsParams{Instance: instance})
	must(t, err)
	equal(t, "executions", []uint64{1}, executions)
	latest, err := p.LatestExecutionID(ctx, core.LatestExecutionIDParams{Instance: instance})
	must(t, err)
	equal(t, "latest execution", 1, latest)
	events, err := p.ReadHistory(ctx, core.ReadHistoryParams{Instance: instance})
	must(t, err)
	equal(t, "events", 12, len(events))
	events, err = p.ReadHistoryWithExecutionID(ctx, core.ReadHistoryWithExecutionIDParams{Instance: instance, ExecutionID: 2})
	must(t, err)
	equal(t, "events of an unknown execution", 0, len(events))

	now := core.Milliseconds(time.Now())
	info, err := p.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: instance})
	must(t, err)
	equal(t, "info", &core.InstanceInfo{
		InstanceID: instance, OrchestrationName: "Orch", OrchestrationVersion: "1.0.0", CurrentExecutionID: 1,
		Status: core.StatusCompleted, Output: ptr("out"), CreatedAtMs: now, UpdatedAtMs: now, ParentInstanceID: ptr("parent"),
	}, info, near)
	execution, err := p.GetExecutionInfo(ctx, core.GetExecutionInfoParams{Instance: instance, ExecutionID: 1})
	must(t, err)
	equal(t, "execution info", &core.ExecutionInfo{
		ExecutionID: 1, Status: core.StatusCompleted, Output: ptr("out"), StartedAtMs: now, CompletedAtMs: &now, EventCount: 12,
	}, execution, near)
	metrics, err := p.GetSystemMetrics(ctx)
	must(t, err)
	equal(t, "metrics", &core.SystemMetrics{TotalInstances: 1, TotalExecutions: 1, CompletedInstances: 1, TotalEvents: 12}, metrics)
	depths, err := p.GetQueueDepths(ctx)
	must(t, err)
	equal(t, "depths", &core.QueueDepths{}, depths)
	parent, err := p.GetParentID(ctx, core.GetParentIDParams{Instance: instance})
	must(t, err)
	equal(t, "parent", ptr("parent"), parent)

	// Nothing is known of another one.
	for name, err := range map[string]error{
		"GetInstanceInfo":  second(p.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: "nobody"})),
		"GetExecutionInfo": second(p.GetExecutionInfo(ctx, core.GetExecutionInfoParams{Instance: instance, ExecutionID: 2})),
		"GetParentID":      second(p.GetParentID(ctx, core.GetParentIDParams{Instance: "nobody"})),
	} {
		if !errors.Is(err, core.ErrNotFound) || core.IsRetryable(err) {
			t.Errorf("%s of something unknown: %v", name, err)
		}
	}
	latest, err = p.LatestExecutionID(ctx, core.LatestExecutionIDParams{Instance: "nobody"})
	must(t, err)
	equal(t, "latest execution of nobody", 1, latest)
	stats, err := p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: "nobody"})
	must(t, err)
	equal(t, "stats of nobody", nil, stats)
	status, err := p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: "nobody"})
	must(t, err)
	equal(t, "status of nobody", nil, status)
	value, err := p.GetKVValue(ctx, core.GetKVValueParams{Instance: "nobody", Key: "k"})
	must(t, err)
	equal(t, "value of nobody", nil, value)
}

func second[T any](_ T, err error) error { return err }

// near ignores how long the test takes, in milliseconds.
var near = cmp.FilterPath(func(path cmp.Path) bool {
	switch path.Last().String() {
	case ".CreatedAtMs", ".UpdatedAtMs", ".StartedAtMs", "*":
		return true
	}
	return false
}, cmp.Comparer(func(a, b uint64) bool {
	return max(a, b)-min(a, b) < uint64(time.Minute/time.Millisecond)
}))
