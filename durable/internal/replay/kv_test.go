package replay_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// kvState shows what the code sees.
func kvState(c *replay.Context) string {
	var out []string
	for _, k := range c.KVKeys() {
		v, _ := c.KVGet(k)
		out = append(out, k+"="+v)
	}
	return strings.Join(out, " ")
}

// TestKVState has the code change keys, wait for activities in between, and
// return what it sees at the end; each later turn rebuilds the state.
func TestKVState(t *testing.T) {
	increment := func(c *replay.Context, key string) {
		v, _ := c.KVGet(key)
		n := 0
		_, _ = fmt.Sscan(v, &n)
		c.KVSet(key, fmt.Sprint(n+1))
	}
	step := func(c *replay.Context) { must(c, act(c, "step")) }
	tests := map[string]struct {
		snapshot map[string]string
		code     func(c *replay.Context)
		want     string
	}{
		"set and seen at once":           {nil, func(c *replay.Context) { c.KVSet("a", "1") }, "a=1"},
		"the last set wins":              {nil, func(c *replay.Context) { c.KVSet("a", "1"); c.KVSet("a", "2") }, "a=2"},
		"set in an earlier turn":         {nil, func(c *replay.Context) { c.KVSet("a", "1"); step(c) }, "a=1"},
		"clear, then set another":        {nil, func(c *replay.Context) { c.KVSet("a", "1"); c.KVClear("a"); step(c); c.KVSet("b", "2") }, "b=2"},
		"clear, then set the same":       {nil, func(c *replay.Context) { c.KVSet("a", "1"); c.KVClear("a"); c.KVSet("a", "2"); step(c) }, "a=2"},
		"clear what is not there":        {nil, func(c *replay.Context) { c.KVClear("a"); step(c) }, ""},
		"clear all":                      {nil, func(c *replay.Context) { c.KVSet("a", "1"); step(c); c.KVClearAll(); c.KVSet("b", "2"); step(c) }, "b=2"},
		"an empty key and value":         {nil, func(c *replay.Context) { c.KVSet("", ""); step(c) }, "="},
		"left by an earlier execution":   {map[string]string{"a": "1", "b": "2"}, step, "a=1 b=2"},
		"an own set hides what was left": {map[string]string{"a": "1"}, func(c *replay.Context) { c.KVSet("a", "2"); step(c) }, "a=2"},
		"clear all hides what was left":  {map[string]string{"a": "1", "b": "2"}, func(c *replay.Context) { c.KVClearAll(); step(c); c.KVSet("c", "3"); step(c) }, "c=3"},
		"one left key cleared, another counted": {map[string]string{"a": "1", "n": "5"}, func(c *replay.Context) {
			c.KVClear("a")
			for range 3 {
				increment(c, "n")
				step(c)
			}
		}, "n=8"},
		"read, modify, write in every turn": {nil, func(c *replay.Context) {
			for range 4 {
				increment(c, "n")
				step(c)
			}
		}, "n=4"},
		"between activities": {nil, func(c *replay.Context) {
			for i := range 3 {
				c.KVSet(fmt.Sprint("k", i), "v")
				step(c)
				c.KVClear(fmt.Sprint("k", i-1))
			}
		}, "k2=v"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				tt.code(c)
				return kvState(c), nil
			})
			s.kv = map[string]core.KVEntry{}
			for k, v := range tt.snapshot {
				s.kv[k] = core.KVEntry{Value: v}
			}
			out := s.turn()
			for out.Result == replay.Continue {
				item := out.WorkerItems[0].(core.ActivityExecuteItem)
				out = s.turn(done(item.ID, ""))
			}
			if out.Metadata.Output == nil || *out.Metadata.Output != tt.want {
				t.Errorf("%v (%v): state %v, want %s", out.Result, out.Failure, out.Metadata.Output, tt.want)
			}
		})
	}
}

