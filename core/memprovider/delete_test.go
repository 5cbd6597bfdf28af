package memprovider_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// ended makes an instance whose only execution has that status, a child of
// parent unless that is empty.
func (s store) ended(instance, parent string, status core.ExecutionStatus) {
	s.t.Helper()
	s.createWith(instance, func(p *core.AckOrchestrationItemParams) {
		p.Metadata.Status = status
		if parent != "" {
			p.Metadata.ParentInstanceID = &parent
		}
	})
}

// instances returns the ids of all instances, sorted.
func (s store) instances() []string {
	s.t.Helper()
	ids, err := s.ListInstances(s.ctx)
	s.check(err)
	slices.Sort(ids)
	return ids
}

func (s store) mustDelete(ids ...string) *core.DeleteInstanceResult {
	s.t.Helper()
	result, err := s.DeleteInstancesAtomic(s.ctx, core.DeleteInstancesAtomicParams{Instances: ids, Force: true})
	s.check(err)
	return result
}

// mixed makes one instance of every kind, and messages.
func mixed(t *testing.T) (s store, all []string) {
	s = newStore(t)
	s.ended("done", "", core.StatusCompleted)
	s.ended("failed", "", core.StatusFailed)
	s.ended("continued", "", core.StatusContinuedAsNew)
	s.create("running")
	s.ended("root", "", core.StatusCompleted)
	s.ended("child", "root", core.StatusCompleted)
	s.ended("grandchild", "child", core.StatusRunning)
	s.ended("lost", "nobody", core.StatusCompleted)
	s.send(start("rowless"))
	s.ack(s.turn("rowless"), func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = []core.Event{started(1)} })
	for _, instance := range []string{"done", "activities only"} {
		for id := range uint64(2) {
			s.send(core.ActivityExecuteItem{Instance: instance, ID: id})
		}
	}
	s.send(external("messages only"), external("messages only"))
	s.turn("messages only")
	s.sendLater(time.Hour, external("messages only"))
	return s, []string{"child", "continued", "done", "failed", "grandchild", "lost", "root", "running"}
}

// without returns the ids that are not among gone.
func without(all []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(gone, id) })
}

func TestDeleteInstancesAtomic(t *testing.T) {
	t.Parallel()
	type ids = []string
	for _, tt := range []struct {
		name  string
		ids   ids
		force bool
		err   error
		want  core.DeleteInstanceResult
	}{
		{name: "nil"},
		{name: "nothing", ids: ids{}, force: true},
		{name: "unknown ids", ids: ids{"x", "y"}},
		{name: "completed, with activities", ids: ids{"done"},
			want: core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 1, QueueMessagesDeleted: 2}},
		{name: "the same twice, and an unknown one", ids: ids{"failed", "x", "failed"},
			want: core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 1}},
		{name: "continued as new", ids: ids{"continued"},
			want: core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 1}},
		{name: "running", ids: ids{"running"}, err: core.ErrStillRunning},
		{name: "running, by force", ids: ids{"running"}, force: true,
			want: core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 1}},
		{name: "running among others", ids: ids{"done", "failed", "running"}, err: core.ErrStillRunning},
		{name: "a root without its child", ids: ids{"root"}, err: core.ErrOrphan},
		{name: "a root without its child, by force", ids: ids{"root"}, force: true, err: core.ErrOrphan},
		{name: "a tree without its leaf", ids: ids{"root", "child"}, err: core.ErrOrphan},
		{name: "a tree with a running leaf", ids: ids{"grandchild", "root", "child"}, err: core.ErrStillRunning},
		{name: "a tree with a running leaf, by force", ids: ids{"grandchild", "root", "child"}, force: true,
			want: core.DeleteInstanceResult{InstancesDeleted: 3, ExecutionsDeleted: 3, EventsDeleted: 3}},
		{name: "a leaf without its root", ids: ids{"grandchild"}, force: true,
			want: core.DeleteInstanceResult{InstancesDeleted: 1, ExecutionsDeleted: 1, EventsDeleted: 1}},
		{name: "never named", ids: ids{"rowless"}, want: core.DeleteInstanceResult{ExecutionsDeleted: 1, EventsDeleted: 1}},
		{name: "messages locked and waiting", ids: ids{"messages only"}, want: core.DeleteInstanceResult{QueueMessagesDeleted: 3}},
		{name: "activities alone", ids: ids{"activities only"}, want: core.DeleteInstanceResult{QueueMessagesDeleted: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, all := mixed(t)
			result, err := s.DeleteInstancesAtomic(s.ctx, core.DeleteInstancesAtomicParams{Instances: tt.ids, Force: tt.force})
			if tt.err != nil {
				wantError(t, err, "delete_instances_atomic", tt.err)
				equal(t, "instances", s.instances(), all)
				return
			}
			s.check(err)
			equal(t, "result", result, &tt.want)
			equal(t, "instances", s.instances(), without(all, tt.ids...))
		})
	}
}

