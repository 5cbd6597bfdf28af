package validation

import (
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

var management = inCategory("management",
	Case{
		Name:     "TestListInstances",
		Rule:     "Every instance is listed.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      listInstances,
	},
	Case{
		Name:     "TestListInstancesByStatus",
		Rule:     "Instances are listed by the status of their current execution.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      listInstancesByStatus,
	},
	Case{
		Name:     "TestListExecutions",
		Rule:     "Executions are listed in order, even if there is no instance row.",
		Contract: "4, 5.11",
		needs:    []need{needsAdminReader},
		run:      listExecutions,
	},
	Case{
		Name:     "TestGetInstanceInfo",
		Rule:     "The information on an instance is what its acks said.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      getInstanceInfo,
	},
	Case{
		Name:     "TestGetExecutionInfo",
		Rule:     "The information on an execution is what its acks said, even if there is no instance row.",
		Contract: "4, 5.11",
		needs:    []need{needsAdminReader},
		run:      getExecutionInfo,
	},
	Case{
		Name:     "TestGetSystemMetrics",
		Rule:     "Instances and events are counted.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      getSystemMetrics,
	},
	Case{
		Name:     "TestGetQueueDepths",
		Rule:     "Messages that wait are counted, for each queue.",
		Contract: "4",
		needs:    []need{needsAdminReader},
		run:      getQueueDepths,
	},
	Case{
		Name:     "TestGetInstanceStatsNonexistent",
		Rule:     "There are no statistics of an unknown instance; asking is no error.",
		Contract: "3.16",
		run:      getInstanceStatsNonexistent,
	},
	Case{
		Name:     "TestGetInstanceStatsHistory",
		Rule:     "The statistics tell the number of events and their size.",
		Contract: "3.16",
		run:      getInstanceStatsHistory,
	},
	Case{
		Name:     "TestGetInstanceStatsKv",
		Rule:     "The statistics tell the number of keys and the bytes of their values.",
		Contract: "3.16",
		run:      getInstanceStatsKv,
	},
	Case{
		Name:     "TestGetInstanceStatsCarryForward",
		Rule:     "The statistics tell how many queued messages the execution was started with.",
		Contract: "3.16",
		run:      getInstanceStatsCarryForward,
	},
	Case{
		Name:     "TestGetInstanceStatsKvDeltaOnly",
		Rule:     "Values that the running execution has set are in the statistics.",
		Contract: "3.16, 5.8",
		run:      getInstanceStatsKvDeltaOnly,
	},
	Case{
		Name:     "TestGetInstanceStatsKvMerged",
		Rule:     "A value that replaces another one counts once, with its own size.",
		Contract: "3.16, 5.8",
		run:      getInstanceStatsKvMerged,
	},
)

func listInstances(t *trial) {
	ids := []string{"first", "second", "third"}
	for _, id := range ids {
		t.create(id)
	}
	got, err := admin[core.AdminReader](t).ListInstances(t.ctx)
	t.check("list_instances", err)
	// Their order is that of creation, but for those of the same moment.
	slices.Sort(got)
	wantEqual(t, "instances", got, ids)
}

func listInstancesByStatus(t *trial) {
	t.create("running")
	t.createWith("completed", ack{meta: core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("result")}})
	for _, want := range []struct {
		status core.ExecutionStatus
		ids    []string
	}{
		{core.StatusCompleted, []string{"completed"}},
		{core.StatusRunning, []string{"running"}},
		{core.StatusFailed, nil},
	} {
		got, err := admin[core.AdminReader](t).ListInstancesByStatus(t.ctx, core.ListInstancesByStatusParams{Status: want.status})
		t.check("list_instances_by_status", err)
		if !slices.Equal(got, want.ids) {
			t.fatalf("instances with status %s: %v, want %v", want.status, got, want.ids)
		}
	}
}

func listExecutions(t *trial) {
	t.execution("rowless", 1, started("rowless", 1))
	got, err := admin[core.AdminReader](t).ListExecutions(t.ctx, core.ListExecutionsParams{Instance: "rowless"})
	t.check("list_executions", err)
	wantEqual(t, "executions", got, []uint64{1})
}

func getInstanceInfo(t *trial) {
	const id = "info"
	t.createWith(id, ack{meta: named("InfoOrch", "2.0.0")})
	info := t.info(id)
	if info.InstanceID != id || info.OrchestrationName != "InfoOrch" || info.OrchestrationVersion != "2.0.0" || info.CurrentExecutionID != 1 {
		t.fatalf("get_instance_info: %+v, want %s, InfoOrch, 2.0.0, execution 1", *info, id)
	}
	_, err := admin[core.AdminReader](t).GetInstanceInfo(t.ctx, core.GetInstanceInfoParams{Instance: "unknown"})
	t.wantNotFound("get_instance_info of an unknown instance", err)
}

