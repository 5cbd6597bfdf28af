package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

const (
	immediate = "0.1.31"
	legacy    = "0.1.30"
)

// TestRacePolicies has the two policies meet the same batches. Every turn of
// them is also replayed cold.
func TestRacePolicies(t *testing.T) {
	// raceThen waits for a first thing against the timer 3, then for another.
	raceThen := func(subscribe func(c *replay.Context) *replay.Future) replay.Handler {
		return func(c *replay.Context, _ string) (string, error) {
			f := subscribe(c)
			if race(c, f, second(c)) == 0 {
				return "first " + must(c, f), nil
			}
			return "second " + must(c, subscribe(c)), nil
		}
	}
	wait := func(c *replay.Context) *replay.Future { return c.Wait("go") }
	dequeue := func(c *replay.Context) *replay.Future { return c.Dequeue("q") }
	// three races one of each, and reads the queue.
	three := func(c *replay.Context, _ string) (string, error) {
		s, m := wait(c), dequeue(c)
		winner := race(c, s, m, second(c))
		return fmt.Sprint(winner, " ", must(c, dequeue(c))), nil
	}
	const quiescing = "dropped while the turn goes on with what was there"
	type outcome struct {
		result replay.Result
		output string
	}
	waiting := outcome{result: replay.Continue}
	completed := func(s string) outcome { return outcome{replay.Completed, s} }
	tests := map[string]struct {
		code              replay.Handler
		turns             [][]core.WorkItem
		immediate, legacy outcome
	}{
		"signal, then timer": {
			raceThen(wait), [][]core.WorkItem{{raised("go", "1"), fired(3)}}, completed("first 1"), completed("first 1"),
		},
		"timer, then signal: early for the second wait": {
			raceThen(wait), [][]core.WorkItem{{fired(3), raised("go", "1")}}, waiting, waiting,
		},
		"timer, then signal, then one for the bound wait": {
			raceThen(wait), [][]core.WorkItem{{fired(3), raised("go", "1")}, {raised("go", "2")}},
			// The old policy kept the first in the slot of the dropped wait.
			// The cancel row hands it on, which refuses the second, but wakes
			// nobody: a known hazard of it.
			completed("second 2"), waiting,
		},
		"timer, then a signal in the next turn": {
			raceThen(wait), [][]core.WorkItem{{fired(3)}, {raised("go", "1")}}, completed("second 1"), completed("second 1"),
		},
		"two signals, then timer": {
			raceThen(wait), [][]core.WorkItem{{raised("go", "1"), raised("go", "2"), fired(3)}}, completed("first 1"), completed("first 1"),
		},
		"message, then timer": {
			raceThen(dequeue), [][]core.WorkItem{{queued("q", "1"), fired(3)}}, completed("first 1"), completed("first 1"),
		},
		"timer, then message: it is for the second dequeue": {
			// Live, the old policy reserves the message for the dropped one
			// until the end of the walk.
			raceThen(dequeue), [][]core.WorkItem{{fired(3), queued("q", "1")}}, completed("second 1"), completed("second 1"),
		},
		"timer, then message in the next turn": {
			raceThen(dequeue), [][]core.WorkItem{{fired(3)}, {queued("q", "1")}}, completed("second 1"), completed("second 1"),
		},
		"a wait that was dropped before it was bound": {
			func(c *replay.Context, _ string) (string, error) {
				wait(c).Drop()
				return await(c, wait(c))
			},
			[][]core.WorkItem{{raised("go", "1")}}, completed("1"), completed("1"),
		},
		"a dequeue that was dropped before it was bound": {
			func(c *replay.Context, _ string) (string, error) {
				dequeue(c).Drop()
				return await(c, dequeue(c))
			},
			[][]core.WorkItem{{queued("q", "1")}}, completed("1"), completed("1"),
		},
		"a dequeue that was dropped after it was bound": {
			func(c *replay.Context, _ string) (string, error) {
				f := dequeue(c)
				must(c, second(c))
				f.Drop()
				return await(c, dequeue(c))
			},
			[][]core.WorkItem{{fired(3)}, {queued("q", "1")}}, completed("1"), completed("1"),
		},
		"two dequeues that lose to a timer, then two messages": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, dequeue(c), dequeue(c), second(c))
				return must(c, dequeue(c)) + must(c, dequeue(c)), nil
			},
			[][]core.WorkItem{{fired(4), queued("q", "1"), queued("q", "2")}}, completed("12"), completed("12"),
		},
		"one of two dequeues loses, the other is held on to": {
			func(c *replay.Context, _ string) (string, error) {
				held, lost := dequeue(c), dequeue(c)
				race(c, lost, second(c))
				return must(c, held) + must(c, dequeue(c)), nil
			},
			[][]core.WorkItem{{fired(4), queued("q", "1"), queued("q", "2")}}, completed("12"), completed("12"),
		},
		quiescing: {
			func(c *replay.Context, _ string) (string, error) {
				must(c, second(c))
				a, b := dequeue(c), dequeue(c)
				winner := race(c, b, a)
				return fmt.Sprint(winner, must(c, a), must(c, dequeue(c))), nil
			},
			// The old policy lets go of it when its row is replayed, which wakes
			// nobody.
			[][]core.WorkItem{{queued("q", "1"), queued("q", "2")}, {fired(2)}}, completed("112"), waiting,
		},
		"two dequeues of one queue, raced": {
			func(c *replay.Context, _ string) (string, error) {
				a, b := dequeue(c), dequeue(c)
				if race(c, b, a) == 0 {
					return "b " + must(c, b), nil
				}
				return "a " + must(c, a) + ", next " + must(c, dequeue(c)), nil
			},
			[][]core.WorkItem{{queued("q", "1"), queued("q", "2")}}, completed("a 1, next 2"), completed("a 1, next 2"),
		},
		"two waits, a timer and two signals": {
			func(c *replay.Context, _ string) (string, error) {
				a, b := wait(c), wait(c)
				race(c, a, second(c))
				if b.Ready() {
					return "b has it", nil
				}
				return "b " + must(c, b), nil
			},
			// A dropped wait hands its place on to the next one.
			[][]core.WorkItem{{fired(4), raised("go", "1"), raised("go", "2")}}, completed("b 1"), completed("b 2"),
		},
		"a wait, a dequeue and a timer: the timer": {
			three, [][]core.WorkItem{{fired(4), raised("go", "s"), queued("q", "m")}}, completed("2 m"), completed("2 m"),
		},
		"a wait, a dequeue and a timer: the signal": {
			three, [][]core.WorkItem{{raised("go", "s"), queued("q", "m"), fired(4)}}, completed("0 m"), completed("0 m"),
		},
		"a wait, a dequeue and a timer: the message": {
			three, [][]core.WorkItem{{queued("q", "m"), fired(4), raised("go", "s"), queued("q", "n")}}, completed("1 n"), completed("1 n"),
		},
		"a wait that lost, then continue as new": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, wait(c), second(c))
				must(c, second(c))
				return "", &replay.ContinueAsNew{Input: "next"}
			},
			[][]core.WorkItem{{fired(3), raised("go", "1")}, {fired(6)}},
			outcome{replay.ContinuedAsNew, "next"}, outcome{replay.ContinuedAsNew, "next"},
		},
		"a signal that a dropped wait had is gone": {
			func(c *replay.Context, _ string) (string, error) {
				a, b := wait(c), wait(c)
				must(c, second(c))
				a.Drop() // it had the first signal
				return await(c, b)
			},
			[][]core.WorkItem{{raised("go", "1"), fired(4), raised("go", "2")}}, completed("2"), completed("2"),
		},
	}
	for name, tt := range tests {
		for stamp, want := range map[string]outcome{immediate: tt.immediate, legacy: tt.legacy} {
			t.Run(name+", stamp "+stamp, func(t *testing.T) {
				t.Parallel()
				s := newSim(t, tt.code)
				s.stamp = stamp
				s.turn()
				var out replay.Output
				for _, messages := range tt.turns {
					out = s.turn(messages...)
				}
				got := outcome{result: out.Result}
				if out.Metadata.Output != nil {
					got.output = *out.Metadata.Output
				}
				history := strings.Join(show(s.history), "\n")
				if name == quiescing && !strings.Contains(history, "9<7 ExternalSubscribedPersistentCancelled(dropped_future)") {
					t.Errorf("its row is missing:\n%s", history)
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
					t.Errorf("outcome (-want +got):\n%s\nhistory:\n%s", diff, history)
				}
			})
		}
	}
}

