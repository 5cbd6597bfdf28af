package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Keys are pruned by when they were last set, in whichever execution that was.
func TestKeyValuePruning(t *testing.T) {
	// What is set after a pause is younger by more than the clock's resolution.
	pause := func(ctx *durable.Context) { ctx.Sleep(5 * time.Millisecond) }
	// left tells how many were pruned, and the keys that are there in the next
	// turn.
	left := func(ctx *durable.Context, cutoff time.Time) (string, error) {
		n := ctx.KVPrune(cutoff)
		nextTurn(ctx)
		return fmt.Sprint(n, " ", strings.Join(ctx.KVKeys(), " ")), nil
	}
	ever := time.UnixMilli(1 << 50)
	flows := map[string]flow{
		"older than the cutoff": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				ctx.KVSetRaw("old", "")
				pause(ctx)
				return "", again(ctx, id, 2)
			}
			return left(ctx, ctx.Now())
		}, want: "1 ", end: leaves(map[string]string{})},
		"only those": {code: func(ctx *durable.Context, id string) (string, error) {
			switch ctx.ExecutionID() {
			case 1:
				ctx.KVSetRaw("old", "")
				ctx.KVSetRaw("renewed", "")
				pause(ctx)
			case 2:
				ctx.SetStatus(ctx.Now().Format(time.RFC3339Nano))
				ctx.KVSetRaw("new", "")
				ctx.KVSetRaw("renewed", "")
			}
			if err := again(ctx, id, 3); err != nil {
				return "", err
			}
			text, _ := ctx.Status()
			cutoff, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				return "", err
			}
			return left(ctx, cutoff)
		}, want: "1 new renewed", end: leaves(map[string]string{"new": "", "renewed": ""})},
		"a cutoff of zero": {code: func(ctx *durable.Context, id string) (string, error) {
			ctx.KVSetRaw(fmt.Sprint("k", ctx.ExecutionID()), "")
			if err := again(ctx, id, 2); err != nil {
				return "", err
			}
			return left(ctx, time.UnixMilli(0))
		}, want: "0 k1 k2"},
		"no keys":                  {code: func(ctx *durable.Context, _ string) (string, error) { return left(ctx, ever) }, want: "0 "},
		"everything, of this turn": {code: func(ctx *durable.Context, _ string) (string, error) { ctx.KVSetRaw("a", ""); return left(ctx, ever) }, want: "1 "},
		"a key of this turn, by now": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "")
			return left(ctx, ctx.Now())
		}, want: "0 a"},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, relaying()) })
}

// Pruning the executions of many instances leaves the keys that those set.
func TestKeyValuesOutliveBulkPruning(t *testing.T) {
	const chain = durable.Orchestration[string, string]("chain")
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, chain.With(func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw(fmt.Sprint("k", ctx.ExecutionID()), "v")
			return "", again(ctx, string(chain), 4)
		}))
		ids := []string{"a", "b", "c"}
		for _, id := range ids {
			run, err := chain.Start(s.ctx, s.client, id, "")
			must(t, err)
			_, err = run.Wait(s.ctx)
			must(t, err)
		}
		result, err := s.admin.PruneExecutionsBulk(s.ctx, core.PruneExecutionsBulkParams{})
		must(t, err)
		equal(t, "executions deleted", 9, int(result.ExecutionsDeleted))
		for _, id := range ids {
			leaves(map[string]string{"k1": "v", "k2": "v", "k3": "v", "k4": "v"})(t, s, id)
		}
	})
}
