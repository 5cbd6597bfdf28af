package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// removeMany deletes what a filter selects, and compares how many that were.
func (s *store) removeMany(t *testing.T, what string, f core.InstanceFilter, want uint64) {
	t.Helper()
	result, err := s.admin.DeleteInstanceBulk(s.ctx, core.DeleteInstanceBulkParams{Filter: f})
	must(t, err)
	equal(t, what+": instances deleted", want, result.InstancesDeleted)
}

// completedAt is when an instance's current execution ended.
func (s *store) completedAt(t *testing.T, id string) uint64 {
	t.Helper()
	info := s.info(t, id)
	e, err := s.admin.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: id, ExecutionID: info.CurrentExecutionID})
	must(t, err)
	return *e.CompletedAtMs
}

// Old instances are deleted by when they ended, and so many at a time.
func TestRetention(t *testing.T) {
	const brief = durable.Orchestration[string, string]("brief")
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, brief.With(func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(5 * time.Millisecond) // after whatever ended before the start
			return "", nil
		}))
		run := func(group string, n int) (ids []string) {
			t.Helper()
			for i := range n {
				id := fmt.Sprint(group, i)
				r, err := brief.Start(s.ctx, s.client, id, "")
				must(t, err)
				_, err = r.Wait(s.ctx)
				must(t, err)
				ids = append(ids, id)
			}
			return ids
		}
		older, newer := run("old", 5), run("new", 3)
		cutoff := s.completedAt(t, newer[0])
		s.removeMany(t, "before all", core.InstanceFilter{CompletedBeforeMs: new(s.completedAt(t, older[0]))}, 0)
		s.removeMany(t, "two of the old", core.InstanceFilter{CompletedBeforeMs: &cutoff, Limit: new(uint32(2))}, 2)
		s.removeMany(t, "one by its id", core.InstanceFilter{InstanceIDs: newer[2:], CompletedBeforeMs: &cutoff}, 0)
		s.removeMany(t, "the old", core.InstanceFilter{CompletedBeforeMs: &cutoff}, 3)
		s.gone(t, older...)
		s.removeMany(t, "two by their ids", core.InstanceFilter{InstanceIDs: newer[:2]}, 2)
		s.gone(t, newer[:2]...)
		all, err := s.admin.ListInstances(s.ctx)
		must(t, err)
		equal(t, "instances", newer[2:], all)
		s.removeMany(t, "the rest", core.InstanceFilter{}, 1)
		s.removeMany(t, "nothing", core.InstanceFilter{}, 0)
	})
}

// What runs, what has a parent and what does not exist is passed over.
func TestBulkDeletionIsSafe(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(family.With(familyCode))...)
		s.startFamily(t, "ended", 1)
		s.startFamily(t, "running", 1)
		for _, id := range []string{"ended.1", "ended", "running.1"} {
			sends("end=over")(t, s, id)
			_, err := s.client.Wait(s.ctx, id)
			must(t, err)
		}
		all := []string{"ended", "ended.1", "running", "running.1"}
		s.removeMany(t, "no ids", core.InstanceFilter{InstanceIDs: []string{}}, 0)
		s.removeMany(t, "children and unknown ones", core.InstanceFilter{InstanceIDs: []string{"ended.1", "running.1", "running", "nobody"}}, 0)
		for _, id := range all {
			s.info(t, id)
		}
		s.removeMany(t, "a root with its child", core.InstanceFilter{InstanceIDs: append(all, "nobody")}, 2)
		s.gone(t, "ended", "ended.1")
		s.removeMany(t, "everything", core.InstanceFilter{}, 0)
		sends("end=over")(t, s, "running")
		out, err := family.Run(s.client, "running").Wait(s.ctx)
		must(t, err)
		equal(t, "output of the one that ran", "over", out)
	})
}
