package replay_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

type panickyError struct{ error }

func (panickyError) Error() string { panic("Error panics") }

func TestPanics(t *testing.T) {
	value := struct{ A int }{7}
	tests := map[string]struct {
		code replay.Handler
		text string
	}{
		"string": {func(*replay.Context, string) (string, error) { panic("boom") }, "boom"},
		"error":  {func(*replay.Context, string) (string, error) { panic(errors.New("an error")) }, "an error"},
		"other":  {func(*replay.Context, string) (string, error) { panic(value) }, "{7}"},
		"nil":    {func(*replay.Context, string) (string, error) { panic(nil) }, "panic called with nil argument"}, //nolint:govet // on purpose
		"runtime error": {
			func(*replay.Context, string) (string, error) { var m map[string]int; m["x"] = 1; return "", nil }, //nolint:staticcheck // on purpose
			"assignment to entry in nil map",
		},
		"invalid UTF-8":            {func(*replay.Context, string) (string, error) { panic("a\xffb") }, "a�b"},
		"an error that panics":     {func(*replay.Context, string) (string, error) { panic(panickyError{}) }, "%!v(PANIC=Error method: Error panics)"},
		"a returned one that does": {func(*replay.Context, string) (string, error) { return "", panickyError{} }, "Error panics"},
		"in a block": {func(c *replay.Context, _ string) (string, error) {
			c.Go(func(*replay.Context) { panic("boom") })
			return must(c, act(c, "a")), nil
		}, "boom"},
		"in a deferred function": {func(*replay.Context, string) (string, error) { defer func() { panic("boom") }(); return "", nil }, "boom"},
		"Goexit":                 {func(*replay.Context, string) (string, error) { runtime.Goexit(); return "", nil }, "orchestration code called runtime.Goexit"},
		"Goexit in a block": {func(c *replay.Context, _ string) (string, error) {
			c.Go(func(*replay.Context) { runtime.Goexit() })
			return must(c, act(c, "a")), nil
		}, "orchestration code called runtime.Goexit"},
		"detached, a reserved id": {func(c *replay.Context, _ string) (string, error) { c.Detached("f", "sub::1", "", nil); return "", nil }, "instance id 'sub::1' uses the reserved sub-orchestration marker 'sub::'"},
		"detached, a reserved part": {func(c *replay.Context, _ string) (string, error) {
			c.Detached("f", "a::sub::b", "", nil)
			return "", nil
		}, "instance id 'a::sub::b' uses the reserved sub-orchestration marker 'sub::'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			out := s.turn()
			details, ok := out.Failure.(core.ApplicationError)
			if !ok || details.Kind != core.KindPanicked || details.Message != tt.text {
				t.Errorf("failure %#v, want a panic with %q", out.Failure, tt.text)
			}
			// What the panicking poll asked for is lost.
			s.wants(out, replay.Failed, "1 OrchestrationStarted", "2 OrchestrationFailed(orchestration panicked: "+tt.text+")")
			if !strings.HasPrefix(name, "Goexit") && !strings.Contains(out.PanicStack, "coroutine_test.go") {
				t.Errorf("the stack does not show the user's code:\n%s", out.PanicStack)
			}
		})
	}
}

func TestPanicInALaterPoll(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		must(c, act(c, "a"))
		panic("late")
	})
	s.turn()
	s.wants(s.turn(done(2, "r")), replay.Failed, "3<2 ActivityCompleted(r)", "4 OrchestrationFailed(orchestration panicked: late)")
}

// TestDetachedStartBeforeAPanic: what is recorded is sent.
func TestDetachedStartBeforeAPanic(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		c.Detached("f", "free", "x", nil)
		must(c, c.Dequeue("q"))
		panic("after the bind")
	})
	s.started.CarryForwardEvents = []core.QueueEvent{{Name: "q", Data: "m"}}
	out := s.turn(queued("q", "m"))
	s.wants(out, replay.Failed, "1 OrchestrationStarted", "2 ExternalEventPersistent(q=m)", "3 OrchestrationChained(f@free)",
		"4 ExternalSubscribedPersistent(q)", "5 OrchestrationFailed(orchestration panicked: after the bind)")
	if len(out.OrchestratorItems) != 1 || out.OrchestratorItems[0].RoutingInstance() != "free" {
		t.Errorf("sent: %s", dump(out.OrchestratorItems))
	}
}

// within fails the test when f does not return soon.
func within(t *testing.T, f func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the turn hangs")
	}
}

