package replay_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

type panickyError struct{}

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
			func(*replay.Context, string) (string, error) { var m map[string]int; m["x"] = 1; return "", nil }, //nolint:staticcheck,govet // on purpose
			"assignment to entry in nil map",
		},
		"NUL":                      {func(*replay.Context, string) (string, error) { panic("a\x00b") }, "a�b"},
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
