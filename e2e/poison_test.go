package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// twoAttempts are the options of a runtime that takes what it cannot run for
// poison at the third attempt, which comes soon.
func twoAttempts() *durable.Options {
	return &durable.Options{MaxAttempts: 2, UnregisteredBackoff: time.Millisecond}
}

// poisoned compares the failure of an instance, but for the text of the message
// that was poison, which names what.
func (s *store) poisoned(t *testing.T, id string, want core.PoisonError, what string) {
	t.Helper()
	_, err := s.client.Wait(s.ctx, id)
	must(t, err)
	status, err := s.client.Status(s.ctx, id)
	must(t, err)
	got, ok := status.Failure.(core.PoisonError)
	if !ok || !strings.Contains(got.Message, what) {
		t.Fatalf("%s: %#v, want poison with %s", id, status.Failure, what)
	}
	got.Message = ""
	want.AttemptCount, want.MaxAttempts = 3, 2
	equal(t, id, want, got)
}

// What was fetched too often is poison: whoever waits for it fails, and cannot
// answer it.
func TestPoison(t *testing.T) {
	const (
		missing = durable.Activity[string, string]("missing")
		absent  = durable.Orchestration[string, string]("absent")
		unlucky = durable.Orchestration[string, string]("unlucky")
	)
	calls := func(ctx *durable.Context, _ string) (string, error) {
		if _, err := missing.Call(ctx, "in"); err != nil {
			return "caught", nil
		}
		return "", nil
	}
	activity := func(instance string, id uint64) core.PoisonError {
		return core.PoisonError{MessageType: core.PoisonActivity{Instance: instance, ExecutionID: 1, ActivityName: "missing", ActivityID: id}}
	}
	orchestration := func(instance string) core.PoisonError {
		return core.PoisonError{MessageType: core.PoisonOrchestration{Instance: instance, ExecutionID: 1}}
	}
	flows := map[string]flow{
		"an activity": {code: calls, fail: "poison: activity missing#2 exceeded 3 attempts (max 2)", end: func(t *testing.T, s *store, id string) {
			s.poisoned(t, id, activity(id, 2), `"ActivityExecute"`)
		}},
		"one activity among many": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, relay.Schedule(ctx, "a"), missing.Schedule(ctx, "in"), relay.Schedule(ctx, "b"))
			return strings.Join(out, ""), err
		}, fail: "poison: activity missing#3", end: func(t *testing.T, s *store, id string) {
			s.poisoned(t, id, activity(id, 3), `"ActivityExecute"`)
		}},
		"a child": {code: func(ctx *durable.Context, _ string) (string, error) {
			if _, err := absent.Call(ctx, "", durable.WithInstanceID("absent child")); err != nil {
				return "caught", nil
			}
			return "", nil
		}, fail: "poison: orchestration absent child exceeded 3 attempts (max 2)", end: func(t *testing.T, s *store, id string) {
			s.poisoned(t, id, orchestration("absent child"), `"StartOrchestration"`)
			s.poisoned(t, "absent child", orchestration("absent child"), `"StartOrchestration"`)
		}},
		"an activity of a child": {code: func(ctx *durable.Context, _ string) (string, error) {
			if _, err := unlucky.Call(ctx, "", durable.WithInstanceID("unlucky child")); err != nil {
				return "caught", nil
			}
			return "", nil
		}, fail: "poison: activity missing#2", end: func(t *testing.T, s *store, id string) {
			s.poisoned(t, id, activity("unlucky child", 2), `"ActivityExecute"`)
			s.poisoned(t, "unlucky child", activity("unlucky child", 2), `"ActivityExecute"`)
		}},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlowsWith(t, twoAttempts(), flows, cast(unlucky.With(calls))...)
		t.Run("the first messages of an instance", func(t *testing.T) {
			must(t, s.client.Start(s.ctx, "absent", "orphan", "in"))
			s.poisoned(t, "orphan", orchestration("orphan"), `"StartOrchestration"`)
			events, err := s.client.History(s.ctx, "orphan")
			must(t, err)
			equal[core.EventData](t, "first event", core.OrchestrationStarted{Name: "absent", Version: "unknown", Input: "in"}, events[0].Data)
			info, err := s.admin.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "orphan"})
			must(t, err)
			equal(t, "orchestration", "absent", info.OrchestrationName)
			equal(t, "state", core.StatusFailed, info.Status)
		})
	})
}

// An instance that runs is poison when nobody has its code any more.
func TestPoisonOfARunningInstance(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		first := runOn(t, s.p, nil, listening())
		_, err := listener.Start(s.ctx, s.client, "left", "")
		must(t, err)
		s.whenItWaits(t, "left")
		must(t, first.Shutdown(s.ctx))
		runOn(t, s.p, twoAttempts(), cast()...)
		must(t, s.client.RaiseEvent(s.ctx, "left", "go", ""))
		s.poisoned(t, "left", core.PoisonError{MessageType: core.PoisonOrchestration{Instance: "left", ExecutionID: 1}}, `"ExternalRaised"`)
		records(core.TypeExternalSubscribed, 1)(t, s, "left") // what was there is kept
	})
}

// So is one whose history cannot be decoded, such as one without the version of
// the runtime that wrote it.
func TestPoisonOfAnUndecodableHistory(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, s *store, damage func()) {
		t.Helper()
		first := runOn(t, s.p, nil, listening())
		_, err := listener.Start(s.ctx, s.client, "damaged", "")
		must(t, err)
		s.whenItWaits(t, "damaged")
		must(t, first.Shutdown(s.ctx))
		damage()
		runOn(t, s.p, twoAttempts(), listening())
		must(t, s.client.RaiseEvent(s.ctx, "damaged", "go", "on"))
		until(t, s.ctx, "the instance does not fail", func() bool {
			info, err := s.admin.GetInstanceInfo(s.ctx, core.GetInstanceInfoParams{Instance: "damaged"})
			must(t, err)
			return info.Status == core.StatusFailed && info.Output != nil &&
				strings.HasPrefix(*info.Output, "poison: orchestration damaged history deserialization failed after 3 attempts (max 2): ")
		})
		if _, err := s.client.History(s.ctx, "damaged"); !errors.Is(err, core.ErrUndecodable) {
			t.Errorf("its history: %v, want ErrUndecodable", err)
		}
	}
	t.Run("memprovider", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		p := memprovider.New(nil)
		check(t, &store{ctx, p, p, durable.NewClient(p, nil)}, func() { p.CorruptHistory("damaged") })
	})
	t.Run("pgprovider", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.provider(t)
		check(t, &store{w.ctx, p, p, durable.NewClient(p, nil)}, func() {
			w.exec(t, `UPDATE @.history SET event_data = (event_data::jsonb - 'duroxide_version')::text`)
		})
	})
}
