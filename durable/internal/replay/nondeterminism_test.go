package replay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// recorded has the code under test meet a history that was recorded by
// different code.
type recorded struct {
	name   string
	data   []core.EventData // after the start
	code   func(c *replay.Context)
	strict bool   // only with StrictInputs
	text   string // of the mismatch; empty when it fits
	event  uint64
}

func TestNondeterminism(t *testing.T) {
	activity := core.ActivityScheduled{Name: "a", Input: "x"}
	timer := core.TimerCreated{FireAtMs: 1}
	kid := core.SubOrchestrationScheduled{Name: "k", Instance: "sub::2", Input: "x"}
	free := core.OrchestrationChained{Name: "f", Instance: "id", Input: "x"}
	session, tag := "s", "gpu"
	tests := []recorded{
		{"activity as recorded", []core.EventData{activity}, func(c *replay.Context) { act(c, "a") }, false, "", 0},
		{"timer for an activity", []core.EventData{activity}, func(c *replay.Context) { second(c) }, false,
			`schedule mismatch: activity "a" is recorded, but the code asked for a timer`, 2},
		{"activity for a timer", []core.EventData{timer}, func(c *replay.Context) { act(c, "a") }, false,
			`schedule mismatch: a timer is recorded, but the code asked for activity "a"`, 2},
		{"another activity", []core.EventData{activity}, func(c *replay.Context) { act(c, "b") }, false,
			`schedule mismatch: activity "a" is recorded, but the code asked for activity "b"`, 2},
		{"another input", []core.EventData{activity}, func(c *replay.Context) { c.Activity("a", "y", nil, nil) }, true,
			`schedule mismatch: activity "a" is recorded with another input or value than the code's`, 2},
		{"session added", []core.EventData{activity}, func(c *replay.Context) { c.Activity("a", "x", &session, nil) }, false,
			`schedule mismatch: activity "a" is recorded, but the code asked for activity "a" on session "s"`, 2},
		{"session changed", []core.EventData{core.ActivityScheduled{Name: "a", Input: "x", SessionID: &session}},
			func(c *replay.Context) { c.Activity("a", "x", new("other"), nil) }, false, `on session "other"`, 2},
		{"tag added", []core.EventData{activity}, func(c *replay.Context) { c.Activity("a", "x", nil, &tag) }, false, `with tag "gpu"`, 2},
		{"tag changed", []core.EventData{core.ActivityScheduled{Name: "a", Input: "x", Tag: &tag}},
			func(c *replay.Context) { c.Activity("a", "x", nil, new("cpu")) }, false, `with tag "cpu"`, 2},
		{"tag removed", []core.EventData{core.ActivityScheduled{Name: "a", Input: "x", Tag: &tag}},
			func(c *replay.Context) { act(c, "a") }, false, `with tag "gpu" is recorded`, 2},
		{"session and tag as recorded", []core.EventData{core.ActivityScheduled{Name: "a", Input: "x", Tag: &tag, SessionID: &session}},
			func(c *replay.Context) { c.Activity("a", "x", new("s"), new("gpu")) }, false, "", 0},
		{"a timer of another length", []core.EventData{timer}, func(c *replay.Context) { c.Timer(90 * time.Hour) }, false, "", 0},
		{"another event name", []core.EventData{core.ExternalSubscribed{Name: "go"}}, func(c *replay.Context) { c.Wait("stop") }, false,
			`a wait for event "go" is recorded, but the code asked for a wait for event "stop"`, 2},
		{"another queue", []core.EventData{core.QueueSubscribed{Name: "q"}}, func(c *replay.Context) { c.Dequeue("p") }, false,
			`a dequeue from "q" is recorded, but the code asked for a dequeue from "p"`, 2},
		{"wait for a queue", []core.EventData{core.QueueSubscribed{Name: "q"}}, func(c *replay.Context) { c.Wait("q") }, false,
			`a dequeue from "q" is recorded, but the code asked for a wait for event "q"`, 2},
		{"another child", []core.EventData{kid}, func(c *replay.Context) { c.Child("l", "", "x", nil) }, false,
			`sub-orchestration "k" is recorded, but the code asked for sub-orchestration "l"`, 2},
		{"another input of a child", []core.EventData{kid}, func(c *replay.Context) { c.Child("k", "", "y", nil) }, true,
			`sub-orchestration "k" is recorded with another input`, 2},
		{"another id of a child: history wins", []core.EventData{kid}, func(c *replay.Context) { c.Child("k", "own", "x", nil) }, false, "", 0},
		{"detached as recorded", []core.EventData{free}, func(c *replay.Context) { c.Detached("f", "id", "x", nil) }, false, "", 0},
		{"detached that is not asked for", []core.EventData{free}, func(*replay.Context) {}, false,
			`history OrchestrationChained but no emitted action: detached orchestration "f" with instance id "id" is recorded`, 2},
		{"another detached name", []core.EventData{free}, func(c *replay.Context) { c.Detached("g", "id", "x", nil) }, false,
			`but the code asked for detached orchestration "g"`, 2},
		{"another detached id", []core.EventData{free}, func(c *replay.Context) { c.Detached("f", "di", "x", nil) }, false, `with instance id "di"`, 2},
		{"another detached input", []core.EventData{free}, func(c *replay.Context) { c.Detached("f", "id", "y", nil) }, true, `recorded with another input`, 2},
		{"activity for a status", []core.EventData{core.CustomStatusUpdated{Status: &tag}}, func(c *replay.Context) { act(c, "a") }, false,
			`custom status mismatch: a custom status is recorded, but the code asked for activity "a"`, 2},
		{"another status", []core.EventData{core.CustomStatusUpdated{Status: &tag}}, func(c *replay.Context) { c.SetStatus(nil) }, false, "", 0},
		{"no status at all", []core.EventData{core.CustomStatusUpdated{Status: &tag}}, func(*replay.Context) {}, false, "", 0},
		{"status for an activity", []core.EventData{activity}, func(c *replay.Context) { c.SetStatus(nil) }, false,
			`schedule mismatch: activity "a" is recorded, but the code asked for a custom status`, 2},
		{"recorded, and nothing asked for", []core.EventData{activity}, func(*replay.Context) {}, false,
			`history schedule but no emitted action: activity "a" is recorded, but the code asked for nothing`, 2},
		{"recorded twice, asked for once", []core.EventData{activity, activity}, func(c *replay.Context) { act(c, "a") }, false,
			"history schedule but no emitted action", 3},
		{"a second timer", []core.EventData{timer, timer}, func(c *replay.Context) { second(c) }, false, "history schedule but no emitted action", 3},
		{"a second wait", []core.EventData{core.ExternalSubscribed{Name: "go"}, core.ExternalSubscribed{Name: "go"}},
			func(c *replay.Context) { c.Wait("go") }, false, "history schedule but no emitted action", 3},
		{"the other order", []core.EventData{activity, timer}, func(c *replay.Context) { second(c); act(c, "a") }, false, "a timer", 2},
		{"more than recorded is legal", []core.EventData{activity}, func(c *replay.Context) { act(c, "a"); second(c) }, false, "", 0},
	}
	for _, tt := range tests {
		for _, strict := range []bool{false, true} {
			name := tt.name + ", inputs not strict"
			if strict {
				name = tt.name + ", inputs strict"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newSim(t, func(c *replay.Context, _ string) (string, error) {
					tt.code(c)
					c.Block(func() bool { return false })
					return "", nil
				})
				s.strict = strict
				s.stored(s.started).stored(tt.data...)
				out := s.turn()
				if tt.text == "" || tt.strict && !strict {
					if out.Nondeterminism != nil || out.Result != replay.Continue {
						t.Fatalf("%v, nondeterminism %v", out.Result, out.Nondeterminism)
					}
					if tt.strict {
						s.wantLog("history wins", 2) // this turn and its cold replay
					}
					return
				}
				nd := out.Nondeterminism
				if nd == nil || out.Result != replay.Failed {
					t.Fatalf("%v, nondeterminism %v", out.Result, nd)
				}
				if nd.EventID != tt.event || !strings.Contains(nd.Error(), tt.text) {
					t.Errorf("event %d: %s\nwant event %d: %s", nd.EventID, nd, tt.event, tt.text)
				}
				if c, ok := out.Failure.(core.ConfigurationError); !ok || *c.Message != nd.Error() {
					t.Errorf("failure %v", out.Failure)
				}
			})
		}
	}
}

