package replay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// TestDroppedFutures: a future that nobody wants any more leaves a row, and
// what it stands for is cancelled.
func TestDroppedFutures(t *testing.T) {
	ids := func(ids ...uint64) []core.ActivityIdentifier {
		var out []core.ActivityIdentifier
		for _, id := range ids {
			out = append(out, core.ActivityIdentifier{Instance: "inst", ExecutionID: 1, ActivityID: id})
		}
		return out
	}
	kid := func(c *replay.Context) *replay.Future { return c.Child("k", "", "x", nil) }
	stop := func(instance string) core.WorkItem {
		return core.CancelInstanceItem{Instance: instance, Reason: "parent dropped sub-orchestration future"}
	}
	mixed := func(c *replay.Context, _ string) (string, error) {
		race(c, c.Dequeue("q"), act(c, "a"), second(c))
		return "", nil
	}
	const schedule = "1 OrchestrationStarted"
	tests := map[string]struct {
		code      replay.Handler
		before    [][]core.WorkItem
		events    []string
		result    replay.Result
		cancelled []core.ActivityIdentifier
		children  []core.WorkItem
	}{
		"an activity that loses to a timer": {
			func(c *replay.Context, _ string) (string, error) { race(c, act(c, "a"), second(c)); return "", nil },
			[][]core.WorkItem{nil, {fired(3)}},
			[]string{"4<3 TimerFired", "5<2 ActivityCancelRequested(dropped_future)", "6 OrchestrationCompleted"},
			replay.Completed, ids(2), nil,
		},
		"a timer that loses leaves no trace": {
			func(c *replay.Context, _ string) (string, error) {
				a := act(c, "a")
				race(c, a, second(c))
				return must(c, a), nil
			},
			[][]core.WorkItem{nil, {done(2, "r")}},
			[]string{"4<2 ActivityCompleted(r)", "5 OrchestrationCompleted(r)"}, replay.Completed, nil, nil,
		},
		"two activities, in the order of their ids": {
			func(c *replay.Context, _ string) (string, error) {
				a, b := act(c, "a"), act(c, "b")
				race(c, b, second(c), a)
				return "", nil
			},
			[][]core.WorkItem{nil, {fired(4)}},
			[]string{
				"5<4 TimerFired", "6<2 ActivityCancelRequested(dropped_future)", "7<3 ActivityCancelRequested(dropped_future)", "8 OrchestrationCompleted",
			}, replay.Completed, ids(2, 3), nil,
		},
		"an activity in the turn that scheduled it": {
			func(c *replay.Context, _ string) (string, error) { act(c, "a").Drop(); return await(c, second(c)) },
			[][]core.WorkItem{nil},
			[]string{schedule, "2 ActivityScheduled(a)", "3 TimerCreated", "4<2 ActivityCancelRequested(dropped_future)"},
			replay.Continue, ids(2), nil,
		},
		"a timer": {
			func(c *replay.Context, _ string) (string, error) { second(c).Drop(); return await(c, act(c, "a")) },
			[][]core.WorkItem{nil},
			[]string{schedule, "2 TimerCreated", "3 ActivityScheduled(a)"}, replay.Continue, nil, nil,
		},
		"a timer that fires all the same": {
			func(c *replay.Context, _ string) (string, error) { second(c).Drop(); return await(c, act(c, "a")) },
			[][]core.WorkItem{nil, {fired(2)}}, []string{"4<2 TimerFired"}, replay.Continue, nil, nil,
		},
		"activities and a timer": {
			func(c *replay.Context, _ string) (string, error) {
				for _, f := range []*replay.Future{act(c, "a"), second(c), act(c, "b")} {
					f.Drop()
				}
				return await(c, second(c))
			},
			[][]core.WorkItem{nil},
			[]string{
				schedule, "2 ActivityScheduled(a)", "3 TimerCreated", "4 ActivityScheduled(b)", "5 TimerCreated",
				"6<2 ActivityCancelRequested(dropped_future)", "7<4 ActivityCancelRequested(dropped_future)",
			}, replay.Continue, ids(2, 4), nil,
		},
		"a wait": {
			func(c *replay.Context, _ string) (string, error) { c.Wait("go").Drop(); return await(c, second(c)) },
			[][]core.WorkItem{nil},
			[]string{schedule, "2 ExternalSubscribed(go)", "3 TimerCreated", "4<2 ExternalSubscribedCancelled(dropped_future)"}, replay.Continue, nil, nil,
		},
		"a dequeue": {
			func(c *replay.Context, _ string) (string, error) { c.Dequeue("q").Drop(); return await(c, second(c)) },
			[][]core.WorkItem{nil},
			[]string{schedule, "2 ExternalSubscribedPersistent(q)", "3 TimerCreated", "4<2 ExternalSubscribedPersistentCancelled(dropped_future)"},
			replay.Continue, nil, nil,
		},
		"a child": {
			func(c *replay.Context, _ string) (string, error) { kid(c).Drop(); return await(c, second(c)) },
			[][]core.WorkItem{nil},
			[]string{schedule, "2 SubOrchestrationScheduled(k@sub::2)", "3 TimerCreated", "4<2 SubOrchestrationCancelRequested(dropped_future)"},
			replay.Continue, nil, []core.WorkItem{stop("inst::sub::2")},
		},
		"a child with an id of its own that loses a race": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, c.Child("k", "own", "x", nil), second(c))
				return "", nil
			},
			[][]core.WorkItem{nil, {fired(3)}},
			[]string{"4<3 TimerFired", "5<2 SubOrchestrationCancelRequested(dropped_future)", "6 OrchestrationCompleted"},
			replay.Completed, nil, []core.WorkItem{stop("own")},
		},
		"a child that was awaited": {
			func(c *replay.Context, _ string) (string, error) {
				f := kid(c)
				must(c, f)
				f.Drop()
				return await(c, second(c))
			},
			[][]core.WorkItem{nil, {childDone(2, "r")}},
			[]string{"3<2 SubOrchestrationCompleted(r)", "4 TimerCreated"}, replay.Continue, nil, nil,
		},
		"one of each kind: rows by kind, then by id": {
			func(c *replay.Context, _ string) (string, error) {
				c.Dequeue("q")
				c.Wait("go")
				kid(c)
				act(c, "a")
				c.Wait("go")
				act(c, "b")
				return "", errors.New("over")
			},
			[][]core.WorkItem{nil},
			[]string{
				schedule, "2 ExternalSubscribedPersistent(q)", "3 ExternalSubscribed(go)", "4 SubOrchestrationScheduled(k@sub::4)",
				"5 ActivityScheduled(a)", "6 ExternalSubscribed(go)", "7 ActivityScheduled(b)",
				"8<5 ActivityCancelRequested(dropped_future)", "9<7 ActivityCancelRequested(dropped_future)",
				"10<4 SubOrchestrationCancelRequested(dropped_future)",
				"11<3 ExternalSubscribedCancelled(dropped_future)", "12<6 ExternalSubscribedCancelled(dropped_future)",
				"13<2 ExternalSubscribedPersistentCancelled(dropped_future)", "14 OrchestrationFailed(over)",
			}, replay.Failed, ids(5, 7), []core.WorkItem{stop("inst::sub::4")},
		},
		"an activity and a timer that lose to a message": {
			mixed, [][]core.WorkItem{nil, {queued("q", "m")}},
			[]string{"5 ExternalEventPersistent(q=m)", "6<3 ActivityCancelRequested(dropped_future)", "7 OrchestrationCompleted"},
			replay.Completed, ids(3), nil,
		},
		"a dequeue and a timer that lose to an activity": {
			mixed, [][]core.WorkItem{nil, {done(3, "r"), queued("q", "m")}},
			[]string{
				"5<3 ActivityCompleted(r)", "6 ExternalEventPersistent(q=m)", "7<2 ExternalSubscribedPersistentCancelled(dropped_future)",
				"8 OrchestrationCompleted",
			}, replay.Completed, nil, nil,
		},
		"a dequeue and an activity that lose to a timer": {
			mixed, [][]core.WorkItem{nil, {fired(4)}},
			[]string{
				"5<4 TimerFired", "6<3 ActivityCancelRequested(dropped_future)", "7<2 ExternalSubscribedPersistentCancelled(dropped_future)",
				"8 OrchestrationCompleted",
			}, replay.Completed, ids(3), nil,
		},
		"a child, before a continue as new: it is left alone": {
			func(c *replay.Context, _ string) (string, error) {
				f := kid(c)
				must(c, second(c))
				f.Drop()
				return "", &replay.ContinueAsNew{Input: "n"}
			},
			[][]core.WorkItem{nil, {fired(3)}},
			[]string{"4<3 TimerFired", "5 OrchestrationContinuedAsNew(n)"}, replay.ContinuedAsNew, nil, nil,
		},
		"while the turn goes on with a message that was there": {
			func(c *replay.Context, _ string) (string, error) {
				must(c, second(c))
				race(c, act(c, "a"), c.Dequeue("q"))
				return await(c, act(c, "b"))
			},
			[][]core.WorkItem{nil, {queued("q", "m")}, {fired(2)}},
			[]string{
				"4<2 TimerFired", "5 ActivityScheduled(a)", "6 ExternalSubscribedPersistent(q)", "7 ActivityScheduled(b)",
				"8<5 ActivityCancelRequested(dropped_future)",
			}, replay.Continue, ids(5), nil,
		},
		"completed, never awaited": {
			func(c *replay.Context, _ string) (string, error) { act(c, "a"); return await(c, second(c)) },
			[][]core.WorkItem{nil, {done(2, "r"), fired(3)}},
			[]string{"4<2 ActivityCompleted(r)", "5<3 TimerFired", "6<2 ActivityCancelRequested(dropped_future)", "7 OrchestrationCompleted"},
			replay.Completed, ids(2), nil,
		},
		"in a later turn, before more work": {
			func(c *replay.Context, _ string) (string, error) {
				a := act(c, "a")
				must(c, second(c))
				a.Drop()
				return await(c, act(c, "b"))
			},
			[][]core.WorkItem{nil, {fired(3)}},
			[]string{"4<3 TimerFired", "5 ActivityScheduled(b)", "6<2 ActivityCancelRequested(dropped_future)"}, replay.Continue, ids(2), nil,
		},
		"the result comes after the row": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, act(c, "a"), second(c))
				return await(c, act(c, "b"))
			},
			[][]core.WorkItem{nil, {fired(3)}, {done(2, "late")}},
			[]string{"7<2 ActivityCompleted(late)"}, replay.Continue, nil, nil,
		},
		"nothing is sent again when the row is stored": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, act(c, "a"), kid(c), second(c))
				return await(c, act(c, "b"))
			},
			[][]core.WorkItem{nil, {fired(4)}, {done(6, "r")}},
			[]string{"9<6 ActivityCompleted(r)", "10 OrchestrationCompleted(r)"}, replay.Completed, nil, nil,
		},
		"more later, when some are stored": {
			func(c *replay.Context, _ string) (string, error) {
				race(c, act(c, "a"), second(c))
				race(c, act(c, "b"), second(c))
				return "", nil
			},
			[][]core.WorkItem{nil, {fired(3)}, {fired(6)}},
			[]string{"8<6 TimerFired", "9<5 ActivityCancelRequested(dropped_future)", "10 OrchestrationCompleted"}, replay.Completed, ids(5), nil,
		},
		"a loser that is awaited says so": {
			func(c *replay.Context, _ string) (string, error) {
				a := act(c, "a")
				race(c, a, second(c))
				_, err := await(c, a)
				return "", err
			},
			[][]core.WorkItem{nil, {fired(3)}},
			[]string{"4<3 TimerFired", "5<2 ActivityCancelRequested(dropped_future)", "6 OrchestrationFailed(" + replay.ErrDropped.Error() + ")"},
			replay.Failed, ids(2), nil,
		},
		"a borrowed loser goes on": {
			func(c *replay.Context, _ string) (string, error) {
				a := act(c, "a")
				choose(c, a, second(c))
				return await(c, a)
			},
			[][]core.WorkItem{nil, {fired(3)}, {done(2, "r")}},
			[]string{"5<2 ActivityCompleted(r)", "6 OrchestrationCompleted(r)"}, replay.Completed, nil, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, tt.code)
			var out replay.Output
			for _, messages := range tt.before {
				out = s.turn(messages...)
			}
			s.wants(out, tt.result, tt.events...)
			if diff := cmp.Diff(tt.cancelled, out.CancelledActivities); diff != "" {
				t.Errorf("cancelled activities (-want +got):\n%s", diff)
			}
			var children []core.WorkItem
			for _, item := range out.OrchestratorItems {
				if _, ok := item.(core.CancelInstanceItem); ok {
					children = append(children, item)
				}
			}
			if diff := cmp.Diff(tt.children, children); diff != "" {
				t.Errorf("cancelled children (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCancellationsComeLast: after the start of others and the parent's notice.
func TestCancellationsComeLast(t *testing.T) {
	t.Parallel()
	s := newSim(t, func(c *replay.Context, _ string) (string, error) {
		c.Child("k", "own", "x", nil)
		c.Detached("f", "free", "x", nil)
		return "", nil
	})
	s.started.ParentInstance, s.started.ParentID, s.started.ParentExecutionID = new("p"), new(uint64(2)), new(uint64(1))
	var got []string
	for _, item := range s.turn().OrchestratorItems {
		got = append(got, item.ItemType()+" "+item.RoutingInstance())
	}
	if diff := cmp.Diff([]string{"StartOrchestration free", "SubOrchCompleted p", "CancelInstance own"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestRecordedDrops: what history says was given up, the code must give up.
func TestRecordedDrops(t *testing.T) {
	data := map[string]struct {
		schedule, row core.EventData
		code          func(c *replay.Context) *replay.Future
		text          string
	}{
		"activity": {
			core.ActivityScheduled{Name: "a", Input: "x"}, core.ActivityCancelRequested{Reason: "dropped_future"},
			func(c *replay.Context) *replay.Future { return act(c, "a") }, "cancellation mismatch (activities)",
		},
		"child": {
			core.SubOrchestrationScheduled{Name: "k", Instance: "own", Input: "x"}, core.SubOrchestrationCancelRequested{Reason: "dropped_future"},
			func(c *replay.Context) *replay.Future { return c.Child("k", "own", "x", nil) }, "cancellation mismatch (sub-orchestrations)",
		},
		"wait": {
			core.ExternalSubscribed{Name: "go"}, core.ExternalSubscribedCancelled{Reason: "dropped_future"},
			func(c *replay.Context) *replay.Future { return c.Wait("go") }, "cancellation mismatch (external waits)",
		},
		"dequeue": {
			core.QueueSubscribed{Name: "q"}, core.QueueSubscriptionCancelled{Reason: "dropped_future"},
			func(c *replay.Context) *replay.Future { return c.Dequeue("q") }, "cancellation mismatch (persistent waits)",
		},
	}
	for name, tt := range data {
		code := func(drop bool) replay.Handler {
			return func(c *replay.Context, _ string) (string, error) {
				f := tt.code(c)
				if drop {
					f.Drop()
				}
				c.Block(func() bool { return false })
				return "", nil
			}
		}
		t.Run(name+" given up as recorded, the row twice", func(t *testing.T) {
			t.Parallel()
			s := newSim(t, code(true))
			s.stored(s.started, tt.schedule).storedAt(3, 2, tt.row).storedAt(4, 2, tt.row)
			out := s.turn()
			s.wants(out, replay.Continue)
			if len(out.CancelledActivities)+len(out.OrchestratorItems) > 0 {
				t.Errorf("sent again: %v %v", out.CancelledActivities, out.OrchestratorItems)
			}
		})
		t.Run(name+" kept, though given up in history", func(t *testing.T) {
			t.Parallel()
			s := newSim(t, code(false))
			s.stored(s.started, tt.schedule).storedAt(3, 2, tt.row)
			out := s.turn()
			if nd := out.Nondeterminism; nd == nil || !strings.Contains(nd.Message, tt.text) || nd.EventID != 3 {
				t.Errorf("%v, nondeterminism %v, want %s", out.Result, nd, tt.text)
			}
		})
	}
	t.Run("another reason is not compared", func(t *testing.T) {
		t.Parallel()
		s := newSim(t, one(func(c *replay.Context) *replay.Future { return act(c, "a") }))
		s.stored(s.started, core.ActivityScheduled{Name: "a", Input: "x"}).storedAt(3, 2, core.ActivityCancelRequested{Reason: "other"})
		s.wants(s.turn(), replay.Continue)
	})
	t.Run("recorded rows may stand in any order", func(t *testing.T) {
		t.Parallel()
		code := func(c *replay.Context, _ string) (string, error) {
			race(c, act(c, "a"), c.Wait("go"), c.Dequeue("q"), second(c))
			return await(c, act(c, "b"))
		}
		for _, stamp := range []string{immediate, legacy} {
			first := newSim(t, code)
			first.stamp = stamp
			first.turn()
			first.turn(fired(5)) // 6 fired, 7 b, 8 to 10 the rows
			for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
				s := newSim(t, code)
				s.stamp, s.history = stamp, slices.Clone(first.history)
				for i, from := range order {
					s.history[7+i] = first.history[7+from]
					s.history[7+i].ID = uint64(8 + i)
				}
				s.wants(s.turn(done(7, "r")), replay.Completed, "11<7 ActivityCompleted(r)", "12 OrchestrationCompleted(r)")
			}
		}
	})
}
