package e2e_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// The times and ids that the runtime's own activities give are recorded: every
// later turn sees the same.
func TestSystemActivities(t *testing.T) {
	began := time.Now()
	now := func(ctx *durable.Context) (string, error) {
		at, err := ctx.RecordNow()
		return at.Format(time.RFC3339Nano), err
	}
	// kept has an activity return what it was given, and compares it with what
	// the code knows turns later.
	kept := func(get func(ctx *durable.Context) (string, error)) func(ctx *durable.Context, _ string) (string, error) {
		return func(ctx *durable.Context, _ string) (string, error) {
			value, err := get(ctx)
			if err != nil {
				return "", err
			}
			back, err := relay.Call(ctx, value)
			nextTurn(ctx)
			return fmt.Sprint(len(value) > 0, value == back), err
		}
	}
	flows := map[string]flow{
		"a guid": {code: func(ctx *durable.Context, _ string) (string, error) {
			id, err := ctx.NewGUID()
			if len(id) != 36 {
				return "", fmt.Errorf("guid %q", id)
			}
			return id[14:15], err
		}, want: "4"},
		"the time": {code: func(ctx *durable.Context, _ string) (string, error) {
			at, err := ctx.RecordNow()
			return fmt.Sprint(at.After(began.Add(-time.Minute)), at.Before(began.Add(time.Hour))), err
		}, want: "true true"},
		"a guid as an input":   {code: kept((*durable.Context).NewGUID), want: "true true"},
		"the time as an input": {code: kept(now), want: "true true"},
		"raced": {code: func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, ctx.Timer(time.Hour), durable.Go(ctx, (*durable.Context).NewGUID), durable.Go(ctx, (*durable.Context).NewGUID)) > 0), nil
		}, want: "true"},
		"joined with activities": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, upcase.Schedule(ctx, "a"), durable.Go(ctx, (*durable.Context).NewGUID), durable.Go(ctx, now), upcase.Schedule(ctx, "b"))
			return fmt.Sprint(out[0], len(out[1]), out[3]), err
		}, want: "A36B"},
		"after an activity": {code: func(ctx *durable.Context, _ string) (string, error) {
			nextTurn(ctx)
			_, err := ctx.NewGUID()
			nextTurn(ctx)
			return "", err
		}, end: func(t *testing.T, s *store, id string) {
			t.Helper()
			equal(t, "activities", []string{"relay", "__duroxide_syscall:new_guid", "relay"}, s.scheduled(t, id))
		}},
		"several": {code: func(ctx *durable.Context, _ string) (string, error) {
			a, err := ctx.NewGUID()
			if err != nil {
				return "", err
			}
			b, err := ctx.NewGUID()
			return fmt.Sprint(a == b), err
		}, want: "false"},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, cast()...) })
}

// With one slot for turns and one for activities, which no turn keeps suspended,
// the code runs again and again, and sees one id.
func TestSystemActivitiesWithOneSlot(t *testing.T) {
	const code = durable.Orchestration[string, int]("code")
	onEachStore(t, func(t *testing.T, s *store) {
		var mu sync.Mutex
		seen := map[string]int{}
		runOn(t, s.p, &durable.Options{MaxTurns: 1, MaxActivities: 1, Fetchers: 1, WarmInstances: -1}, cast(
			code.With(func(ctx *durable.Context, _ string) (int, error) {
				id, err := ctx.NewGUID()
				if err != nil {
					return 0, err
				}
				mu.Lock()
				seen[id]++
				mu.Unlock()
				for range 3 {
					nextTurn(ctx)
				}
				return len(id), nil
			}))...)
		run, err := code.Start(s.ctx, s.client, "one", "")
		must(t, err)
		n, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "length", 36, n)
		mu.Lock()
		defer mu.Unlock()
		for id, runs := range seen {
			if len(seen) != 1 || runs < 4 {
				t.Errorf("%s seen %d times, of %d ids", id, runs, len(seen))
			}
		}
	})
}

// A cancel does not wait for an activity of the runtime that nobody runs.
func TestCancelWhileASystemActivityIsPending(t *testing.T) {
	const code = durable.Orchestration[string, string]("code")
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, &durable.Options{Tags: core.TagFilter{Mode: core.TagsNone}},
			code.With(func(ctx *durable.Context, _ string) (string, error) {
				waits(ctx)
				return ctx.NewGUID()
			}))
		run, err := code.Start(s.ctx, s.client, "pending", "")
		must(t, err)
		s.whenItWaits(t, "pending")
		must(t, s.client.Cancel(s.ctx, "pending", "enough"))
		if _, err := run.Wait(s.ctx); !errors.Is(err, durable.ErrCancelled) {
			t.Errorf("%v, want ErrCancelled", err)
		}
		equal(t, "activities", []string{"__duroxide_syscall:new_guid"}, s.scheduled(t, "pending"))
	})
}