func TestKVEvents(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		c.KVSet("a", "1")
		c.KVClear("a")
		c.KVClearAll()
		must(c, act(c, "x"))
		c.KVSet("b", "2")
		return await(c, act(c, "y"))
	})
	out := s.turn()
	s.wants(out, replay.Continue, "1 OrchestrationStarted", "2 KeyValueSet(a=1)", "3 KeyValueCleared(a)", "4 KeyValuesCleared", "5 ActivityScheduled(x)")
	if at := out.Delta[1].Data.(core.KeyValueSet).LastUpdatedAtMs; at != core.Milliseconds(s.now) {
		t.Errorf("set at %d, want the wall clock", at)
	}
	s.wants(s.turn(done(5, "")), replay.Continue, "6<5 ActivityCompleted", "7 KeyValueSet(b=2)", "8 ActivityScheduled(y)")
}

func TestKVMismatches(t *testing.T) {
	set := core.KeyValueSet{Key: "a", Value: "1", LastUpdatedAtMs: 5}
	tests := []recorded{
		{"as recorded, at another time", []core.EventData{set}, func(c *replay.Context) { c.KVSet("a", "1") }, false, "", 0},
		{"another key", []core.EventData{set}, func(c *replay.Context) { c.KVSet("b", "1") }, false,
			`kv set mismatch: a set of key "a" is recorded, but the code asked for a set of key "b"`, 2},
		{"another value", []core.EventData{set}, func(c *replay.Context) { c.KVSet("a", "2") }, true,
			`kv set mismatch: a set of key "a" is recorded with another input or value than the code's`, 2},
		{"an activity for a set", []core.EventData{set}, func(c *replay.Context) { act(c, "x") }, false, "kv set mismatch", 2},
		{"nothing for a set", []core.EventData{set}, func(*replay.Context) {}, false, "", 0},
		{"another key cleared", []core.EventData{core.KeyValueCleared{Key: "a"}}, func(c *replay.Context) { c.KVClear("b") }, false, "kv clear mismatch", 2},
		{"a set for a clear", []core.EventData{core.KeyValueCleared{Key: "a"}}, func(c *replay.Context) { c.KVSet("a", "1") }, false, "kv clear mismatch", 2},
		{"nothing for a clear", []core.EventData{core.KeyValueCleared{Key: "a"}}, func(*replay.Context) {}, false, "", 0},
		{"one cleared for all", []core.EventData{core.KeyValuesCleared{}}, func(c *replay.Context) { c.KVClear("a") }, false, "kv clear_all mismatch", 2},
		{"nothing for all cleared", []core.EventData{core.KeyValuesCleared{}}, func(*replay.Context) {}, false, "", 0},
		{"a run of clears in another order", []core.EventData{core.KeyValueCleared{Key: "c"}, core.KeyValueCleared{Key: "a"}, core.KeyValueCleared{Key: "b"}},
			func(c *replay.Context) { c.KVClear("a"); c.KVClear("b"); c.KVClear("c"); second(c) }, false, "", 0},
		{"not across other actions", []core.EventData{core.KeyValueCleared{Key: "b"}, core.KeyValueSet{Key: "x"}, core.KeyValueCleared{Key: "a"}},
			func(c *replay.Context) { c.KVClear("a"); c.KVSet("x", ""); c.KVClear("b") }, false, "kv clear mismatch", 2},
	}
	for _, tt := range tests {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, ", strict ", strict), func(t *testing.T) {
				t.Parallel()
				s := newSim(t, func(c *replay.Context, _ string) (string, error) {
					tt.code(c)
					c.Block(func() bool { return false })
					return "", nil
				})
				s.strict = strict
				s.stored(s.started).stored(tt.data...)
				nd := s.turn().Nondeterminism
				fits := tt.text == "" || tt.strict && !strict
				if fits != (nd == nil) || nd != nil && (!strings.Contains(nd.Message, tt.text) || nd.EventID != tt.event) {
					t.Errorf("nondeterminism %v, want %q", nd, tt.text)
				}
			})
		}
	}
	t.Run("history's value wins", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			c.KVSet("a", "code")
			must(c, act(c, "x"))
			return kvState(c), nil
		})
		s.stored(s.started, set, core.ActivityScheduled{Name: "x", Input: "x"})
		if out := s.turn(done(3, "")); *out.Metadata.Output != "a=1" {
			t.Errorf("state %s", *out.Metadata.Output)
		}
	})
}

