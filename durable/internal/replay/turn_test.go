package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// one waits for one thing and returns its outcome.
func one(schedule func(c *replay.Context) *replay.Future) replay.Handler {
	return func(c *replay.Context, _ string) (string, error) { return await(c, schedule(c)) }
}

func TestFreshExecution(t *testing.T) {
	tests := map[string]struct {
		code   replay.Handler
		result replay.Result
		events []string // after OrchestrationStarted
		worker int
		orch   []string
	}{
		"returns a value at once": {
			func(_ *replay.Context, in string) (string, error) { return "got " + in, nil },
			replay.Completed, []string{"2 OrchestrationCompleted(got in)"}, 0, nil,
		},
		"returns an error at once": {
			func(*replay.Context, string) (string, error) { return "", errors.New("no") },
			replay.Failed, []string{"2 OrchestrationFailed(no)"}, 0, nil,
		},
		"an activity": {
			one(func(c *replay.Context) *replay.Future { return act(c, "a") }),
			replay.Continue, []string{"2 ActivityScheduled(a)"}, 1, nil,
		},
		"a timer": {
			one(second), replay.Continue, []string{"2 TimerCreated"}, 0, []string{"TimerFired"},
		},
		"a wait": {
			one(func(c *replay.Context) *replay.Future { return c.Wait("go") }),
			replay.Continue, []string{"2 ExternalSubscribed(go)"}, 0, nil,
		},
		"a dequeue": {
			one(func(c *replay.Context) *replay.Future { return c.Dequeue("q") }),
			replay.Continue, []string{"2 ExternalSubscribedPersistent(q)"}, 0, nil,
		},
		"a child": {
			one(func(c *replay.Context) *replay.Future { return c.Child("kid", "", "x", nil) }),
			replay.Continue, []string{"2 SubOrchestrationScheduled(kid@sub::2)"}, 0, []string{"StartOrchestration"},
		},
		"continue as new": {
			func(*replay.Context, string) (string, error) { return "", &replay.ContinueAsNew{Input: "next"} },
			replay.ContinuedAsNew, []string{"2 OrchestrationContinuedAsNew(next)"}, 0, []string{"ContinueAsNew"},
		},
		"a child, then continue as new: the child goes on": {
			func(c *replay.Context, _ string) (string, error) {
				c.Child("kid", "", "x", nil)
				return "", &replay.ContinueAsNew{Input: "next"}
			},
			replay.ContinuedAsNew,
			[]string{"2 SubOrchestrationScheduled(kid@sub::2)", "3 OrchestrationContinuedAsNew(next)"}, 0, []string{"ContinueAsNew"},
		},
		"three activities that nobody awaits": {
			func(c *replay.Context, _ string) (string, error) {
				act(c, "a")
				act(c, "b")
				act(c, "c")
				return "out", nil
			},
			replay.Completed,
			[]string{
				"2 ActivityScheduled(a)", "3 ActivityScheduled(b)", "4 ActivityScheduled(c)",
				"5<2 ActivityCancelRequested(dropped_future)", "6<3 ActivityCancelRequested(dropped_future)",
				"7<4 ActivityCancelRequested(dropped_future)", "8 OrchestrationCompleted(out)",
			}, 0, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			out := s.turn()
			s.wants(out, tt.result, append([]string{"1 OrchestrationStarted"}, tt.events...)...)
			if len(out.WorkerItems) != tt.worker {
				t.Errorf("worker items: %s", dump(out.WorkerItems))
			}
			var orch []string
			for _, item := range out.OrchestratorItems {
				orch = append(orch, item.ItemType())
			}
			if diff := cmp.Diff(tt.orch, orch); diff != "" {
				t.Errorf("orchestrator items (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWorkItemsOfActions(t *testing.T) {
	t.Parallel()
	session, tag, version := "s", "gpu", "2.0.0"
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		c.Activity("a", "ia", &session, &tag)
		c.Timer(1500 * time.Microsecond)
		c.Child("kid", "", "ik", &version)
		c.Child("kid", "own-id", "ik", nil)
		c.Detached("free", "free-1", "if", &version)
		return await(c, c.Wait("never"))
	})
	out := s.turn()
	s.wants(out, replay.Continue, "1 OrchestrationStarted", "2 ActivityScheduled(a)", "3 TimerCreated",
		"4 SubOrchestrationScheduled(kid@sub::4)", "5 SubOrchestrationScheduled(kid@own-id)", "6 OrchestrationChained(free@free-1)",
		"7 ExternalSubscribed(never)")
	fireAt := core.Milliseconds(s.now) + 1 // whole milliseconds
	parent, execution := "inst", uint64(1)
	if diff := cmp.Diff([]core.WorkItem{
		core.ActivityExecuteItem{Instance: "inst", ExecutionID: 1, ID: 2, Name: "a", Input: "ia", SessionID: &session, Tag: &tag},
	}, out.WorkerItems); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]core.WorkItem{
		core.TimerFiredItem{Instance: "inst", ExecutionID: 1, ID: 3, FireAtMs: fireAt},
		core.StartOrchestrationItem{
			Instance: "inst::sub::4", Orchestration: "kid", Input: "ik", Version: &version,
			ParentInstance: &parent, ParentID: new(uint64(4)), ParentExecutionID: &execution, ExecutionID: 1,
		},
		core.StartOrchestrationItem{
			Instance: "own-id", Orchestration: "kid", Input: "ik",
			ParentInstance: &parent, ParentID: new(uint64(5)), ParentExecutionID: &execution, ExecutionID: 1,
		},
		core.StartOrchestrationItem{Instance: "free-1", Orchestration: "free", Input: "if", Version: &version, ExecutionID: 1},
	}, out.OrchestratorItems); diff != "" {
		t.Error(diff)
	}
}

