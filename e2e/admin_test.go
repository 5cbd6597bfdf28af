package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// family is an orchestration that starts as many children as its input says,
// each with one less. Their ids are its own with a number. It waits for the
// message "end", and then for its children.
const family = durable.Orchestration[int, string]("family")

func familyCode(ctx *durable.Context, n int) (string, error) {
	var children []*durable.Future[string]
	for i := range n {
		children = append(children, family.Schedule(ctx, n-1, durable.WithInstanceID(fmt.Sprint(ctx.InstanceID(), ".", i+1))))
	}
	waits(ctx)
	end, err := reads(ctx, "end")
	if err != nil {
		return "", err
	}
	_, err = durable.JoinAll(ctx, children...)
	return end, err
}

// startFamily starts one and waits until all its members wait.
func (s *store) startFamily(t *testing.T, id string, n int) {
	t.Helper()
	_, err := family.Start(s.ctx, s.client, id, n)
	must(t, err)
	s.whenFamilyWaits(t, id, n)
}

func (s *store) whenFamilyWaits(t *testing.T, id string, n int) {
	t.Helper()
	s.whenItWaits(t, id)
	for i := range n {
		s.whenFamilyWaits(t, fmt.Sprint(id, ".", i+1), n-1)
	}
}

// info returns what is known of an instance.
func (s *store) info(t *testing.T, id string) *core.InstanceInfo {
	t.Helper()
	info, err := s.admin.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: id})
	must(t, err)
	return info
}

// gone checks that nothing is left of the instances.
func (s *store) gone(t *testing.T, ids ...string) {
	t.Helper()
	s.unknown(t, ids...)
	for _, id := range ids {
		equal(t, "executions of "+id, 0, len(s.executions(t, id)))
		leaves(map[string]string{})(t, s, id)
	}
}

// unknown checks that there are no such instances.
func (s *store) unknown(t *testing.T, ids ...string) {
	t.Helper()
	all, err := s.admin.ListInstances(s.ctx)
	must(t, err)
	for _, id := range ids {
		if _, err := s.client.Status(s.ctx, id); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("status of %s: %v, want ErrInstanceNotFound", id, err)
		}
		if _, err := s.admin.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: id}); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("info of %s: %v, want ErrNotFound", id, err)
		}
		if slices.Contains(all, id) {
			t.Errorf("%s is listed", id)
		}
	}
}

