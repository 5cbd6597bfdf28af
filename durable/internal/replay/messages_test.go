package replay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// waitsForAll has one of everything open: 2 an activity, 3 a timer, 4 a child.
func waitsForAll(c *replay.Context, _ string) (string, error) {
	return strings.Join(join(c, act(c, "a"), second(c), c.Child("k", "", "x", nil), c.Wait("go"), c.Dequeue("q")), ","), nil
}

func TestCompletionMessages(t *testing.T) {
	other := func(item core.WorkItem) core.WorkItem { // of execution 2
		switch m := item.(type) {
		case core.ActivityCompletedItem:
			m.ExecutionID = 2
			return m
		case core.TimerFiredItem:
			m.ExecutionID = 2
			return m
		case core.SubOrchCompletedItem:
			m.ParentExecutionID = 2
			return m
		}
		panic("no execution")
	}
	tests := map[string]struct {
		before   []core.WorkItem // a turn of their own
		messages []core.WorkItem
		events   []string
	}{
		"several, in order": {nil, []core.WorkItem{childDone(4, "K"), done(2, "A"), fired(3)},
			[]string{"7<4 SubOrchestrationCompleted(K)", "8<2 ActivityCompleted(A)", "9<3 TimerFired"}},
		"activity done twice in a batch":             {nil, []core.WorkItem{done(2, "A"), done(2, "B")}, []string{"7<2 ActivityCompleted(A)"}},
		"activity failed after done in a batch":      {nil, []core.WorkItem{done(2, "A"), failed(2, "B")}, []string{"7<2 ActivityCompleted(A)"}},
		"activity done after failed in a batch":      {nil, []core.WorkItem{failed(2, "A"), done(2, "B")}, []string{"7<2 ActivityFailed(A)"}},
		"timer fired twice in a batch":               {nil, []core.WorkItem{fired(3), fired(3)}, []string{"7<3 TimerFired"}},
		"child done, then failed, in a batch":        {nil, []core.WorkItem{childDone(4, "A"), childFailed(4, infra)}, []string{"7<4 SubOrchestrationCompleted(A)"}},
		"activity done before":                       {[]core.WorkItem{done(2, "A")}, []core.WorkItem{done(2, "B")}, nil},
		"activity failed after done before":          {[]core.WorkItem{done(2, "A")}, []core.WorkItem{failed(2, "B")}, nil},
		"activity done after failed before":          {[]core.WorkItem{failed(2, "A")}, []core.WorkItem{done(2, "B")}, nil},
		"timer fired before":                         {[]core.WorkItem{fired(3)}, []core.WorkItem{fired(3)}, nil},
		"child done before":                          {[]core.WorkItem{childDone(4, "A")}, []core.WorkItem{childDone(4, "B")}, nil},
		"activity of another execution":              {nil, []core.WorkItem{other(done(2, "A"))}, nil},
		"timer of another execution":                 {nil, []core.WorkItem{other(fired(3))}, nil},
		"child of another execution":                 {nil, []core.WorkItem{other(childDone(4, "A"))}, nil},
		"events are not de-duplicated in a batch":    {nil, []core.WorkItem{raised("go", "1"), raised("go", "1")}, []string{"7 ExternalEvent(go=1)", "8 ExternalEvent(go=1)"}},
		"events are not de-duplicated later":         {[]core.WorkItem{raised("go", "1")}, []core.WorkItem{raised("go", "1")}, []string{"8 ExternalEvent(go=1)"}},
		"messages are not de-duplicated":             {[]core.WorkItem{queued("q", "1")}, []core.WorkItem{queued("q", "1")}, []string{"8 ExternalEventPersistent(q=1)"}},
		"an event that nobody waits for is kept":     {nil, []core.WorkItem{raised("other", "1")}, []string{"7 ExternalEvent(other=1)"}},
		"an activity to execute is not for a turn":   {nil, []core.WorkItem{core.ActivityExecuteItem{Instance: "inst"}}, nil},
		"stale and duplicate among what is of use":   {nil, []core.WorkItem{other(done(2, "X")), done(2, "A"), done(2, "B"), fired(3)}, []string{"7<2 ActivityCompleted(A)", "8<3 TimerFired"}},
		"an empty batch":                             {nil, nil, nil},
		"the wrong execution of an unknown schedule": {nil, []core.WorkItem{other(done(99, "X"))}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, waitsForAll)
			s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 ActivityScheduled(a)", "3 TimerCreated",
				"4 SubOrchestrationScheduled(k@sub::4)", "5 ExternalSubscribed(go)", "6 ExternalSubscribedPersistent(q)")
			if len(tt.before) > 0 {
				s.turn(tt.before...)
			}
			s.wants(s.turn(tt.messages...), replay.Continue, tt.events...)
		})
	}
}

