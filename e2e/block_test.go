package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// Blocks run side by side, call activities and children, and are joined and
// raced as futures are.
func TestBlocks(t *testing.T) {
	// pausing is a block that sleeps and returns a text.
	pausing := func(ctx *durable.Context, d time.Duration, text string) *durable.Future[string] {
		return durable.Go(ctx, func(ctx *durable.Context) (string, error) { ctx.Sleep(d); return text, nil })
	}
	// calling is a block with a child and another call after it.
	calling := func(ctx *durable.Context, in string) *durable.Future[string] {
		return durable.Go(ctx, func(ctx *durable.Context) (string, error) {
			out, err := kid.Call(ctx, in)
			if err != nil {
				return "", err
			}
			return relay.Call(ctx, out+"!")
		})
	}
	// sleeping is a block whose child sleeps for an hour.
	sleeping := func(ctx *durable.Context, childID string) *durable.Future[string] {
		return durable.Go(ctx, func(ctx *durable.Context) (string, error) {
			return sleeper.Call(ctx, time.Hour, durable.WithInstanceID(childID))
		})
	}
	const soon = 20 * time.Millisecond
	cancelled := func(children ...string) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, _ string) {
			t.Helper()
			for _, id := range children {
				if _, err := sleeper.Run(s.client, id).Wait(s.ctx); !errors.Is(err, durable.ErrCancelled) {
					t.Errorf("%s: %v, want ErrCancelled", id, err)
				}
			}
		}
	}
	const nested = durable.Orchestration[string, string]("nested")
	flows := map[string]flow{
		"join with control flow": {code: func(ctx *durable.Context, _ string) (string, error) {
			branching := func(in string) *durable.Future[string] {
				return durable.Go(ctx, func(ctx *durable.Context) (string, error) {
					out, err := upcase.Call(ctx, in)
					if err != nil || out != "B" {
						return out, err
					}
					if _, err := failing.Call(ctx, "no luck"); err != nil {
						return relay.Call(ctx, "after "+err.Error())
					}
					return "wrong branch", nil
				})
			}
			out, err := durable.JoinAll(ctx, branching("a"), branching("b"), branching("c"))
			return strings.Join(out, ","), err
		}, want: "A,after no luck,C"},
		"many joined": {code: func(ctx *durable.Context, _ string) (string, error) {
			var all []*durable.Future[string]
			for i := range 10 {
				all = append(all, pausing(ctx, time.Duration(10-i)*time.Millisecond, fmt.Sprint(i)))
			}
			out, err := durable.JoinAll(ctx, all...)
			return strings.Join(out, ""), err
		}, want: "0123456789"},
		"one after the other": {code: func(ctx *durable.Context, _ string) (string, error) {
			a, err := pausing(ctx, soon, "a").Await(ctx)
			if err != nil {
				return "", err
			}
			b, err := calling(ctx, a+"b").Await(ctx)
			if err != nil {
				return "", err
			}
			return calling(ctx, b).Await(ctx)
		}, want: "AB!!"},
		"the first to finish wins": {code: func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, pausing(ctx, time.Hour, ""), pausing(ctx, soon, ""))), nil
		}, want: "1"},
		"against a future": {code: func(ctx *durable.Context, _ string) (string, error) {
			first := durable.Race(ctx, pausing(ctx, time.Hour, ""), upcase.Schedule(ctx, "a"))
			second := durable.Race(ctx, calling(ctx, "a"), ctx.Timer(time.Hour))
			return fmt.Sprint(first, second), nil
		}, want: "1 0"},
		"three with timers": {code: func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, pausing(ctx, time.Hour, ""), pausing(ctx, 2*time.Hour, ""), pausing(ctx, soon, ""))), nil
		}, want: "2"},
		"a join inside a race": {code: func(ctx *durable.Context, _ string) (string, error) {
			both := durable.Go(ctx, func(ctx *durable.Context) (string, error) {
				out, err := durable.JoinAll(ctx, upcase.Schedule(ctx, "a"), kid.Schedule(ctx, "b"))
				return strings.Join(out, ""), err
			})
			if durable.Race(ctx, ctx.Timer(time.Hour), both) == 0 {
				return "timer", nil
			}
			return both.Await(ctx)
		}, want: "AB"},
		"one with a child wins": {code: func(ctx *durable.Context, _ string) (string, error) {
			b := calling(ctx, "a")
			if durable.Race(ctx, b, ctx.Timer(time.Hour)) == 1 {
				return "timer", nil
			}
			return b.Await(ctx)
		}, want: "A!"},
		"one with a child loses": {code: func(ctx *durable.Context, _ string) (string, error) {
			winner := durable.Race(ctx, sleeping(ctx, "loser"), ctx.Timer(soon))
			nextTurn(ctx)
			return fmt.Sprint(winner), nil
		}, want: "1", end: cancelled("loser")},
		"children joined": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, calling(ctx, "a"), calling(ctx, "b"), calling(ctx, "c"))
			return strings.Join(out, ""), err
		}, want: "A!B!C!"},
		"children race a deadline": {code: func(ctx *durable.Context, _ string) (string, error) {
			winner := durable.Race(ctx, sleeping(ctx, "late 1"), sleeping(ctx, "late 2"), ctx.Timer(soon))
			nextTurn(ctx)
			return fmt.Sprint(winner), nil
		}, want: "2", end: cancelled("late 1", "late 2")},
		"children of children": {code: func(ctx *durable.Context, _ string) (string, error) {
			return durable.Go(ctx, func(ctx *durable.Context) (string, error) { return nested.Call(ctx, "a") }).Await(ctx)
		}, want: "nested A!"},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlows(t, flows, cast(nested.With(func(ctx *durable.Context, in string) (string, error) {
			out, err := calling(ctx, in).Await(ctx)
			return "nested " + out, err
		}))...)
	})
}

