package replay_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// TestRowsOfActions shows in full what is stored of each action, and replays it.
func TestRowsOfActions(t *testing.T) {
	session, tag := "s", "gpu"
	fireAt := core.Milliseconds(start.Add(time.Second)) + 1000
	tests := map[string]struct {
		code func(c *replay.Context)
		want []core.EventData
	}{
		"activity":                  {func(c *replay.Context) { act(c, "a") }, []core.EventData{core.ActivityScheduled{Name: "a", Input: "x"}}},
		"activity without an input": {func(c *replay.Context) { c.Activity("a", "", nil, nil) }, []core.EventData{core.ActivityScheduled{Name: "a"}}},
		"activity on a session": {
			func(c *replay.Context) { c.Activity("a", "x", &session, nil) },
			[]core.EventData{core.ActivityScheduled{Name: "a", Input: "x", SessionID: &session}},
		},
		"activity with a tag": {
			func(c *replay.Context) { c.Activity("a", "x", nil, &tag) },
			[]core.EventData{core.ActivityScheduled{Name: "a", Input: "x", Tag: &tag}},
		},
		"timer":   {func(c *replay.Context) { second(c) }, []core.EventData{core.TimerCreated{FireAtMs: fireAt}}},
		"wait":    {func(c *replay.Context) { c.Wait("go") }, []core.EventData{core.ExternalSubscribed{Name: "go"}}},
		"dequeue": {func(c *replay.Context) { c.Dequeue("q") }, []core.EventData{core.QueueSubscribed{Name: "q"}}},
		"child": {
			func(c *replay.Context) { c.Child("k", "", "x", nil) },
			[]core.EventData{core.SubOrchestrationScheduled{Name: "k", Instance: "sub::2", Input: "x"}},
		},
		"child with an id of its own": {
			func(c *replay.Context) { c.Child("k", "own", "x", nil) },
			[]core.EventData{core.SubOrchestrationScheduled{Name: "k", Instance: "own", Input: "x"}},
		},
		"two children": {
			func(c *replay.Context) { c.Child("k", "", "x", nil); c.Child("k", "", "x", nil) },
			[]core.EventData{
				core.SubOrchestrationScheduled{Name: "k", Instance: "sub::2", Input: "x"},
				core.SubOrchestrationScheduled{Name: "k", Instance: "sub::3", Input: "x"},
			},
		},
		"detached start": {
			func(c *replay.Context) { c.Detached("f", "free", "x", nil) },
			[]core.EventData{core.OrchestrationChained{Name: "f", Instance: "free", Input: "x"}},
		},
		"detached start, then an activity": {
			func(c *replay.Context) { c.Detached("f", "free", "x", nil); act(c, "a") },
			[]core.EventData{
				core.OrchestrationChained{Name: "f", Instance: "free", Input: "x"},
				core.ActivityScheduled{Name: "a", Input: "x"},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				tt.code(c)
				c.Block(func() bool { return false })
				return "", nil
			})
			var got []core.EventData
			for _, ev := range s.turn().Delta[1:] {
				if ev.SourceID != nil {
					t.Errorf("%s has source %d", ev.Data.EventType(), *ev.SourceID)
				}
				got = append(got, ev.Data)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestComposition has three activities joined, or an activity 2 raced with a
// timer 3, and gives the second turn some of what they wait for.
func TestComposition(t *testing.T) {
	joined := func(c *replay.Context, _ string) (string, error) {
		return fmt.Sprint(join(c, act(c, "a"), act(c, "b"), act(c, "c"))), nil
	}
	raced := func(c *replay.Context, _ string) (string, error) {
		winner := race(c, act(c, "a"), second(c))
		if winner < 0 {
			return "", errors.New("nobody won")
		}
		return fmt.Sprint("winner ", winner), nil
	}
	tests := map[string]struct {
		code   replay.Handler
		came   []core.WorkItem
		result replay.Result
		output string
		first  int // activities that the first turn schedules
	}{
		"race: the activity comes first": {raced, []core.WorkItem{done(2, "r"), fired(3)}, replay.Completed, "winner 0", 1},
		"race: the timer comes first":    {raced, []core.WorkItem{fired(3), done(2, "r")}, replay.Completed, "winner 1", 1},
		"race: neither comes":            {raced, nil, replay.Continue, "", 1},
		"join: all come":                 {joined, []core.WorkItem{done(4, "C"), done(2, "A"), done(3, "B")}, replay.Completed, "[A B C]", 3},
		"join: all but one come":         {joined, []core.WorkItem{done(4, "C"), done(2, "A")}, replay.Continue, "", 3},
		"join: none comes":               {joined, nil, replay.Continue, "", 3},
		"join: one fails":                {joined, []core.WorkItem{done(2, "A"), failed(3, "bad"), done(4, "C")}, replay.Completed, "[A error: bad C]", 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			if n := len(s.turn().WorkerItems); n != tt.first {
				t.Errorf("the first turn schedules %d activities, want %d", n, tt.first)
			}
			out := s.turn(tt.came...)
			output := ""
			if out.Metadata.Output != nil {
				output = *out.Metadata.Output
			}
			if out.Result != tt.result || output != tt.output {
				t.Errorf("%v, output %q; want %v, %q", out.Result, output, tt.result, tt.output)
			}
			if len(out.WorkerItems) != 0 {
				t.Errorf("scheduled again: %s", dump(out.WorkerItems))
			}
		})
	}
}