// TestStampPicksThePolicy tells the policies apart by whether a dropped wait
// still takes the signal that comes next.
func TestStampPicksThePolicy(t *testing.T) {
	tests := []struct {
		stamp  string
		legacy bool
	}{
		{"0.1.30", true}, {"0.1.31", false}, {"0.1.32", false}, {"1.0.0", false}, {"0.2.0", false},
		{"0.1.31-rc.1", true}, {"0.1.31-0", true}, {"0.1.32-rc.1", false}, {"0.1.31+build.5", false}, {"0.1.30+build.5", true},
		{"", true}, {"0.1", true}, {"v0.1.31", true}, {"0.1.31-", true}, {"latest", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.stamp), func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, _ string) (string, error) {
				a, b := c.Wait("go"), c.Wait("go")
				race(c, a, second(c))
				return must(c, b), nil
			})
			s.stamp = tt.stamp
			s.unchecked = true
			s.turn()
			s.turn()
			out := s.turn(fired(4), raised("go", "first"), raised("go", "second"))
			want := "first"
			if tt.legacy {
				want = "second"
			}
			if out.Metadata.Output == nil || *out.Metadata.Output != want {
				t.Errorf("output %v, want %s", out.Metadata.Output, want)
			}
			if _, err := core.ParseVersion(tt.stamp); err != nil {
				s.wantLog("unreadable version stamp", 3) // in every turn
			}
		})
	}
}

