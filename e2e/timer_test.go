package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// A timer that one runtime created fires in another one, not early, and loses or
// wins a race like anything else.
func TestTimer(t *testing.T) {
	t.Parallel()
	const (
		nap = durable.Orchestration[time.Duration, int]("nap")
		d   = 500 * time.Millisecond
	)
	w := newWorld(t)
	code := nap.With(func(ctx *durable.Context, d time.Duration) (int, error) {
		ctx.SetStatus("asleep")
		return durable.Race(ctx, ctx.Timer(time.Hour), ctx.Timer(d)), nil
	})
	first := w.run(t, nil, code)
	client := w.client(t)
	began := time.Now()
	run, err := nap.Start(w.ctx, client, "nap", d)
	must(t, err)
	_, err = client.WaitStatusChange(w.ctx, "nap", 0)
	must(t, err)
	must(t, first.Shutdown(w.ctx))
	w.run(t, nil, code)
	winner, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "winner", 1, winner)
	if slept := time.Since(began); slept < d {
		t.Errorf("the timer of %v fired after %v", d, slept)
	}
	events, err := client.History(w.ctx, "nap")
	must(t, err)
	var fired []uint64
	for _, ev := range events {
		if _, ok := ev.Data.(core.TimerFired); ok {
			fired = append(fired, *ev.SourceID)
		}
	}
	equal(t, "timers that fired", 1, len(fired))
	// The timer that lost is still queued, for an instance that has ended.
	equal(t, "queued timers", 1, value[int](t, w, `SELECT count(*) FROM @.orchestrator_queue`))
}

// Timers fire in the order of their times, never early, and side by side with
// everything else.
func TestTimers(t *testing.T) {
	const short = 30 * time.Millisecond
	// early is how much earlier than d a timer fired, by the clock that wrote
	// the rows: 0 if it did not.
	early := func(t *testing.T, s *store, id string) {
		t.Helper()
		events, err := s.client.History(s.ctx, id)
		must(t, err)
		due := map[uint64]uint64{}
		for _, ev := range events {
			switch d := ev.Data.(type) {
			case core.TimerCreated:
				due[ev.ID] = d.FireAtMs
			case core.TimerFired:
				if ev.TimestampMs < due[*ev.SourceID] {
					t.Errorf("timer %d fired %d ms early", *ev.SourceID, due[*ev.SourceID]-ev.TimestampMs)
				}
			}
		}
	}
	fired := func(n int) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			records(core.TypeTimerFired, n)(t, s, id)
			early(t, s, id)
		}
	}
	flows := map[string]flow{
		"one": {code: func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(short); return "ok", nil }, want: "ok", end: fired(1)},
		"in the order of their times": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, timers := "", []durable.Awaitable{ctx.Timer(10 * short), ctx.Timer(short), ctx.Timer(5 * short)}
			names := []string{"last", "first", "second"}
			for len(timers) > 0 {
				i := durable.Select(ctx, timers...)
				out += names[i] + " "
				timers, names = append(timers[:i:i], timers[i+1:]...), append(names[:i:i], names[i+1:]...)
			}
			return out, nil
		}, want: "first second last ", end: fired(3)},
		"with an activity": {code: func(ctx *durable.Context, _ string) (string, error) {
			timer, call := ctx.Timer(short), upcase.Schedule(ctx, "a")
			if _, err := timer.Await(ctx); err != nil {
				return "", err
			}
			return call.Await(ctx)
		}, want: "A", end: fired(1)},
		"of no length": {code: func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(0); return "ok", nil }, want: "ok", end: fired(1)},
		"one that loses": {code: func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, ctx.Timer(time.Hour), upcase.Schedule(ctx, "a"))), nil
		}, want: "1", end: fired(0)},
		"one after another": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(short)
			ctx.Sleep(5 * short)
			return "ok", nil
		}, want: "ok", end: fired(2)},
		"an event wins against one": {
			code: func(ctx *durable.Context, _ string) (string, error) {
				e := durable.WaitEvent[string](ctx, "go")
				waits(ctx)
				if durable.Race(ctx, ctx.Timer(time.Hour), e) == 0 {
					return "timer", nil
				}
				return e.Await(ctx)
			}, want: "event",
			meanwhile: func(t *testing.T, s *store, id string) {
				t.Helper()
				s.whenItWaits(t, id)
				must(t, s.client.RaiseEvent(s.ctx, id, "go", "event"))
			},
		},
		"one wins against an event": {code: func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, durable.WaitEvent[string](ctx, "go"), ctx.Timer(short))), nil
		}, want: "1", end: fired(1)},
		"an event without one": {
			code: func(ctx *durable.Context, _ string) (string, error) {
				e := durable.WaitEvent[string](ctx, "go")
				waits(ctx)
				return e.Await(ctx)
			}, want: "event",
			meanwhile: func(t *testing.T, s *store, id string) {
				t.Helper()
				s.whenItWaits(t, id)
				must(t, s.client.RaiseEvent(s.ctx, id, "go", "event"))
			},
		},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, cast()...) })
}

// A runtime that stops before its timers fire, or after, leaves them to the
// next one: each fires once.
func TestTimersSurviveARestart(t *testing.T) {
	const (
		code  = durable.Orchestration[time.Duration, string]("code")
		short = 100 * time.Millisecond
	)
	registrations := cast(code.With(func(ctx *durable.Context, d time.Duration) (string, error) {
		a, b, c := ctx.Timer(d), ctx.Timer(2*d), ctx.Timer(3*d)
		waits(ctx)
		for _, f := range []*durable.Future[struct{}]{a, b, c} {
			if _, err := f.Await(ctx); err != nil {
				return "", err
			}
		}
		ctx.SetStatus("fired")
		e := durable.WaitEvent[string](ctx, "go")
		return e.Await(ctx)
	}))
	onEachStore(t, func(t *testing.T, s *store) {
		first := runOn(t, s.p, nil, registrations...)
		run, err := code.Start(s.ctx, s.client, "timers", short)
		must(t, err)
		s.whenItWaits(t, "timers")
		must(t, first.Shutdown(s.ctx))
		second := runOn(t, s.p, nil, registrations...)
		status, err := s.client.WaitStatusChange(s.ctx, "timers", 1)
		must(t, err)
		equal(t, "status", "fired", *status.CustomStatus)
		must(t, second.Shutdown(s.ctx))
		runOn(t, s.p, nil, registrations...)
		must(t, s.client.RaiseEvent(s.ctx, "timers", "go", "done"))
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "output", "done", out)
		records(core.TypeTimerFired, 3)(t, s, "timers")
	})
}