type quote struct {
	Item  string
	Price int
}

// Typed futures are joined, raced, and transformed by blocks.
func TestTypedComposition(t *testing.T) {
	const price = durable.Activity[string, quote]("price")
	// label transforms the result of a call.
	label := func(ctx *durable.Context, item string) *durable.Future[string] {
		return durable.Go(ctx, func(ctx *durable.Context) (string, error) {
			q, err := price.Call(ctx, item)
			return fmt.Sprintf("%s at %d", q.Item, q.Price), err
		})
	}
	flows := map[string]flow{
		"fan-out": {code: func(ctx *durable.Context, _ string) (string, error) {
			all, err := durable.JoinAll(ctx, price.Schedule(ctx, "tea"), price.Schedule(ctx, "milk"), price.Schedule(ctx, "sugar"))
			return fmt.Sprint(all), err
		}, want: "[{tea 3} {milk 4} {sugar 5}]"},
		"two types": {code: func(ctx *durable.Context, _ string) (string, error) {
			q, s := price.Schedule(ctx, "tea"), upcase.Schedule(ctx, "tea")
			text, err := s.Await(ctx)
			if err != nil {
				return "", err
			}
			value, err := q.Await(ctx)
			return fmt.Sprint(value.Price, text), err
		}, want: "3TEA"},
		"against a deadline": {code: func(ctx *durable.Context, _ string) (string, error) {
			in, late := price.Schedule(ctx, "tea"), upcase.Schedule(ctx, "", nobody())
			if durable.Race(ctx, in, ctx.Timer(time.Hour)) == 1 || durable.Race(ctx, late, ctx.Timer(20*time.Millisecond)) == 0 {
				return "wrong winner", nil
			}
			q, err := in.Await(ctx)
			return fmt.Sprint(q), err
		}, want: "{tea 3}"},
		"transformed": {code: func(ctx *durable.Context, _ string) (string, error) { return label(ctx, "tea").Await(ctx) }, want: "tea at 3"},
		"transformed, then joined": {code: func(ctx *durable.Context, _ string) (string, error) {
			all, err := durable.JoinAll(ctx, label(ctx, "tea"), label(ctx, "milk"))
			return strings.Join(all, ", "), err
		}, want: "tea at 3, milk at 4"},
		"transformed, then given up": {code: func(ctx *durable.Context, _ string) (string, error) {
			b := durable.Go(ctx, func(ctx *durable.Context) (int, error) {
				out, err := upcase.Call(ctx, "", nobody())
				return len(out), err
			})
			nextTurn(ctx)
			b.Cancel()
			_, err := b.Await(ctx)
			return fmt.Sprint(errors.Is(err, durable.ErrDropped)), nil
		}, want: "true", end: records("ActivityCancelRequested", 1)},
		"an error of a join": {code: func(ctx *durable.Context, _ string) (string, error) {
			_, err := durable.JoinAll(ctx, price.Schedule(ctx, "tea"), price.Schedule(ctx, ""))
			var failed *durable.ActivityError
			return "", fmt.Errorf("%t: %w", errors.As(err, &failed), err)
		}, fail: "true: no item"},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlows(t, flows, cast(price.With(priceOf))...)
	})
}
