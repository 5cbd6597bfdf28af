package durable_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// TestWorkOfOneKind: a process without orchestrations, and one that is told to run
// none or no activities, gives nothing back, which would delay it.
func TestWorkOfOneKind(t *testing.T) {
	flow := main.With(func(ctx *durable.Context, _ string) (string, error) {
		ctx.Sleep(time.Second)
		return where.Call(ctx, "")
	})
	for name, tt := range map[string]struct {
		turns, activities       durable.Options
		forTurns, forActivities []durable.Registration
	}{
		"by what is registered": {durable.Options{MaxActivities: -1}, durable.Options{}, []durable.Registration{flow}, []durable.Registration{at("there")}},
		"by the options": {durable.Options{MaxActivities: -1}, durable.Options{MaxTurns: -1},
			[]durable.Registration{flow, at("here")}, []durable.Registration{flow, at("there")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				var back atomic.Int32
				count := &durable.Observer{Processed: func(_ context.Context, p durable.Processed) {
					if p.Fate != durable.WorkAcked {
						back.Add(1)
					}
				}}
				tt.turns.Observer, tt.activities.Observer = count, count
				e.start(&tt.turns, tt.forTurns...)
				e.start(&tt.activities, tt.forActivities...)
				var runs []*durable.Run[string]
				for i := range 20 {
					runs = append(runs, begin(e, main, fmt.Sprint("i", i), ""))
				}
				for _, run := range runs {
					wantRun(e, run, "there")
				}
				if n := back.Load(); n != 0 {
					t.Errorf("given back %d times", n)
				}
			})
		})
	}
}

// TestFirstOrchestration: a process that had none takes turns once it has one.
func TestFirstOrchestration(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		reg := durable.NewRegistry()
		e.startRegistry(nil, reg)
		run := begin(e, main, "i", "x")
		time.Sleep(time.Hour)
		if err := reg.Add(main.With(echo)); err != nil {
			t.Fatal(err)
		}
		wantRun(e, run, "x")
	})
}
