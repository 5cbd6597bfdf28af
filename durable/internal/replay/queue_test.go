package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// queuedN are n messages to one queue, with their numbers as data.
func queuedN(queue string, n int) []core.WorkItem {
	var items []core.WorkItem
	for i := range n {
		items = append(items, queued(queue, fmt.Sprint(i)))
	}
	return items
}

// TestDrainInOneTurn: dequeues that find a message waiting go on at once.
func TestDrainInOneTurn(t *testing.T) {
	for _, n := range []int{1, 50, 99, 100, 150, 600} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				must(c, act(c, "a"))
				var got []string
				for range n {
					got = append(got, must(c, c.Dequeue("q")))
				}
				return fmt.Sprint(len(got), " ", got[n-1]), nil
			})
			s.turn()
			s.turn(queuedN("q", n)...)
			out := s.turn(done(2, ""))
			if want := fmt.Sprint(n, " ", n-1); out.Result != replay.Completed || *out.Metadata.Output != want {
				t.Errorf("%v, output %v, want %s", out.Result, out.Metadata.Output, want)
			}
			// What it wrote replays, too.
			s.history = s.history[:len(s.history)-1]
			s.wants(s.turn(), replay.Completed, fmt.Sprintf("%d OrchestrationCompleted(%d %d)", len(s.history), n, n-1))
		})
	}
	t.Run("without end fails", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			for {
				must(c, c.Dequeue("q"))
			}
		})
		out := s.turn(queuedN("q", 10_100)...)
		if d, ok := out.Failure.(core.InfrastructureError); !ok || d.Operation != "quiescence_loop" || d.Retryable {
			t.Errorf("failure %#v", out.Failure)
		}
	})
}

func TestQueueOrder(t *testing.T) {
	tests := map[string]struct {
		code   replay.Handler
		turns  [][]core.WorkItem
		output string
	}{
		"first in, first out": {
			func(c *replay.Context, _ string) (string, error) {
				return must(c, c.Dequeue("q")) + must(c, c.Dequeue("q")) + must(c, c.Dequeue("q")), nil
			}, [][]core.WorkItem{{queued("q", "1"), queued("q", "2")}, {queued("q", "3")}}, "123",
		},
		"a queue does not move another": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, c.Dequeue("a"), act(c, "x"))
				return must(c, c.Dequeue("b")) + must(c, c.Dequeue("a")) + must(c, c.Dequeue("b")), nil
			}, [][]core.WorkItem{{done(3, ""), queued("b", "1"), queued("a", "2"), queued("b", "3")}}, "123",
		},
		"an abandoned join keeps what it has": {
			func(c *replay.Context, _ string) (string, error) {
				a, b := c.Dequeue("q"), c.Dequeue("q")
				must(c, a)
				race(c, b, second(c))
				a.Drop()
				return must(c, c.Dequeue("q")), nil
			}, [][]core.WorkItem{{queued("q", "1")}, {fired(5)}, {queued("q", "2")}}, "2",
		},
		"nested race of a queue and two timers": {
			func(c *replay.Context, _ string) (string, error) {
				q, inner, outer := c.Dequeue("q"), second(c), second(c)
				if race(c, q, inner) == 1 && race(c, outer, c.Dequeue("other")) == 0 {
					return must(c, c.Dequeue("q")), nil
				}
				return "?", nil
			}, [][]core.WorkItem{{fired(3)}, {queued("q", "1"), fired(4)}}, "1",
		},
		"queue and child in one batch": {
			func(c *replay.Context, _ string) (string, error) {
				q, k := c.Dequeue("q"), c.Child("k", "", "x", nil)
				return fmt.Sprint(race(c, k, q)) + must(c, c.Dequeue("q")), nil
			}, [][]core.WorkItem{{childDone(3, ""), queued("q", "m")}}, "0m",
		},
		// Live and on replay, dequeues are polled in the order of their events.
		"both queues have a message: the first dequeue wins, not the first in the race": {
			func(c *replay.Context, _ string) (string, error) {
				must(c, second(c))
				b, a := c.Dequeue("b"), c.Dequeue("a")
				winner := race(c, a, b)
				must(c, act(c, "x"))
				return fmt.Sprint(winner), nil
			}, [][]core.WorkItem{{queued("a", "1"), queued("b", "2")}, {fired(2)}, {done(8, "")}}, "1",
		},
		// A held older dequeue keeps its place reserved; giving it up after a
		// newer one was read re-indexes later reads. The family shares this.
		"a held dequeue given up late": {
			func(c *replay.Context, _ string) (string, error) {
				held, newer := c.Dequeue("q"), c.Dequeue("q")
				x := must(c, newer)
				held.Drop()
				return x + must(c, c.Dequeue("q")), nil
			}, [][]core.WorkItem{{queued("q", "1"), queued("q", "2")}}, "22",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			s.turn()
			var out replay.Output
			for _, messages := range tt.turns {
				out = s.turn(messages...)
			}
			if out.Result != replay.Completed || *out.Metadata.Output != tt.output {
				t.Errorf("%v, output %v, want %s\n%s", out.Result, out.Metadata.Output, tt.output, strings.Join(show(s.history), "\n"))
			}
		})
	}
}