// TestTearDown: at the end of a turn suspended code unwinds, whatever it does.
func TestTearDown(t *testing.T) {
	var ran []string
	note := func(s string) { ran = append(ran, s) }
	tests := map[string]struct {
		code replay.Handler
		ran  []string
	}{
		"deferred functions run, innermost first": {
			func(c *replay.Context, _ string) (string, error) {
				defer note("outer")
				defer note("inner")
				return await(c, act(c, "a"))
			}, []string{"inner", "outer"},
		},
		"in blocks too, started or not": {
			func(c *replay.Context, _ string) (string, error) {
				defer note("root")
				c.Go(func(c *replay.Context) {
					defer note("block")
					must(c, second(c))
				})
				return await(c, act(c, "a"))
			}, []string{"root", "block"},
		},
		"code that recovers in a loop": {
			func(c *replay.Context, _ string) (string, error) {
				defer note("ended")
				f := act(c, "a")
				for {
					func() {
						defer func() { _ = recover() }()
						must(c, f)
					}()
				}
			}, []string{"ended"},
		},
		"a deferred function that recovers in a loop": {
			func(c *replay.Context, _ string) (string, error) {
				defer note("ended")
				defer func() {
					for {
						func() {
							defer func() { _ = recover() }()
							c.SetStatus(nil)
						}()
					}
				}()
				return await(c, act(c, "a"))
			}, []string{"ended"},
		},
		"a deferred function that panics": {
			func(c *replay.Context, _ string) (string, error) {
				defer note("ended")
				defer func() { panic("at the end") }()
				return await(c, act(c, "a"))
			}, []string{"ended"},
		},
		"a deferred function that cancels": {
			func(c *replay.Context, _ string) (string, error) {
				f := act(c, "a")
				defer f.Drop()
				b := c.Go(func(c *replay.Context) { must(c, act(c, "b")) })
				defer b.Kill()
				return await(c, f)
			}, nil,
		},
		"deferred functions that use the context": {
			func(c *replay.Context, _ string) (string, error) {
				for _, use := range []func(){
					func() { act(c, "late") },
					func() { second(c) },
					func() { c.Detached("f", "x", "", nil) },
					func() { c.KVSet("k", "v") },
					func() { c.SetStatus(new("late")) },
					func() { c.Go(func(*replay.Context) {}) },
					func() { c.Now() },
				} {
					defer func() {
						use()
						note("not reached")
					}()
				}
				return await(c, act(c, "a"))
			}, nil,
		},
	}
	for name, tt := range tests { // not parallel: they share ran
		t.Run(name, func(t *testing.T) {
			ran = nil
			s := newSim(t, tt.code)
			s.unchecked = true
			within(t, func() {
				out := s.turn()
				for _, ev := range out.Delta {
					switch ev.Data.(type) {
					case core.OrchestrationStarted, core.ActivityScheduled, core.TimerCreated:
					default:
						t.Errorf("the end of the turn left %s", show([]core.Event{ev}))
					}
				}
				if out.Result != replay.Continue {
					t.Errorf("result %v: %v", out.Result, out.Failure)
				}
			})
			if diff := cmp.Diff(tt.ran, ran); diff != "" {
				t.Errorf("deferred functions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContextOutsideItsCoroutine(t *testing.T) {
	const text = "durable: orchestration context used outside its function or block"
	tests := map[string]replay.Handler{
		"in a block": func(outer *replay.Context, _ string) (string, error) {
			outer.Go(func(*replay.Context) { act(outer, "a") })
			return await(outer, second(outer))
		},
		"of a block": func(outer *replay.Context, _ string) (string, error) {
			var inner *replay.Context
			outer.Go(func(c *replay.Context) {
				inner = c
				must(c, second(c))
			})
			must(outer, outer.Dequeue("q"))
			return await(outer, act(inner, "a"))
		},
	}
	for name, code := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, code)
			out := s.turn(queued("q", "m"))
			if out.Failure == nil || !strings.Contains(out.Failure.Error(), text) {
				t.Errorf("failure %v", out.Failure)
			}
		})
	}
	t.Run("after its turn", func(t *testing.T) {
		t.Parallel()
		var c *replay.Context
		s := newSim(t, func(ctx *replay.Context, _ string) (string, error) { c = ctx; return "", nil })
		s.turn()
		defer func() {
			if r := recover(); r != text {
				t.Errorf("recovered %v", r)
			}
		}()
		act(c, "a")
	})
}

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