// TestMessagesOfOtherExecutions: what answers an earlier or a later execution is
// no news for this one, though it asked for the same.
func TestMessagesOfOtherExecutions(t *testing.T) {
	for name, execution := range map[string]uint64{"an earlier one": 1, "a later one": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, waitsForAll)
			s.execution = 2
			s.turn()
			s.wants(s.turn(
				core.ActivityCompletedItem{Instance: "inst", ExecutionID: execution, ID: 2, Result: "X"},
				core.ActivityFailedItem{Instance: "inst", ExecutionID: execution, ID: 2, Details: infra},
				core.TimerFiredItem{Instance: "inst", ExecutionID: execution, ID: 3},
				core.SubOrchCompletedItem{ParentInstance: "inst", ParentExecutionID: execution, ParentID: 4, Result: "X"},
				core.SubOrchFailedItem{ParentInstance: "inst", ParentExecutionID: execution, ParentID: 4, Details: infra},
			), replay.Continue)
			s.wants(s.turn(core.ActivityCompletedItem{Instance: "inst", ExecutionID: 2, ID: 2, Result: "A"}), replay.Continue, "7<2 ActivityCompleted(A)")
		})
	}
}

func TestMessagesWithoutTheirSchedule(t *testing.T) {
	tests := map[string]struct {
		messages []core.WorkItem
		text     string
	}{
		"activity, nothing there":                      {[]core.WorkItem{done(99, "")}, "no matching schedule for completion id=99"},
		"activity of a later execution, nothing there": {[]core.WorkItem{core.ActivityCompletedItem{Instance: "inst", ExecutionID: 1, ID: 7}}, "no matching schedule for completion id=7"},
		"timer, nothing there":                         {[]core.WorkItem{fired(99)}, "no matching schedule for timer id=99"},
		"child, nothing there":                         {[]core.WorkItem{childDone(99, "")}, "no matching schedule for sub-orchestration id=99"},
		"activity for a timer":                         {[]core.WorkItem{done(3, "")}, "completion kind mismatch for id=3, expected 'timer', got 'activity'"},
		"activity failure for a timer":                 {[]core.WorkItem{failed(3, "")}, "completion kind mismatch for id=3, expected 'timer', got 'activity'"},
		"timer for an activity":                        {[]core.WorkItem{fired(2)}, "completion kind mismatch for id=2, expected 'activity', got 'timer'"},
		"timer for a child":                            {[]core.WorkItem{fired(4)}, "completion kind mismatch for id=4, expected 'suborchestration', got 'timer'"},
		"child for an activity":                        {[]core.WorkItem{childDone(2, "")}, "completion kind mismatch for id=2, expected 'activity', got 'suborchestration'"},
		"child for a timer":                            {[]core.WorkItem{childDone(3, "")}, "completion kind mismatch for id=3, expected 'timer', got 'suborchestration'"},
		"child failure for a timer":                    {[]core.WorkItem{childFailed(3, infra)}, "completion kind mismatch for id=3, expected 'timer', got 'suborchestration'"},
		"the last of several wins":                     {[]core.WorkItem{done(98, ""), fired(99)}, "no matching schedule for timer id=99"},
		"it beats a broken activity":                   {[]core.WorkItem{core.ActivityFailedItem{ExecutionID: 1, ID: 2, Details: infra}, fired(99)}, "no matching schedule for timer id=99"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, waitsForAll)
			s.turn()
			out := s.turn(tt.messages...)
			want := core.ConfigurationError{Kind: core.Nondeterminism, Message: &tt.text}
			if diff := cmp.Diff(core.ErrorDetails(want), out.Failure); diff != "" || out.Result != replay.Failed {
				t.Errorf("%v; failure (-want +got):\n%s", out.Result, diff)
			}
			last := slices.IndexFunc(out.Delta, func(ev core.Event) bool { return ev.IsTerminal() })
			if last < 0 {
				t.Errorf("no terminal row in %s", show(out.Delta))
			}
		})
	}
}

