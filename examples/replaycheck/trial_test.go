package replaycheck

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

var ada = Customer{Email: "ada@example.org", Price: 900}

// code is the code of today's release.
func code(t *testing.T) *durable.Registry {
	t.Helper()
	reg := durable.NewRegistry()
	if err := Register(reg); err != nil {
		t.Fatal(err)
	}
	return reg
}

// Thirty days take milliseconds.
func TestTrialIsCharged(t *testing.T) {
	durabletest.Run(t, code(t), nil, func(t *testing.T, env *durabletest.Env) {
		began := time.Now()
		out, err := durabletest.Call(env, Trial, "ada", ada)
		if err != nil || out != "subscribed: ada/1/9: 900 cents" {
			t.Errorf("got %q and error %v", out, err)
		}
		if d := time.Since(began).Round(time.Hour); d != 30*day {
			t.Errorf("took %v", d)
		}
	})
}

func TestTrialIsCancelled(t *testing.T) {
	durabletest.Run(t, code(t), nil, func(t *testing.T, env *durabletest.Env) {
		env.After(27*day, func() { env.Raise("ada", CancelEvent, "too expensive") })
		out, err := durabletest.Call(env, Trial, "ada", ada)
		if err != nil || out != "cancelled" {
			t.Errorf("got %q and error %v", out, err)
		}
		h := env.History("ada")
		if got := h.Activities(); !slices.Equal(got, []string{"remind", "close account"}) {
			t.Errorf("activities %q", got)
		}
	})
}

func TestCardIsRefused(t *testing.T) {
	durabletest.Run(t, code(t), nil, func(t *testing.T, env *durabletest.Env) {
		env.Mock(Charge.With(func(context.Context, Customer) (string, error) {
			return "", errors.New("insufficient funds")
		}))
		out, err := durabletest.Call(env, Trial, "ada", ada)
		if err != nil || out != "closed" {
			t.Errorf("got %q and error %v", out, err)
		}
		h := env.History("ada")
		if n := h.Count(core.TypeActivityFailed, "charge"); n != 4 {
			t.Errorf("%d attempts in\n%s", n, h)
		}
	})
}

func TestHistory(t *testing.T) {
	durabletest.Run(t, code(t), nil, func(t *testing.T, env *durabletest.Env) {
		durabletest.Start(env, Trial, "ada", ada)
		time.Sleep(26 * day)
		if diff := env.History("ada").Diff(`
			1 OrchestrationStarted trial: {"email":"ada@example.org","price":900}
			2 TimerCreated
			3 TimerFired of 2
			4 ActivityScheduled remind: {"email":"ada@example.org","price":900}
			5 ActivityCompleted remind of 4: true
			6 ExternalSubscribed cancel
			7 TimerCreated
		`); diff != "" {
			t.Errorf("after 26 days (-want +got):\n%s", diff)
		}
	})
}

// The code asks for the same things whenever it is repeated.
func TestTrialRepeatsItself(t *testing.T) {
	durabletest.Shuffle(t, code(t), nil, func(_ *testing.T, env *durabletest.Env) {
		env.After(27*day, func() { env.Raise("bob", CancelEvent, "") })
		ada, bob := durabletest.Start(env, Trial, "ada", ada), durabletest.Start(env, Trial, "bob", Customer{})
		_, _ = durabletest.Wait(env, ada)
		_, _ = durabletest.Wait(env, bob)
	})
}
