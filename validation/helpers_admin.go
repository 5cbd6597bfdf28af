package validation

import (
	"errors"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// admin returns an ability that the case needs.
func admin[T any](t *trial) T {
	a, ok := core.Ability[T](t.p)
	if !ok {
		t.fatalf("the provider has lost an ability")
	}
	return a
}

// info describes an instance, which must exist.
func (t *trial) info(instance string) *core.InstanceInfo {
	info, err := admin[core.AdminReader](t).GetInstanceInfo(t.ctx, core.GetInstanceInfoParams{Instance: instance})
	t.check("get_instance_info", err)
	return info
}

func (t *trial) tryDelete(instance string, force bool) (*core.DeleteInstanceResult, error) {
	return admin[core.AdminDeleter](t).DeleteInstance(t.ctx, core.DeleteInstanceParams{Instance: instance, Force: force})
}

// deleteInstance deletes a root with its tree, which must succeed.
func (t *trial) deleteInstance(instance string, force bool) *core.DeleteInstanceResult {
	result, err := t.tryDelete(instance, force)
	t.check("delete_instance", err)
	return result
}

func (t *trial) tryDeleteAtomic(force bool, instances ...string) (*core.DeleteInstanceResult, error) {
	return admin[core.AdminDeleter](t).DeleteInstancesAtomic(t.ctx, core.DeleteInstancesAtomicParams{Instances: instances, Force: force})
}

// deleteBulk deletes what the filter selects and compares how many there were.
func (t *trial) deleteBulk(want uint64, f core.InstanceFilter) {
	result, err := admin[core.AdminDeleter](t).DeleteInstanceBulk(t.ctx, core.DeleteInstanceBulkParams{Filter: f})
	t.check("delete_instance_bulk", err)
	if result.InstancesDeleted != want {
		t.fatalf("delete_instance_bulk: %+v, want %d instances", *result, want)
	}
}

// prune prunes an instance, which must succeed.
func (t *trial) prune(instance string, o core.PruneOptions) *core.PruneResult {
	result, err := admin[core.AdminPruner](t).PruneExecutions(t.ctx, core.PruneExecutionsParams{Instance: instance, Options: o})
	t.check("prune_executions", err)
	return result
}

// pruneTo prunes to the last executions and compares how many are deleted.
func (t *trial) pruneTo(instance string, keepLast uint32, deleted uint64) {
	t.wantPruned(t.prune(instance, core.PruneOptions{KeepLast: &keepLast}), 1, deleted)
}

func (t *trial) wantPruned(result *core.PruneResult, instances, executions uint64) {
	if result.InstancesProcessed != instances || result.ExecutionsDeleted != executions {
		t.fatalf("pruned %+v, want %d instances, %d executions", *result, instances, executions)
	}
}

// wantRefused is wantPermanent for a cause, with one of the words in its text
// that callers in other languages look for.
func (t *trial) wantRefused(what string, err, cause error, words ...string) {
	t.wantPermanent(what, err)
	if !errors.Is(err, cause) {
		t.fatalf("%s: the error is not %q: %v", what, cause, err)
	}
	text := strings.ToLower(err.Error())
	if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
		t.fatalf("%s: the error names none of %q: %v", what, words, err)
	}
}

// wantGone checks that nothing is left of an instance.
func (t *trial) wantGone(instance string) {
	_, err := admin[core.AdminReader](t).GetInstanceInfo(t.ctx, core.GetInstanceInfoParams{Instance: instance})
	t.wantNotFound("get_instance_info of "+instance+", which was deleted,", err)
	t.wantEvents("history of "+instance+", which was deleted", t.read(instance))
	t.wantExecutions(instance)
}

// wantWhole checks that an instance of one execution is as it was.
func (t *trial) wantWhole(instance string) {
	t.info(instance)
	if len(t.read(instance)) == 0 {
		t.fatalf("the history of %s is gone", instance)
	}
	t.wantExecutions(instance, 1)
}

// wantExecutions compares the executions of an instance.
func (t *trial) wantExecutions(instance string, want ...uint64) {
	got, err := admin[core.AdminReader](t).ListExecutions(t.ctx, core.ListExecutionsParams{Instance: instance})
	t.check("list_executions", err)
	if !slices.Equal(got, want) {
		t.fatalf("executions of %s: %v, want %v", instance, got, want)
	}
}

// wantSet compares ids in any order.
func (t *trial) wantSet(what string, got []string, want ...string) {
	if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.fatalf("%s: %q, want %q", what, got, want)
	}
}