// What an operator sees of instances that ended in every way, of one that runs,
// and of a chain of executions.
func TestInspection(t *testing.T) {
	const (
		plain   = durable.Orchestration[string, string]("plain")
		rolling = durable.Orchestration[string, string]("chain")
	)
	began := core.Milliseconds(time.Now().Add(-time.Minute)) // a store's clock may be another one
	onEachStore(t, func(t *testing.T, s *store) {
		depths := func(orchestrator, worker uint64) {
			t.Helper()
			until(t, s.ctx, fmt.Sprint("queues do not hold ", orchestrator, " and ", worker), func() bool {
				got, err := s.admin.GetQueueDepths(s.ctx)
				must(t, err)
				return *got == core.QueueDepths{OrchestratorQueue: orchestrator, WorkerQueue: worker}
			})
		}
		depths(0, 0)
		for _, id := range []string{"completed", "failed", "running", "cancelled"} {
			_, err := plain.Start(s.ctx, s.client, id, id)
			must(t, err)
		}
		_, err := rolling.Start(s.ctx, s.client, "chain", "in")
		must(t, err)
		depths(5, 0)
		runOn(t, s.p, nil, cast(
			plain.Version("1.2.3").With(func(ctx *durable.Context, in string) (string, error) {
				switch in {
				case "failed":
					return "", errors.New("no luck")
				case "running", "cancelled":
					call := relay.Schedule(ctx, "", nobody())
					waits(ctx)
					return call.Await(ctx)
				}
				return "out", nil
			}),
			rolling.With(func(ctx *durable.Context, in string) (string, error) {
				if ctx.ExecutionID() < 3 {
					return "", rolling.ContinueAsNew(fmt.Sprint(in, ctx.ExecutionID()))
				}
				return in, nil
			}))...)
		s.whenItWaits(t, "cancelled")
		s.whenItWaits(t, "running")
		depths(0, 2)
		must(t, s.client.Cancel(s.ctx, "cancelled", "enough"))
		for _, id := range []string{"completed", "failed", "cancelled", "chain"} {
			_, err := s.client.Wait(s.ctx, id)
			must(t, err)
		}
		depths(0, 1)

		t.Run("lists", func(t *testing.T) {
			all, err := s.admin.ListInstances(s.ctx)
			must(t, err)
			slices.Sort(all)
			equal(t, "instances", []string{"cancelled", "chain", "completed", "failed", "running"}, all)
			for status, want := range map[core.ExecutionStatus][]string{
				core.StatusRunning:        {"running"},
				core.StatusCompleted:      {"chain", "completed"},
				core.StatusFailed:         {"cancelled", "failed"},
				core.StatusContinuedAsNew: nil,
			} {
				ids, err := s.admin.ListInstancesByStatus(s.ctx, core.ListInstancesByStatusParams{Status: status})
				must(t, err)
				slices.Sort(ids)
				if !slices.Equal(want, ids) {
					t.Errorf("%s: %v, want %v", status, ids, want)
				}
			}
		})
		t.Run("instances", func(t *testing.T) {
			for id, want := range map[string]core.InstanceInfo{
				"completed": {OrchestrationName: "plain", OrchestrationVersion: "1.2.3", CurrentExecutionID: 1, Status: core.StatusCompleted, Output: new("out")},
				"failed":    {OrchestrationName: "plain", OrchestrationVersion: "1.2.3", CurrentExecutionID: 1, Status: core.StatusFailed, Output: new("no luck")},
				"cancelled": {OrchestrationName: "plain", OrchestrationVersion: "1.2.3", CurrentExecutionID: 1, Status: core.StatusFailed, Output: new("canceled: enough")},
				"running":   {OrchestrationName: "plain", OrchestrationVersion: "1.2.3", CurrentExecutionID: 1, Status: core.StatusRunning},
				"chain":     {OrchestrationName: "chain", OrchestrationVersion: "1.0.0", CurrentExecutionID: 3, Status: core.StatusCompleted, Output: new("in12")},
			} {
				got := s.info(t, id)
				if got.CreatedAtMs < began || got.UpdatedAtMs < got.CreatedAtMs {
					t.Errorf("%s: created at %d, updated at %d", id, got.CreatedAtMs, got.UpdatedAtMs)
				}
				want.InstanceID, want.CreatedAtMs, want.UpdatedAtMs = id, got.CreatedAtMs, got.UpdatedAtMs
				equal(t, id, &want, got)
			}
		})
		t.Run("executions", func(t *testing.T) {
			equal(t, "executions", []uint64{1, 2, 3}, s.executions(t, "chain"))
			latest, err := s.admin.LatestExecutionID(s.ctx, core.LatestExecutionIDParams{Instance: "chain"})
			must(t, err)
			equal(t, "latest", 3, latest)
			for _, want := range []struct {
				id     string
				n      uint64
				status core.ExecutionStatus
				output *string
			}{
				{"chain", 1, core.StatusContinuedAsNew, new("in1")},
				{"chain", 2, core.StatusContinuedAsNew, new("in12")},
				{"chain", 3, core.StatusCompleted, new("in12")},
				{"failed", 1, core.StatusFailed, new("no luck")},
				{"running", 1, core.StatusRunning, nil},
			} {
				what := fmt.Sprint(want.id, " ", want.n)
				got, err := s.admin.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: want.id, ExecutionID: want.n})
				must(t, err)
				equal(t, what, want.status, got.Status)
				equal(t, what, want.output, got.Output)
				events, err := s.admin.ReadHistoryWithExecutionID(s.ctx, core.ReadHistoryWithExecutionIDParams{Instance: want.id, ExecutionID: want.n})
				must(t, err)
				equal(t, what+": events", uint64(len(events)), got.EventCount)
				if done := want.status == core.StatusCompleted || want.status == core.StatusFailed; done != (got.CompletedAtMs != nil && *got.CompletedAtMs >= got.StartedAtMs) &&
					want.status != core.StatusContinuedAsNew {
					t.Errorf("%s: started at %d, completed at %v", what, got.StartedAtMs, got.CompletedAtMs)
				}
			}
		})
		t.Run("histories", func(t *testing.T) {
			for n, input := range []string{"in", "in1", "in12"} {
				events, err := s.client.ExecutionHistory(s.ctx, "chain", uint64(n+1))
				must(t, err)
				started, _ := events[0].Data.(core.OrchestrationStarted)
				equal(t, "input", input, started.Input)
				equal(t, "execution", uint64(n+1), events[0].ExecutionID)
				if !events[len(events)-1].IsTerminal() {
					t.Errorf("execution %d ends with %s", n+1, events[len(events)-1].Data.EventType())
				}
			}
			last, err := s.client.ExecutionHistory(s.ctx, "chain", 3)
			must(t, err)
			current, err := s.admin.ReadHistory(s.ctx, core.ReadHistoryParams{Instance: "chain"})
			must(t, err)
			equal(t, "current history", last, current)
		})
		t.Run("metrics", func(t *testing.T) {
			events := 0
			for _, id := range []string{"completed", "failed", "running", "cancelled", "chain"} {
				for _, n := range s.executions(t, id) {
					history, err := s.client.ExecutionHistory(s.ctx, id, n)
					must(t, err)
					events += len(history)
				}
			}
			got, err := s.admin.GetSystemMetrics(s.ctx)
			must(t, err)
			equal(t, "metrics", &core.SystemMetrics{
				TotalInstances: 5, TotalExecutions: 7, RunningInstances: 1, CompletedInstances: 2, FailedInstances: 2, TotalEvents: uint64(events),
			}, got)
		})
		t.Run("unknown ones", func(t *testing.T) {
			if _, err := s.admin.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "nobody"}); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("instance: %v, want ErrNotFound", err)
			}
			if _, err := s.admin.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: "chain", ExecutionID: 4}); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("execution: %v, want ErrNotFound", err)
			}
			if _, err := s.admin.GetParentID(s.ctx, core.GetParentIDParams{Instance: "nobody"}); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("parent: %v, want ErrNotFound", err)
			}
			if _, err := s.admin.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: "nobody"}); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("prune: %v, want ErrNotFound", err)
			}
			equal(t, "executions", 0, len(s.executions(t, "nobody")))
			events, err := s.client.History(s.ctx, "nobody")
			must(t, err)
			equal(t, "events", 0, len(events))
			s.gone(t, "nobody")
		})
	})
}