func TestContinueAsNewOverARecordedSchedule(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(*replay.Context, string) (string, error) { return "", &replay.ContinueAsNew{} })
	s.stored(s.started, core.TimerCreated{})
	if nd := s.turn().Nondeterminism; nd == nil || !strings.Contains(nd.Message, "but the code continued as new") {
		t.Errorf("nondeterminism %v", nd)
	}
}

// TestEarlierReturnIsNotDetected pins what the family does: the walk stops when
// the code has returned.
func TestEarlierReturnIsNotDetected(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(*replay.Context, string) (string, error) { return "early", nil })
	s.stored(s.started, core.ActivityScheduled{Name: "a"}, core.ActivityScheduled{Name: "b"})
	s.wants(s.turn(), replay.Completed, "4 OrchestrationCompleted(early)",
		"5<2 ActivityCancelRequested(orchestration_terminal_completed)", "6<3 ActivityCancelRequested(orchestration_terminal_completed)")
}

func TestStoredCompletionsThatDoNotFit(t *testing.T) {
	activity := core.ActivityScheduled{Name: "a", Input: "x"}
	kid := core.SubOrchestrationScheduled{Name: "k", Instance: "sub::2", Input: "x"}
	bad := app(core.KindActivityFailed, "bad")
	onlyWaits := func(schedule func(*replay.Context) *replay.Future) replay.Handler {
		return func(c *replay.Context, _ string) (string, error) {
			_, _ = await(c, schedule(c))
			c.Block(func() bool { return false })
			return "", nil
		}
	}
	activities := onlyWaits(func(c *replay.Context) *replay.Future { return act(c, "a") })
	timers := onlyWaits(second)
	children := onlyWaits(func(c *replay.Context) *replay.Future { return c.Child("k", "", "x", nil) })
	tests := map[string]struct {
		code  replay.Handler
		data  []core.EventData // completions have source 2
		text  string
		event uint64
	}{
		"activity completed twice":          {activities, []core.EventData{activity, core.ActivityCompleted{}, core.ActivityCompleted{}}, "completion without open schedule", 4},
		"activity failed when complete":     {activities, []core.EventData{activity, core.ActivityCompleted{}, core.ActivityFailed{Details: bad}}, "completion without open schedule", 4},
		"timer fired twice":                 {timers, []core.EventData{core.TimerCreated{}, core.TimerFired{}, core.TimerFired{}}, "completion without open schedule", 4},
		"child completed twice":             {children, []core.EventData{kid, core.SubOrchestrationCompleted{}, core.SubOrchestrationCompleted{}}, "completion without open schedule", 4},
		"child failed when complete":        {children, []core.EventData{kid, core.SubOrchestrationCompleted{}, core.SubOrchestrationFailed{Details: bad}}, "completion without open schedule", 4},
		"activity completes a timer":        {timers, []core.EventData{core.TimerCreated{}, core.ActivityCompleted{}}, "completion kind mismatch: expected activity", 3},
		"timer fires for an activity":       {activities, []core.EventData{activity, core.TimerFired{}}, "completion kind mismatch: expected timer", 3},
		"child completes an activity":       {activities, []core.EventData{activity, core.SubOrchestrationCompleted{}}, "completion kind mismatch: expected suborchestration", 3},
		"timer fires before it exists":      {timers, []core.EventData{core.TimerFired{}, core.TimerCreated{}}, "completion without open schedule", 2},
		"activity that was never scheduled": {children, []core.EventData{core.ActivityCompleted{}}, "completion without open schedule", 2},
		"activity completes too early":      {activities, []core.EventData{core.ActivityCompleted{}, activity}, "completion without open schedule", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			s.storedAt(1, 0, s.started)
			for i, d := range tt.data {
				source := uint64(0)
				switch d.(type) {
				case core.ActivityCompleted, core.ActivityFailed, core.TimerFired, core.SubOrchestrationCompleted, core.SubOrchestrationFailed:
					source = 2
				}
				s.storedAt(uint64(i+2), source, d)
			}
			out := s.turn()
			if nd := out.Nondeterminism; nd == nil || nd.Message != tt.text || nd.EventID != tt.event {
				t.Errorf("result %v, nondeterminism %v, want %s at event %d", out.Result, nd, tt.text, tt.event)
			}
		})
	}
}

