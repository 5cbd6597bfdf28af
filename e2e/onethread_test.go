package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// oneThreadEnv tells a test that it is in the process that has one thread.
const oneThreadEnv = "E2E_ONE_THREAD"

// onOneThread runs a test on each store in a process of its own, whose Go code has
// one thread.
func onOneThread(t *testing.T, f func(t *testing.T, s *store)) {
	t.Helper()
	if os.Getenv(oneThreadEnv) != "" {
		equal(t, "threads", 1, runtime.GOMAXPROCS(0))
		onEachStore(t, f)
		return
	}
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.parallel=8")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", oneThreadEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "provider (") != 2 { // the subtests of both stores
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOneThread(t *testing.T) {
	call := func(ctx *durable.Context, id string) (string, error) { return upcase.Call(ctx, id) }
	flows := map[string]flow{
		"an activity": {code: call, want: "AN ACTIVITY"},
		"one activity after another": {code: func(ctx *durable.Context, _ string) (string, error) {
			out := ""
			for i := range 5 {
				text, err := upcase.Call(ctx, fmt.Sprint("x", i))
				if err != nil {
					return "", err
				}
				out += text
			}
			return out, nil
		}, want: "X0X1X2X3X4"},
		"a timer": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(20 * time.Millisecond)
			return "fired", nil
		}, want: "fired"},
		"continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			nextTurn(ctx)
			return fmt.Sprint(ctx.ExecutionID()), again(ctx, id, 5)
		}, want: "5"},
	}
	for i := range 8 {
		id := fmt.Sprint("side by side ", i)
		flows[id] = flow{code: call, want: strings.ToUpper(id)}
	}
	onOneThread(t, func(t *testing.T, s *store) { s.runFlows(t, flows, cast()...) })
}

// With one slot for turns and one for activities everything still goes on, and an
// activity that nobody wants gives its slot up.
func TestOneThreadAndOneSlot(t *testing.T) {
	const (
		code  = durable.Orchestration[string, string]("code")
		race  = durable.Orchestration[string, string]("race")
		looks = durable.Activity[string, string]("looks")
		deaf  = durable.Activity[string, string]("deaf")
	)
	onOneThread(t, func(t *testing.T, s *store) {
		begun, told, stuck := make(chan struct{}, 2), make(chan error, 1), make(chan struct{})
		defer close(stuck)
		runOn(t, s.p, &durable.Options{MaxTurns: 1, MaxActivities: 1, Fetchers: 1, ActivityLock: time.Second, CancellationGrace: 100 * time.Millisecond}, cast(
			code.With(func(ctx *durable.Context, in string) (string, error) {
				out, err := durable.JoinAll(ctx, upcase.Schedule(ctx, in), kid.Schedule(ctx, in+"!"), relay.Schedule(ctx, in))
				return strings.Join(out, " "), err
			}),
			race.With(func(ctx *durable.Context, activity string) (string, error) {
				slow, stop := durable.Activity[string, string](activity).Schedule(ctx, ""), durable.WaitEvent[string](ctx, "stop")
				return fmt.Sprint(durable.Race(ctx, slow, stop)), nil
			}),
			looks.With(func(ctx context.Context, _ string) (string, error) {
				begun <- struct{}{}
				<-ctx.Done()
				told <- context.Cause(ctx)
				return "", context.Cause(ctx)
			}),
			deaf.With(func(context.Context, string) (string, error) {
				begun <- struct{}{}
				<-stuck
				return "", nil
			}))...)
		// Another instance needs the slot that the race's loser had.
		freed := func(t *testing.T, activity string) {
			t.Helper()
			_, err := race.Start(s.ctx, s.client, "race of "+activity, activity)
			must(t, err)
			receive(t, s.ctx, "the activity does not begin", begun)
			s.raise(t, "race of "+activity, "stop")
			s.end(t, "race of "+activity, "1")
			_, err = code.Start(s.ctx, s.client, "after "+activity, "a")
			must(t, err)
			s.end(t, "after "+activity, "A A! a")
		}
		t.Run("several instances", func(t *testing.T) {
			for i := range 5 {
				_, err := code.Start(s.ctx, s.client, fmt.Sprint(i), "a")
				must(t, err)
			}
			for i := range 5 {
				s.end(t, fmt.Sprint(i), "A A! a")
			}
		})
		t.Run("an activity that looks at its context", func(t *testing.T) {
			freed(t, "looks")
			if err := receive(t, s.ctx, "the activity is not told", told); !errors.Is(err, durable.ErrNotWanted) {
				t.Errorf("it ended with %v", err)
			}
		})
		t.Run("an activity that does not", func(t *testing.T) { freed(t, "deaf") })
	})
}