func TestDeleteInstance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, id string
		force    bool
		err      error
		gone     []string
	}{
		{name: "completed", id: "done", gone: []string{"done"}},
		{name: "running", id: "running", err: core.ErrStillRunning},
		{name: "running, by force", id: "running", force: true, gone: []string{"running"}},
		{name: "a root with a running grandchild", id: "root", err: core.ErrStillRunning},
		{name: "a root with a running grandchild, by force", id: "root", force: true, gone: []string{"root", "child", "grandchild"}},
		{name: "a child", id: "child", err: core.ErrSubOrchestration},
		{name: "a child, by force", id: "child", force: true, err: core.ErrSubOrchestration},
		{name: "a child of nobody", id: "lost", force: true, err: core.ErrSubOrchestration},
		{name: "unknown", id: "x", force: true, err: core.ErrNotFound},
		{name: "never named", id: "rowless", force: true, err: core.ErrNotFound},
		{name: "messages only", id: "messages only", force: true, err: core.ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, all := mixed(t)
			result, err := s.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: tt.id, Force: tt.force})
			if tt.err != nil {
				wantError(t, err, "delete_instance", tt.err)
			} else {
				s.check(err)
				equal(t, "deleted", result.InstancesDeleted, uint64(len(tt.gone)))
			}
			equal(t, "instances", s.instances(), without(all, tt.gone...))
		})
	}
}

func TestInstanceTree(t *testing.T) {
	t.Parallel()
	s, _ := mixed(t)
	s.ended("second child", "root", core.StatusCompleted)
	s.ended("ring a", "ring b", core.StatusCompleted) // parents may be anything
	s.ended("ring b", "ring a", core.StatusCompleted)
	for id, want := range map[string][]string{
		"root":    {"child", "grandchild", "root", "second child"},
		"child":   {"child", "grandchild"},
		"done":    {"done"},
		"nobody":  {"lost", "nobody"},
		"unknown": {"unknown"},
		"ring a":  {"ring a", "ring b"},
	} {
		tree, err := s.GetInstanceTree(s.ctx, core.GetInstanceTreeParams{Instance: id})
		s.check(err)
		slices.Sort(tree.AllIDs)
		equal(t, "tree of "+id, tree, &core.InstanceTree{RootID: id, AllIDs: want})
	}
}

func TestDeleteInstanceBulk(t *testing.T) {
	t.Parallel()
	type filter = core.InstanceFilter
	finished := []string{"done", "failed", "continued", "root", "child", "grandchild"}
	for _, tt := range []struct {
		name   string
		filter filter
		gone   []string
	}{
		{"finished roots, with their trees", filter{}, finished},
		{"no ids", filter{InstanceIDs: []string{}}, nil},
		{"by id", filter{InstanceIDs: []string{"done", "done", "root"}}, []string{"done", "root", "child", "grandchild"}},
		{"running, unknown and children are passed over",
			filter{InstanceIDs: []string{"running", "x", "child", "lost", "rowless", "failed"}}, []string{"failed"}},
		{"limit", filter{Limit: ptr(uint32(2))}, []string{"done", "failed"}},
		{"limit counts roots", filter{InstanceIDs: []string{"root", "child"}, Limit: ptr(uint32(1))}, []string{"root", "child", "grandchild"}},
		{"limit 0", filter{Limit: ptr(uint32(0))}, nil},
		{"completed long ago", filter{CompletedBeforeMs: ptr(uint64(1))}, nil},
		{"completed before the end of time", filter{CompletedBeforeMs: ptr(^uint64(0))}, finished},
		{"both conditions", filter{InstanceIDs: []string{"done"}, CompletedBeforeMs: ptr(uint64(1))}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, all := mixed(t)
			result, err := s.DeleteInstanceBulk(s.ctx, core.DeleteInstanceBulkParams{Filter: tt.filter})
			s.check(err)
			equal(t, "deleted", result.InstancesDeleted, uint64(len(tt.gone)))
			equal(t, "instances", s.instances(), without(all, tt.gone...))
		})
	}
}

func TestDeleteInstanceBulkCompletedBefore(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		s.ended("a", "", core.StatusCompleted)
		ended := core.Milliseconds(time.Now())
		for _, step := range []struct{ before, deleted uint64 }{{ended, 0}, {ended + 1, 1}} {
			result, err := s.DeleteInstanceBulk(s.ctx, core.DeleteInstanceBulkParams{
				Filter: core.InstanceFilter{CompletedBeforeMs: &step.before},
			})
			s.check(err)
			equal(t, "deleted", result.InstancesDeleted, step.deleted)
		}
	})
}

func TestBulkLimitByDefault(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for n := range core.DefaultBulkLimit + 1 {
		s.ended(fmt.Sprint(n), "", core.StatusCompleted)
	}
	pruned, err := s.PruneExecutionsBulk(s.ctx, core.PruneExecutionsBulkParams{})
	s.check(err)
	equal(t, "pruned", pruned.InstancesProcessed, uint64(core.DefaultBulkLimit))
	deleted, err := s.DeleteInstanceBulk(s.ctx, core.DeleteInstanceBulkParams{})
	s.check(err)
	equal(t, "deleted", deleted.InstancesDeleted, uint64(core.DefaultBulkLimit))
	equal(t, "left", s.instances(), []string{fmt.Sprint(core.DefaultBulkLimit)})
}