func TestMetadataOfTheFirstTurnOnly(t *testing.T) {
	t.Parallel()
	s := newSim(t, one(func(c *replay.Context) *replay.Future { return act(c, "a") }))
	s.started.ParentInstance, s.started.ParentID = new("p"), new(uint64(9))
	want := core.ExecutionMetadata{
		OrchestrationName: new("orch"), OrchestrationVersion: new("1.0.0"), ParentInstanceID: new("p"),
		PinnedDuroxideVersion: new(core.MustParseVersion("0.1.32")),
	}
	if diff := cmp.Diff(want, s.turn().Metadata); diff != "" {
		t.Error(diff)
	}
	want = core.ExecutionMetadata{Status: core.StatusCompleted, Output: new("r")}
	out := s.turn(done(2, "r"))
	if diff := cmp.Diff(want, out.Metadata); diff != "" {
		t.Error(diff)
	}
	// The link lacks the parent's execution: the lookup gives it.
	if diff := cmp.Diff([]core.WorkItem{
		core.SubOrchCompletedItem{ParentInstance: "p", ParentExecutionID: 77, ParentID: 9, Result: "r"},
	}, out.OrchestratorItems); diff != "" {
		t.Error(diff)
	}
}

// TestOutcomes has every kind of outcome come in a later turn and replays it.
func TestOutcomes(t *testing.T) {
	activity := one(func(c *replay.Context) *replay.Future { return act(c, "a") })
	child := one(func(c *replay.Context) *replay.Future { return c.Child("k", "", "x", nil) })
	tests := map[string]struct {
		code    replay.Handler
		message core.WorkItem
		result  replay.Result
		events  []string
	}{
		"activity completed": {activity, done(2, "r"), replay.Completed, []string{"3<2 ActivityCompleted(r)", "4 OrchestrationCompleted(r)"}},
		"activity failed":    {activity, failed(2, "oops"), replay.Failed, []string{"3<2 ActivityFailed(oops)", "4 OrchestrationFailed(oops)"}},
		"timer fired":        {one(second), fired(2), replay.Completed, []string{"3<2 TimerFired", "4 OrchestrationCompleted"}},
		"event raised": {
			one(func(c *replay.Context) *replay.Future { return c.Wait("go") }),
			raised("go", "d"), replay.Completed, []string{"3 ExternalEvent(go=d)", "4 OrchestrationCompleted(d)"},
		},
		"event with empty data": {
			one(func(c *replay.Context) *replay.Future { return c.Wait("go") }),
			raised("go", ""), replay.Completed, []string{"3 ExternalEvent(go=)", "4 OrchestrationCompleted"},
		},
		"message queued": {
			one(func(c *replay.Context) *replay.Future { return c.Dequeue("q") }),
			queued("q", "m"), replay.Completed, []string{"3 ExternalEventPersistent(q=m)", "4 OrchestrationCompleted(m)"},
		},
		"child completed": {child, childDone(2, "r"), replay.Completed, []string{"3<2 SubOrchestrationCompleted(r)", "4 OrchestrationCompleted(r)"}},
		"child failed": {
			child, childFailed(2, app(core.KindOrchestrationFailed, "bad")), replay.Failed,
			[]string{"3<2 SubOrchestrationFailed(bad)", "4 OrchestrationFailed(bad)"},
		},
		"child cancelled": {
			child, childFailed(2, app(core.KindCancelled("why"), "")), replay.Failed,
			[]string{"3<2 SubOrchestrationFailed(canceled: why)", "4 OrchestrationFailed(canceled: why)"},
		},
		"large result": {activity, done(2, strings.Repeat("z", 1<<20)), replay.Completed, []string{
			"3<2 ActivityCompleted(" + strings.Repeat("z", 1<<20) + ")", "4 OrchestrationCompleted(" + strings.Repeat("z", 1<<20) + ")",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			s.turn()
			s.wants(s.turn(), replay.Continue) // nothing new: nothing happens
			out := s.turn(tt.message)
			s.wants(out, tt.result, tt.events...)

			// The same, with the outcome already stored and the end not.
			s.history = s.history[:3]
			s.wants(s.turn(), tt.result, tt.events[1:]...)
		})
	}
}

