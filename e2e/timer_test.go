package e2e_test

import (
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
