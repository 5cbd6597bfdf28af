package durable_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

func (e *env) requestCancel(id, reason string) {
	e.Helper()
	synctest.Wait()
	if err := e.client.RequestCancel(e.ctx, id, reason); err != nil {
		e.Fatal(err)
	}
}

func TestRequestCancel(t *testing.T) {
	t.Parallel()
	cleanUp := func(ctx *durable.Context, reason string) (string, error) {
		return upper.Call(ctx, "cleaned up after "+reason)
	}
	for name, tt := range map[string]struct {
		code func(ctx *durable.Context, in string) (string, error)
		want string
	}{
		"the code cleans up": {func(ctx *durable.Context, _ string) (string, error) {
			request := ctx.CancelRequested()
			if durable.Race(ctx, slow.Schedule(ctx, time.Hour), request) == 0 {
				return "worked", nil
			}
			reason, err := request.Await(ctx)
			if err != nil {
				return "", err
			}
			return cleanUp(ctx, reason)
		}, "CLEANED UP AFTER NO MORE"},
		"code that does not ask goes on": {func(ctx *durable.Context, _ string) (string, error) {
			return slow.Call(ctx, time.Hour)
		}, "slept"},
		"it is seen later": {func(ctx *durable.Context, _ string) (string, error) {
			if _, err := slow.Call(ctx, time.Hour); err != nil {
				return "", err
			}
			return fmt.Sprint(ctx.CancelRequested().Ready()), nil
		}, "false"},
		"and awaited": {func(ctx *durable.Context, _ string) (string, error) {
			if _, err := slow.Call(ctx, time.Hour); err != nil {
				return "", err
			}
			return ctx.CancelRequested().Await(ctx)
		}, "no more"},
		"blocks share it": {func(ctx *durable.Context, _ string) (string, error) {
			ask := func(ctx *durable.Context) (string, error) { return ctx.CancelRequested().Await(ctx) }
			reasons, err := durable.JoinAll(ctx, durable.Go(ctx, ask), durable.Go(ctx, ask))
			return fmt.Sprint(reasons), err
		}, "[no more no more]"},
		"after a race it is another": {func(ctx *durable.Context, _ string) (string, error) {
			for n := 0; ; n++ {
				request := ctx.CancelRequested()
				if durable.Race(ctx, request, ctx.Timer(time.Minute)) == 0 {
					reason, err := request.Await(ctx)
					return fmt.Sprint(n, " ", reason), err
				}
			}
		}, "10 no more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				e.start(nil, code(tt.code)...)
				run := begin(e, main, "i", "in")
				time.Sleep(10*time.Minute + time.Second)
				e.requestCancel("i", "no more")
				wantRun(e, run, tt.want)
			})
		})
	}
}

// TestRequestCancelCrossesContinueAsNew: an execution that never asked hands the
// request on.
func TestRequestCancelCrossesContinueAsNew(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, in string) (string, error) {
		if len(in) < 3 {
			ctx.Sleep(time.Minute)
			return "", main.ContinueAsNew(in + "+")
		}
		return ctx.CancelRequested().Await(ctx)
	}), func(e *env) {
		run := begin(e, main, "i", "")
		e.requestCancel("i", "no more")
		wantRun(e, run, "no more")
	})
}
