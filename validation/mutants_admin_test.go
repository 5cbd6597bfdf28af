package validation_test

import (
	"context"
	"errors"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// managed edits what the management capability is given.
func managed[P, R any](sound manage[P, R], edit func(*P)) manage[P, R] {
	return func(m core.Admin, ctx context.Context, a P) (R, error) {
		edit(&a)
		return sound(m, ctx, a)
	}
}

// manages edits what the management capability answers.
func manages[P, R any](sound manage[P, R], edit func(R) R) manage[P, R] {
	return func(m core.Admin, ctx context.Context, a P) (R, error) {
		r, err := sound(m, ctx, a)
		if err == nil {
			r = edit(r)
		}
		return r, err
	}
}

func mismanaging(b brokenAdmin) func() broken {
	return func() broken { return broken{admin: &b} }
}

// Mutants of management, deletion and pruning.
var adminMutants = []mutant{
	{"the list of instances is short of one", "TestListInstances", mismanaging(brokenAdmin{
		list: func(m core.Admin, ctx context.Context, _ struct{}) ([]string, error) {
			ids, err := m.ListInstances(ctx)
			return ids[:max(len(ids), 1)-1], err
		},
	})},
	{"the list by status has all", "TestListInstancesByStatus", mismanaging(brokenAdmin{
		listBy: func(m core.Admin, ctx context.Context, _ core.ListInstancesByStatusParams) ([]string, error) {
			return m.ListInstances(ctx)
		},
	})},
	{"executions without an instance row are not listed", "TestListExecutions", mismanaging(brokenAdmin{
		executions: func(m core.Admin, ctx context.Context, a core.ListExecutionsParams) ([]uint64, error) {
			if _, err := m.GetInstanceInfo(ctx, core.GetInstanceInfoParams(a)); err != nil {
				return nil, nil
			}
			return m.ListExecutions(ctx, a)
		},
	})},
	{"executions are listed from the last", "TestPruneBulk", mismanaging(brokenAdmin{
		executions: manages(core.Admin.ListExecutions, func(ids []uint64) []uint64 {
			slices.Reverse(ids)
			return ids
		}),
	})},
	{"an instance has no name", "TestGetInstanceInfo", mismanaging(brokenAdmin{
		info: manages(core.Admin.GetInstanceInfo, func(i *core.InstanceInfo) *core.InstanceInfo {
			i.OrchestrationName = ""
			return i
		}),
	})},
	{"every execution runs", "TestGetExecutionInfo", mismanaging(brokenAdmin{
		execution: manages(core.Admin.GetExecutionInfo, func(i *core.ExecutionInfo) *core.ExecutionInfo {
			i.Status = core.StatusRunning
			return i
		}),
	})},
	{"nothing is counted", "TestGetSystemMetrics", mismanaging(brokenAdmin{
		metrics: func(core.Admin, context.Context, struct{}) (*core.SystemMetrics, error) {
			return &core.SystemMetrics{}, nil
		},
		depths: func(core.Admin, context.Context, struct{}) (*core.QueueDepths, error) {
			return &core.QueueDepths{}, nil
		},
	})},
	{"an unknown instance has statistics", "TestGetInstanceStatsNonexistent", still(broken{
		stats: func(core.Provider, context.Context, core.GetInstanceStatsParams) (*core.SystemStats, error) {
			return &core.SystemStats{}, nil
		},
	})},
	{"descendants are children", "TestListChildren", mismanaging(brokenAdmin{
		children: func(m core.Admin, ctx context.Context, a core.ListChildrenParams) ([]string, error) {
			tree, err := m.GetInstanceTree(ctx, core.GetInstanceTreeParams(a))
			if err != nil {
				return nil, err
			}
			return slices.DeleteFunc(tree.AllIDs, func(id string) bool { return id == a.Instance }), nil
		},
	})},
	{"nobody has a parent", "TestDeleteGetParentId", mismanaging(brokenAdmin{
		parent: func(core.Admin, context.Context, core.GetParentIDParams) (*string, error) { return nil, nil },
	})},
	{"a tree is its root", "TestDeleteGetInstanceTree", mismanaging(brokenAdmin{
		tree: manages(core.Admin.GetInstanceTree, func(t *core.InstanceTree) *core.InstanceTree {
			t.AllIDs = []string{t.RootID}
			return t
		}),
	})},
	{"every deletion is by force", "TestDeleteRunningRejectedForceSucceeds", mismanaging(brokenAdmin{
		deleteTree: managed(core.Admin.DeleteInstance, func(a *core.DeleteInstanceParams) { a.Force = true }),
		deleteSet:  managed(core.Admin.DeleteInstancesAtomic, func(a *core.DeleteInstancesAtomicParams) { a.Force = true }),
	})},
	{"no deletion is by force", "TestOrphanActivityAfterInstanceForceDeletion", mismanaging(brokenAdmin{
		deleteTree: managed(core.Admin.DeleteInstance, func(a *core.DeleteInstanceParams) { a.Force = false }),
		deleteSet:  managed(core.Admin.DeleteInstancesAtomic, func(a *core.DeleteInstancesAtomicParams) { a.Force = false }),
	})},
	{"a deletion counts nothing", "TestDeleteTerminalInstances", mismanaging(brokenAdmin{
		deleteTree: manages(core.Admin.DeleteInstance, func(*core.DeleteInstanceResult) *core.DeleteInstanceResult { return &core.DeleteInstanceResult{} }),
	})},
	{"deleting what is not there succeeds", "TestDeleteNonexistentInstance", mismanaging(brokenAdmin{
		deleteTree: func(m core.Admin, ctx context.Context, a core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
			r, err := m.DeleteInstance(ctx, a)
			if errors.Is(err, core.ErrNotFound) {
				return &core.DeleteInstanceResult{}, nil
			}
			return r, err
		},
	})},
	{"a child can be deleted alone", "TestCascadeDeleteHierarchy", mismanaging(brokenAdmin{
		deleteTree: func(m core.Admin, ctx context.Context, a core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
			r, err := m.DeleteInstance(ctx, a)
			if errors.Is(err, core.ErrSubOrchestration) {
				return m.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{Instances: []string{a.Instance}, Force: true})
			}
			return r, err
		},
	})},
	{"a deletion leaves orphans", "TestDeleteInstancesAtomicOrphanDetection", mismanaging(brokenAdmin{
		deleteSet: func(m core.Admin, ctx context.Context, a core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
			r, err := m.DeleteInstancesAtomic(ctx, a)
			if errors.Is(err, core.ErrOrphan) {
				return &core.DeleteInstanceResult{}, nil
			}
			return r, err
		},
	})},
	{"a deletion of several is not atomic", "TestDeleteInstancesAtomicForce", mismanaging(brokenAdmin{
		deleteSet: func(m core.Admin, ctx context.Context, a core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
			all := &core.DeleteInstanceResult{}
			var errs error
			for _, id := range a.Instances {
				r, err := m.DeleteInstance(ctx, core.DeleteInstanceParams{Instance: id, Force: a.Force})
				if err != nil {
					errs = err
					continue
				}
				all.InstancesDeleted += r.InstancesDeleted
			}
			return all, errs
		},
	})},
	{"a deletion does nothing", "TestDeleteCleansQueuesAndLocks", mismanaging(brokenAdmin{
		deleteTree: func(core.Admin, context.Context, core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
			return &core.DeleteInstanceResult{InstancesDeleted: 1}, nil
		},
		deleteSet: func(core.Admin, context.Context, core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
			return &core.DeleteInstanceResult{InstancesDeleted: 1}, nil
		},
	})},
	{"bulk deletion ignores the ids", "TestDeleteInstanceBulkFilterCombinations", mismanaging(brokenAdmin{
		deleteBulk: managed(core.Admin.DeleteInstanceBulk, func(a *core.DeleteInstanceBulkParams) { a.Filter.InstanceIDs = nil }),
	})},
	{"bulk deletion has no limit", "TestDeleteInstanceBulkSafetyAndLimits", mismanaging(brokenAdmin{
		deleteBulk: managed(core.Admin.DeleteInstanceBulk, func(a *core.DeleteInstanceBulkParams) { a.Filter.Limit = nil }),
	})},
	{"bulk deletion ignores when an instance ended", "TestDeleteInstanceBulkCompletedBeforeFilter", mismanaging(brokenAdmin{
		deleteBulk: managed(core.Admin.DeleteInstanceBulk, func(a *core.DeleteInstanceBulkParams) { a.Filter.CompletedBeforeMs = nil }),
	})},
	{"bulk deletion counts roots", "TestDeleteInstanceBulkCascadesToChildren", mismanaging(brokenAdmin{
		deleteBulk: manages(core.Admin.DeleteInstanceBulk, func(r *core.DeleteInstanceResult) *core.DeleteInstanceResult {
			r.InstancesDeleted = min(r.InstancesDeleted, 1)
			return r
		}),
	})},
	{"pruning keeps one execution", "TestPruneOptionsCombinations", mismanaging(brokenAdmin{
		prune: managed(core.Admin.PruneExecutions, func(a *core.PruneExecutionsParams) { a.Options.KeepLast = nil }),
	})},
	{"pruning what is not there succeeds", "TestPruneSafety", mismanaging(brokenAdmin{
		prune: func(m core.Admin, ctx context.Context, a core.PruneExecutionsParams) (*core.PruneResult, error) {
			r, err := m.PruneExecutions(ctx, a)
			if errors.Is(err, core.ErrNotFound) {
				return &core.PruneResult{}, nil
			}
			return r, err
		},
	})},
	{"bulk pruning ignores the ids", "TestPruneBulk", mismanaging(brokenAdmin{
		pruneBulk: managed(core.Admin.PruneExecutionsBulk, func(a *core.PruneExecutionsBulkParams) { a.Filter.InstanceIDs = nil }),
	})},
	{"bulk pruning skips running instances", "TestPruneBulkIncludesRunningInstances", mismanaging(brokenAdmin{
		pruneBulk: func(m core.Admin, ctx context.Context, a core.PruneExecutionsBulkParams) (*core.PruneResult, error) {
			ended := []string{}
			ids, err := m.ListInstances(ctx)
			for _, id := range ids {
				info, err := m.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: id})
				if err == nil && info.Status.IsTerminal() && (a.Filter.InstanceIDs == nil || slices.Contains(a.Filter.InstanceIDs, id)) {
					ended = append(ended, id)
				}
			}
			if err != nil {
				return nil, err
			}
			a.Filter.InstanceIDs = ended
			return m.PruneExecutionsBulk(ctx, a)
		},
	})},
}
