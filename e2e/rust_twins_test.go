//go:build rust

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

const (
	shout  = durable.Activity[string, string]("shout")
	double = durable.Activity[int, int]("double")
	refuse = durable.Activity[string, string]("refuse")
	linger = durable.Activity[string, string]("linger")
	inGo   = durable.Activity[string, string]("in-go")
	inRust = durable.Activity[string, string]("in-rust")

	salute     = durable.Orchestration[string, string]("salute")
	goAsks     = durable.Orchestration[string, string]("go-asks")
	everything = durable.Orchestration[string, string]("everything")
	child      = durable.Orchestration[string, string]("child")
	sleep      = durable.Orchestration[string, string]("sleep")
)

// rustTwins are what Go's side of the fleet can do: what the files in rust/src
// can do, but for the activities and orchestrations that only one side has.
func rustTwins() []durable.Registration {
	return []durable.Registration{
		shout.With(func(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }),
		double.With(func(_ context.Context, n int) (int, error) { return 2 * n, nil }),
		refuse.With(func(_ context.Context, text string) (string, error) { return "", errors.New("no " + text) }),
		linger.With(func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", errors.New("not wanted")
		}),
		inGo.With(func(_ context.Context, text string) (string, error) { return "go got " + text, nil }),
		salute.With(saluteTwin),
		goAsks.With(func(ctx *durable.Context, text string) (string, error) {
			answer, err := inRust.Call(ctx, text, durable.WithTag("rust"))
			return answer + ", says go", err
		}),
		everything.With(everythingTwin),
		child.With(func(_ *durable.Context, input string) (string, error) {
			if input == "bad" {
				return "", errors.New("a bad child")
			}
			return "child of " + input, nil
		}),
		sleep.With(func(ctx *durable.Context, _ string) (string, error) {
			ctx.SetStatus("asleep")
			durable.Race(ctx, linger.Schedule(ctx, ""), durable.WaitEvent[string](ctx, "wake up"))
			return "awake", nil
		}),
	}
}

func saluteTwin(ctx *durable.Context, name string) (string, error) {
	name, err := shout.Call(ctx, name)
	if err != nil {
		return "", err
	}
	ctx.Sleep(20 * time.Millisecond)
	number, err := double.Call(ctx, 21)
	return fmt.Sprintf("hello %s %d", name, number), err
}

// everythingTwin has one of all that leaves a trace in the history.
func everythingTwin(ctx *durable.Context, input string) (string, error) {
	if text, ok := strings.CutPrefix(input, "again "); ok {
		place, _ := ctx.KVGetRaw("place")
		status, _ := ctx.Status()
		ctx.KVClear("place")
		letter, err := durable.Dequeue[string](ctx, "letters").Await(ctx)
		return fmt.Sprintf("%s; %s; %s; %s", text, place, status, letter), err
	}
	var story []string
	var problem error
	add := func(text string, err error) {
		problem = errors.Join(problem, err)
		story = append(story, text)
	}
	addError := func(text string, err error) {
		if err == nil {
			problem = errors.Join(problem, fmt.Errorf("no error but %q", text))
			return
		}
		story = append(story, err.Error())
	}
	ctx.SetStatus("on the way")
	ctx.KVSetRaw("place", input)
	if err := durable.KVSet(ctx, "numbers", []int{1, 2}); err != nil {
		return "", err
	}
	add(shout.Call(ctx, input))
	numbers, err := durable.JoinAll(ctx, double.Schedule(ctx, 1), double.Schedule(ctx, 2), double.Schedule(ctx, 3))
	if err != nil {
		return "", err
	}
	for _, n := range numbers {
		add(fmt.Sprint(n), nil)
	}
	addError(refuse.Call(ctx, "way"))
	pause := core.FixedBackoff(10 * time.Millisecond)
	addError(refuse.Call(ctx, "retry", durable.Retry(durable.RetryPolicy{MaxAttempts: 2, Backoff: &pause})))
	add(shout.Call(ctx, "in session", durable.OnSession("table")))

	if durable.Race(ctx, durable.WaitEvent[string](ctx, "never"), ctx.Timer(10*time.Millisecond)) == 0 {
		return "", errors.New("an event that nobody raised")
	}
	if durable.Race(ctx, linger.Schedule(ctx, ""), ctx.Timer(300*time.Millisecond)) == 0 {
		return "", errors.New("an activity that waits for its cancellation ended")
	}

	add(child.Call(ctx, "good"))
	addError(child.Call(ctx, "bad"))
	add(child.Call(ctx, "named", durable.WithInstanceID(ctx.InstanceID()+"-named")))
	if err := child.StartDetached(ctx, ctx.InstanceID()+"-detached", "detached"); err != nil {
		return "", err
	}
	if _, err := ctx.NewGUID(); err != nil {
		return "", err
	}
	if _, err := ctx.RecordNow(); err != nil {
		return "", err
	}
	ctx.SetStatus("waiting for a letter")
	add(durable.Dequeue[string](ctx, "letters").Await(ctx))
	ctx.SetStatus("waiting to go")
	add(durable.WaitEvent[string](ctx, "go").Await(ctx))
	if problem != nil {
		return "", problem
	}
	return "", everything.ContinueAsNew("again " + strings.Join(story, ", "))
}