func TestCorruptHistory(t *testing.T) {
	never := func(*replay.Context, string) (string, error) { panic("the code must not run") }
	t.Run("no events", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, never)
		in := s.input()
		in.Start = nil
		s.wants(replay.Run(in), replay.Failed, "1 OrchestrationFailed(nondeterministic: corrupted history: empty)")
	})
	t.Run("does not begin with a start", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, never)
		s.stored(core.TimerCreated{}, s.started)
		s.wants(s.turn(), replay.Failed, "3 OrchestrationFailed(nondeterministic: corrupted history: first event must be OrchestrationStarted)")
	})
	completed, failedEnd := core.OrchestrationCompleted{Output: "o"}, core.OrchestrationFailed{Details: infra}
	for name, data := range map[string][]core.EventData{
		"completed":           {completed},
		"failed":              {failedEnd},
		"continued as new":    {core.OrchestrationContinuedAsNew{}},
		"several ends":        {completed, failedEnd},
		"events after an end": {completed, core.TimerCreated{}},
	} {
		t.Run(name+": nothing is left to do", func(t *testing.T) {
			t.Parallel()
			s := newSim(t, never)
			s.stored(s.started).stored(data...)
			out := s.turn()
			s.wants(out, replay.Continue)
			if out.Metadata.Status != "" {
				t.Errorf("status %s", out.Metadata.Status)
			}
			if name == "completed" || name == "failed" {
				s.wants(s.turn(cancel("late")), replay.Continue)
			}
		})
	}
	t.Run("ids with gaps, from zero, and not ascending", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, one(func(c *replay.Context) *replay.Future { return act(c, "a") }))
		s.storedAt(0, 0, s.started).storedAt(90, 0, core.ActivityScheduled{Name: "a", Input: "x"}).storedAt(7, 0, core.OrchestrationCancelRequested{Reason: "r"})
		s.wants(s.turn(done(90, "r")), replay.Cancelled, "8<90 ActivityCompleted(r)", "91 OrchestrationFailed(canceled: r)")
	})
	t.Run("odd names go through", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", "活动 ✓", strings.Repeat("n", 100_000), "a\"b\\c\n\t{}[]"} {
			s := newSim(t, one(func(c *replay.Context) *replay.Future { return act(c, name) }))
			s.turn()
			s.wants(s.turn(done(2, name)), replay.Completed, suffix("3<2 ActivityCompleted", name), suffix("4 OrchestrationCompleted", name))
		}
	})
}

func suffix(s, detail string) string {
	if detail == "" {
		return s
	}
	return s + "(" + detail + ")"
}
