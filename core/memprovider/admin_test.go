package memprovider_test

import (
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

func TestAdminReader(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		admin, ok := core.Ability[core.AdminReader](s.Provider)
		if !ok {
			t.Fatal("no AdminReader")
		}
		began := core.Milliseconds(time.Now())
		s.create("root")
		time.Sleep(time.Second)
		for _, id := range []string{"root::sub::1", "root::sub::2"} {
			s.createWith(id, func(p *core.AckOrchestrationItemParams) { p.Metadata.ParentInstanceID = ptr("root") })
		}
		s.step("root", 1, core.StatusContinuedAsNew, 2, core.OrchestrationContinuedAsNew{Input: "2"})
		s.step("root", 2, core.StatusCompleted, 1, started(1).Data)
		s.step("root::sub::2", 1, core.StatusFailed, 2, core.KeyValuesCleared{})
		s.send(start("rowless"))
		s.ack(s.turn("rowless"), nil)
		s.send(start("queued only"))
		s.send(activity(1), activity(2))
		s.work(1, anyWork)
		s.sendLater(time.Hour, external("root"))

		list, err := admin.ListInstances(s.ctx)
		s.check(err)
		equal(t, "instances", list, []string{"root::sub::2", "root::sub::1", "root"})
		for status, want := range map[core.ExecutionStatus][]string{
			core.StatusCompleted:      {"root"},
			core.StatusRunning:        {"root::sub::1"},
			core.StatusFailed:         {"root::sub::2"},
			core.StatusContinuedAsNew: {},
			"completed":               {},
		} {
			list, err := admin.ListInstancesByStatus(s.ctx, core.ListInstancesByStatusParams{Status: status})
			s.check(err)
			equal(t, string(status), list, want)
		}
		children, err := admin.ListChildren(s.ctx, core.ListChildrenParams{Instance: "root"})
		s.check(err)
		equal(t, "children", children, []string{"root::sub::2", "root::sub::1"})
		children, err = admin.ListChildren(s.ctx, core.ListChildrenParams{Instance: "nobody"})
		s.check(err)
		equal(t, "children of nobody", len(children), 0)
		parent, err := admin.GetParentID(s.ctx, core.GetParentIDParams{Instance: "root::sub::1"})
		s.check(err)
		equal(t, "parent", *parent, "root")
		parent, err = admin.GetParentID(s.ctx, core.GetParentIDParams{Instance: "root"})
		s.check(err)
		equal(t, "parent of the root", parent, (*string)(nil))

		for id, want := range map[string][]uint64{"root": {1, 2}, "rowless": {1}, "queued only": nil, "nobody": nil} {
			executions, err := admin.ListExecutions(s.ctx, core.ListExecutionsParams{Instance: id})
			s.check(err)
			equal(t, "executions of "+id, len(executions), len(want))
			for n := range want {
				equal(t, "execution", executions[n], want[n])
			}
			latest, err := admin.LatestExecutionID(s.ctx, core.LatestExecutionIDParams{Instance: id})
			s.check(err)
			equal(t, "latest of "+id, latest, max(uint64(len(want)), 1))
		}
		history, err := admin.ReadHistory(s.ctx, core.ReadHistoryParams{Instance: "root"})
		s.check(err)
		equal(t, "latest history", history, []core.Event{started(1)})
		history, err = admin.ReadHistoryWithExecutionID(s.ctx, core.ReadHistoryWithExecutionIDParams{Instance: "root", ExecutionID: 1})
		s.check(err)
		equal(t, "first history", len(history), 2)

		info, err := admin.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "root"})
		s.check(err)
		equal(t, "info", info, &core.InstanceInfo{
			InstanceID: "root", OrchestrationName: "Orch", OrchestrationVersion: "1.0.0", CurrentExecutionID: 2,
			Status: core.StatusCompleted, CreatedAtMs: began, UpdatedAtMs: began + 1000,
		})
		execution, err := admin.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: "root", ExecutionID: 1})
		s.check(err)
		equal(t, "completed", *execution.CompletedAtMs, began+1000)
		execution.CompletedAtMs = nil
		equal(t, "execution", execution, &core.ExecutionInfo{
			ExecutionID: 1, Status: core.StatusContinuedAsNew, StartedAtMs: began, EventCount: 2,
		})
		execution, err = admin.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: "root::sub::1", ExecutionID: 1})
		s.check(err)
		equal(t, "completion of a running one", execution.CompletedAtMs, (*uint64)(nil))

		metrics, err := admin.GetSystemMetrics(s.ctx)
		s.check(err)
		equal(t, "metrics", metrics, &core.SystemMetrics{
			TotalInstances: 3, TotalExecutions: 5, RunningInstances: 1, CompletedInstances: 1, FailedInstances: 1, TotalEvents: 6,
		})
		depths, err := admin.GetQueueDepths(s.ctx)
		s.check(err)
		equal(t, "depths", depths, &core.QueueDepths{OrchestratorQueue: 1, WorkerQueue: 1})
		s.turn("queued only")
		depths, err = admin.GetQueueDepths(s.ctx)
		s.check(err)
		equal(t, "depths while locked", depths, &core.QueueDepths{WorkerQueue: 1})
		time.Sleep(time.Hour)
		depths, err = admin.GetQueueDepths(s.ctx)
		s.check(err)
		equal(t, "depths later", depths, &core.QueueDepths{OrchestratorQueue: 2, WorkerQueue: 2})
	})
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	_, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "x"})
	wantError(t, err, "get_instance_info", core.ErrNotFound)
	equal(t, "text", err.Error(), "get_instance_info: Instance x not found")
	_, err = s.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: "x", ExecutionID: 1})
	wantError(t, err, "get_execution_info", core.ErrNotFound)
	_, err = s.GetParentID(s.ctx, core.GetParentIDParams{Instance: "x"})
	wantError(t, err, "get_parent_id", core.ErrNotFound)
}

func TestCurrentExecutionNeverMovesBack(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.create("a")
	s.step("a", 2, "", 1, started(1).Data)
	s.step("a", 1, core.StatusCompleted, 2)
	info, err := s.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "a"})
	s.check(err)
	equal(t, "current", info.CurrentExecutionID, uint64(2))
	equal(t, "status", info.Status, core.StatusRunning)
}

func TestNameAndVersion(t *testing.T) {
	t.Parallel()
	p := memprovider.New(&memprovider.Options{})
	equal(t, "name", p.Name(), "memory")
	if _, err := core.ParseVersion(p.Version()); err != nil {
		t.Error(err)
	}
}
