package memprovider_test

import (
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// eternal makes an instance of five executions that end a second apart: the
// second was left running, and the last is the current one. The n-th has n
// events. It returns when it began.
func (s store) eternal(instance string, last core.ExecutionStatus) (began uint64) {
	s.t.Helper()
	began = core.Milliseconds(time.Now())
	s.send(start(instance))
	for n, status := range []core.ExecutionStatus{core.StatusContinuedAsNew, "", core.StatusContinuedAsNew, core.StatusFailed, last} {
		time.Sleep(time.Second)
		id := uint64(n + 1)
		s.ack(s.turn(instance), func(p *core.AckOrchestrationItemParams) {
			p.ExecutionID = id
			p.HistoryDelta = events(1, slices.Repeat([]core.EventData{set("k", instance)}, n+1)...)
			p.Metadata = named("Orch", "1.0.0")
			p.Metadata.Status = status
			if instance == "child" {
				p.Metadata.ParentInstanceID = ptr("running")
			}
		})
		s.send(external(instance))
	}
	return began
}

func (s store) executions(instance string) []uint64 {
	s.t.Helper()
	ids, err := s.ListExecutions(s.ctx, core.ListExecutionsParams{Instance: instance})
	s.check(err)
	return ids
}

// pruned is the result for one instance of eternal with the executions left.
func pruned(left []uint64) *core.PruneResult {
	r := &core.PruneResult{InstancesProcessed: 1}
	for id := range uint64(6) {
		if id > 0 && !slices.Contains(left, id) {
			r.ExecutionsDeleted++
			r.EventsDeleted += id
		}
	}
	return r
}

func TestPruneExecutions(t *testing.T) {
	t.Parallel()
	keep := func(n uint32) *uint32 { return &n }
	type ids = []uint64
	for _, tt := range []struct {
		name   string
		keep   *uint32
		before uint64 // seconds since the instance began, 0 for no condition
		left   ids
	}{
		{name: "no options", left: ids{2, 5}},
		{name: "keep 0", keep: keep(0), left: ids{2, 5}},
		{name: "keep 1", keep: keep(1), left: ids{2, 5}},
		{name: "keep 2", keep: keep(2), left: ids{2, 4, 5}},
		{name: "keep 3", keep: keep(3), left: ids{2, 3, 4, 5}},
		{name: "keep as many as there are", keep: keep(5), left: ids{1, 2, 3, 4, 5}},
		{name: "keep more than there are", keep: keep(1 << 31), left: ids{1, 2, 3, 4, 5}},
		{name: "before the first ended", before: 1, left: ids{1, 2, 3, 4, 5}},
		{name: "before the third ended", before: 3, left: ids{2, 3, 4, 5}},
		{name: "after all ended", before: 60, left: ids{2, 5}},
		{name: "both conditions, few kept", keep: keep(2), before: 3, left: ids{2, 3, 4, 5}},
		{name: "both conditions, many kept", keep: keep(4), before: 60, left: ids{2, 3, 4, 5}},
	} {
		for _, last := range []core.ExecutionStatus{core.StatusRunning, core.StatusCompleted} {
			t.Run(tt.name+", "+string(last), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, s store) {
					began := s.eternal("a", last)
					s.send(activity(1))
					options := core.PruneOptions{KeepLast: tt.keep}
					if tt.before > 0 {
						options.CompletedBeforeMs = ptr(began + tt.before*1000)
					}
					result, err := s.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: "a", Options: options})
					s.check(err)
					equal(t, "result", result, pruned(tt.left))
					equal(t, "executions", s.executions("a"), tt.left)
				})
			})
		}
	}
}

func TestPruneLeavesTheInstanceAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.eternal("a", core.StatusRunning)
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.HistoryDelta = events(6, core.CustomStatusUpdated{Status: ptr("busy")}, set("delta", "v"))
		})
		s.send(external("a"), activity(1))
		turn := s.turn("a")
		result, err := s.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: "a"})
		s.check(err)
		equal(t, "result", result, pruned([]uint64{2, 5}))

		values, err := s.GetKVAllValues(s.ctx, core.GetKVAllValuesParams{Instance: "a"})
		s.check(err)
		equal(t, "values", values, map[string]string{"k": "a", "delta": "v"})
		status, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a"})
		s.check(err)
		equal(t, "custom status", *status.Status, "busy")
		equal(t, "events", len(s.read("a")), 7)
		s.ack(turn, func(p *core.AckOrchestrationItemParams) { p.Metadata.Status = core.StatusCompleted })
		s.work(1, anyWork)

		// Again, and then there is nothing more to do.
		result, err = s.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: "a"})
		s.check(err)
		equal(t, "result", result, pruned([]uint64{1, 2, 3, 4, 5}))
	})
}

func TestPruneUnknown(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(start("queued only"), start("rowless"))
	s.turn("queued only")
	s.ack(s.turn("rowless"), nil)
	for _, id := range []string{"nobody", "queued only", "rowless"} {
		_, err := s.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: id})
		wantError(t, err, "prune_executions", core.ErrNotFound)
	}
}

// An execution that is newer than the current one, which an acknowledgement
// without a name leaves, can go, and the latest is the current one again.
func TestPruneAboveTheCurrentExecution(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.send(start("a"))
	s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
		p.ExecutionID, p.Metadata.Status = 3, core.StatusFailed
	})
	s.create("a")
	_, err := s.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: "a"})
	s.check(err)
	equal(t, "executions", s.executions("a"), []uint64{1})
	equal(t, "events", len(s.read("a")), 1)
}

func TestPruneExecutionsBulk(t *testing.T) {
	t.Parallel()
	type filter = core.InstanceFilter
	for _, tt := range []struct {
		name      string
		filter    filter
		processed uint64
		touched   []string
	}{
		{"all", filter{}, 5, []string{"running", "child", "done"}},
		{"no ids", filter{InstanceIDs: []string{}}, 0, nil},
		{"by id, unknown and twice too", filter{InstanceIDs: []string{"running", "x", "rowless", "single", "running"}}, 2, []string{"running"}},
		{"a child", filter{InstanceIDs: []string{"child"}}, 1, []string{"child"}},
		{"by the end of the current execution", filter{CompletedBeforeMs: ptr(^uint64(0))}, 3, []string{"done"}},
		{"ended long ago", filter{CompletedBeforeMs: ptr(uint64(1))}, 0, nil},
		{"limit, worthwhile ones first", filter{Limit: ptr(uint32(3))}, 3, []string{"running", "child", "done"}},
		{"limit, the oldest first", filter{Limit: ptr(uint32(1))}, 1, []string{"running"}},
		{"limit 0", filter{Limit: ptr(uint32(0))}, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s store) {
				s.ended("single", "", core.StatusCompleted)
				s.ended("single child", "single", core.StatusFailed)
				s.send(start("rowless"))
				s.ack(s.turn("rowless"), nil)
				for _, a := range []struct {
					id   string
					last core.ExecutionStatus
				}{{"running", ""}, {"child", ""}, {"done", core.StatusCompleted}} {
					s.eternal(a.id, a.last)
					s.ack(s.turn(a.id), nil)
				}
				result, err := s.PruneExecutionsBulk(s.ctx, core.PruneExecutionsBulkParams{Filter: tt.filter})
				s.check(err)
				equal(t, "result", result, &core.PruneResult{
					InstancesProcessed: tt.processed,
					ExecutionsDeleted:  3 * uint64(len(tt.touched)), EventsDeleted: 8 * uint64(len(tt.touched)),
				})
				for _, id := range []string{"running", "child", "done"} {
					want := []uint64{1, 2, 3, 4, 5}
					if slices.Contains(tt.touched, id) {
						want = []uint64{2, 5}
					}
					equal(t, "executions of "+id, s.executions(id), want)
				}
			})
		})
	}
}
