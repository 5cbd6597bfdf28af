package e2e_test

import (
	"errors"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// What a client is told of an instance, from before its start to after its end.
func TestStates(t *testing.T) {
	wait := func(ctx *durable.Context, _ string) (string, error) {
		f := durable.WaitEvent[string](ctx, "go")
		waits(ctx)
		return f.Await(ctx)
	}
	// is compares the state, the execution, and what the end left.
	is := func(state core.ExecutionStatus, execution uint64, output, failure string) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			status, err := s.client.Status(s.ctx, id)
			must(t, err)
			text := ""
			if status.Failure != nil {
				text = status.Failure.Error()
			}
			equal(t, "state", state, status.State)
			equal(t, "execution", execution, status.ExecutionID)
			equal(t, "output", output, status.Output)
			equal(t, "failure", failure, text)
			equal(t, "done", state != core.StatusRunning, status.Done())
		}
	}
	flows := map[string]flow{
		"completed": {code: func(*durable.Context, string) (string, error) { return "out", nil }, want: "out", end: is(core.StatusCompleted, 1, "out", "")},
		"failed":    {code: func(*durable.Context, string) (string, error) { return "", errors.New("no luck") }, fail: "no luck", end: is(core.StatusFailed, 1, "", "no luck")},
		"after continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			return "third", again(ctx, id, 3)
		}, want: "third", end: is(core.StatusCompleted, 3, "third", "")},
		"cancelled": {code: wait, fail: "enough", meanwhile: func(t *testing.T, s *store, id string) {
			t.Helper()
			s.whenItWaits(t, id)
			must(t, s.client.Cancel(s.ctx, id, "enough"))
		}, end: is(core.StatusFailed, 1, "", "canceled: enough")},
		"running, then completed": {code: wait, want: "on", meanwhile: func(t *testing.T, s *store, id string) {
			t.Helper()
			s.whenItWaits(t, id)
			is(core.StatusRunning, 1, "", "")(t, s, id)
			must(t, s.client.RaiseEvent(s.ctx, id, "go", "on"))
		}, end: is(core.StatusCompleted, 1, "on", "")},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		if _, err := s.client.Status(s.ctx, "completed"); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("before the start: %v, want ErrInstanceNotFound", err)
		}
		s.runFlows(t, flows, cast()...)
	})
}