// successor takes over the ContinueAsNew item of a turn.
func successor(t *testing.T, out replay.Output) core.ContinueAsNewItem {
	t.Helper()
	for _, item := range out.OrchestratorItems {
		if next, ok := item.(core.ContinueAsNewItem); ok {
			return next
		}
	}
	t.Fatalf("no ContinueAsNew in %s (%v)", dump(out.OrchestratorItems), out.Failure)
	return core.ContinueAsNewItem{}
}

func TestCarriedMessages(t *testing.T) {
	again := &replay.ContinueAsNew{Input: "n"}
	event := func(name, data string) core.QueueEvent { return core.QueueEvent{Name: name, Data: data} }
	tests := map[string]struct {
		code  replay.Handler
		turns [][]core.WorkItem
		want  []core.QueueEvent
		only  string // one policy
	}{
		"none": {func(*replay.Context, string) (string, error) { return "", again }, [][]core.WorkItem{nil}, nil, ""},
		"those in the batch of the completion that continues as new": {
			func(c *replay.Context, _ string) (string, error) { must(c, act(c, "a")); return "", again },
			[][]core.WorkItem{nil, {queued("q", "1"), done(2, ""), queued("q", "2")}},
			[]core.QueueEvent{event("q", "1"), event("q", "2")}, "",
		},
		"in the order of arrival over all names": {
			func(c *replay.Context, _ string) (string, error) { must(c, c.Dequeue("b")); return "", again },
			[][]core.WorkItem{{queued("c", "1"), queued("b", "2"), queued("a", "3"), queued("b", "4"), queued("c", "5")}},
			[]core.QueueEvent{event("c", "1"), event("a", "3"), event("b", "4"), event("c", "5")}, "",
		},
		"the first one, when the second was read": {
			func(c *replay.Context, _ string) (string, error) {
				c.Dequeue("q")
				must(c, c.Dequeue("q"))
				return "", again
			},
			[][]core.WorkItem{{queued("q", "1"), queued("q", "2"), queued("q", "3")}},
			[]core.QueueEvent{event("q", "1"), event("q", "3")}, immediate,
		},
		"by count of dequeues in old executions": {
			func(c *replay.Context, _ string) (string, error) {
				c.Dequeue("q")
				must(c, c.Dequeue("q"))
				return "", again
			},
			[][]core.WorkItem{{queued("q", "1"), queued("q", "2"), queued("q", "3")}},
			[]core.QueueEvent{event("q", "3")}, legacy,
		},
		"ready but not read": {
			func(c *replay.Context, _ string) (string, error) {
				f := c.Dequeue("q")
				c.Block(f.Ready)
				return "", again
			},
			[][]core.WorkItem{{queued("q", "1")}}, []core.QueueEvent{event("q", "1")}, immediate,
		},
		"positional events do not cross": {
			func(c *replay.Context, _ string) (string, error) { c.Wait("go"); must(c, second(c)); return "", again },
			[][]core.WorkItem{nil, {raised("go", "1"), fired(3)}}, nil, "",
		},
	}
	for name, tt := range tests {
		for _, stamp := range []string{immediate, legacy} {
			if tt.only != "" && tt.only != stamp {
				continue
			}
			t.Run(name+", stamp "+stamp, func(t *testing.T) {
				t.Parallel()
				s := newSim(t, tt.code)
				s.stamp = stamp
				var out replay.Output
				for _, messages := range tt.turns {
					out = s.turn(messages...)
				}
				if diff := cmp.Diff(tt.want, successor(t, out).CarryForwardEvents); diff != "" {
					t.Errorf("carried (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("at most 100, the oldest", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) { must(c, c.Dequeue("q")); return "", again })
		carried := successor(t, s.turn(queuedN("q", 104)...)).CarryForwardEvents
		if len(carried) != 100 || carried[0].Data != "1" || carried[99].Data != "100" {
			t.Errorf("%d carried, from %v", len(carried), carried[0])
		}
		s.wantLog("queued message lost", 3)
	})
}

func TestSuccessor(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, in string) (string, error) {
		if in == "in" {
			c.SetStatus(new("st"))
			c.Detached("f", "free", "x", nil)
			act(c, "left")
			return "", &replay.ContinueAsNew{Input: "n2", Version: new("2.0.0")}
		}
		status := "none"
		if p := c.Status(); p != nil {
			status = *p
		}
		return fmt.Sprint(in, " ", c.Execution(), " ", status, " ", must(c, c.Dequeue("q")), must(c, c.Dequeue("q"))), nil
	})
	s.started.ParentInstance, s.started.ParentID, s.started.ParentExecutionID = new("p"), new(uint64(4)), new(uint64(3))
	out := s.turn(queued("q", "m1"))
	s.wants(out, replay.ContinuedAsNew, "1 OrchestrationStarted", "2 ExternalEventPersistent(q=m1)", "3 CustomStatusUpdated(st)",
		"4 OrchestrationChained(f@free)", "5 ActivityScheduled(left)", "6 OrchestrationContinuedAsNew(n2)",
		"7<5 ActivityCancelRequested(orchestration_terminal_continued_as_new)")
	if diff := cmp.Diff([]core.WorkItem{
		core.StartOrchestrationItem{Instance: "free", Orchestration: "f", Input: "x", ExecutionID: 1},
		core.ContinueAsNewItem{
			Instance: "inst", Orchestration: "orch", Input: "n2", Version: new("2.0.0"),
			ParentInstance: new("p"), ParentID: new(uint64(4)), ParentExecutionID: new(uint64(3)),
			CarryForwardEvents: []core.QueueEvent{{Name: "q", Data: "m1"}}, InitialCustomStatus: new("st"),
		},
	}, out.OrchestratorItems); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	// The parent is told nothing until the last execution ends.
	next := successor(t, out)
	s.history, s.execution = nil, 2
	s.started = core.OrchestrationStarted{
		Name: "orch", Version: "2.0.0", Input: next.Input, ParentInstance: next.ParentInstance, ParentID: next.ParentID,
		ParentExecutionID: next.ParentExecutionID, CarryForwardEvents: next.CarryForwardEvents, InitialCustomStatus: next.InitialCustomStatus,
	}
	out = s.turn(queued("q", "m1"), queued("q", "m2")) // the dispatcher puts the carried ones first
	s.wants(out, replay.Completed, "1 OrchestrationStarted", "2 ExternalEventPersistent(q=m1)", "3 ExternalEventPersistent(q=m2)",
		"4 ExternalSubscribedPersistent(q)", "5 ExternalSubscribedPersistent(q)", "6 OrchestrationCompleted(n2 2 st m1m2)")
	if diff := cmp.Diff([]core.WorkItem{
		core.SubOrchCompletedItem{ParentInstance: "p", ParentExecutionID: 3, ParentID: 4, Result: "n2 2 st m1m2"},
	}, out.OrchestratorItems); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

func TestStatusAcrossTurns(t *testing.T) {
	t.Parallel()
	var seen []string
	get := func(c *replay.Context) {
		v := "none"
		if p := c.Status(); p != nil {
			v = *p
		}
		seen = append(seen, v)
	}
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		seen = nil
		get(c)
		c.SetStatus(new("one"))
		c.SetStatus(new("two"))
		get(c)
		must(c, act(c, "a"))
		get(c)
		c.SetStatus(nil)
		get(c)
		must(c, act(c, "b"))
		get(c)
		return "", &replay.ContinueAsNew{}
	})
	s.started.InitialCustomStatus = new("before")
	s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 CustomStatusUpdated(one)", "3 CustomStatusUpdated(two)", "4 ActivityScheduled(a)")
	s.wants(s.turn(done(4, "")), replay.Continue, "5<4 ActivityCompleted", "6 CustomStatusUpdated", "7 ActivityScheduled(b)")
	if p := successor(t, s.turn(done(7, ""))).InitialCustomStatus; p != nil {
		t.Errorf("a reset status is carried as %q", *p)
	}
	if diff := cmp.Diff([]string{"before", "two", "two", "none", "none"}, seen); diff != "" {
		t.Error(diff)
	}
}
