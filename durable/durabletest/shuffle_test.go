package durabletest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

func TestShuffle(t *testing.T) {
	durabletest.Shuffle(t, shop(t), nil, func(t *testing.T, env *durabletest.Env) {
		for _, id := range []string{"o1", "o2", "o3"} {
			durabletest.Start(env, checkout, id, Order{ID: id})
		}
		env.Raise("o2", "approve", "Ada")
		if out, err := durabletest.Wait(env, checkout.Run(env.Client, "o2")); err != nil || out != "shipped o2" {
			t.Errorf("got %q, %v", out, err)
		}
	})
}

// Each turn is replayed from the beginning of the code ten times, and the whole
// 50 times more. (After a replay in one go, the code runs once more: does it
// repeat itself?)
func TestShuffleReplaysEveryTurn(t *testing.T) {
	runs := 0
	reg := shop(t, checkout.With(func(ctx *durable.Context, o Order) (string, error) {
		runs++
		return runCheckout(ctx, o)
	}))
	t.Cleanup(func() {
		if runs != 10*4+50*2 {
			t.Errorf("the code ran %d times after the test", runs)
		}
	})
	durabletest.Shuffle(t, reg, nil, func(_ *testing.T, env *durabletest.Env) {
		_, _ = durabletest.Call(env, checkout, "o1", Order{}) // charged, not approved in time, refunded
		runs = 0
	})
}

// unrepeatable is code that runs well once and cannot be repeated.
var unrepeatable = map[string]func(ctx *durable.Context, o Order) (string, error){
	"the order of a map": func(ctx *durable.Context, _ Order) (string, error) {
		var calls []*durable.Future[string]
		for id := range map[string]bool{"a": true, "b": true, "c": true} {
			calls = append(calls, ship.Schedule(ctx, id))
		}
		durable.Join(ctx, calls...)
		return "", nil
	},
	"the order of a map of two": func(ctx *durable.Context, _ Order) (string, error) {
		for id := range map[string]bool{"a": true, "b": true} {
			if _, err := ship.Call(ctx, id); err != nil {
				return "", err
			}
		}
		return "", nil
	},
	"the clock": func(ctx *durable.Context, _ Order) (string, error) {
		if _, err := ship.Call(ctx, "a"); err != nil {
			return "", err
		}
		if time.Now().Before(time.Date(2000, 1, 15, 0, 0, 0, 0, time.UTC)) {
			return ship.Call(ctx, "b")
		}
		_, err := refund.Call(ctx, "b")
		return "", err
	},
	"the clock in an input": func(ctx *durable.Context, _ Order) (string, error) {
		return ship.Call(ctx, time.Now().String())
	},
}

func TestShuffleFinds(t *testing.T) {
	if os.Getenv(failing) != "" {
		t.Skip("in the process that fails")
	}
	for name, want := range map[string][]string{
		"the order of a map":        {`activity "ship" with "`, "the code: with "},
		"the order of a map of two": {`activity "ship" with "`, "the code: with "},
		"the clock":                 {`recorded: activity "ship"`, `the code: activity "refund", at `},
		"the clock in an input":     {`recorded: activity "ship" with "2000-01-01`, `the code: with "2000-02-01`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, "TestFailsShuffled/"+strings.ReplaceAll(name, " ", "_"), append(want, "the code does not repeat itself", "shuffle_test.go:")...)
		})
	}
}

func TestFailsShuffled(t *testing.T) {
	if os.Getenv(failing) == "" {
		t.Skip("run by TestShuffleFinds")
	}
	for name, code := range unrepeatable {
		t.Run(name, func(t *testing.T) {
			durabletest.Shuffle(t, shop(t, checkout.With(code)), nil, func(_ *testing.T, env *durabletest.Env) {
				_, _ = durabletest.Call(env, checkout, "o1", Order{})
			})
		})
	}
}
