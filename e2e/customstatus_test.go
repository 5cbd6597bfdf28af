package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// A client follows the custom status and answers each change.
func TestCustomStatus(t *testing.T) {
	t.Parallel()
	const talk = durable.Orchestration[int, string]("talk")
	w := newWorld(t)
	w.run(t, nil, talk.With(func(ctx *durable.Context, rounds int) (string, error) {
		for i := range rounds {
			ctx.SetStatus(fmt.Sprint("round ", i))
			if _, err := durable.Dequeue[string](ctx, "next").Await(ctx); err != nil {
				return "", err
			}
		}
		ctx.ResetStatus()
		return "done", nil
	}))
	client := w.client(t)
	_, err := talk.Start(w.ctx, client, "talk", 4)
	must(t, err)
	var seen []string
	for version := uint64(0); ; {
		s, err := client.WaitStatusChange(w.ctx, "talk", version)
		must(t, err)
		if s.Done() {
			equal(t, "status at the end", nil, s.CustomStatus)
			equal(t, "output", "done", s.Output)
			break
		}
		if s.CustomStatusVersion <= version {
			t.Fatalf("version %d after %d", s.CustomStatusVersion, version)
		}
		version = s.CustomStatusVersion
		seen = append(seen, *s.CustomStatus)
		must(t, client.EnqueueMessage(w.ctx, "talk", "next", ""))
	}
	equal(t, "statuses", []string{"round 0", "round 1", "round 2", "round 3"}, seen)
}

// What clients see of a custom status after the end, and the code in between.
func TestCustomStatuses(t *testing.T) {
	// shows compares the status and the number of turns that set it.
	shows := func(want *string, version uint64) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			status, err := s.client.Status(s.ctx, id)
			must(t, err)
			equal(t, "custom status", want, status.CustomStatus)
			equal(t, "its version", version, status.CustomStatusVersion)
		}
	}
	// sets sets each of the texts in a turn of its own.
	sets := func(texts ...string) func(ctx *durable.Context, id string) (string, error) {
		return func(ctx *durable.Context, _ string) (string, error) {
			for _, text := range texts {
				ctx.SetStatus(text)
				nextTurn(ctx)
			}
			out, _ := ctx.Status()
			return out, nil
		}
	}
	const limit = 256 * 1024
	flows := map[string]flow{
		"visible on completion":      {code: sets("busy"), want: "busy", end: shows(new("busy"), 1)},
		"none when not set":          {code: sets(), end: shows(nil, 0)},
		"updated in a later turn":    {code: sets("one", "two"), want: "two", end: shows(new("two"), 2)},
		"version of each turn":       {code: sets("1", "2", "3", "4"), want: "4", end: shows(new("4"), 4)},
		"above the limit: a failure": {code: sets(strings.Repeat("x", limit+1)), fail: fmt.Sprint(limit)},
		"at the limit":               {code: sets(strings.Repeat("x", limit)), want: strings.Repeat("x", limit), end: shows(new(strings.Repeat("x", limit)), 1)},
		"last write of a turn wins": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.SetStatus("one")
			ctx.SetStatus("two")
			return "", nil
		}, end: shows(new("two"), 1)},
		"reset clears to none": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.SetStatus("one")
			nextTurn(ctx)
			ctx.ResetStatus()
			return "", nil
		}, end: shows(nil, 2)},
		"visible on failure": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.SetStatus("going wrong")
			return "", errors.New("no luck")
		}, fail: "no luck", end: shows(new("going wrong"), 1)},
		"persists across turns": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.SetStatus("one")
			nextTurn(ctx)
			nextTurn(ctx)
			out, _ := ctx.Status()
			return out, nil
		}, want: "one", end: shows(new("one"), 1)},
		"read in each turn": {code: func(ctx *durable.Context, _ string) (string, error) {
			var seen []string
			see := func() {
				text, ok := ctx.Status()
				seen = append(seen, fmt.Sprint(text, ok))
				nextTurn(ctx)
			}
			see()
			ctx.SetStatus("one")
			see()
			see()
			ctx.SetStatus("two")
			see()
			ctx.ResetStatus()
			see()
			return strings.Join(seen, " "), nil
		}, want: "false onetrue onetrue twotrue false", end: shows(nil, 3)},
		"persists across continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				ctx.SetStatus("one")
			}
			out, _ := ctx.Status()
			return out, again(ctx, id, 3)
		}, want: "one", end: shows(new("one"), 1)},
		"reset across continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() == 1 {
				ctx.SetStatus("one")
			} else {
				ctx.ResetStatus()
			}
			out, ok := ctx.Status()
			return fmt.Sprintf("%s %t", out, ok), again(ctx, id, 2)
		}, want: " false", end: shows(nil, 2)},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, relaying()) })
}
