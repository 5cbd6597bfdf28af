package durable_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/durable"
)

func TestTyped(t *testing.T) {
	t.Parallel()
	type order struct {
		ID    string
		Lines map[string]int
		Notes []string
	}
	type receipt struct{ Total int }
	const (
		price = durable.Activity[order, receipt]("price")
		nop   = durable.Activity[struct{}, struct{}]("nop")
		buy   = durable.Orchestration[order, receipt]("buy")
	)
	withRuntime(t, []durable.Registration{
		price.With(func(_ context.Context, o order) (receipt, error) {
			total := 0
			for _, n := range o.Lines {
				total += n
			}
			return receipt{total}, nil
		}),
		nop.With(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }),
		buy.With(func(ctx *durable.Context, o order) (receipt, error) {
			if _, err := nop.Call(ctx, struct{}{}); err != nil {
				return receipt{}, err
			}
			return price.Call(ctx, o)
		}),
	}, func(e *env) {
		want(e, buy, "b", order{"7", map[string]int{"x": 2, "a": 3}, nil}, receipt{5})
		if err := e.client.Start(e.ctx, string(buy), "bad", "not an order"); err != nil {
			t.Fatal(err)
		}
		_, err := result(e, buy.Run(e.client, "bad"))
		if err == nil || !strings.Contains(err.Error(), "orchestration buy: input: decode") {
			t.Errorf("bad input: %v", err)
		}
	})
}

func TestTypedMismatches(t *testing.T) {
	t.Parallel()
	const (
		number = durable.Activity[int, int]("upper") // it is from string to string
		broken = durable.Activity[chan int, int]("broken")
	)
	withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
		_, err1 := number.Call(ctx, 7)
		_, err2 := broken.Call(ctx, nil)
		_, err3 := durable.WaitEvent[int](ctx, "n").Await(ctx)
		out := ""
		for _, err := range []error{err1, err2, err3} {
			out += fmt.Sprint(err != nil)
		}
		return out, nil
	}), func(e *env) {
		run := begin(e, main, "i", "")
		time.Sleep(time.Second)
		e.raise("i", "n", "seven")
		// The activity decodes "7" as a string and returns it: an int again.
		wantRun(e, run, "falsetruetrue")
	})
}

func TestEvents(t *testing.T) {
	type approval struct{ By string }
	tests := map[string]struct {
		code func(ctx *durable.Context, in string) (string, error)
		send func(e *env)
		want string
	}{
		"a typed event": {func(ctx *durable.Context, _ string) (string, error) {
			a, err := durable.WaitEvent[approval](ctx, "ok").Await(ctx)
			return a.By, err
		}, func(e *env) { e.raise("i", "ok", approval{"Ann"}) }, "Ann"},
		"an event against a deadline": {func(ctx *durable.Context, _ string) (string, error) {
			ok, deadline := durable.WaitEvent[approval](ctx, "ok"), ctx.Timer(72*time.Hour)
			if durable.Race(ctx, ok, deadline) == 1 {
				return "expired", nil
			}
			a, err := ok.Await(ctx)
			return a.By, err
		}, func(e *env) { time.Sleep(71 * time.Hour); e.raise("i", "ok", approval{"Bob"}) }, "Bob"},
		"a deadline against an event": {func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, durable.WaitEvent[approval](ctx, "ok"), ctx.Timer(72*time.Hour))), nil
		}, func(e *env) { time.Sleep(73 * time.Hour); e.raise("i", "ok", approval{"Late"}) }, "1"},
		"an early event is lost, a message is not": {func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(time.Hour)
			event, message := durable.WaitEvent[string](ctx, "n"), durable.Dequeue[string](ctx, "n")
			i := durable.Race(ctx, event, message, ctx.Timer(time.Hour))
			m, err := message.Await(ctx)
			return fmt.Sprint(i, m), err
		}, func(e *env) { e.raise("i", "n", "event"); e.enqueue("i", "n", "message") }, "1message"},
		"a message that a race did not take is for the next": {func(ctx *durable.Context, _ string) (string, error) {
			durable.Race(ctx, durable.Dequeue[int](ctx, "q"), ctx.Timer(time.Minute))
			ctx.Sleep(time.Hour)
			n, err := durable.Dequeue[int](ctx, "q").Await(ctx)
			return fmt.Sprint(n), err
		}, func(e *env) { time.Sleep(30 * time.Minute); e.enqueue("i", "q", 7) }, "7"},
		"a message that won counts as read": {func(ctx *durable.Context, _ string) (string, error) {
			durable.Race(ctx, durable.Dequeue[int](ctx, "q"), ctx.Timer(time.Hour))
			n, err := durable.Dequeue[int](ctx, "q").Await(ctx)
			return fmt.Sprint(n), err
		}, func(e *env) { e.enqueue("i", "q", 1); e.enqueue("i", "q", 2) }, "2"},
		"many messages": {func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(time.Hour)
			sum := 0
			for range 150 {
				n, err := durable.Dequeue[int](ctx, "q").Await(ctx)
				if err != nil {
					return "", err
				}
				sum += n
			}
			return fmt.Sprint(sum), nil
		}, func(e *env) {
			for i := range 150 {
				e.enqueue("i", "q", i)
			}
		}, "11175"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRuntime(t, code(tt.code), func(e *env) {
				run := begin(e, main, "i", "")
				time.Sleep(time.Second)
				tt.send(e)
				wantRun(e, run, tt.want)
			})
		})
	}
}

func TestKV(t *testing.T) {
	t.Parallel()
	type point struct{ X, Y int }
	const reader = durable.Orchestration[string, string]("reader")
	withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
		if err := durable.KVSet(ctx, "p", point{1, 2}); err != nil {
			return "", err
		}
		ctx.KVSetRaw("raw", "text")
		ctx.KVSetRaw("gone", "x")
		if _, err := upper.Call(ctx, "x"); err != nil {
			return "", err
		}
		p, ok, err := durable.KVGet[point](ctx, "p")
		if err != nil || !ok {
			return "", fmt.Errorf("%v %w", ok, err)
		}
		_, missing, _ := durable.KVGet[point](ctx, "missing")
		_, _, wrong := durable.KVGet[int](ctx, "p")
		badValue := durable.KVSet(ctx, "bad", func() {})
		ctx.KVClear("gone")
		n := ctx.KVPrune(ctx.Now().Add(-time.Hour))
		return fmt.Sprint(p, missing, wrong != nil && strings.Contains(wrong.Error(), "KV deserialization error for key 'p'"), badValue != nil, n, ctx.KVKeys()), nil
	}), reader.With(func(ctx *durable.Context, other string) (string, error) {
		raw, err := ctx.KVFrom(other, "raw")
		if err != nil {
			return "", err
		}
		missing, err := ctx.KVFrom(other, "missing")
		return fmt.Sprint(*raw, missing == nil), err
	})), func(e *env) {
		want(e, main, "i", "", "{1 2} false true true 0 [p raw]")
		if v, err := e.client.KVGetRaw(e.ctx, "i", "p"); err != nil || *v != `{"X":1,"Y":2}` {
			t.Errorf("client reads %v, %v", v, err)
		}
		if v, err := e.client.KVGetRaw(e.ctx, "i", "gone"); err != nil || v != nil {
			t.Errorf("client reads %v, %v", v, err)
		}
		all, err := e.client.KVAll(e.ctx, "i")
		if diff := cmp.Diff(map[string]string{"p": `{"X":1,"Y":2}`, "raw": "text"}, all); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		want(e, reader, "r", "i", "texttrue")
	})
}