func getExecutionInfo(t *trial) {
	t.enqueue(start("rowless"))
	t.ack(t.turn("rowless"), ack{
		events: []core.Event{started("rowless", 1)},
		meta:   core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("result")},
	})
	a := admin[core.AdminReader](t)
	info, err := a.GetExecutionInfo(t.ctx, core.GetExecutionInfoParams{Instance: "rowless", ExecutionID: 1})
	t.check("get_execution_info", err)
	if info.ExecutionID != 1 || info.Status != core.StatusCompleted || info.Output == nil || *info.Output != "result" {
		t.fatalf("get_execution_info: %+v, want execution 1, Completed, result", *info)
	}
	_, err = a.GetExecutionInfo(t.ctx, core.GetExecutionInfoParams{Instance: "rowless", ExecutionID: 2})
	t.wantNotFound("get_execution_info of an unknown execution", err)
}

func getSystemMetrics(t *trial) {
	a := admin[core.AdminReader](t)
	before, err := a.GetSystemMetrics(t.ctx)
	t.check("get_system_metrics", err)
	t.create("counted")
	after, err := a.GetSystemMetrics(t.ctx)
	t.check("get_system_metrics", err)
	if after.TotalInstances != before.TotalInstances+1 || after.TotalEvents != before.TotalEvents+1 {
		t.fatalf("get_system_metrics: %+v, after the creation of an instance with one event %+v", *before, *after)
	}
}

func getQueueDepths(t *trial) {
	a := admin[core.AdminReader](t)
	before, err := a.GetQueueDepths(t.ctx)
	t.check("get_queue_depths", err)
	t.enqueue(start("queued"), activity("queued", 1))
	after, err := a.GetQueueDepths(t.ctx)
	t.check("get_queue_depths", err)
	if after.OrchestratorQueue != before.OrchestratorQueue+1 || after.WorkerQueue != before.WorkerQueue+1 {
		t.fatalf("get_queue_depths: %+v, after one message for each queue %+v", *before, *after)
	}
}

func getInstanceStatsNonexistent(t *trial) {
	if stats := t.stats("no-such-instance"); stats != nil {
		t.fatalf("stats of an unknown instance: %+v, want none", *stats)
	}
}

// someStats returns the statistics, which must be there.
func (t *trial) someStats(instance string) core.SystemStats {
	stats := t.stats(instance)
	if stats == nil {
		t.fatalf("there are no stats of %s", instance)
	}
	return *stats
}

func getInstanceStatsHistory(t *trial) {
	t.create("fresh")
	stats := t.someStats("fresh")
	if stats.HistoryEventCount != 1 || stats.HistorySizeBytes == 0 {
		t.errorf("%d events of %d bytes, want 1 with a size", stats.HistoryEventCount, stats.HistorySizeBytes)
	}
	stats.HistoryEventCount, stats.HistorySizeBytes = 0, 0
	wantEqual(t, "stats but for the history", stats, core.SystemStats{})
}

func getInstanceStatsKv(t *trial) {
	t.createWith("kv", ack{
		events: eventsOf("kv", 1, 2, set("k1", "aaa"), set("k2", "bbbbb")),
		meta:   core.ExecutionMetadata{Status: core.StatusCompleted},
	})
	t.wantKVStats("kv", 2, 8)
}

func getInstanceStatsCarryForward(t *trial) {
	const id = "carried"
	t.enqueue(start(id))
	t.ack(t.turn(id), ack{
		events: []core.Event{event(id, 1, core.OrchestrationStarted{
			Name: "TestOrch", Version: "1.0.0", Input: "{}",
			CarryForwardEvents: []core.QueueEvent{{Name: "q", Data: "1"}, {Name: "q", Data: "2"}, {Name: "p", Data: "3"}},
		})},
		meta: named("TestOrch", "1.0.0"),
	})
	if n := t.someStats(id).QueuePendingCount; n != 3 {
		t.fatalf("%d queued messages, want 3", n)
	}
}

func getInstanceStatsKvDeltaOnly(t *trial) {
	t.createWith("delta", ack{events: eventsOf("delta", 1, 2, set("k1", "abc"), set("k2", "abcdef"))})
	t.wantKVStats("delta", 2, 9)
}

func getInstanceStatsKvMerged(t *trial) {
	const id = "merged"
	t.createWith(id, ack{events: eventsOf(id, 1, 2, set("k1", "abc"), set("k2", "ab"))})
	t.wantKVStats(id, 2, 5)
	t.step(id, ack{events: eventsOf(id, 1, 4, set("k1", "abcde")), meta: core.ExecutionMetadata{Status: core.StatusCompleted}})
	t.wantKVStats(id, 2, 7)
}

func (t *trial) wantKVStats(instance string, keys, bytes uint64) {
	stats := t.someStats(instance)
	if stats.KVUserKeyCount != keys || stats.KVTotalValueBytes != bytes {
		t.fatalf("%d keys of %d bytes, want %d of %d", stats.KVUserKeyCount, stats.KVTotalValueBytes, keys, bytes)
	}
}
