package validation

import "github.com/duroxide/duroxide-go/core"

// prune prunes an instance, which must succeed.
func (t *trial) prune(instance string, o core.PruneOptions) *core.PruneResult {
	result, err := admin[core.AdminPruner](t).PruneExecutions(t.ctx, core.PruneExecutionsParams{Instance: instance, Options: o})
	t.check("prune_executions", err)
	return result
}

// pruneTo prunes to the last executions and compares how many are deleted.
func (t *trial) pruneTo(instance string, keepLast uint32, deleted uint64) {
	result := t.prune(instance, core.PruneOptions{KeepLast: &keepLast})
	if result.InstancesProcessed != 1 || result.ExecutionsDeleted != deleted {
		t.fatalf("prune_executions with keep_last %d: %+v, want 1 instance, %d executions", keepLast, *result, deleted)
	}
}