// TestKVPrune: whatever a key's age, every replay prunes the same keys. The
// simulation replays hours later.
func TestKVPrune(t *testing.T) {
	ms := core.Milliseconds
	old := map[string]core.KVEntry{"new": {LastUpdatedAtMs: ms(start)}, "old": {LastUpdatedAtMs: 1000}, "unknown": {}}
	tests := map[string]struct {
		code func(c *replay.Context) int
		want string
	}{
		"those of earlier executions, by age": {func(c *replay.Context) int { return c.KVPrune(5000) }, "2 new="},
		"a cutoff of zero: none":              {func(c *replay.Context) int { return c.KVPrune(0) }, "0 new= old= unknown="},
		"an own key at once, nothing older":   {func(c *replay.Context) int { c.KVSet("own", ""); return c.KVPrune(ms(c.Now())) }, "3 own="},
		"an own key at once, cutoff ahead":    {func(c *replay.Context) int { c.KVSet("own", ""); return c.KVPrune(ms(c.Now()) + 60_000) }, "4 "},
		"an own key at once, everything":      {func(c *replay.Context) int { c.KVSet("own", ""); return c.KVPrune(math.MaxUint64) }, "4 "},
		"an own key of an earlier turn": {func(c *replay.Context) int {
			c.KVSet("own", "")
			must(c, act(c, "x"))
			return c.KVPrune(ms(c.Now()))
		}, "4 "},
		"an own key of an earlier turn that is younger": {func(c *replay.Context) int {
			c.KVSet("own", "")
			must(c, act(c, "x"))
			return c.KVPrune(ms(c.Now()) - 1000)
		}, "3 own="},
		"an own key set again": {func(c *replay.Context) int {
			c.KVSet("own", "")
			must(c, act(c, "x"))
			c.KVSet("own", "again")
			return c.KVPrune(ms(c.Now()))
		}, "3 own=again"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				n := tt.code(c)
				out := fmt.Sprint(n, " ", kvState(c))
				must(c, act(c, "end"))
				return out, nil
			})
			s.kv = old
			out := s.turn()
			for out.Result == replay.Continue {
				out = s.turn(done(out.WorkerItems[0].(core.ActivityExecuteItem).ID, ""))
			}
			if out.Metadata.Output == nil || *out.Metadata.Output != tt.want {
				t.Errorf("%v (%v): %v, want %s", out.Result, out.Failure, out.Metadata.Output, tt.want)
			}
		})
	}
	t.Run("in the order of the keys, recorded in another", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			keys := fmt.Sprint(c.KVKeys())
			c.KVPrune(math.MaxUint64)
			must(c, act(c, "x"))
			return keys, nil
		})
		s.kv = map[string]core.KVEntry{"c": {}, "a": {}, "b": {}}
		s.stored(s.started, core.KeyValueCleared{Key: "b"}, core.KeyValueCleared{Key: "c"}, core.KeyValueCleared{Key: "a"},
			core.ActivityScheduled{Name: "x", Input: "x"})
		s.wants(s.turn(done(5, "")), replay.Completed, "6<5 ActivityCompleted", "7 OrchestrationCompleted([a b c])")
	})
	t.Run("in the order of the keys", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) { c.KVPrune(math.MaxUint64); return "", nil })
		s.kv = map[string]core.KVEntry{"c": {}, "a": {}, "b": {}}
		if diff := cmp.Diff([]string{"2 KeyValueCleared(a)", "3 KeyValueCleared(b)", "4 KeyValueCleared(c)"}, show(s.turn().Delta)[1:4]); diff != "" {
			t.Error(diff)
		}
	})
}
