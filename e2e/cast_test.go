package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// What many flows call.
const (
	upcase  = durable.Activity[string, string]("upcase")
	failing = durable.Activity[string, string]("failing")
	lasting = durable.Activity[string, string]("lasting")
	kid     = durable.Orchestration[string, string]("kid")
	sleeper = durable.Orchestration[time.Duration, string]("sleeper")
)

// cast registers them.
func cast(more ...durable.Registration) []durable.Registration {
	return append([]durable.Registration{
		relaying(),
		upcase.With(func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }),
		failing.With(func(_ context.Context, s string) (string, error) { return "", errors.New(s) }),
		lasting.With(lastingCode),
		kid.With(func(ctx *durable.Context, in string) (string, error) { return upcase.Call(ctx, in) }),
		sleeper.With(func(ctx *durable.Context, d time.Duration) (string, error) { ctx.Sleep(d); return "slept", nil }),
	}, more...)
}

// lastingCode works until nobody wants its result.
func lastingCode(ctx context.Context, _ string) (string, error) {
	for {
		if err := durable.Heartbeat(ctx); err != nil {
			return "", err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// waits shows that the code waits for what a client is to send next.
func waits(ctx *durable.Context) { ctx.SetStatus("waits") }

// nobody runs what has this tag.
func nobody() durable.ActivityOption { return durable.WithTag("nobody") }

// scheduled returns the names of the activities of an instance's last execution.
func (s *store) scheduled(t *testing.T, id string) []string {
	t.Helper()
	events, err := s.client.History(s.ctx, id)
	must(t, err)
	var names []string
	for _, ev := range events {
		if d, ok := ev.Data.(core.ActivityScheduled); ok {
			names = append(names, d.Name)
		}
	}
	return names
}

// whenItWaits returns when the code has called waits.
func (s *store) whenItWaits(t *testing.T, id string) {
	t.Helper()
	_, err := s.client.WaitStatusChange(s.ctx, id, 0)
	must(t, err)
}

// executions returns the ids of an instance's executions, of which all but the
// last must have continued as new.
func (s *store) executions(t *testing.T, id string) []uint64 {
	t.Helper()
	ids, err := s.admin.ListExecutions(s.ctx, core.ListExecutionsParams{Instance: id})
	must(t, err)
	for _, n := range ids[:max(len(ids)-1, 0)] {
		events, err := s.client.ExecutionHistory(s.ctx, id, n)
		must(t, err)
		if len(events) < 2 || events[0].Data.EventType() != core.TypeOrchestrationStarted ||
			events[len(events)-1].Data.EventType() != core.TypeOrchestrationContinuedAsNew {
			t.Errorf("execution %d of %s: %v", n, id, events)
		}
	}
	return ids
}

// end waits for an instance and compares its output.
func (s *store) end(t *testing.T, id, output string) {
	t.Helper()
	out, err := durable.Orchestration[string, string]("").Run(s.client, id).Wait(s.ctx)
	must(t, err)
	equal(t, id, output, out)
}

func priceOf(_ context.Context, item string) (quote, error) {
	if item == "" {
		return quote{}, errors.New("no item")
	}
	return quote{item, len(item)}, nil
}
