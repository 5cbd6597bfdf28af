package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// TestSamples are small workflows: what they do with an input and what comes
// of it.
func TestSamples(t *testing.T) {
	const (
		child = durable.Orchestration[string, string]("child")
		mid   = durable.Orchestration[string, string]("mid")
		count = durable.Orchestration[int, string]("count")
	)
	children := []durable.Registration{
		child.With(func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) }),
		mid.With(func(ctx *durable.Context, in string) (string, error) {
			out, err := child.Call(ctx, in)
			return "mid(" + out + ")", err
		}),
		count.With(func(ctx *durable.Context, n int) (string, error) {
			if n < 4 {
				return "", count.ContinueAsNew(n + 1)
			}
			return fmt.Sprint("counted to ", n, " in execution ", ctx.ExecutionID()), nil
		}),
	}
	tests := map[string]struct {
		code func(ctx *durable.Context, in string) (string, error)
		want string // or
		fail string
	}{
		"hello world": {func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) }, "IN", ""},
		"control flow": {func(ctx *durable.Context, in string) (string, error) {
			if out, err := upper.Call(ctx, in); err != nil || out != "IN" {
				return "wrong branch", err
			}
			return upper.Call(ctx, "branch")
		}, "BRANCH", ""},
		"loop": {func(ctx *durable.Context, in string) (string, error) {
			out := ""
			for i := range 3 {
				s, err := upper.Call(ctx, in+strconv.Itoa(i))
				if err != nil {
					return "", err
				}
				out += s
			}
			return out, nil
		}, "IN0IN1IN2", ""},
		"error handling": {func(ctx *durable.Context, _ string) (string, error) {
			_, err := fail.Call(ctx, "no luck")
			var failed *durable.ActivityError
			if !errors.As(err, &failed) || failed.Name != "fail" || failed.EventID != 2 {
				return "", fmt.Errorf("unexpected %w", err)
			}
			return upper.Call(ctx, "after "+err.Error())
		}, "AFTER NO LUCK", ""},
		"error that propagates": {func(ctx *durable.Context, _ string) (string, error) { return fail.Call(ctx, "no luck") }, "", "no luck"},
		"error through helpers": {func(ctx *durable.Context, _ string) (string, error) {
			helper := func() (string, error) { return fail.Call(ctx, "deep") }
			if out, err := helper(); err != nil {
				return out, fmt.Errorf("helper: %w", err)
			}
			return "?", nil
		}, "", "helper: deep"},
		"slow activity against a timer": {func(ctx *durable.Context, _ string) (string, error) {
			if durable.Race(ctx, slow.Schedule(ctx, time.Hour), ctx.Timer(time.Second)) == 1 {
				return "timeout", nil
			}
			return "?", nil
		}, "timeout", ""},
		"activity against a slow timer": {func(ctx *durable.Context, _ string) (string, error) {
			a := slow.Schedule(ctx, time.Second)
			if durable.Race(ctx, a, ctx.Timer(time.Hour)) == 0 {
				return a.Await(ctx)
			}
			return "?", nil
		}, "slept", ""},
		"a timer of thirty days": {func(ctx *durable.Context, _ string) (string, error) {
			began := ctx.Now()
			ctx.Sleep(30 * 24 * time.Hour)
			return ctx.Now().Sub(began).Round(time.Minute).String(), nil
		}, "720h0m0s", ""},
		"timers fire in order": {func(ctx *durable.Context, _ string) (string, error) {
			out, timers := "", []durable.Awaitable{ctx.Timer(3 * time.Hour), ctx.Timer(time.Hour), ctx.Timer(2 * time.Hour)}
			names := []string{"3", "1", "2"}
			for len(timers) > 0 {
				i := durable.Select(ctx, timers...)
				out += names[i]
				timers, names = append(timers[:i:i], timers[i+1:]...), append(names[:i:i], names[i+1:]...)
			}
			return out, nil
		}, "123", ""},
		"a zero timer": {func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(0); return "ok", nil }, "ok", ""},
		"greetings in parallel": {func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, upper.Schedule(ctx, "a"), upper.Schedule(ctx, "b"))
			return strings.Join(out, ","), err
		}, "A,B", ""},
		"join shows each error": {func(ctx *durable.Context, _ string) (string, error) {
			out := durable.Join(ctx, upper.Schedule(ctx, "a"), fail.Schedule(ctx, "f"), upper.Schedule(ctx, "b"))
			return fmt.Sprint(out[0].Value, out[1].Err, out[2].Value), nil
		}, "AfB", ""},
		"join of all gives the first error": {func(ctx *durable.Context, _ string) (string, error) {
			_, err := durable.JoinAll(ctx, upper.Schedule(ctx, "a"), fail.Schedule(ctx, "f"), fail.Schedule(ctx, "g"))
			return "", err
		}, "", "f"},
		"join of nothing": {func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll[string](ctx)
			return fmt.Sprint(len(out)), err
		}, "0", ""},
		"child": {func(ctx *durable.Context, in string) (string, error) { return child.Call(ctx, in) }, "IN", ""},
		"children in parallel": {func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, child.Schedule(ctx, "a"), child.Schedule(ctx, "b"))
			return strings.Join(out, ","), err
		}, "A,B", ""},
		"chain of children":           {func(ctx *durable.Context, in string) (string, error) { return mid.Call(ctx, in) }, "mid(IN)", ""},
		"child that continues as new": {func(ctx *durable.Context, _ string) (string, error) { return count.Call(ctx, 1) }, "counted to 4 in execution 4", ""},
		"child with an id of its own": {func(ctx *durable.Context, in string) (string, error) {
			return child.Call(ctx, in, durable.WithInstanceID("own"))
		}, "IN", ""},
		"child with a reserved id": {func(ctx *durable.Context, in string) (string, error) {
			_, err := child.Call(ctx, in, durable.WithInstanceID("sub::x"))
			return strconv.FormatBool(err != nil), nil
		}, "true", ""},
		"blocks": {func(ctx *durable.Context, _ string) (string, error) {
			block := func(s string) *durable.Future[string] {
				return durable.Go(ctx, func(ctx *durable.Context) (string, error) {
					s, err := upper.Call(ctx, s)
					if err != nil {
						return "", err
					}
					return child.Call(ctx, s+"!")
				})
			}
			out, err := durable.JoinAll(ctx, block("a"), block("b"), block("c"))
			return strings.Join(out, ""), err
		}, "A!B!C!", ""},
		"the first block wins": {func(ctx *durable.Context, _ string) (string, error) {
			block := func(d time.Duration) *durable.Future[time.Duration] {
				return durable.Go(ctx, func(ctx *durable.Context) (time.Duration, error) { ctx.Sleep(d); return d, nil })
			}
			a, b := block(time.Hour), block(time.Minute)
			i := durable.Race(ctx, a, b)
			_, loser := a.Await(ctx)
			winner, err := b.Await(ctx)
			return fmt.Sprint(i, winner, errors.Is(loser, durable.ErrDropped)), err
		}, "1 1m0s true", ""},
		"an error of a block": {func(ctx *durable.Context, _ string) (string, error) {
			return durable.Go(ctx, func(ctx *durable.Context) (string, error) { return fail.Call(ctx, "in a block") }).Await(ctx)
		}, "", "in a block"},
		"a block that cancels itself": {func(ctx *durable.Context, _ string) (string, error) {
			var self *durable.Future[string]
			self = durable.Go(ctx, func(ctx *durable.Context) (string, error) {
				self.Cancel()
				return upper.Call(ctx, "never")
			})
			_, err := self.Await(ctx)
			return strconv.FormatBool(errors.Is(err, durable.ErrDropped)), nil
		}, "true", ""},
		"cancel of what is awaited already": {func(ctx *durable.Context, in string) (string, error) {
			f := upper.Schedule(ctx, in)
			a, err := f.Await(ctx)
			if err != nil {
				return "", err
			}
			f.Cancel()
			b, err := f.Await(ctx)
			return a + b, err
		}, "ININ", ""},
		"deferred cancels": {func(ctx *durable.Context, in string) (string, error) {
			timer := ctx.Timer(time.Hour)
			defer timer.Cancel()
			f := slow.Schedule(ctx, time.Minute)
			defer f.Cancel()
			if _, err := upper.Call(ctx, in); err != nil {
				return "", err
			}
			return f.Await(ctx)
		}, "slept", ""},
		"panic":           {func(*durable.Context, string) (string, error) { panic("boom") }, "", "orchestration panicked: boom"},
		"race of nothing": {func(ctx *durable.Context, _ string) (string, error) { durable.Race(ctx); return "", nil }, "", "orchestration panicked: durable: Select and Race need at least one future"},
		"guid and time": {func(ctx *durable.Context, _ string) (string, error) {
			id, err := ctx.NewGUID()
			if err != nil {
				return "", err
			}
			now, err := ctx.RecordNow()
			if _, err := upper.Call(ctx, id+now.String()); err != nil { // it must repeat
				return "", err
			}
			return fmt.Sprint(len(id), id[14:15], now.Sub(ctx.Now()).Abs() < time.Minute), err
		}, "364true", ""},
		"status": {func(ctx *durable.Context, _ string) (string, error) {
			_, before := ctx.Status()
			ctx.SetStatus("working")
			s, _ := ctx.Status()
			ctx.ResetStatus()
			_, after := ctx.Status()
			return fmt.Sprint(before, s, after), nil
		}, "falseworkingfalse", ""},
		"who am I": {func(ctx *durable.Context, _ string) (string, error) {
			_, child := ctx.ParentID()
			return fmt.Sprint(ctx.InstanceID(), ctx.ExecutionID(), ctx.Name(), ctx.Version(), child), nil
		}, "i1main1.0.0false", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRuntime(t, append(code(tt.code), children...), func(e *env) {
				run := begin(e, main, "i", "in")
				if tt.fail != "" {
					wantFailure(e, run, tt.fail)
				} else {
					wantRun(e, run, tt.want)
				}
			})
		})
	}
}

