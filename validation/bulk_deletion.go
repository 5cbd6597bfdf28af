package validation

import "github.com/duroxide/duroxide-go/core"

var bulkDeletion = inCategory("bulk_deletion",
	Case{
		Name:     "TestDeleteInstanceBulkFilterCombinations",
		Rule:     "Bulk deletion takes what the filter names; unknown ids are skipped, and a filter without conditions takes all.",
		Contract: "4.3",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstanceBulkFilterCombinations,
	},
	Case{
		Name:     "TestDeleteInstanceBulkSafetyAndLimits",
		Rule:     "Bulk deletion skips running instances and stops at its limit.",
		Contract: "4.3",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstanceBulkSafetyAndLimits,
	},
	Case{
		Name:     "TestDeleteInstanceBulkCompletedBeforeFilter",
		Rule:     "Bulk deletion takes what ended strictly before the given time.",
		Contract: "4.3",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstanceBulkCompletedBeforeFilter,
	},
	Case{
		Name:     "TestDeleteInstanceBulkCascadesToChildren",
		Rule:     "Bulk deletion takes the trees of the roots and counts every instance of them.",
		Contract: "4.3",
		needs:    []need{needsAdminReader, needsAdminDeleter},
		run:      deleteInstanceBulkCascadesToChildren,
	},
)

func deleteInstanceBulkFilterCombinations(t *trial) {
	for i := range 5 {
		t.createWith(name("bulk", i), ending(core.StatusCompleted))
	}
	t.deleteBulk(2, core.InstanceFilter{InstanceIDs: []string{"bulk-0", "bulk-1"}})
	t.wantGone("bulk-0")
	t.wantGone("bulk-1")
	t.deleteBulk(0, core.InstanceFilter{InstanceIDs: []string{"unknown-0", "unknown-1"}})
	t.deleteBulk(0, core.InstanceFilter{InstanceIDs: []string{}})
	t.wantWhole("bulk-2")
	t.deleteBulk(3, core.InstanceFilter{})
	t.wantGone("bulk-4")
}

func deleteInstanceBulkSafetyAndLimits(t *trial) {
	t.createWith("completed", ending(core.StatusCompleted))
	t.createWith("failed", ending(core.StatusFailed))
	t.create("running")
	t.deleteBulk(2, core.InstanceFilter{InstanceIDs: []string{"completed", "running", "failed"}})
	t.wantWhole("running")

	for i := range 4 {
		t.createWith(name("limited", i), ending(core.StatusCompleted))
	}
	for _, want := range []uint64{2, 2, 0} {
		t.deleteBulk(want, core.InstanceFilter{Limit: ptr(uint32(2))})
	}
	t.wantWhole("running")
}

// deleteInstanceBulkCompletedBeforeFilter takes the cut from the store, so that
// the clocks of test and store may differ.
func deleteInstanceBulkCompletedBeforeFilter(t *trial) {
	var first, last uint64
	for i := range 2 {
		id := name("dated", i)
		t.createWith(id, ending(core.StatusCompleted))
		info, err := admin[core.AdminReader](t).GetExecutionInfo(t.ctx, core.GetExecutionInfoParams{Instance: id, ExecutionID: 1})
		t.check("get_execution_info", err)
		if info.CompletedAtMs == nil {
			t.fatalf("a completed execution has no time of completion")
		}
		if last = *info.CompletedAtMs; i == 0 {
			first = last
		}
	}
	t.deleteBulk(0, core.InstanceFilter{CompletedBeforeMs: &first})
	last++
	t.deleteBulk(2, core.InstanceFilter{CompletedBeforeMs: &last})
	t.wantGone("dated-0")
	t.wantGone("dated-1")
}

func deleteInstanceBulkCascadesToChildren(t *trial) {
	var all []string
	for root, children := range []int{1, 3, 0} {
		id := name("root", root)
		t.createWith(id, ending(core.StatusCompleted))
		all = append(all, id)
		for i := range children {
			child := name("child of "+id, i)
			status := core.StatusCompleted
			if i == 1 {
				status = core.StatusRunning // that of a descendant does not matter
			}
			t.createChild(child, id, ending(status))
			all = append(all, child)
		}
	}
	t.deleteBulk(7, core.InstanceFilter{InstanceIDs: []string{"root-0", "root-1", "root-2"}})
	for _, id := range all {
		t.wantGone(id)
	}
}
