package e2e_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// An instance reads what another one has at that time, and what it has read is
// recorded: every turn here runs the code from the start.
func TestKeyValuesOfOthers(t *testing.T) {
	type point struct{ X, Y int }
	const source = durable.Orchestration[string, string]("source")
	read := func(key string) func(ctx *durable.Context, _ string) (string, error) {
		return func(ctx *durable.Context, _ string) (string, error) {
			v, err := ctx.KVFrom("constant", key)
			if v == nil {
				return "none", err
			}
			return *v, err
		}
	}
	flows := map[string]flow{
		"a value":       {code: read("a"), want: "1"},
		"a missing key": {code: read("missing"), want: "none"},
		"a typed value": {code: func(ctx *durable.Context, _ string) (string, error) {
			p, ok, err := durable.KVGetFrom[point](ctx, "constant", "p")
			return fmt.Sprint(p, ok), err
		}, want: "{1 2} true"},
		"a typed value that is missing": {code: func(ctx *durable.Context, _ string) (string, error) {
			p, ok, err := durable.KVGetFrom[point](ctx, "constant", "missing")
			return fmt.Sprint(p, ok), err
		}, want: "{0 0} false"},
		"a typed value of another type": {code: func(ctx *durable.Context, _ string) (string, error) {
			n, ok, err := durable.KVGetFrom[int](ctx, "constant", "p")
			return fmt.Sprint(n, ok), err
		}, fail: "KV deserialization error for key 'p'"},
		"recorded, and newer when it is read again": {code: func(ctx *durable.Context, _ string) (string, error) {
			before, err := ctx.KVFrom("changing", "a")
			if err != nil {
				return "", err
			}
			waits(ctx)
			if _, err := reads(ctx, "go"); err != nil {
				return "", err
			}
			after, err := ctx.KVFrom("changing", "a")
			return fmt.Sprint(*before, " ", *after), err
		}, want: "1 2", meanwhile: func(t *testing.T, s *store, id string) {
			t.Helper()
			s.whenItWaits(t, id)
			sends("q=2")(t, s, "changing")
			_, err := source.Run(s.client, "changing").Wait(s.ctx)
			must(t, err)
			sends("go=")(t, s, id)
		}, end: records(core.TypeActivityScheduled, 2)},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		publish := source.With(func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "1")
			if err := durable.KVSet(ctx, "p", point{1, 2}); err != nil {
				return "", err
			}
			waits(ctx)
			next, err := reads(ctx, "q")
			ctx.KVSetRaw("a", next)
			return "", err
		})
		// They are there when the flows begin.
		first := runOn(t, s.p, nil, publish)
		for _, id := range []string{"constant", "changing"} {
			_, err := source.Start(s.ctx, s.client, id, "")
			must(t, err)
			s.whenItWaits(t, id)
		}
		must(t, first.Shutdown(s.ctx))
		s.runFlowsWith(t, &durable.Options{WarmInstances: -1}, flows, publish)
	})
}

// Many instances write, read each other, and continue as new at the same time.
func TestKeyValuesUnderLoad(t *testing.T) {
	const (
		writer  = durable.Orchestration[int, string]("writer")
		reader  = durable.Orchestration[int, string]("reader")
		counter = durable.Orchestration[int, string]("counter")
		many    = 20
	)
	// children runs an instance of a child for each number.
	children := func(child durable.Orchestration[int, string]) func(ctx *durable.Context, _ string) (string, error) {
		return func(ctx *durable.Context, _ string) (string, error) {
			var all []*durable.Future[string]
			for i := range many {
				all = append(all, child.Schedule(ctx, i, durable.WithInstanceID(fmt.Sprint(string(child), " ", i))))
			}
			out, err := durable.JoinAll(ctx, all...)
			slices.Sort(out)
			return strings.Join(slices.Compact(out), ","), err
		}
	}
	flows := map[string]flow{
		"many instances write": {code: children(writer), want: "done", end: func(t *testing.T, s *store, _ string) {
			t.Helper()
			for i := range many {
				leaves(map[string]string{"own": fmt.Sprint(i), "k0": "3", "k1": "3", "k2": "3"})(t, s, fmt.Sprint("writer ", i))
			}
		}},
		"many read one": {code: func(ctx *durable.Context, id string) (string, error) {
			ctx.KVSetRaw("a", "1")
			nextTurn(ctx)
			return children(reader)(ctx, id)
		}, want: "1"},
		"many continue as new": {code: children(counter), want: "10"},
		"many keys over many turns": {code: func(ctx *durable.Context, _ string) (string, error) {
			for turn := range 7 {
				for i := range 20 {
					ctx.KVSetRaw(fmt.Sprint("k", 20*turn+i), "v")
				}
				nextTurn(ctx)
			}
			for i := range 70 {
				ctx.KVClear(fmt.Sprint("k", 2*i))
				ctx.KVSetRaw(fmt.Sprint("k", 2*i+1), strconv.Itoa(i))
			}
			nextTurn(ctx)
			return fmt.Sprint(len(ctx.KVKeys())), nil
		}, want: "70", end: func(t *testing.T, s *store, id string) {
			t.Helper()
			want := map[string]string{}
			for i := range 70 {
				want[fmt.Sprint("k", 2*i+1)] = strconv.Itoa(i)
			}
			leaves(want)(t, s, id)
		}},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlows(t, flows, cast(
			writer.With(func(ctx *durable.Context, n int) (string, error) {
				ctx.KVSetRaw("own", strconv.Itoa(n))
				for range 3 {
					for k := range 3 {
						increment(ctx, fmt.Sprint("k", k))
					}
					nextTurn(ctx)
				}
				return "done", nil
			}),
			reader.With(func(ctx *durable.Context, _ int) (string, error) {
				v, err := ctx.KVFrom("many read one", "a")
				return *v, err
			}),
			counter.With(func(ctx *durable.Context, n int) (string, error) {
				if count := increment(ctx, "n"); count < 10 {
					return "", counter.ContinueAsNew(n)
				}
				v, _ := ctx.KVGetRaw("n")
				return v, nil
			}))...)
	})
}

// One thread and one slot of each kind are enough.
func TestKeyValuesOnOneThread(t *testing.T) {
	flows := map[string]flow{
		"over turns": {code: func(ctx *durable.Context, _ string) (string, error) {
			increment(ctx, "n")
			nextTurn(ctx)
			return strconv.Itoa(increment(ctx, "n")), nil
		}, want: "2", end: leaves(map[string]string{"n": "2"})},
		"over continue as new, one thread": {code: func(ctx *durable.Context, id string) (string, error) {
			n := increment(ctx, "n")
			nextTurn(ctx)
			return strconv.Itoa(n), again(ctx, id, 3)
		}, want: "3", end: leaves(map[string]string{"n": "3"})},
	}
	onOneThread(t, func(t *testing.T, s *store) {
		s.runFlowsWith(t, &durable.Options{MaxTurns: 1, MaxActivities: 1, Fetchers: 1}, flows, relaying())
	})
}
