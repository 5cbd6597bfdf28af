package replay_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

func TestBlocks(t *testing.T) {
	// block runs an activity in a block and puts its result in out.
	block := func(c *replay.Context, name string, out *string) *replay.Block {
		return c.Go(func(c *replay.Context) { *out = must(c, act(c, name)) })
	}
	t.Run("start when their starter first waits, and make progress side by side", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			var a, b string
			block(c, "a", &a)
			block(c, "b", &b)
			act(c, "own")
			c.Block(func() bool { return a != "" && b != "" })
			return a + b, nil
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 ActivityScheduled(own)", "3 ActivityScheduled(a)", "4 ActivityScheduled(b)")
		s.wants(s.turn(done(4, "B")), replay.Continue, "5<4 ActivityCompleted(B)")
		s.wants(s.turn(done(3, "A")), replay.Completed, "6<3 ActivityCompleted(A)", "7<2 ActivityCancelRequested(dropped_future)", "8 OrchestrationCompleted(AB)")
	})
	t.Run("a killed one gives up what it and its blocks scheduled", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			var nested string
			b := c.Go(func(c *replay.Context) {
				block(c, "deep", &nested)
				must(c, act(c, "a"))
			})
			must(c, second(c))
			b.Kill()
			b.Kill() // harmless
			return await(c, act(c, "next"))
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 TimerCreated", "3 ActivityScheduled(a)", "4 ActivityScheduled(deep)")
		out := s.turn(fired(2))
		s.wants(out, replay.Continue, "5<2 TimerFired", "6 ActivityScheduled(next)",
			"7<3 ActivityCancelRequested(dropped_future)", "8<4 ActivityCancelRequested(dropped_future)")
		if len(out.CancelledActivities) != 2 {
			t.Errorf("cancelled: %v", out.CancelledActivities)
		}
		s.wants(s.turn(done(3, "late")), replay.Continue, "9<3 ActivityCompleted(late)")
		s.wants(s.turn(done(6, "N")), replay.Completed, "10<6 ActivityCompleted(N)", "11 OrchestrationCompleted(N)")
	})
	t.Run("one killed before it started does not run", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			c.Go(func(*replay.Context) { panic("ran") }).Kill()
			return await(c, act(c, "a"))
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 ActivityScheduled(a)")
	})
	t.Run("one that kills itself goes on until it waits", func(t *testing.T) {
		t.Parallel()
		deferred := 0
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			var self *replay.Block
			self = c.Go(func(c *replay.Context) {
				defer func() { deferred++ }()
				self.Kill()
				must(c, act(c, "a"))
				panic("not reached")
			})
			return await(c, second(c))
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 TimerCreated", "3 ActivityScheduled(a)", "4<3 ActivityCancelRequested(dropped_future)")
		if deferred != 2 { // in the turn and in its replay
			t.Errorf("deferred function ran %d times", deferred)
		}
		s.wants(s.turn(fired(2)), replay.Completed, "5<2 TimerFired", "6 OrchestrationCompleted")
	})
	t.Run("one that kills the block around it", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			var outer *replay.Block
			outer = c.Go(func(c *replay.Context) {
				c.Go(func(c *replay.Context) {
					must(c, act(c, "inner"))
					outer.Kill()
					must(c, act(c, "more"))
					panic("not reached")
				})
				must(c, act(c, "outer"))
			})
			return await(c, second(c))
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 TimerCreated", "3 ActivityScheduled(outer)", "4 ActivityScheduled(inner)")
		s.wants(s.turn(done(4, "")), replay.Continue, "5<4 ActivityCompleted", "6 ActivityScheduled(more)",
			"7<3 ActivityCancelRequested(dropped_future)", "8<6 ActivityCancelRequested(dropped_future)")
	})
	t.Run("a deferred function of a killed one may kill its killer", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			var victim, killer *replay.Block
			victim = c.Go(func(c *replay.Context) {
				defer func() { killer.Kill() }()
				must(c, act(c, "victim"))
			})
			killer = c.Go(func(c *replay.Context) {
				must(c, act(c, "killer"))
				victim.Kill()
				must(c, act(c, "more"))
				panic("not reached")
			})
			return await(c, second(c))
		})
		s.turn()
		s.wants(s.turn(done(4, "")), replay.Continue, "5<4 ActivityCompleted", "6 ActivityScheduled(more)",
			"7<3 ActivityCancelRequested(dropped_future)", "8<6 ActivityCancelRequested(dropped_future)")
	})
	t.Run("what ends gives up what it left", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			c.Go(func(c *replay.Context) { act(c, "left") })
			return await(c, second(c))
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 TimerCreated", "3 ActivityScheduled(left)", "4<3 ActivityCancelRequested(dropped_future)")
	})
	t.Run("alive at a continue-as-new: nothing is given up", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			c.Go(func(c *replay.Context) {
				f := c.Child("k", "", "x", nil)
				must(c, f)
			})
			must(c, second(c))
			return "", &replay.ContinueAsNew{Input: "n"}
		})
		s.turn()
		out := s.turn(fired(2))
		s.wants(out, replay.ContinuedAsNew, "4<2 TimerFired", "5 OrchestrationContinuedAsNew(n)")
		if len(out.OrchestratorItems) != 1 {
			t.Errorf("items: %s", dump(out.OrchestratorItems))
		}
	})
	t.Run("nested, first to finish wins", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			winner := ""
			blocks := make([]*replay.Block, 2)
			for i, name := range []string{"slow", "fast"} {
				blocks[i] = c.Go(func(c *replay.Context) {
					var x, y string
					block(c, name+"-x", &x)
					block(c, name+"-y", &y)
					c.Block(func() bool { return x != "" && y != "" })
					winner = name + x + y
				})
			}
			c.Block(func() bool { return winner != "" })
			for _, b := range blocks {
				b.Kill()
			}
			return winner, nil
		})
		s.wants(s.turn(), replay.Continue, "1 OrchestrationStarted", "2 ActivityScheduled(slow-x)", "3 ActivityScheduled(slow-y)",
			"4 ActivityScheduled(fast-x)", "5 ActivityScheduled(fast-y)")
		s.wants(s.turn(done(3, "?"), done(5, "Y"), done(4, "X")), replay.Completed, "6<3 ActivityCompleted(?)", "7<5 ActivityCompleted(Y)",
			"8<4 ActivityCompleted(X)", "9<2 ActivityCancelRequested(dropped_future)", "10 OrchestrationCompleted(fastXY)")
	})
}

