package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Errors of activities and of values are the code's to answer; what it returns
// is the failure of the instance.
func TestErrors(t *testing.T) {
	const transfer = durable.Activity[string, string]("transfer")
	// ships debits, ships, and pays back when the second fails.
	ships := func(debit, ship string) func(ctx *durable.Context, _ string) (string, error) {
		return func(ctx *durable.Context, _ string) (string, error) {
			if _, err := transfer.Call(ctx, debit); err != nil {
				return "", fmt.Errorf("debit: %w", err)
			}
			if _, err := transfer.Call(ctx, ship); err != nil {
				if _, err := transfer.Call(ctx, "refund"); err != nil {
					return "", err
				}
				return "refunded: " + err.Error(), nil
			}
			return "shipped", nil
		}
	}
	calls := func(names int) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			equal(t, "activities", names, len(s.scheduled(t, id)))
		}
	}
	const number = durable.Activity[string, int]("upcase") // it returns a text
	flows := map[string]flow{
		"compensation":      {code: ships("debit", "!no ship"), want: "refunded: no ship", end: calls(3)},
		"nothing fails":     {code: ships("debit", "ship"), want: "shipped", end: calls(2)},
		"the first fails":   {code: ships("!no money", "ship"), fail: "debit: no money", end: calls(1)},
		"an error at once":  {code: func(*durable.Context, string) (string, error) { return "", errors.New("no luck") }, fail: "no luck", end: calls(0)},
		"an error returned": {code: func(ctx *durable.Context, _ string) (string, error) { return failing.Call(ctx, "bad") }, fail: "bad", end: calls(1)},
		"a panic":           {code: func(*durable.Context, string) (string, error) { panic("boom") }, fail: "orchestration panicked: boom"},
		"a result of another type": {code: func(ctx *durable.Context, _ string) (string, error) {
			_, err := number.Call(ctx, "seven")
			return fmt.Sprint(err != nil && strings.Contains(err.Error(), "decode")), nil
		}, want: "true"},
		"an event of another type": {
			code: func(ctx *durable.Context, _ string) (string, error) {
				wait := durable.WaitEvent[int](ctx, "n")
				waits(ctx)
				n, err := wait.Await(ctx)
				return fmt.Sprint(n), err
			},
			meanwhile: func(t *testing.T, s *store, id string) {
				t.Helper()
				s.whenItWaits(t, id)
				must(t, s.client.RaiseEvent(s.ctx, id, "n", "seven"))
			},
			fail: "decode",
		},
		"an event after the end changes nothing": {
			code: func(*durable.Context, string) (string, error) { return "over", nil }, want: "over",
			end: func(t *testing.T, s *store, id string) {
				t.Helper()
				must(t, s.client.RaiseEvent(s.ctx, id, "late", ""))
				// The queue is worked off in order: then the event was seen.
				until(t, s.ctx, "the event stays in the queue", func() bool {
					depths, err := s.admin.GetQueueDepths(s.ctx)
					must(t, err)
					return depths.OrchestratorQueue == 0
				})
				records(core.TypeExternalEvent, 0)(t, s, id)
			},
		},
		"six hundred activities": {code: func(ctx *durable.Context, _ string) (string, error) {
			var all []*durable.Future[string]
			for range 600 {
				all = append(all, relay.Schedule(ctx, "x"))
			}
			out, err := durable.JoinAll(ctx, all...)
			return fmt.Sprint(len(out)), err
		}, want: "600", end: calls(600)},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlows(t, flows, cast(
			transfer.With(func(_ context.Context, step string) (string, error) {
				if text, bad := strings.CutPrefix(step, "!"); bad {
					return "", errors.New(text)
				}
				return step, nil
			}))...)
	})
}
