package validation

import "github.com/duroxide/duroxide-go/core"

// The key-value cases across executions: what finished ones have left, overlaid
// by what the running one has set.

func kvCrossExecutionOverwrite(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v1"))
	r.continueAsNew()
	r.do(set("k", "v2"))
	r.want("k", "v2")
	r.complete()
	r.want("k", "v2")
}

func kvCrossExecutionRemoveReadd(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "of 1"))
	r.continueAsNew()
	r.do(clearKey("k"))
	r.wantNone("k")
	r.continueAsNew()
	r.wantNone("k")
	r.do(set("k", "of 3"))
	r.want("k", "of 3")
}

func kvSnapshotCrossExecution(t *trial) {
	r := t.kv("kv")
	r.do(set("A", "of 1"))
	r.continueAsNew()
	r.do(set("B", "of 2"))
	r.wantSnapshot("A", "of 1")
}

func kvDeltaSnapshotExcludesCurrentExecution(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	r.want("k", "v")
	r.wantSnapshot()
}

func kvDeltaSnapshotIncludesCompletedExecution(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	r.continueAsNew()
	r.wantSnapshot("k", "v")
}

func kvDeltaClientReadsMerged(t *trial) {
	r := t.kv("kv")
	r.do(set("color", "red"), set("size", "large"))
	r.continueAsNew()
	r.do(set("color", "blue"), set("shape", "circle"))
	r.want("color", "blue")
	r.want("size", "large")
	r.want("shape", "circle")
	r.wantSnapshot("color", "red", "size", "large")
}

func kvDeltaTombstoneOverridesStore(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	r.continueAsNew()
	r.do(clearKey("k"))
	r.wantNone("k")
	r.wantSnapshot("k", "v")
}

func kvDeltaClearAllTombstonesStore(t *trial) {
	r := t.kv("kv")
	r.do(set("a", "1"), set("b", "2"))
	r.continueAsNew()
	r.do(clearKeys(), set("c", "3"))
	r.wantNone("a", "b")
	r.want("c", "3")
	r.complete()
	r.wantNone("a", "b")
	r.wantSnapshot("c", "3")
}

func kvDeltaMergedOnCompletion(t *trial) {
	for _, status := range []core.ExecutionStatus{core.StatusCompleted, core.StatusFailed} {
		r := t.kv("kv " + string(status))
		r.do(set("k", "v"))
		r.end(status, set("last", "turn"))
		r.want("k", "v")
		r.wantSnapshot("k", "v", "last", "turn")
	}
}

func kvDeltaMergedOnCan(t *trial) {
	r := t.kv("kv")
	r.do(set("a", "1"), set("b", "1"))
	r.do(set("b", "2"))
	r.continueAsNew(set("c", "3"))
	r.wantSnapshot("a", "1", "b", "2", "c", "3")
}

func kvExecutionIdTracking(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "of 1"))
	r.continueAsNew()
	r.do(set("k", "of 2"))
	t.pruneTo("kv", 1, 1)
	r.want("k", "of 2")
}

func kvPrunePreservesOverwritten(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "of 1"))
	r.continueAsNew()
	r.do(set("k", "of 2"))
	r.continueAsNew()
	t.pruneTo("kv", 1, 2)
	r.want("k", "of 2")
	r.wantSnapshot("k", "of 2")
}

func kvPrunePreservesAllKeys(t *trial) {
	r := t.kv("kv")
	r.do(set("only of 1", "v"))
	r.continueAsNew()
	r.do(set("of 2", "v"))
	t.pruneTo("kv", 1, 1)
	r.want("only of 1", "v")
	r.want("of 2", "v")
}

func kvPruneCurrentExecutionProtected(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	t.pruneTo("kv", 1, 0)
	r.want("k", "v")
}

func kvDeltaPruneUntouchedKeySurvives(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "of 1"))
	r.continueAsNew()
	r.continueAsNew()
	t.pruneTo("kv", 1, 2)
	r.want("k", "of 1")
	r.wantSnapshot("k", "of 1")
}