func TestSequentialProgress(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		a := must(c, act(c, "same"))
		must(c, second(c))
		return a + must(c, act(c, "same")), nil
	})
	s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 ActivityScheduled(same)")
	out := s.turn(done(2, "A"))
	s.wants(out, replay.Continue, "3<2 ActivityCompleted(A)", "4 TimerCreated")
	s.wants(s.turn(fired(4)), replay.Continue, "5<4 TimerFired", "6 ActivityScheduled(same)")
	s.wants(s.turn(done(6, "B")), replay.Completed, "7<6 ActivityCompleted(B)", "8 OrchestrationCompleted(AB)")
}

func TestEqualActivitiesGetTheirOwnResults(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		a, b := act(c, "same"), act(c, "same")
		return strings.Join(join(c, a, b), "+"), nil
	})
	s.turn()
	s.turn(done(3, "second"))
	s.wants(s.turn(done(2, "first")), replay.Completed, "5<2 ActivityCompleted(first)", "6 OrchestrationCompleted(first+second)")
}

func TestManySequentialActivities(t *testing.T) {
	t.Parallel()
	const n = 60
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		sum := ""
		for range n {
			sum = must(c, act(c, "next"))
		}
		return sum, nil
	})
	s.turn()
	for i := range uint64(n - 1) {
		s.turn(done(2+2*i, fmt.Sprint(i)))
	}
	out := s.turn(done(2*n, "last"))
	s.wants(out, replay.Completed, fmt.Sprintf("%d<%d ActivityCompleted(last)", 2*n+1, 2*n), fmt.Sprintf("%d OrchestrationCompleted(last)", 2*n+2))
}

func TestHandlerStartsOncePerTurn(t *testing.T) {
	t.Parallel()
	calls := 0
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		calls++
		join(c, act(c, "a"), act(c, "b"), act(c, "c"))
		return "", nil
	})
	s.unchecked = true
	s.turn()
	s.turn(done(2, ""), done(3, ""))
	s.turn(done(4, ""))
	if calls != 3 {
		t.Errorf("handler called %d times in 3 turns", calls)
	}
}