// TestSelectSeesOneCompletionAtATime: however many arrive together.
func TestSelectSeesOneCompletionAtATime(t *testing.T) {
	t.Parallel()
	code := func(c *replay.Context, _ string) (string, error) {
		a, b, e := act(c, "a"), second(c), c.Wait("go")
		return fmt.Sprint(choose(c, a, b, e)), nil
	}
	for want, messages := range map[string][]core.WorkItem{
		"0": {done(2, ""), fired(3), raised("go", "")},
		"1": {fired(3), done(2, ""), raised("go", "")},
		"2": {raised("go", ""), fired(3), done(2, "")},
	} {
		s := newSim(t, code)
		s.turn()
		out := s.turn(messages...)
		if got := *out.Metadata.Output; got != want {
			t.Errorf("%s: winner %s, want %s", show(out.Delta), got, want)
		}
	}
}

func TestManyChildren(t *testing.T) {
	const n = 1024
	var messages []core.WorkItem
	for i := range uint64(n) {
		messages = append(messages, childDone(n+1-i, "r")) // last first
	}
	start := func(c *replay.Context) []*replay.Future {
		futures := make([]*replay.Future, n)
		for i := range futures {
			futures[i] = c.Child("k", "", "x", nil)
		}
		return futures
	}
	t.Run("joined", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			return fmt.Sprint(len(join(c, start(c)...))), nil
		})
		s.turn()
		if out := s.turn(messages...); out.Result != replay.Completed || *out.Metadata.Output != "1024" {
			t.Errorf("%v: %v", out.Result, out.Failure)
		}
	})
	t.Run("raced", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			futures := start(c)
			winner := race(c, futures...)
			must(c, futures[winner])
			return fmt.Sprint(winner), nil
		})
		s.turn()
		out := s.turn(messages[0])
		if *out.Metadata.Output != "1023" || len(out.OrchestratorItems) != n-1 {
			t.Errorf("winner %s, %d children cancelled", *out.Metadata.Output, len(out.OrchestratorItems))
		}
	})
	t.Run("each in a block", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			finished := 0
			for range n {
				c.Go(func(c *replay.Context) {
					must(c, c.Child("k", "", "x", nil))
					finished++
				})
			}
			c.Block(func() bool { return finished == n })
			return fmt.Sprint(finished), nil
		})
		s.turn()
		if out := s.turn(messages...); out.Result != replay.Completed {
			t.Errorf("%v: %v", out.Result, out.Failure)
		}
	})
}
