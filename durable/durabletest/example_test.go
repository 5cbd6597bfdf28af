package durabletest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

const (
	trial  = durable.Orchestration[string, string]("trial")
	remind = durable.Activity[string, bool]("remind")
)

// thirtyDays reminds once, and then waits for the end of the month.
func thirtyDays(ctx *durable.Context, customer string) (string, error) {
	ctx.Sleep(25 * 24 * time.Hour)
	if _, err := remind.Call(ctx, customer); err != nil {
		return "", err
	}
	ctx.Sleep(5 * 24 * time.Hour)
	return "over", nil
}

func registry(code ...durable.Registration) *durable.Registry {
	reg := durable.NewRegistry()
	if err := reg.Add(code...); err != nil {
		panic(err)
	}
	return reg
}

// t is what go test gives to a test.
var t *testing.T

// A month in milliseconds, with a mock in the place of the mail.
func ExampleRun() {
	reg := registry(trial.With(thirtyDays))
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		env.Mock(remind.With(func(context.Context, string) (bool, error) { return true, nil }))
		began := time.Now()
		out, err := durabletest.Call(env, trial, "ada", "Ada")
		if err != nil || out != "over" {
			t.Errorf("got %q and error %v", out, err)
		}
		if days := time.Since(began).Hours() / 24; days < 30 {
			t.Errorf("it took %.1f days", days)
		}
		if n := env.History("ada").Count(core.TypeActivityScheduled, "remind"); n != 1 {
			t.Errorf("reminded %d times", n)
		}
	})
}

// Replay is a test of a release: it fails when the code does not go on with the
// instances whose histories are in the directory.
func ExampleReplay() {
	durabletest.Replay(t, registry(trial.With(thirtyDays)), "testdata/histories")
}

// Check is what Replay does, without a test. Here the code of a release reminds
// before it waits, and an instance that waits does not fit it any more.
func ExampleCheck() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "histories")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	exportWaiting(ctx, filepath.Join(dir, "ada"+durabletest.FileSuffix))

	next := registry(trial.With(func(ctx *durable.Context, customer string) (string, error) {
		_, err := remind.Call(ctx, customer)
		return "", err
	}))
	report, err := durabletest.Check(next, nil, dir)
	if err != nil {
		panic(err)
	}
	for _, d := range report.Differences {
		fmt.Printf("%s of %s: turn %d, event %d\n", d.Orchestration, d.InstanceID, d.Turn, d.EventID)
		fmt.Println("recorded:", d.Recorded)
		fmt.Println("the code:", d.Got)
	}
	// Output:
	// trial of ada: turn 1, event 2
	// recorded: a timer
	// the code: activity "remind"
}

// exportWaiting starts an instance and writes the history that it has while it waits.
func exportWaiting(ctx context.Context, file string) {
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, registry(trial.With(thirtyDays)), nil)
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = rt.Shutdown(ctx) }()
	client := durable.NewClient(provider, nil)
	if _, err := trial.Start(ctx, client, "ada", "Ada"); err != nil {
		panic(err)
	}
	for {
		if events, err := client.History(ctx, "ada"); err != nil || len(events) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	out, err := os.Create(file)
	if err != nil {
		panic(err)
	}
	if err := client.ExportHistory(ctx, out, "ada", nil); err != nil {
		panic(err)
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
}
