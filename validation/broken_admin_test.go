package validation_test

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

// A manage is a method of the management capability as a function of it.
type manage[P, R any] = func(m core.Admin, ctx context.Context, a P) (R, error)

// brokenAdmin is a management capability that breaks rules: each function that
// is set replaces a method of the one below.
type brokenAdmin struct {
	*broken
	core.Admin

	list       manage[struct{}, []string]
	listBy     manage[core.ListInstancesByStatusParams, []string]
	executions manage[core.ListExecutionsParams, []uint64]
	info       manage[core.GetInstanceInfoParams, *core.InstanceInfo]
	execution  manage[core.GetExecutionInfoParams, *core.ExecutionInfo]
	metrics    manage[struct{}, *core.SystemMetrics]
	depths     manage[struct{}, *core.QueueDepths]
	children   manage[core.ListChildrenParams, []string]
	parent     manage[core.GetParentIDParams, *string]
	tree       manage[core.GetInstanceTreeParams, *core.InstanceTree]
	deleteSet  manage[core.DeleteInstancesAtomicParams, *core.DeleteInstanceResult]
	deleteTree manage[core.DeleteInstanceParams, *core.DeleteInstanceResult]
	deleteBulk manage[core.DeleteInstanceBulkParams, *core.DeleteInstanceResult]
	prune      manage[core.PruneExecutionsParams, *core.PruneResult]
	pruneBulk  manage[core.PruneExecutionsBulkParams, *core.PruneResult]
}

func doAdmin[P, R any](ctx context.Context, b *brokenAdmin, broken, sound manage[P, R], a P) (R, error) {
	if broken != nil {
		return broken(b.Admin, ctx, a)
	}
	return sound(b.Admin, ctx, a)
}

func (b *brokenAdmin) ListInstances(ctx context.Context) ([]string, error) {
	return doAdmin(ctx, b, b.list, func(m core.Admin, ctx context.Context, _ struct{}) ([]string, error) {
		return m.ListInstances(ctx)
	}, struct{}{})
}

func (b *brokenAdmin) ListInstancesByStatus(ctx context.Context, a core.ListInstancesByStatusParams) ([]string, error) {
	return doAdmin(ctx, b, b.listBy, core.Admin.ListInstancesByStatus, a)
}

func (b *brokenAdmin) ListExecutions(ctx context.Context, a core.ListExecutionsParams) ([]uint64, error) {
	return doAdmin(ctx, b, b.executions, core.Admin.ListExecutions, a)
}

func (b *brokenAdmin) GetInstanceInfo(ctx context.Context, a core.GetInstanceInfoParams) (*core.InstanceInfo, error) {
	return doAdmin(ctx, b, b.info, core.Admin.GetInstanceInfo, a)
}

func (b *brokenAdmin) GetExecutionInfo(ctx context.Context, a core.GetExecutionInfoParams) (*core.ExecutionInfo, error) {
	return doAdmin(ctx, b, b.execution, core.Admin.GetExecutionInfo, a)
}

func (b *brokenAdmin) GetSystemMetrics(ctx context.Context) (*core.SystemMetrics, error) {
	return doAdmin(ctx, b, b.metrics, func(m core.Admin, ctx context.Context, _ struct{}) (*core.SystemMetrics, error) {
		return m.GetSystemMetrics(ctx)
	}, struct{}{})
}

func (b *brokenAdmin) GetQueueDepths(ctx context.Context) (*core.QueueDepths, error) {
	return doAdmin(ctx, b, b.depths, func(m core.Admin, ctx context.Context, _ struct{}) (*core.QueueDepths, error) {
		return m.GetQueueDepths(ctx)
	}, struct{}{})
}

func (b *brokenAdmin) ListChildren(ctx context.Context, a core.ListChildrenParams) ([]string, error) {
	return doAdmin(ctx, b, b.children, core.Admin.ListChildren, a)
}

func (b *brokenAdmin) GetParentID(ctx context.Context, a core.GetParentIDParams) (*string, error) {
	return doAdmin(ctx, b, b.parent, core.Admin.GetParentID, a)
}

func (b *brokenAdmin) GetInstanceTree(ctx context.Context, a core.GetInstanceTreeParams) (*core.InstanceTree, error) {
	return doAdmin(ctx, b, b.tree, core.Admin.GetInstanceTree, a)
}

func (b *brokenAdmin) DeleteInstancesAtomic(ctx context.Context, a core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
	return doAdmin(ctx, b, b.deleteSet, core.Admin.DeleteInstancesAtomic, a)
}

func (b *brokenAdmin) DeleteInstance(ctx context.Context, a core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
	return doAdmin(ctx, b, b.deleteTree, core.Admin.DeleteInstance, a)
}

func (b *brokenAdmin) DeleteInstanceBulk(ctx context.Context, a core.DeleteInstanceBulkParams) (*core.DeleteInstanceResult, error) {
	return doAdmin(ctx, b, b.deleteBulk, core.Admin.DeleteInstanceBulk, a)
}

func (b *brokenAdmin) PruneExecutions(ctx context.Context, a core.PruneExecutionsParams) (*core.PruneResult, error) {
	return doAdmin(ctx, b, b.prune, core.Admin.PruneExecutions, a)
}

func (b *brokenAdmin) PruneExecutionsBulk(ctx context.Context, a core.PruneExecutionsBulkParams) (*core.PruneResult, error) {
	return doAdmin(ctx, b, b.pruneBulk, core.Admin.PruneExecutionsBulk, a)
}
