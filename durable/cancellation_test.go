package durable_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/durable"
)

func TestCancellation(t *testing.T) {
	const child = durable.Orchestration[string, string]("child")
	t.Run("reaches children and activities", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		var causes []error
		const endless = durable.Activity[string, string]("endless")
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			_, err := durable.JoinAll(ctx, child.Schedule(ctx, ""), child.Schedule(ctx, "", durable.WithInstanceID("own")), endless.Schedule(ctx, ""))
			return "", err
		}), child.With(func(ctx *durable.Context, _ string) (string, error) { return endless.Call(ctx, "") }),
			endless.With(func(ctx context.Context, _ string) (string, error) {
				<-ctx.Done()
				mu.Lock()
				defer mu.Unlock()
				causes = append(causes, context.Cause(ctx))
				return "", ctx.Err()
			})), func(e *env) {
			run := begin(e, main, "i", "")
			time.Sleep(time.Second)
			e.cancel("i", "no more")
			failed := wantFailure(e, run, "canceled: no more")
			if !errors.Is(failed, durable.ErrCancelled) {
				t.Error("it is no ErrCancelled")
			}
			wantFailure(e, child.Run(e.client, "i::sub::2"), "canceled: parent canceled")
			wantFailure(e, child.Run(e.client, "own"), "canceled: parent canceled")
			time.Sleep(time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if len(causes) != 3 || slices.ContainsFunc(causes, func(err error) bool { return !errors.Is(err, durable.ErrNotWanted) }) {
				t.Errorf("causes %v", causes)
			}
		})
	})
	t.Run("of a child is an error for its parent", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			_, err := child.Call(ctx, "", durable.WithInstanceID("kid"))
			var failed *durable.ChildError
			return fmt.Sprint(errors.As(err, &failed), errors.Is(err, durable.ErrCancelled), err), nil
		}), child.With(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil })), func(e *env) {
			run := begin(e, main, "i", "")
			time.Sleep(time.Second)
			e.cancel("kid", "shoo")
			wantRun(e, run, "true true canceled: shoo")
		})
	})
	t.Run("before the start, twice, after the end, of nobody", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			run := begin(e, main, "i", "")
			e.cancel("i", "first")
			e.cancel("i", "second")
			e.cancel("nobody", "x")
			e.start(nil, code(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil })...)
			wantFailure(e, run, "canceled: first")
			before := e.events("i")
			e.cancel("i", "third")
			time.Sleep(time.Minute)
			if diff := cmp.Diff(before, e.events("i")); diff != "" {
				t.Error(diff)
			}
			if _, err := e.client.Status(e.ctx, "nobody"); !errors.Is(err, durable.ErrInstanceNotFound) {
				t.Errorf("status of nobody: %v", err)
			}
		})
	})
	t.Run("reaches the current execution", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(time.Minute)
			return "", main.ContinueAsNew("")
		}), func(e *env) {
			run := begin(e, main, "i", "")
			time.Sleep(10*time.Minute + time.Second)
			e.cancel("i", "enough")
			wantFailure(e, run, "canceled: enough")
		})
	})
	t.Run("of a race's losers", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			durable.Race(ctx, ctx.Timer(time.Second), child.Schedule(ctx, ""), slow.Schedule(ctx, time.Hour),
				durable.Go(ctx, func(ctx *durable.Context) (string, error) {
					return child.Call(ctx, "", durable.WithInstanceID("in-a-block"))
				}))
			ctx.Sleep(time.Minute)
			return "on", nil
		}), child.With(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(24 * time.Hour); return "", nil })), func(e *env) {
			want(e, main, "i", "", "on")
			wantFailure(e, child.Run(e.client, "i::sub::3"), "canceled: parent dropped sub-orchestration future")
			wantFailure(e, child.Run(e.client, "in-a-block"), "canceled: parent dropped sub-orchestration future")
		})
	})
}

func TestChildIDTaken(t *testing.T) {
	t.Parallel()
	const child = durable.Orchestration[string, string]("child")
	withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
		_, err := child.Call(ctx, "", durable.WithInstanceID("taken"))
		return fmt.Sprint(err), nil
	}), child.With(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil })), func(e *env) {
		run := begin(e, child, "taken", "")
		want(e, main, "a", "", "sub-orchestration instance id 'taken' already exists")
		wantRun(e, run, "")
		want(e, main, "b", "", "sub-orchestration instance id 'taken' already exists and is terminal")
	})
}

func TestFailuresThatCannotBeCaught(t *testing.T) {
	t.Parallel()
	const child = durable.Orchestration[string, string]("child")
	missing := durable.Activity[string, string]("missing")
	withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
		_, _ = child.Call(ctx, "")
		return "caught", nil
	}), child.With(func(ctx *durable.Context, _ string) (string, error) {
		_, _ = missing.Call(ctx, "")
		return "caught", nil
	})), func(e *env) {
		const text = "poison: activity missing#2 exceeded 11 attempts (max 10)"
		failed := wantFailure(e, begin(e, main, "i", ""), text)
		wantFailure(e, child.Run(e.client, "i::sub::2"), text)
		if failed.InstanceID != "i" || failed.Error() != "orchestration i: "+text {
			t.Errorf("%v", failed)
		}
	})
}
