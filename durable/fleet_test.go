package durable_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

const where = durable.Activity[string, string]("where")

// at is the activity that says on which node it ran.
func at(node string) durable.Registration {
	return where.With(func(context.Context, string) (string, error) { return node, nil })
}

// TestTags has two runtimes share a store: one runs orchestrations and what has
// no tag, the other what is tagged.
func TestTags(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, where.Schedule(ctx, ""), where.Schedule(ctx, "", durable.WithTag("gpu")), where.Schedule(ctx, "", durable.WithTag("gpu")))
			if err != nil {
				return "", err
			}
			nobody := where.Schedule(ctx, "", durable.WithTag("quantum"))
			return fmt.Sprint(out, durable.Race(ctx, nobody, ctx.Timer(time.Minute))), nil
		})
		e.start(nil, flow, at("cpu node"))
		e.start(&durable.Options{Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}}}, at("gpu node"))
		want(e, main, "i", "", "[cpu node gpu node gpu node] 1")
	})
}

func TestSessionsPinTheirWorker(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, in string) (string, error) {
			nodes := map[string]bool{}
			for range 6 {
				out, err := where.Call(ctx, "", durable.OnSession(in))
				if err != nil {
					return "", err
				}
				nodes[out] = true
			}
			return fmt.Sprint(len(nodes)), nil
		})
		for _, node := range []string{"a", "b"} {
			e.start(&durable.Options{NodeID: node}, flow, at(node))
		}
		var runs []*durable.Run[string]
		for i := range 8 {
			runs = append(runs, begin(e, main, fmt.Sprint("conversation-", i), fmt.Sprint("s", i)))
		}
		for _, run := range runs {
			wantRun(e, run, "1")
		}
	})
}

// TestRollingDeployment: an activity that only one of three nodes has is
// carried there by back-off.
func TestRollingDeployment(t *testing.T) {
	t.Parallel()
	const added = durable.Activity[string, string]("added")
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, in string) (string, error) { return added.Call(ctx, in) })
		for range 2 {
			e.start(&durable.Options{MaxAttempts: 1000}, flow)
		}
		run := begin(e, main, "i", "x")
		time.Sleep(time.Minute)
		e.start(&durable.Options{MaxAttempts: 1000}, flow, added.With(func(_ context.Context, s string) (string, error) { return "new " + s, nil }))
		wantRun(e, run, "new x")
	})
}

func TestUnregisteredPoisons(t *testing.T) {
	t.Parallel()
	withRuntime(t, []durable.Registration{durable.Orchestration[string, string]("another").With(echo)}, func(e *env) {
		began := time.Now()
		failed := wantFailure(e, begin(e, main, "i", ""), "poison: orchestration i exceeded 11 attempts (max 10)")
		// 1, 2, 4, 8, 16, 32, 60, 60, 60 and 60 s.
		if waited := time.Since(began); waited < 303*time.Second {
			t.Errorf("poisoned after %v", waited)
		}
		if _, ok := failed.Details.(core.PoisonError); !ok {
			t.Errorf("details %#v", failed.Details)
		}
	})
}

// TestRestart: the second runtime goes on where the first one stopped.
func TestRestart(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	const counted = durable.Activity[string, string]("counted")
	registrations := append(code(func(ctx *durable.Context, _ string) (string, error) {
		out := ""
		for range 3 {
			s, err := counted.Call(ctx, "")
			if err != nil {
				return "", err
			}
			out += s
			ctx.Sleep(24 * time.Hour)
		}
		return out, nil
	}), counted.With(func(context.Context, string) (string, error) { calls.Add(1); return "x", nil }))
	inBubble(t, func(e *env) {
		stop := e.start(nil, registrations...)
		run := begin(e, main, "i", "")
		for range 4 {
			time.Sleep(12 * time.Hour)
			stop()
			time.Sleep(time.Hour)
			stop = e.start(nil, registrations...)
		}
		wantRun(e, run, "xxx")
		if n := calls.Load(); n != 3 {
			t.Errorf("the activity ran %d times", n)
		}
	})
}

// TestParking: an instance whose code changed waits for the right code.
func TestParking(t *testing.T) {
	t.Parallel()
	const other = durable.Activity[string, string]("other")
	right := code(func(ctx *durable.Context, in string) (string, error) {
		ctx.Sleep(time.Hour)
		return upper.Call(ctx, in)
	})
	wrong := activities(other.With(func(context.Context, string) (string, error) { return "", nil }),
		main.With(func(ctx *durable.Context, in string) (string, error) { return other.Call(ctx, in) }))
	t.Run("and goes on with it", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(nil, right...)
			run := begin(e, main, "i", "in")
			time.Sleep(time.Minute)
			stop()
			stop = e.start(nil, wrong...)
			time.Sleep(24 * time.Hour) // far more than ten attempts
			if s, err := e.client.Status(e.ctx, "i"); err != nil || s.State != core.StatusRunning {
				t.Errorf("parked: %+v, %v", s, err)
			}
			stop()
			e.start(nil, right...)
			wantRun(e, run, "IN")
		})
	})
	t.Run("or fails, as an option", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(nil, right...)
			run := begin(e, main, "i", "in")
			time.Sleep(time.Minute)
			stop()
			e.start(&durable.Options{Nondeterminism: durable.Fail}, wrong...)
			wantFailure(e, run, `nondeterministic: schedule mismatch: a timer is recorded, but the code asked for activity "other" (event 2, at durable/fleet_test.go:142)`)
		})
	})
}

func TestManyInstances(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, in string) (string, error) {
		out, err := durable.JoinAll(ctx, upper.Schedule(ctx, in), upper.Schedule(ctx, in+"!"))
		if err != nil {
			return "", err
		}
		ctx.Sleep(time.Minute)
		return out[0] + out[1], nil
	}), func(e *env) {
		var runs []*durable.Run[string]
		for i := range 100 {
			runs = append(runs, begin(e, main, fmt.Sprint("i", i), fmt.Sprint("x", i)))
		}
		synctest.Wait()
		for i, run := range runs {
			wantRun(e, run, fmt.Sprintf("X%dX%d!", i, i))
		}
	})
}