// A tree of real children, as its root and its members tell of it.
func TestTrees(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(family.With(familyCode))...)
		s.startFamily(t, "a", 2)
		s.startFamily(t, "other", 0)
		for id, want := range map[string]struct{ tree, children []string }{
			"a":      {tree: []string{"a", "a.1", "a.1.1", "a.2", "a.2.1"}, children: []string{"a.1", "a.2"}},
			"a.1":    {tree: []string{"a.1", "a.1.1"}, children: []string{"a.1.1"}},
			"a.2.1":  {tree: []string{"a.2.1"}},
			"other":  {tree: []string{"other"}},
			"nobody": {tree: []string{"nobody"}},
		} {
			tree, err := s.admin.GetInstanceTree(s.ctx, core.GetInstanceTreeParams{Instance: id})
			must(t, err)
			slices.Sort(tree.AllIDs)
			equal(t, "tree of "+id, &core.InstanceTree{RootID: id, AllIDs: want.tree}, tree)
			children, err := s.admin.ListChildren(s.ctx, core.ListChildrenParams{Instance: id})
			must(t, err)
			slices.Sort(children)
			if !slices.Equal(want.children, children) {
				t.Errorf("children of %s: %v, want %v", id, children, want.children)
			}
		}
		for id, want := range map[string]*string{"a": nil, "a.1": new("a"), "a.2.1": new("a.2"), "other": nil} {
			parent, err := s.admin.GetParentID(s.ctx, core.GetParentIDParams{Instance: id})
			must(t, err)
			equal(t, "parent of "+id, want, parent)
			equal(t, "parent of "+id, want, s.info(t, id).ParentInstanceID)
		}
		if _, err := s.admin.GetParentID(s.ctx, core.GetParentIDParams{Instance: "nobody"}); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("parent of nobody: %v, want ErrNotFound", err)
		}
	})
}
