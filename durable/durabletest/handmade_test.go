package durabletest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
)

// history is made by hand: events of checkout 1.0.0, numbered, a second apart.
type history []core.Event

func started(data ...core.EventData) history {
	return history{}.add(core.OrchestrationStarted{Name: "checkout", Version: "1.0.0", Input: "{}"}).add(data...)
}

// add adds events without a source.
func (h history) add(data ...core.EventData) history {
	for _, d := range data {
		n := uint64(len(h) + 1)
		h = append(h, core.Event{ID: n, InstanceID: "o1", ExecutionID: 1, TimestampMs: n * 1000, DuroxideVersion: "0.1.32", Data: d})
	}
	return h
}

// of adds an event that answers another one.
func (h history) of(source uint64, d core.EventData) history {
	h = h.add(d)
	h[len(h)-1].SourceID = &source
	return h
}

func (h history) write(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := recording.Write(&b, &recording.Execution{Instance: "o1", ID: 1, Events: h}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "o1"+durabletest.FileSuffix)
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Histories that a test cannot make at will: of older runtimes, of failures that
// no code caused, of messages that came together.
func TestHandmade(t *testing.T) {
	t.Parallel()
	const (
		a = durable.Activity[string, string]("a")
		b = durable.Activity[string, string]("b")
	)
	scheduled := func(name string) core.EventData { return core.ActivityScheduled{Name: name} }
	unset := started(scheduled("a"))
	unset[0].Data = core.OrchestrationStarted{Name: "checkout", Version: core.ExecutionVersionUnset, Input: "{}"}
	gap := started(scheduled("a")).of(2, core.ActivityCompleted{}).add(scheduled("b")).of(10, core.ActivityCompleted{}).add(scheduled("a"))
	for i := range gap[3:] {
		gap[3+i].ID += 6
	}
	both := func(ctx *durable.Context, _ Order) (string, error) {
		durable.Join(ctx, a.Schedule(ctx, ""), b.Schedule(ctx, ""))
		return "", nil
	}
	waits := func(ctx *durable.Context, _ Order) (string, error) {
		x := a.Schedule(ctx, "")
		durable.Race(ctx, ctx.Timer(time.Second), x)
		_, err := durable.WaitEvent[string](ctx, "e").Await(ctx)
		return "", err
	}
	for name, test := range map[string]struct {
		history history
		code    func(ctx *durable.Context, o Order) (string, error)
		want    string
	}{
		"one of two has come": {started(scheduled("a"), scheduled("b")).of(2, core.ActivityCompleted{}), both, ""},
		"the first ends it": {started(scheduled("a"), scheduled("b")).of(2, core.ActivityCompleted{}), func(ctx *durable.Context, _ Order) (string, error) {
			durable.Race(ctx, a.Schedule(ctx, ""), b.Schedule(ctx, ""))
			return "", nil
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 4
    recorded: still running, open: activity "b" (event 3)
    the code: returned, after activity "b" (event 3, at handmade_test.go:N)`},
		"one of two has come, and a third is asked for": {started(scheduled("a"), scheduled("b")).of(2, core.ActivityCompleted{}), func(ctx *durable.Context, _ Order) (string, error) {
			durable.Join(ctx, a.Schedule(ctx, ""), b.Schedule(ctx, ""), a.Schedule(ctx, "third"))
			return "", nil
		}, ""},
		"poison": {started(scheduled("a")).of(2, core.ActivityFailed{Details: core.PoisonError{MessageType: core.PoisonActivity{}}}).
			add(core.OrchestrationFailed{Details: core.PoisonError{MessageType: core.PoisonActivity{}}}), both, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 3
    recorded: nothing more before ActivityFailed
    the code: activity "b", at handmade_test.go:N`},
		"poison after the same": {started(scheduled("a"), scheduled("b")).of(2, core.ActivityFailed{Details: core.PoisonError{MessageType: core.PoisonActivity{}}}).
			add(core.OrchestrationFailed{Details: core.PoisonError{MessageType: core.PoisonActivity{}}}), both, ""},
		"failed by the runtime": {started(scheduled("a"), scheduled("b")).of(2, core.ActivityCompleted{}).
			add(core.OrchestrationFailed{Details: core.ConfigurationError{Kind: core.Nondeterminism}}), both, ""},
		"ids with a gap": {gap, func(ctx *durable.Context, _ Order) (string, error) {
			for _, call := range []durable.Activity[string, string]{a, b, a} {
				if _, err := call.Call(ctx, ""); err != nil {
					return "", err
				}
			}
			return "", nil
		}, ""},
		"version unset": {unset, func(ctx *durable.Context, _ Order) (string, error) { return a.Call(ctx, "") }, ""},
		"a message twice": {started(core.TimerCreated{}).of(2, core.TimerFired{}).of(2, core.TimerFired{}).add(scheduled("a")),
			func(ctx *durable.Context, _ Order) (string, error) {
				ctx.Sleep(time.Second)
				return a.Call(ctx, "")
			}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 4
    recorded: what the code itself asked for in an earlier turn
    the code: does not repeat itself: completion without open schedule; does it look at a clock, at random numbers or at the order of a map?`},
		"the time of what arrived": {started(core.TimerCreated{}, core.TimerCreated{}).of(2, core.TimerFired{}).of(3, core.TimerFired{}).add(scheduled("late")),
			func(ctx *durable.Context, _ Order) (string, error) {
				durable.Join(ctx, ctx.Timer(0), ctx.Timer(0))
				if ctx.Now().UnixMilli() != 5000 {
					return b.Call(ctx, "")
				}
				return durable.Activity[string, string]("late").Call(ctx, "")
			}, ""},
		"a panic instead of an error": {started(core.OrchestrationFailed{Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: "x"}}),
			func(*durable.Context, Order) (string, error) { panic("x") }, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 2
    recorded: failed: x
    the code: failed: orchestration panicked: x, before it asked for anything, at handmade_test.go:N`},
		"another error": {started(core.OrchestrationFailed{Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: "x"}}),
			func(*durable.Context, Order) (string, error) { return "", errors.New("y") }, ""},
		"a cancellation without the rows of what it leaves": {started(core.ExternalSubscribed{Name: "e"}, core.OrchestrationCancelRequested{Reason: "r"}).
			add(core.OrchestrationFailed{Details: core.ApplicationError{Kind: core.KindCancelled("r")}}),
			func(ctx *durable.Context, _ Order) (string, error) {
				return durable.WaitEvent[string](ctx, "e").Await(ctx)
			}, ""},
		"a wait that is given up": {started(core.ExternalSubscribed{Name: "e"}, scheduled("a")).of(3, core.ActivityCompleted{}).add(core.OrchestrationCompleted{}),
			func(ctx *durable.Context, _ Order) (string, error) {
				durable.WaitEvent[string](ctx, "e")
				b := durable.Go(ctx, func(ctx *durable.Context) (string, error) { return a.Call(ctx, "") })
				_, err := b.Await(ctx)
				return "", err
			}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 5
    recorded: returned
    the code: gave up a wait for event "e" (event 2)`},
		"the loser of a race": {started(scheduled("a"), core.TimerCreated{}).of(3, core.TimerFired{}).add(core.ExternalSubscribed{Name: "e"}).of(2, core.ActivityCancelRequested{Reason: "dropped_future"}), waits, ""},
		"the loser of a race, kept": {started(scheduled("a"), core.TimerCreated{}).of(3, core.TimerFired{}).add(core.ExternalSubscribed{Name: "e"}).of(2, core.ActivityCancelRequested{Reason: "dropped_future"}),
			func(ctx *durable.Context, _ Order) (string, error) {
				x := a.Schedule(ctx, "")
				ctx.Sleep(time.Second)
				if _, err := durable.WaitEvent[string](ctx, "e").Await(ctx); err != nil {
					return "", err
				}
				return x.Await(ctx)
			}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 6
    recorded: gave up activity "a" (event 2)
    the code: nothing more, open: activity "a" (event 2), a wait for event "e" (event 5)`},
		"a key whose value is another": {started(core.KeyValueSet{Key: "k", Value: "1", LastUpdatedAtMs: 7}, scheduled("a")).of(3, core.ActivityCompleted{}).add(scheduled("b")),
			func(ctx *durable.Context, _ Order) (string, error) {
				ctx.KVSetRaw("k", "2")
				if _, err := a.Call(ctx, ""); err != nil {
					return "", err
				}
				if v, _ := ctx.KVGetRaw("k"); v != "1" || ctx.KVPrune(time.UnixMilli(8)) != 1 { // history wins
					return "", fmt.Errorf("value %s", v)
				}
				return b.Call(ctx, "")
			}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 5
    recorded: activity "b"
    the code: a clear of key "k", at handmade_test.go:N`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "the loser of a race" { // by the rules of old runtimes too
				old := slices.Clone(test.history)
				old[0].DuroxideVersion = "0.1.29"
				wantDifference(t, old.write(t), shop(t, checkout.With(test.code)), nil, test.want)
			}
			wantDifference(t, test.history.write(t), shop(t, checkout.With(test.code)), nil, test.want)
		})
	}
}

// What is asked for beyond the end of a running history is noted once, though
// something arrived after it.
func TestFurtherBeforeLastArrival(t *testing.T) {
	t.Parallel()
	a := durable.Activity[string, string]("a")
	file := started(core.ActivityScheduled{Name: "a"}, core.TimerCreated{}).of(2, core.ActivityCompleted{}).write(t)
	report, err := durabletest.Check(shop(t, checkout.With(func(ctx *durable.Context, _ Order) (string, error) {
		x, timers := a.Schedule(ctx, ""), []*durable.Future[struct{}]{ctx.Timer(time.Second), ctx.Timer(time.Second)}
		durable.Join(ctx, timers...)
		return x.Await(ctx)
	}), a.With(func(context.Context, string) (string, error) { return "", nil })), nil, file)
	if err != nil {
		t.Fatal(err)
	}
	want := &durabletest.Report{Executions: 1, Turns: 2}
	want.Notes = []string{file + ": instance o1, execution 1: the code goes further than the history: a timer"}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
}
