package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// sends enqueues messages, each "queue=text", in order.
func sends(messages ...string) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, id string) {
		t.Helper()
		for _, m := range messages {
			queue, text, _ := strings.Cut(m, "=")
			must(t, s.client.EnqueueMessage(s.ctx, id, queue, text))
		}
	}
}

// reads returns the texts of the next messages of the queues, in order.
func reads(ctx *durable.Context, queues ...string) (string, error) {
	var all []string
	for _, queue := range queues {
		text, err := durable.Dequeue[string](ctx, queue).Await(ctx)
		if err != nil {
			return "", err
		}
		all = append(all, text)
	}
	return strings.Join(all, " "), nil
}

// records counts the events of a type in the current execution's history.
func records(eventType string, n int) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, id string) {
		t.Helper()
		events, err := s.client.History(s.ctx, id)
		must(t, err)
		found := slices.DeleteFunc(events, func(e core.Event) bool { return e.Data.EventType() != eventType })
		equal(t, eventType, n, len(found))
	}
}

func TestQueues(t *testing.T) {
	type order struct {
		ID    string
		Count int
	}
	reading := func(queues ...string) func(ctx *durable.Context, _ string) (string, error) {
		return func(ctx *durable.Context, _ string) (string, error) { return reads(ctx, queues...) }
	}
	flows := map[string]flow{
		"delivery":            {code: reading("q"), meanwhile: sends("q=1"), want: "1"},
		"first in, first out": {code: reading("q", "q", "q"), meanwhile: sends("q=1", "q=2", "q=3"), want: "1 2 3"},
		"each queue has its own order": {
			code: reading("b", "a", "b", "a"), meanwhile: sends("a=1", "a=2", "b=3", "b=4"), want: "3 1 4 2",
		},
		"a message from before the dequeue": {code: func(ctx *durable.Context, _ string) (string, error) {
			if _, err := reads(ctx, "go"); err != nil {
				return "", err
			}
			nextTurn(ctx)
			return reads(ctx, "q")
		}, meanwhile: sends("q=1", "go="), want: "1"},
		"typed": {code: func(ctx *durable.Context, _ string) (string, error) {
			o, err := durable.Dequeue[order](ctx, "q").Await(ctx)
			return fmt.Sprint(o), err
		}, meanwhile: func(t *testing.T, s *store, id string) {
			must(t, s.client.EnqueueMessage(s.ctx, id, "q", order{"x", 3}))
		}, want: "{x 3}"},
		"a dequeue that lost a race leaves the message": {code: func(ctx *durable.Context, _ string) (string, error) {
			if durable.Race(ctx, durable.Dequeue[string](ctx, "q"), ctx.Timer(time.Millisecond)) != 1 {
				return "", errors.New("there was no message yet")
			}
			ctx.SetStatus("lost")
			return reads(ctx, "go", "q")
		}, meanwhile: func(t *testing.T, s *store, id string) {
			_, err := s.client.WaitStatusChange(s.ctx, id, 0)
			must(t, err)
			sends("q=1", "go=on")(t, s, id)
		}, want: "on 1", end: records(core.TypeQueueSubscriptionCancelled, 1)},
		"an end leaves a row for a dequeue that waits": {code: func(ctx *durable.Context, _ string) (string, error) {
			durable.Go(ctx, func(ctx *durable.Context) (string, error) { return reads(ctx, "q") })
			nextTurn(ctx)
			return "", nil
		}, end: records(core.TypeQueueSubscriptionCancelled, 1)},
		"messages that nobody reads cross continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			if ctx.ExecutionID() < 3 {
				if _, err := reads(ctx, "go"); err != nil {
					return "", err
				}
				return "", again(ctx, id, 3)
			}
			return reads(ctx, "b", "a", "b")
		}, meanwhile: sends("b=1", "a=2", "b=3", "go=", "go="), want: "1 2 3"},
	}
	onEachStore(t, func(t *testing.T, s *store) { s.runFlows(t, flows, relaying()) })
}
