package validation

import "github.com/duroxide/duroxide-go/core"

var prune = inCategory("prune",
	Case{
		Name:     "TestPruneOptionsCombinations",
		Rule:     "Pruning keeps the newest executions, as many as it is told; without options only the current one.",
		Contract: "4.4",
		needs:    []need{needsAdminReader, needsAdminPruner},
		run:      pruneOptionsCombinations,
	},
	Case{
		Name:     "TestPruneSafety",
		Rule:     "Pruning never takes the current execution, whatever it is told; of an unknown instance it is refused.",
		Contract: "4.4",
		needs:    []need{needsAdminReader, needsAdminPruner},
		run:      pruneSafety,
	},
	Case{
		Name:     "TestPruneBulk",
		Rule:     "Bulk pruning takes the instances that the filter names and no other.",
		Contract: "4.5",
		needs:    []need{needsAdminReader, needsAdminPruner},
		run:      pruneBulk,
	},
	Case{
		Name:     "TestPruneBulkIncludesRunningInstances",
		Rule:     "Bulk pruning takes the finished executions of running instances.",
		Contract: "4.5",
		needs:    []need{needsAdminReader, needsAdminPruner},
		run:      pruneBulkIncludesRunningInstances,
	},
)

// chain makes an instance that has continued as new until it has n executions,
// and ends the last one unless the status is Running.
func (t *trial) chain(instance string, n int, status core.ExecutionStatus) {
	r := t.kv(instance)
	for range n - 1 {
		r.continueAsNew()
	}
	if status != core.StatusRunning {
		r.end(status)
	}
}

// pruneMany prunes what the filter selects.
func (t *trial) pruneMany(f core.InstanceFilter, o core.PruneOptions) *core.PruneResult {
	result, err := admin[core.AdminPruner](t).PruneExecutionsBulk(t.ctx, core.PruneExecutionsBulkParams{Filter: f, Options: o})
	t.check("prune_executions_bulk", err)
	return result
}

func pruneOptionsCombinations(t *trial) {
	t.chain("four", 4, core.StatusCompleted)
	t.pruneTo("four", 2, 2)
	t.wantExecutions("four", 3, 4)
	t.wantEvents("history of a pruned execution", t.readExecution("four", 1))
	t.pruneTo("four", 2, 0)

	t.chain("three", 3, core.StatusCompleted)
	t.wantPruned(t.prune("three", core.PruneOptions{}), 1, 2)
	t.wantExecutions("three", 3)
}

func pruneSafety(t *trial) {
	t.create("one")
	t.pruneTo("one", 0, 0)
	t.wantWhole("one")

	_, err := admin[core.AdminPruner](t).PruneExecutions(t.ctx, core.PruneExecutionsParams{Instance: "no-such-instance"})
	t.wantNotFound("prune_executions of an unknown instance", err)

	for what, keepLast := range map[string]*uint32{"nothing": nil, "0": ptr(uint32(0)), "1": ptr(uint32(1))} {
		id := "completed, told " + what
		t.chain(id, 4, core.StatusCompleted)
		t.wantPruned(t.prune(id, core.PruneOptions{KeepLast: keepLast}), 1, 3)
		t.wantExecutions(id, 4)
	}
}

func pruneBulk(t *trial) {
	for _, id := range []string{"a", "b", "c"} {
		t.chain(id, 4, core.StatusCompleted)
	}
	keepOne := core.PruneOptions{KeepLast: ptr(uint32(1))}
	t.wantPruned(t.pruneMany(core.InstanceFilter{InstanceIDs: []string{"a", "b"}}, keepOne), 2, 6)
	t.wantExecutions("a", 4)
	t.wantExecutions("b", 4)
	t.wantExecutions("c", 1, 2, 3, 4)
	t.wantPruned(t.pruneMany(core.InstanceFilter{InstanceIDs: []string{}}, keepOne), 0, 0)
	t.wantExecutions("c", 1, 2, 3, 4)
}

func pruneBulkIncludesRunningInstances(t *trial) {
	t.chain("running", 3, core.StatusRunning)
	t.wantPruned(t.pruneMany(core.InstanceFilter{InstanceIDs: []string{"running"}}, core.PruneOptions{KeepLast: ptr(uint32(1))}), 1, 2)
	t.wantExecutions("running", 3)
	if info := t.info("running"); info.Status != core.StatusRunning || info.CurrentExecutionID != 3 {
		t.fatalf("get_instance_info: %+v, want execution 3, Running", *info)
	}
}
