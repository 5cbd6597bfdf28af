package pgprovider_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

func TestSampleInstances(t *testing.T) {
	t.Parallel()
	p := open(t, noLongPoll)
	kinds := map[string]string{}
	for _, kind := range []struct {
		name, version string
		status        core.ExecutionStatus
		n             int
	}{
		{"a", "1.0.0", "", 4},
		{"a", "2.0.0", "", 2},
		{"b", "1.0.0", "", 1},
		{"b", "1.0.0", core.StatusCompleted, 3},
	} {
		for i := range kind.n {
			id := fmt.Sprintf("%s-%s-%s-%d", kind.name, kind.version, kind.status, i)
			kinds[id] = fmt.Sprint(kind.name, kind.version, kind.status)
			enqueue(t, p, start(id))
			item := mustFetch(t, p)
			must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
				LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: []core.Event{started(id)},
				Metadata: core.ExecutionMetadata{
					OrchestrationName: &kind.name, OrchestrationVersion: &kind.version, Status: kind.status, Output: ptr(""),
				},
			}))
		}
	}
	count := func(status core.ExecutionStatus, n uint32) map[string]int {
		t.Helper()
		ids, err := p.SampleInstances(t.Context(), status, n)
		must(t, err)
		again, err := p.SampleInstances(t.Context(), status, n)
		must(t, err)
		equal(t, "the second sample", ids, again)
		got := map[string]int{}
		for _, id := range ids {
			got[kinds[id]]++
		}
		return got
	}
	equal(t, "three running of each", map[string]int{"a1.0.0": 3, "a2.0.0": 2, "b1.0.0": 1}, count(core.StatusRunning, 3))
	equal(t, "two completed of each", map[string]int{"b1.0.0Completed": 2}, count(core.StatusCompleted, 2))
	equal(t, "none failed", map[string]int{}, count(core.StatusFailed, 2))
	all := count("", 100)
	equal(t, "all", map[string]int{"a1.0.0": 4, "a2.0.0": 2, "b1.0.0": 1, "b1.0.0Completed": 3}, all)
	if _, err := p.SampleInstances(t.Context(), "a\x00", 1); err == nil {
		t.Error("a status that no text can be was taken")
	}
}
