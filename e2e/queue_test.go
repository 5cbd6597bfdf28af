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

// whenItWaits is what clients do once the code has called waits.
func whenItWaits(do func(t *testing.T, s *store, id string)) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, id string) {
		t.Helper()
		s.whenItWaits(t, id)
		do(t, s, id)
	}
}

// unread compares the reasons why dequeues of the current execution ended
// without a message.
func unread(reasons ...string) func(t *testing.T, s *store, id string) {
	return func(t *testing.T, s *store, id string) {
		t.Helper()
		events, err := s.client.History(s.ctx, id)
		must(t, err)
		var got []string
		for _, ev := range events {
			if d, ok := ev.Data.(core.QueueSubscriptionCancelled); ok {
				got = append(got, d.Reason)
			}
		}
		equal(t, "reasons of dequeues without a message", reasons, got)
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
		}, want: "on 1", end: unread("dropped_future")},
		"an end leaves a row for a dequeue that waits": {code: func(ctx *durable.Context, _ string) (string, error) {
			durable.Go(ctx, func(ctx *durable.Context) (string, error) { return reads(ctx, "q") })
			nextTurn(ctx)
			return "", nil
		}, end: unread("dropped_future")},
		"several that lost leave the message to the next": {code: func(ctx *durable.Context, _ string) (string, error) {
			for range 3 {
				if durable.Race(ctx, durable.Dequeue[string](ctx, "q"), ctx.Timer(time.Millisecond)) != 1 {
					return "", errors.New("there was no message yet")
				}
			}
			waits(ctx)
			return reads(ctx, "q", "q")
		}, meanwhile: whenItWaits(sends("q=1", "q=2")), want: "1 2", end: unread("dropped_future", "dropped_future", "dropped_future")},
		"a message that nobody reads is left": {
			code: reading("q", "go"), meanwhile: sends("q=1", "q=2", "go=on"), want: "1 on", end: records(core.TypeQueueEventDelivered, 3),
		},
		"a message and an event of one name": {code: func(ctx *durable.Context, _ string) (string, error) {
			event, message := durable.WaitEvent[string](ctx, "n"), durable.Dequeue[string](ctx, "n")
			waits(ctx)
			m, err := message.Await(ctx)
			if err != nil {
				return "", err
			}
			e, err := event.Await(ctx)
			return m + " " + e, err
		}, meanwhile: whenItWaits(func(t *testing.T, s *store, id string) {
			t.Helper()
			must(t, s.client.RaiseEvent(s.ctx, id, "n", "event"))
			sends("n=message")(t, s, id)
		}), want: "message event"},
		"selected, then joined": {code: func(ctx *durable.Context, _ string) (string, error) {
			event, message := durable.WaitEvent[string](ctx, "e"), durable.Dequeue[string](ctx, "q")
			waits(ctx)
			first := durable.Select(ctx, event, message) // the loser goes on
			out, err := durable.JoinAll(ctx, event, message)
			return fmt.Sprint(first, out), err
		}, meanwhile: whenItWaits(func(t *testing.T, s *store, id string) {
			t.Helper()
			sends("q=message")(t, s, id)
			must(t, s.client.RaiseEvent(s.ctx, id, "e", "event"))
		}), want: "1 [event message]"},
		"queues that are read in turn": {code: func(ctx *durable.Context, _ string) (string, error) {
			var all []string
			for _, queue := range []string{"a", "b", "a", "b"} {
				ctx.SetStatus(queue)
				text, err := reads(ctx, queue)
				if err != nil {
					return "", err
				}
				all = append(all, text)
				nextTurn(ctx)
			}
			return strings.Join(all, " "), nil
		}, meanwhile: func(t *testing.T, s *store, id string) {
			t.Helper()
			sends("b=1")(t, s, id) // nobody reads it yet
			for version, message := range []string{"a=2", "a=3", "b=4"} {
				_, err := s.client.WaitStatusChange(s.ctx, id, uint64(version))
				must(t, err)
				sends(message)(t, s, id)
			}
		}, want: "2 1 3 4"},
		"with events and activities over many turns": {code: func(ctx *durable.Context, _ string) (string, error) {
			var all []string
			for i := range 3 {
				event := durable.WaitEvent[string](ctx, "e")
				ctx.SetStatus(fmt.Sprint(i))
				m, err := reads(ctx, "q")
				if err != nil {
					return "", err
				}
				e, err := event.Await(ctx)
				if err != nil {
					return "", err
				}
				out, err := relay.Call(ctx, m+e)
				if err != nil {
					return "", err
				}
				all = append(all, out)
			}
			return strings.Join(all, " "), nil
		}, meanwhile: func(t *testing.T, s *store, id string) {
			t.Helper()
			sends("q=a", "q=b", "q=c")(t, s, id)
			for i := range 3 {
				_, err := s.client.WaitStatusChange(s.ctx, id, uint64(i))
				must(t, err)
				must(t, s.client.RaiseEvent(s.ctx, id, "e", i))
			}
		}, want: "a0 b1 c2", end: records(core.TypeActivityScheduled, 3)},
		"a cancelled instance leaves a row for a dequeue that waits": {code: func(ctx *durable.Context, _ string) (string, error) {
			message := durable.Dequeue[string](ctx, "q")
			waits(ctx)
			return message.Await(ctx)
		}, meanwhile: whenItWaits(func(t *testing.T, s *store, id string) {
			t.Helper()
			must(t, s.client.Cancel(s.ctx, id, "enough"))
		}), fail: "canceled: enough", end: unread("orchestration_terminal")},
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
