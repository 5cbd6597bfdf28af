package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

func TestLimits(t *testing.T) {
	text := func(n int) string { return strings.Repeat("z", n) }
	keys := func(c *replay.Context, from, to int) {
		for i := from; i < to; i++ {
			c.KVSet(fmt.Sprint("k", i), "v")
		}
	}
	left := map[string]core.KVEntry{"left1": {}, "left2": {}}
	tests := map[string]struct {
		code func(c *replay.Context)
		left map[string]core.KVEntry
		text string // of the violation; empty when it is within the limits
	}{
		"status at the limit":             {func(c *replay.Context) { c.SetStatus(new(text(262_144))) }, nil, ""},
		"status above it":                 {func(c *replay.Context) { c.SetStatus(new(text(262_145))) }, nil, "Custom status size (262145 bytes) exceeds limit (262144 bytes)"},
		"only the last status counts":     {func(c *replay.Context) { c.SetStatus(new(text(262_145))); c.SetStatus(new("short")) }, nil, ""},
		"a reset does not count":          {func(c *replay.Context) { c.SetStatus(new(text(262_145))); c.SetStatus(nil) }, nil, "Custom status size (262145 bytes) exceeds limit (262144 bytes)"},
		"tag at the limit":                {func(c *replay.Context) { c.Activity("a", "", nil, new(text(256))) }, nil, ""},
		"tag above it":                    {func(c *replay.Context) { c.Activity("a", "", nil, new(text(257))) }, nil, "Activity 'a' tag size (257 bytes) exceeds limit (256 bytes)"},
		"value at the limit":              {func(c *replay.Context) { c.KVSet("k", text(65_536)) }, nil, ""},
		"value above it":                  {func(c *replay.Context) { c.KVSet("k", text(65_537)) }, nil, "KV value for key 'k' (65537 bytes) exceeds limit (65536 bytes)"},
		"an overwritten value counts":     {func(c *replay.Context) { c.KVSet("k", text(65_537)); c.KVSet("k", "v") }, nil, "KV value for key 'k' (65537 bytes) exceeds limit (65536 bytes)"},
		"keys at the limit":               {func(c *replay.Context) { keys(c, 0, 150) }, nil, ""},
		"keys above it":                   {func(c *replay.Context) { keys(c, 0, 151) }, nil, "KV key count (151) exceeds limit (150)"},
		"with those left by others":       {func(c *replay.Context) { keys(c, 0, 149) }, left, "KV key count (151) exceeds limit (150)"},
		"a key left by others, set again": {func(c *replay.Context) { keys(c, 0, 148); c.KVSet("left1", "v") }, left, ""},
		"cleared keys do not count": {func(c *replay.Context) {
			keys(c, 0, 100)
			c.KVClearAll()
			keys(c, 100, 250)
			c.KVClear("k200")
			keys(c, 0, 1)
		}, left, ""},
		"the order: status, tag, value, keys": {func(c *replay.Context) {
			keys(c, 0, 151)
			c.KVSet("k", text(65_537))
			c.Activity("a", "", nil, new(text(257)))
			c.SetStatus(new(text(262_145)))
		}, nil, "Custom status size (262145 bytes) exceeds limit (262144 bytes)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				c.Detached("f", "free", "x", nil)
				tt.code(c)
				must(c, c.Wait("never"))
				return "", nil
			})
			s.kv = tt.left
			s.started.ParentInstance, s.started.ParentID, s.started.ParentExecutionID = new("p"), new(uint64(2)), new(uint64(1))
			out := s.turn()
			if tt.text == "" {
				if out.Result != replay.Continue {
					t.Errorf("%v: %v", out.Result, out.Failure)
				}
				return
			}
			want := app(core.KindOrchestrationFailed, tt.text)
			if diff := cmp.Diff(core.ErrorDetails(want), out.Failure); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
			// Nothing is sent but the notice to the parent.
			if diff := cmp.Diff([]core.WorkItem{
				core.SubOrchFailedItem{ParentInstance: "p", ParentExecutionID: 1, ParentID: 2, Details: want},
			}, out.OrchestratorItems); diff != "" {
				t.Errorf("orchestrator items (-want +got):\n%s", diff)
			}
			if len(out.WorkerItems) != 0 || out.Metadata.Status != core.StatusFailed || *out.Metadata.Output != tt.text {
				t.Errorf("worker items %v, metadata %+v", out.WorkerItems, out.Metadata)
			}
		})
	}
}

func TestKeysCountOverAllTurns(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		for i := range 100 {
			c.KVSet(fmt.Sprint("a", i), "v")
		}
		must(c, act(c, "x"))
		for i := range 51 {
			c.KVSet(fmt.Sprint("b", i), "v")
		}
		return await(c, act(c, "y"))
	})
	s.turn()
	out := s.turn(done(102, ""))
	if out.Failure == nil || out.Failure.Error() != "KV key count (151) exceeds limit (150)" {
		t.Errorf("%v: %v", out.Result, out.Failure)
	}
}

// TestLimitAfterAnEnd: a violation beats the end that the same turn reached.
func TestLimitAfterAnEnd(t *testing.T) {
	for name, end := range map[string]error{"completed": nil, "continued as new": &replay.ContinueAsNew{Input: "n"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				c.SetStatus(new(strings.Repeat("z", 262_145)))
				return "", end
			})
			out := s.turn()
			if out.Metadata.Status != core.StatusFailed || len(out.OrchestratorItems) != 0 {
				t.Errorf("metadata %+v, items %v", out.Metadata, out.OrchestratorItems)
			}
			if last := out.Delta[len(out.Delta)-1].Data.EventType(); last != core.TypeOrchestrationFailed {
				t.Errorf("last event %s", last)
			}
		})
	}
}

func TestReservedChildID(t *testing.T) {
	for i, id := range []string{"sub::1", "sub::", "sub::pending_1"} {
		version := []*string{nil, new("2.0.0")}[i%2]
		s := newSim(t, one(func(c *replay.Context) *replay.Future { return c.Child("k", id, "x", version) }))
		s.wants(s.turn(), replay.Failed, "1 OrchestrationStarted",
			"2 OrchestrationFailed(sub-orchestration instance id '"+id+"' starts with the reserved marker 'sub::', which the runtime uses to mark auto-generated child ids; use an id that does not begin with it)")
	}
	s := newSim(t, one(func(c *replay.Context) *replay.Future { return c.Child("k", "a::sub::b", "x", nil) }))
	s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 SubOrchestrationScheduled(k@a::sub::b)")
}

// TestChildIDFromHistory: an id that an old runtime made stays the child's.
func TestChildIDFromHistory(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		race(c, c.Child("k", "", "x", nil), second(c))
		return "", nil
	})
	s.stored(s.started, core.SubOrchestrationScheduled{Name: "k", Instance: "sub::old-form", Input: "x"}, core.TimerCreated{})
	out := s.turn(fired(3))
	if diff := cmp.Diff([]core.WorkItem{
		core.CancelInstanceItem{Instance: "inst::sub::old-form", Reason: "parent dropped sub-orchestration future"},
	}, out.OrchestratorItems); diff != "" {
		t.Error(diff)
	}
}
