package replay_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

func TestEventIDs(t *testing.T) {
	t.Run("follow the last stored one over gaps", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			must(c, act(c, "a"))
			return must(c, act(c, "b")), nil
		})
		s.storedAt(1, 0, s.started).storedAt(5, 0, core.ActivityScheduled{Name: "a", Input: "x"})
		out := s.turn(done(5, "r"))
		s.wants(out, replay.Continue, "6<5 ActivityCompleted(r)", "7 ActivityScheduled(b)")
		if id := out.WorkerItems[0].(core.ActivityExecuteItem).ID; id != 7 {
			t.Errorf("work item has id %d", id)
		}
	})
	t.Run("a child id is made of the id of its event", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, one(func(c *replay.Context) *replay.Future { return c.Child("k", "", "x", nil) }))
		s.execution = 3
		out := s.turn()
		s.wants(out, replay.Continue, "1 OrchestrationStarted", "2 SubOrchestrationScheduled(k@sub::3_2)")
		if id := out.OrchestratorItems[0].(core.StartOrchestrationItem).Instance; id != "inst::sub::3_2" {
			t.Errorf("child starts as %s", id)
		}
	})
	t.Run("every event carries the stamp, the instance and the execution", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, one(func(c *replay.Context) *replay.Future { return act(c, "a") }))
		s.execution = 4
		for _, ev := range s.turn().Delta {
			if ev.InstanceID != "inst" || ev.ExecutionID != 4 || ev.DuroxideVersion != "0.1.32" || ev.TimestampMs != core.Milliseconds(s.now) {
				t.Errorf("event %+v", ev)
			}
		}
	})
	t.Run("a continue-as-new takes one that is free again at the end", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			c.Go(func(c *replay.Context) { must(c, act(c, "b")) })
			c.Block(func() bool { return true })
			act(c, "a")
			return "", &replay.ContinueAsNew{Input: "n"}
		})
		s.wants(s.turn(), replay.ContinuedAsNew, "1 OrchestrationStarted", "2 ActivityScheduled(a)",
			"3 OrchestrationContinuedAsNew(n)", "4<2 ActivityCancelRequested(orchestration_terminal_continued_as_new)")
	})
}

func TestTimers(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]uint64{0: 0, -time.Hour: 0, 1999 * time.Microsecond: 1, 30 * 24 * time.Hour: 30 * 24 * 3600 * 1000} {
		s := newSim(t, one(func(c *replay.Context) *replay.Future { return c.Timer(d) }))
		out := s.turn()
		if got := out.Delta[1].Data.(core.TimerCreated).FireAtMs - core.Milliseconds(s.now); got != want {
			t.Errorf("timer of %v fires after %d ms, want %d", d, got, want)
		}
		if out.Result != replay.Continue {
			t.Errorf("timer of %v: %v", d, out.Result)
		}
	}
}

func TestClockOfTheCode(t *testing.T) {
	t.Parallel()
	var seen []time.Time
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		seen = nil
		for _, name := range []string{"a", "b"} {
			seen = append(seen, c.Now())
			must(c, act(c, name))
		}
		seen = append(seen, c.Now())
		return "", nil
	})
	s.turn()
	s.turn(done(2, ""))
	s.turn(done(4, ""))
	want := []time.Time{start.Add(time.Second), start.Add(2 * time.Second), start.Add(3 * time.Second)}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	for _, at := range seen {
		if at.Location() != time.UTC {
			t.Errorf("%v is not UTC: formatting it would depend on the machine", at)
		}
	}
}

func TestReplayingFlag(t *testing.T) {
	var flags []bool
	code := func(c *replay.Context, _ string) (string, error) {
		flags = append(flags, c.Replaying())
		must(c, act(c, "a"))
		flags = append(flags, c.Replaying())
		must(c, act(c, "b"))
		flags = append(flags, c.Replaying())
		return "", nil
	}
	s := newSim(t, code)
	s.unchecked = true
	turns := []struct {
		name     string
		messages []core.WorkItem
		want     []bool
	}{
		{"new execution", nil, []bool{false}},
		{"first result", []core.WorkItem{done(2, "")}, []bool{true, false}},
		{"nothing new", nil, []bool{true, true}},
		{"second result: what the stored one causes is replay", []core.WorkItem{done(4, "")}, []bool{true, true, false}},
	}
	for _, turn := range turns { // in order: each continues the one before
		flags = nil
		s.turn(turn.messages...)
		if diff := cmp.Diff(turn.want, flags); diff != "" {
			t.Errorf("%s (-want +got):\n%s", turn.name, diff)
		}
	}

	// Without a new event to tell by, the poll after the last stored completion
	// counts as new.
	s.history, flags = s.history[:3], nil
	s.turn()
	if diff := cmp.Diff([]bool{true, false}, flags); diff != "" {
		t.Errorf("history that ends with a completion (-want +got):\n%s", diff)
	}
}