func TestPositionalEvents(t *testing.T) {
	t.Run("the n-th wait takes the n-th event", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			a, b := c.Wait("go"), c.Wait("go")
			return strings.Join(join(c, b, a), ","), nil
		})
		s.turn()
		s.wants(s.turn(raised("go", "1")), replay.Continue, "4 ExternalEvent(go=1)")
		s.wants(s.turn(raised("go", "2")), replay.Completed, "5 ExternalEvent(go=2)", "6 OrchestrationCompleted(2,1)")
	})
	t.Run("one before the wait is lost, live and on replay", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			must(c, act(c, "a"))
			return await(c, c.Wait("go"))
		})
		s.turn()
		s.turn(raised("go", "early"))
		s.wantLog("external event dropped", 1) // not again on replay
		s.wants(s.turn(done(2, "")), replay.Continue, "4<2 ActivityCompleted", "5 ExternalSubscribed(go)")
		s.wants(s.turn(raised("go", "late")), replay.Completed, "6 ExternalEvent(go=late)", "7 OrchestrationCompleted(late)")
	})
	t.Run("a cancelled wait does not take a later event", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			race(c, c.Wait("go"), act(c, "a"))
			return await(c, c.Wait("go"))
		})
		s.turn()
		s.turn(done(3, ""))
		s.wants(s.turn(raised("go", "1")), replay.Completed, "7 ExternalEvent(go=1)", "8 OrchestrationCompleted(1)")
	})
	t.Run("a race of waits that are made late keeps its winner", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			must(c, second(c))
			b, a := c.Wait("b"), c.Wait("a")
			winner := race(c, a, b)
			must(c, act(c, "x"))
			return fmt.Sprint(winner), nil
		})
		s.turn()
		s.turn(fired(2))
		out := s.turn(raised("b", "1"), raised("a", "2"))
		s.wants(out, replay.Continue, "6 ExternalEvent(b=1)", "7 ExternalEvent(a=2)", "8 ActivityScheduled(x)",
			"9<5 ExternalSubscribedCancelled(dropped_future)")
		s.wants(s.turn(done(8, "")), replay.Completed, "10<8 ActivityCompleted", "11 OrchestrationCompleted(1)")
	})
	t.Run("names do not mix, nor do events and messages", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			return strings.Join(join(c, c.Wait("x"), c.Wait("y"), c.Dequeue("x"), c.Dequeue("y")), ","), nil
		})
		s.turn()
		out := s.turn(queued("y", "qy"), raised("y", "ey"), queued("x", "qx"), raised("x", "ex"))
		if *out.Metadata.Output != "ex,ey,qx,qy" {
			t.Errorf("output %s", *out.Metadata.Output)
		}
	})
	t.Run("an end leaves a row for every wait without its event", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, func(c *replay.Context, _ string) (string, error) {
			c.Go(func(c *replay.Context) { join(c, c.Wait("a"), c.Wait("a"), c.Dequeue("q"), c.Dequeue("q")) })
			must(c, second(c))
			return "", &replay.ContinueAsNew{}
		})
		s.turn()
		s.turn(raised("a", "1"), queued("q", "1"), raised("other", ""))
		s.wants(s.turn(fired(2)), replay.ContinuedAsNew, "10<2 TimerFired",
			"11<4 ExternalSubscribedCancelled(orchestration_terminal)", "12<6 ExternalSubscribedPersistentCancelled(orchestration_terminal)",
			"13 OrchestrationContinuedAsNew")
	})
}