func TestDetachedStarts(t *testing.T) {
	t.Parallel()
	const other = durable.Orchestration[string, string]("other")
	withRuntime(t, append(code(func(ctx *durable.Context, in string) (string, error) {
		for _, id := range []string{"d1", "d2"} {
			if err := other.StartDetached(ctx, id, id); err != nil {
				return "", err
			}
		}
		return upper.Call(ctx, in)
	}), other.With(func(ctx *durable.Context, in string) (string, error) {
		ctx.Sleep(time.Hour)
		_, child := ctx.ParentID()
		return fmt.Sprint(in, child), nil
	})), func(e *env) {
		want(e, main, "i", "in", "IN")
		wantRun(e, other.Run(e.client, "d1"), "d1false")
		wantRun(e, other.Run(e.client, "d2"), "d2false")
	})
}

func TestContinueAsNew(t *testing.T) {
	t.Parallel()
	const watch = durable.Orchestration[int, int]("watch")
	withRuntime(t, activities(watch.With(func(ctx *durable.Context, n int) (int, error) {
		before, _, err := durable.KVGet[int](ctx, "sum")
		if err != nil {
			return 0, err
		}
		stop, tick := durable.Dequeue[int](ctx, "stop"), ctx.Timer(time.Minute)
		if durable.Race(ctx, stop, tick) == 0 {
			last, err := stop.Await(ctx)
			return before + last, err
		}
		if err := durable.KVSet(ctx, "sum", before+n); err != nil {
			return 0, err
		}
		return 0, watch.ContinueAsNew(n + 1)
	})), func(e *env) {
		run := begin(e, watch, "w", 1)
		time.Sleep(10*time.Minute + 30*time.Second)
		s, err := e.client.Status(e.ctx, "w")
		if err != nil || s.State != core.StatusRunning || s.ExecutionID != 11 {
			t.Errorf("status %+v, %v", s, err)
		}
		e.enqueue("w", "stop", 1000)
		wantRun(e, run, 1055)
		for _, id := range []uint64{1, 10} {
			events, err := e.client.ExecutionHistory(e.ctx, "w", id)
			if err != nil || len(events) == 0 || events[len(events)-1].Data.EventType() != core.TypeOrchestrationContinuedAsNew {
				t.Errorf("execution %d: %v %v", id, events, err)
			}
		}
	})
}

// touchy panics when it is decoded.
type touchy struct{ X int }

func (*touchy) UnmarshalJSON([]byte) error { panic("cannot be decoded") }

// TestPanicWhileDecoding: a decoder is user code, also within a join.
func TestPanicWhileDecoding(t *testing.T) {
	t.Parallel()
	const get = durable.Activity[string, touchy]("get")
	withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
		_, err := durable.JoinAll(ctx, get.Schedule(ctx, ""), get.Schedule(ctx, ""))
		return "", err
	}), get.With(func(context.Context, string) (touchy, error) { return touchy{}, nil })), func(e *env) {
		wantFailure(e, begin(e, main, "i", ""), "orchestration panicked: cannot be decoded")
	})
}
