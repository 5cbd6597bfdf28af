package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// waiting waits until that many messages for instances could be fetched.
func (s *store) waiting(t *testing.T, n int) {
	t.Helper()
	until(t, s.ctx, fmt.Sprintf("not %d messages in the queue", n), func() bool {
		depths, err := s.admin.GetQueueDepths(s.ctx)
		must(t, err)
		return depths.OrchestratorQueue == uint64(n)
	})
}

// A timer and a message come in one batch, the timer first: it wins, and the
// message is for the next dequeue, also when another process repeats the code.
func TestQueueRaceOfOneBatch(t *testing.T) {
	const race = durable.Orchestration[time.Duration, string]("race")
	code := race.With(func(ctx *durable.Context, d time.Duration) (string, error) {
		message, timer := durable.Dequeue[string](ctx, "q"), ctx.Timer(d)
		waits(ctx)
		winner := durable.Race(ctx, message, timer)
		text, err := reads(ctx, "q")
		if err != nil {
			return "", err
		}
		ctx.SetStatus("read")
		end, err := reads(ctx, "end")
		return fmt.Sprint(winner, " ", text, " ", end), err
	})
	onEachStore(t, func(t *testing.T, s *store) {
		id := ""
		// The first runtime has to stop before the timer fires, however long that
		// takes.
		for d := 50 * time.Millisecond; ; d *= 4 {
			id = fmt.Sprint("timer of ", d)
			first := runOn(t, s.p, nil, code)
			_, err := race.Start(s.ctx, s.client, id, d)
			must(t, err)
			s.whenItWaits(t, id)
			must(t, first.Shutdown(s.ctx))
			events, err := s.client.History(s.ctx, id)
			must(t, err)
			if !slices.ContainsFunc(events, func(e core.Event) bool { return e.Data.EventType() == core.TypeTimerFired }) {
				break
			}
			_, err = s.admin.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: id, Force: true})
			must(t, err)
		}
		sends("q=message")(t, s, id)
		s.waiting(t, 2)
		second := runOn(t, s.p, nil, code)
		status, err := s.client.WaitStatusChange(s.ctx, id, 1)
		must(t, err)
		equal(t, "status", "read", *status.CustomStatus)
		must(t, second.Shutdown(s.ctx))
		before, err := s.client.History(s.ctx, id)
		must(t, err)
		runOn(t, s.p, nil, code)
		sends("end=over")(t, s, id)
		out, err := race.Run(s.client, id).Wait(s.ctx)
		must(t, err)
		equal(t, "output", "1 message over", out)
		after, err := s.client.History(s.ctx, id)
		must(t, err)
		equal(t, "what was recorded", before, after[:len(before)])
		unread("dropped_future")(t, s, id)
	})
}

// A message to an instance that was never started is lost.
func TestMessageBeforeTheStart(t *testing.T) {
	const reader = durable.Orchestration[string, string]("reader")
	onEachStore(t, func(t *testing.T, s *store) {
		sends("q=early")(t, s, "i")
		// Whoever looks for work first drops it.
		item, err := s.p.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Second})
		must(t, err)
		equal(t, "item", nil, item)
		runOn(t, s.p, nil, reader.With(func(ctx *durable.Context, _ string) (string, error) { return reads(ctx, "q") }))
		run, err := reader.Start(s.ctx, s.client, "i", "")
		must(t, err)
		sends("q=late")(t, s, "i")
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "output", "late", out)
		records(core.TypeQueueEventDelivered, 1)(t, s, "i")
	})
}

// Of more messages than a continue-as-new carries, the oldest go along, whatever
// their queues.
func TestCarriedMessagesOfAllQueues(t *testing.T) {
	const (
		chain = durable.Orchestration[string, string]("chain")
		sent  = core.MaxCarryForwardEvents + 6
	)
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, chain.With(func(ctx *durable.Context, _ string) (string, error) {
			if ctx.ExecutionID() == 1 {
				// Sent last: all others have arrived.
				if _, err := reads(ctx, "go"); err != nil {
					return "", err
				}
				return "", chain.ContinueAsNew("")
			}
			first, last := "", ""
			for i := range core.MaxCarryForwardEvents {
				text, err := reads(ctx, fmt.Sprint("q", i%3))
				if err != nil {
					return "", err
				}
				if i == 0 {
					first = text
				}
				last = text
			}
			more := []durable.Awaitable{ctx.Timer(20 * time.Millisecond)}
			for i := range 3 {
				more = append(more, durable.Dequeue[string](ctx, fmt.Sprint("q", i)))
			}
			return fmt.Sprint(first, " to ", last, ", then ", durable.Race(ctx, more...)), nil
		}))
		run, err := chain.Start(s.ctx, s.client, "chain", "")
		must(t, err)
		for i := range sent {
			sends(fmt.Sprintf("q%d=%d", i%3, i))(t, s, "chain")
		}
		sends("go=")(t, s, "chain")
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "output", "0 to 99, then 0", out)
		records(core.TypeQueueEventDelivered, core.MaxCarryForwardEvents)(t, s, "chain")
	})
}
