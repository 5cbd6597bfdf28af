package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// PostgreSQL cannot store a NUL. An activity's or an orchestration's result with
// one is recorded as a failure and nothing is stuck; a client's call with one is
// refused.
func TestNUL(t *testing.T) {
	t.Parallel()
	const (
		result  = durable.Activity[string, string]("nul-result")
		failure = durable.Activity[string, string]("nul-failure")
		panics  = durable.Activity[string, string]("nul-panic")
		call    = durable.Orchestration[string, string]("nul-call")
	)
	w := newWorld(t)
	w.run(t, nil,
		result.With(func(context.Context, string) (string, error) { return "a\x00b", nil }),
		failure.With(func(context.Context, string) (string, error) { return "", errors.New("a\x00b") }),
		panics.With(func(context.Context, string) (string, error) { panic("a\x00b") }),
		call.With(func(ctx *durable.Context, what string) (string, error) {
			switch what {
			case "orchestration's result":
				return "a\x00b", nil
			case "orchestration's error":
				return "", errors.New("a\x00b")
			case "orchestration's panic":
				panic("a\x00b")
			case "activity's input":
				return result.Call(ctx, "a\x00b")
			case "activity's result":
				return result.Call(ctx, "")
			case "activity's error":
				return failure.Call(ctx, "")
			case "activity's panic":
				return panics.Call(ctx, "")
			case "status":
				ctx.SetStatus("a\x00b")
			case "key":
				ctx.KVSetRaw("a\x00b", "")
			case "value":
				ctx.KVSetRaw("k", "a\x00b")
			case "event name":
				durable.WaitEvent[string](ctx, "a\x00b").Cancel()
			case "child's id":
				return call.Call(ctx, "", durable.WithInstanceID("a\x00b"))
			}
			return "", nil
		}))
	client := w.client(t)
	runs := map[string]*durable.Run[string]{}
	for _, what := range []string{
		"orchestration's result", "orchestration's error", "orchestration's panic", "activity's input", "activity's result",
		"activity's error", "activity's panic", "status", "key", "value", "event name", "child's id",
	} {
		run, err := call.Start(w.ctx, client, strings.ReplaceAll(what, " ", "-"), what)
		must(t, err)
		runs[what] = run
	}
	for what, run := range runs {
		_, err := run.Wait(w.ctx)
		if failed := (*durable.RunError)(nil); !errors.As(err, &failed) {
			t.Errorf("%s: the run ended with %v", what, err)
			continue
		}
		t.Logf("%s: %v", what, err)
	}
	for what, err := range map[string]error{
		"id":    client.Start(w.ctx, "nul-call", "a\x00b", ""),
		"input": client.Start(w.ctx, "nul-call", "id", "a\x00b"),
		"event": client.RaiseEvent(w.ctx, "id", "go", "a\x00b"),
		"queue": client.EnqueueMessage(w.ctx, "id", "a\x00b", ""),
	} {
		if err == nil {
			t.Errorf("%s with a NUL was taken", what)
		}
	}
	w.nothingLeft(t)
}
