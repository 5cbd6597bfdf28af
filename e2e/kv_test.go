package e2e_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// increment is what everybody does with a counter.
func increment(ctx *durable.Context, key string) int {
	text, _ := ctx.KVGetRaw(key)
	n, _ := strconv.Atoi(text)
	ctx.KVSetRaw(key, strconv.Itoa(n+1))
	return n + 1
}

// again starts the next execution until there were n.
func again(ctx *durable.Context, id string, n uint64) error {
	if ctx.ExecutionID() < n {
		return durable.Orchestration[string, string](id).ContinueAsNew(id)
	}
	return nil
}

// leaves compares all key-values of an instance as clients read them.
func leaves(want map[string]string) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, id string) {
		t.Helper()
		all, err := s.client.KVAll(s.ctx, id)
		must(t, err)
		equal(t, "key-values", want, all)
		for key, value := range want {
			got, err := s.client.KVGetRaw(s.ctx, id, key)
			must(t, err)
			equal(t, key, &value, got)
		}
		missing, err := s.client.KVGetRaw(s.ctx, id, "missing")
		must(t, err)
		equal(t, "missing", nil, missing)
	}
}

func TestKeyValues(t *testing.T) {
	type point struct{ X, Y int }
	type code = func(ctx *durable.Context, id string) (string, error)
	// does is code without a result of its own.
	does := func(steps ...func(ctx *durable.Context)) code {
		return func(ctx *durable.Context, _ string) (string, error) {
			for i, step := range steps {
				if i > 0 {
					nextTurn(ctx)
				}
				step(ctx)
			}
			return "", nil
		}
	}
	set := func(key, text string) func(ctx *durable.Context) {
		return func(ctx *durable.Context) { ctx.KVSetRaw(key, text) }
	}
	remove := func(key string) func(ctx *durable.Context) { return func(ctx *durable.Context) { ctx.KVClear(key) } }
	many := func(n int) func(ctx *durable.Context) {
		return func(ctx *durable.Context) {
			for i := range n {
				ctx.KVSetRaw(fmt.Sprint("k", i), "v")
			}
		}
	}
	removeAll := func(ctx *durable.Context) { ctx.KVClearAll() }
	nothing := map[string]string{}
	flows := map[string]flow{
		"set value visible via client": {code: does(set("a", "1")), end: leaves(map[string]string{"a": "1"})},
		"several keys in one turn":     {code: does(func(ctx *durable.Context) { set("a", "1")(ctx); set("b", "2")(ctx) }), end: leaves(map[string]string{"a": "1", "b": "2"})},
		"overwrite in one turn":        {code: does(func(ctx *durable.Context) { set("a", "1")(ctx); set("a", "2")(ctx) }), end: leaves(map[string]string{"a": "2"})},
		"overwrite in a later turn":    {code: does(set("a", "1"), set("a", "2")), end: leaves(map[string]string{"a": "2"})},
		"clear one":                    {code: does(func(ctx *durable.Context) { many(2)(ctx); remove("k0")(ctx) }), end: leaves(map[string]string{"k1": "v"})},
		"clear one in a later turn":    {code: does(many(2), remove("k0")), end: leaves(map[string]string{"k1": "v"})},
		"clear all":                    {code: does(many(3), removeAll), end: leaves(nothing)},
		"clear all, then set":          {code: does(many(3), removeAll, set("a", "1")), end: leaves(map[string]string{"a": "1"})},
		"clear, then set again":        {code: does(func(ctx *durable.Context) { set("a", "1")(ctx); remove("a")(ctx); set("a", "2")(ctx) }), end: leaves(map[string]string{"a": "2"})},
		"clear, then set in a later turn": {
			code: does(set("a", "1"), remove("a"), set("a", "2")), end: leaves(map[string]string{"a": "2"}),
		},
		"persists across turns": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "1")
			nextTurn(ctx)
			nextTurn(ctx)
			v, _ := ctx.KVGetRaw("a")
			return v, nil
		}, want: "1", end: leaves(map[string]string{"a": "1"})},
		"get sees the set of the same turn, none of a missing key": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "1")
			v, ok := ctx.KVGetRaw("a")
			_, missing := ctx.KVGetRaw("missing")
			return fmt.Sprint(v, ok, missing), nil
		}, want: "1true false"},
		"typed, as JSON": {code: func(ctx *durable.Context, _ string) (string, error) {
			if err := durable.KVSet(ctx, "p", point{1, 2}); err != nil {
				return "", err
			}
			nextTurn(ctx)
			p, ok, err := durable.KVGet[point](ctx, "p")
			return fmt.Sprint(p, ok), err
		}, want: "{1 2} true", end: leaves(map[string]string{"p": `{"X":1,"Y":2}`})},
		"JSON text as it is": {code: does(set("a", `{"list": [1, 2], "none": null}`)), end: leaves(map[string]string{"a": `{"list": [1, 2], "none": null}`})},
		"of another type: the error names the key": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("p", "no number")
			_, _, err := durable.KVGet[int](ctx, "p")
			return "", err
		}, fail: "key 'p'"},
		"an empty key and value": {code: does(set("", "")), end: leaves(map[string]string{"": ""})},
		"none":                   {code: does(), end: leaves(nothing)},
		"readable after a failure": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "1")
			nextTurn(ctx)
			return "", errors.New("no luck")
		}, fail: "no luck", end: leaves(map[string]string{"a": "1"})},
		"151 keys fail": {code: does(many(151)), fail: "150"},
		"150 keys pass": {code: does(many(150)), end: func(t *testing.T, s *store, id string) {
			all, err := s.client.KVAll(s.ctx, id)
			must(t, err)
			equal(t, "keys", 150, len(all))
		}},
		"keys count after a clear":     {code: does(many(150), func(ctx *durable.Context) { removeAll(ctx); set("a", "1")(ctx) }), end: leaves(map[string]string{"a": "1"})},
		"a value of 65537 bytes fails": {code: does(set("a", strings.Repeat("x", 65537))), fail: "65536"},
		"in the winning branch of a race": {code: func(ctx *durable.Context, _ string) (string, error) {
			winner := relay.Schedule(ctx, "")
			if durable.Race(ctx, winner, ctx.Timer(time.Hour)) == 0 {
				ctx.KVSetRaw("winner", "activity")
			}
			return "", nil
		}, end: leaves(map[string]string{"winner": "activity"})},
		"survives continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				ctx.KVSetRaw("a", "1")
			}
			if err := again(ctx, id, 3); err != nil {
				return "", err
			}
			v, _ := ctx.KVGetRaw("a")
			return v, nil
		}, want: "1", end: leaves(map[string]string{"a": "1"})},
		"overwritten after continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			ctx.KVSetRaw("a", fmt.Sprint(ctx.ExecutionID()))
			return "", again(ctx, id, 2)
		}, end: leaves(map[string]string{"a": "2"})},
		"cleared after continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				many(2)(ctx)
			} else {
				ctx.KVClear("k0")
				nextTurn(ctx)
				if _, ok := ctx.KVGetRaw("k0"); ok {
					return "", errors.New("the value of the earlier execution is back")
				}
			}
			return "", again(ctx, id, 2)
		}, end: leaves(map[string]string{"k1": "v"})},
		"gathered over a chain of executions": {code: func(ctx *durable.Context, id string) (string, error) {
			ctx.KVSetRaw(fmt.Sprint("k", ctx.ExecutionID()), "v")
			return "", again(ctx, id, 4)
		}, end: leaves(map[string]string{"k1": "v", "k2": "v", "k3": "v", "k4": "v"})},
		"a counter in every turn": {code: func(ctx *durable.Context, _ string) (string, error) {
			for range 4 {
				increment(ctx, "n")
				nextTurn(ctx)
			}
			return strconv.Itoa(increment(ctx, "n")), nil
		}, want: "5", end: leaves(map[string]string{"n": "5"})},
		"a counter goes on over continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			for range 3 {
				increment(ctx, "n")
				nextTurn(ctx)
			}
			text, _ := ctx.KVGetRaw("n")
			return text, again(ctx, id, 3)
		}, want: "9", end: leaves(map[string]string{"n": "9"})},
		"between activities and timers": {code: func(ctx *durable.Context, _ string) (string, error) {
			increment(ctx, "n")
			nextTurn(ctx)
			increment(ctx, "n")
			ctx.Sleep(time.Millisecond)
			return strconv.Itoa(increment(ctx, "n")), nil
		}, want: "3"},
		"around a fan-out": {code: func(ctx *durable.Context, _ string) (string, error) {
			var all []*durable.Future[string]
			for i := range 5 {
				all = append(all, relay.Schedule(ctx, fmt.Sprint("v", i)))
			}
			values, err := durable.JoinAll(ctx, all...)
			for i, v := range values {
				ctx.KVSetRaw(fmt.Sprint("k", i), v)
			}
			return "", err
		}, end: leaves(map[string]string{"k0": "v0", "k1": "v1", "k2": "v2", "k3": "v3", "k4": "v4"})},
		"an instance reads its own from outside": {code: func(ctx *durable.Context, id string) (string, error) {
			ctx.KVSetRaw("a", "1")
			nextTurn(ctx)
			v, err := ctx.KVFrom(id, "a")
			if err != nil || v == nil {
				return "", fmt.Errorf("read %v, %w", v, err)
			}
			return *v, nil
		}, want: "1"},
		"of an unknown instance: none": {code: func(ctx *durable.Context, _ string) (string, error) {
			v, err := ctx.KVFrom("nobody", "a")
			return fmt.Sprint(v == nil), err
		}, want: "true"},
		"a client reads while it runs": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "1")
			_, err := durable.Dequeue[string](ctx, "go").Await(ctx)
			return "", err
		}, meanwhile: func(t *testing.T, s *store, id string) {
			until(t, s.ctx, "no value", func() bool {
				v, err := s.client.KVGetRaw(s.ctx, id, "a")
				must(t, err)
				return v != nil && *v == "1"
			})
			must(t, s.client.EnqueueMessage(s.ctx, id, "go", ""))
		}},
		"gone with the instance": {code: does(many(3)), end: func(t *testing.T, s *store, id string) {
			leaves(map[string]string{"k0": "v", "k1": "v", "k2": "v"})(t, s, id)
			_, err := s.admin.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: id})
			must(t, err)
			leaves(nothing)(t, s, id)
		}},
		"not gone with an execution that is pruned": {code: func(ctx *durable.Context, id string) (string, error) {
			ctx.KVSetRaw(fmt.Sprint("k", ctx.ExecutionID()), "v")
			return "", again(ctx, id, 3)
		}, end: func(t *testing.T, s *store, id string) {
			result, err := s.admin.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: id, Options: core.PruneOptions{KeepLast: new(uint32(1))}})
			must(t, err)
			equal(t, "executions deleted", 2, int(result.ExecutionsDeleted))
			leaves(map[string]string{"k1": "v", "k2": "v", "k3": "v"})(t, s, id)
		}},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, relaying()) })
}

// A parent and its child have keys of their own, which end with the tree.
func TestKeyValuesOfATree(t *testing.T) {
	const (
		parent = durable.Orchestration[string, string]("parent")
		child  = durable.Orchestration[string, string]("child")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, parent.With(func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "parent's")
			if _, err := child.Call(ctx, "", durable.WithInstanceID("kid")); err != nil {
				return "", err
			}
			v, _ := ctx.KVGetRaw("a")
			return v, nil
		}), child.With(func(ctx *durable.Context, _ string) (string, error) {
			_, ok := ctx.KVGetRaw("a")
			ctx.KVSetRaw("a", "child's")
			return fmt.Sprint(ok), nil
		}))
		run, err := parent.Start(s.ctx, s.client, "top", "")
		must(t, err)
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "the parent sees", "parent's", out)
		seen, err := child.Run(s.client, "kid").Wait(s.ctx)
		must(t, err)
		equal(t, "the child saw a key", "false", seen)
		leaves(map[string]string{"a": "parent's"})(t, s, "top")
		leaves(map[string]string{"a": "child's"})(t, s, "kid")
		_, err = s.admin.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: "top"})
		must(t, err)
		leaves(map[string]string{})(t, s, "kid")
	})
}