func TestFailureDetails(t *testing.T) {
	config := core.ConfigurationError{Kind: core.Nondeterminism, Resource: "r"}
	poison := core.PoisonError{AttemptCount: 4, MaxAttempts: 3, MessageType: core.PoisonActivity{Instance: "inst", ExecutionID: 1, ActivityName: "a", ActivityID: 2}}
	for name, details := range map[string]core.ErrorDetails{"infrastructure": infra, "configuration": config, "poison": poison} {
		for kind, message := range map[string]core.WorkItem{
			"activity": core.ActivityFailedItem{Instance: "inst", ExecutionID: 1, ID: 2, Details: details},
			"child":    childFailed(4, details),
		} {
			t.Run(name+" of "+kind+" fails the execution without running code", func(t *testing.T) {
				t.Parallel()
				ran := 0
				s := newSim(t, func(c *replay.Context, in string) (string, error) {
					ran++
					return waitsForAll(c, in)
				})
				s.started.ParentInstance, s.started.ParentID, s.started.ParentExecutionID = new("p"), new(uint64(5)), new(uint64(6))
				s.unchecked = true
				s.turn()
				out := s.turn(message)
				if diff := cmp.Diff(details, out.Failure); diff != "" || out.Result != replay.Failed {
					t.Errorf("%v; failure (-want +got):\n%s", out.Result, diff)
				}
				if ran != 1 {
					t.Errorf("code ran %d times", ran)
				}
				if diff := cmp.Diff([]core.WorkItem{
					core.SubOrchFailedItem{ParentInstance: "p", ParentExecutionID: 6, ParentID: 5, Details: details},
				}, out.OrchestratorItems); diff != "" {
					t.Errorf("parent is told (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("the first of several wins", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, waitsForAll)
		s.turn()
		out := s.turn(core.ActivityFailedItem{ExecutionID: 1, ID: 2, Details: infra}, childFailed(4, config))
		if diff := cmp.Diff(core.ErrorDetails(infra), out.Failure); diff != "" {
			t.Error(diff)
		}
	})
}

// TestCancel lists in which order a cancel meets everything else.
func TestCancel(t *testing.T) {
	const failedRow = "OrchestrationFailed(canceled: why)"
	child := func(c *replay.Context, _ string) (string, error) {
		f := c.Child("k", "", "x", nil)
		c.Child("k", "own", "x", nil)
		return await(c, f)
	}
	tests := map[string]struct {
		code   replay.Handler
		turns  [][]core.WorkItem
		events []string // of the last turn
		orch   []core.WorkItem
	}{
		"before the first turn": {
			waitsForAll, [][]core.WorkItem{{cancel("why")}},
			[]string{
				"1 OrchestrationStarted", "2 OrchestrationCancelRequested(why)", "3 ActivityScheduled(a)", "4 TimerCreated",
				"5 SubOrchestrationScheduled(k@sub::5)", "6 ExternalSubscribed(go)", "7 ExternalSubscribedPersistent(q)",
				"8<6 ExternalSubscribedCancelled(orchestration_terminal)", "9<7 ExternalSubscribedPersistentCancelled(orchestration_terminal)",
				"10 " + failedRow, "11<3 ActivityCancelRequested(orchestration_terminal_failed)",
			},
			[]core.WorkItem{core.CancelInstanceItem{Instance: "inst::sub::5", Reason: "parent canceled"}},
		},
		"while an activity is open": {
			one(func(c *replay.Context) *replay.Future { return act(c, "a") }), [][]core.WorkItem{nil, {cancel("why")}},
			[]string{"3 OrchestrationCancelRequested(why)", "4 " + failedRow, "5<2 ActivityCancelRequested(orchestration_terminal_failed)"}, nil,
		},
		"beats the completion that came first": {
			one(func(c *replay.Context) *replay.Future { return act(c, "a") }), [][]core.WorkItem{nil, {done(2, "r"), cancel("why")}},
			[]string{"3<2 ActivityCompleted(r)", "4 OrchestrationCancelRequested(why)", "5 " + failedRow}, nil,
		},
		"beats the completion that comes after": {
			one(func(c *replay.Context) *replay.Future { return act(c, "a") }), [][]core.WorkItem{nil, {cancel("why"), done(2, "r")}},
			[]string{"3 OrchestrationCancelRequested(why)", "4<2 ActivityCompleted(r)", "5 " + failedRow}, nil,
		},
		"beats continue-as-new": {
			func(c *replay.Context, _ string) (string, error) {
				must(c, act(c, "a"))
				return "", &replay.ContinueAsNew{Input: "n"}
			},
			[][]core.WorkItem{nil, {done(2, "r"), cancel("why")}},
			[]string{"3<2 ActivityCompleted(r)", "4 OrchestrationCancelRequested(why)", "5 " + failedRow}, nil,
		},
		"twice: the first reason counts": {
			one(second), [][]core.WorkItem{nil, {cancel("why"), cancel("other")}},
			[]string{"3 OrchestrationCancelRequested(why)", "4 " + failedRow}, nil,
		},
		"children that run are told, those that ended are not": {
			child, [][]core.WorkItem{nil, {cancel("why"), childDone(2, "r")}},
			[]string{"4 OrchestrationCancelRequested(why)", "5<2 SubOrchestrationCompleted(r)", "6 " + failedRow},
			[]core.WorkItem{core.CancelInstanceItem{Instance: "own", Reason: "parent canceled"}},
		},
		"a child whose future was given up is not told again": {
			func(c *replay.Context, _ string) (string, error) {
				c.Child("k", "own", "x", nil).Drop()
				return await(c, second(c))
			},
			[][]core.WorkItem{nil, {cancel("why")}},
			[]string{"5 OrchestrationCancelRequested(why)", "6 " + failedRow}, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			var out replay.Output
			for _, messages := range tt.turns {
				out = s.turn(messages...)
			}
			s.wants(out, replay.Cancelled, tt.events...)
			if diff := cmp.Diff(tt.orch, out.OrchestratorItems); diff != "" {
				t.Errorf("orchestrator items (-want +got):\n%s", diff)
			}
			if out.Metadata.Status != core.StatusFailed || *out.Metadata.Output != "canceled: why" {
				t.Errorf("metadata %s, output %s", out.Metadata.Status, *out.Metadata.Output)
			}
		})
	}
	t.Run("stored before, without its end", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, one(second))
		s.stored(s.started, core.TimerCreated{}, core.OrchestrationCancelRequested{Reason: "why"})
		s.wants(s.turn(cancel("other")), replay.Cancelled, "4 "+failedRow)
	})
}
