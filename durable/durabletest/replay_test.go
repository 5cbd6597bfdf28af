package durabletest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

// export writes an instance's history to a file and returns its path.
func export(t *testing.T, env *durabletest.Env, id string, o *durable.ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := env.Client.ExportHistory(t.Context(), &b, id, o); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), id+durabletest.FileSuffix)
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// record runs one instance and returns the file of its history when f returns.
func record(t *testing.T, reg *durable.Registry, f func(t *testing.T, env *durabletest.Env)) string {
	t.Helper()
	dir := t.TempDir()
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		f(t, env)
		env.Settle()
		text, err := os.ReadFile(export(t, env, "o1", nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "o1"+durabletest.FileSuffix), text, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	return filepath.Join(dir, "o1"+durabletest.FileSuffix)
}

// waiting is an order that was charged and waits for approval.
func waiting(t *testing.T) string {
	return record(t, shop(t), func(t *testing.T, env *durabletest.Env) {
		durabletest.Start(env, checkout, "o1", Order{ID: "o1", Cents: 4250})
	})
}

// shipped is an order that has ended.
func shipped(t *testing.T) string {
	return record(t, shop(t), func(t *testing.T, env *durabletest.Env) {
		run := durabletest.Start(env, checkout, "o1", Order{ID: "o1", Cents: 4250})
		env.Raise("o1", "approve", "Ada")
		if _, err := durabletest.Wait(env, run); err != nil {
			t.Fatal(err)
		}
	})
}

// wantDifference checks a history and compares the one difference, without the
// file and with the line numbers of this package's files replaced by N.
func wantDifference(t *testing.T, file string, code *durable.Registry, o *durabletest.CheckOptions, want string) {
	t.Helper()
	report, err := durabletest.Check(code, o, file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range report.Differences {
		text := strings.TrimPrefix(d.String(), file+": ")
		text = regexp.MustCompile(`(\w+_test\.go):\d+`).ReplaceAllString(text, "$1:N")
		got = append(got, text)
	}
	if diff := cmp.Diff(strings.TrimSpace(want), strings.Join(got, "\n")); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

func TestSameCode(t *testing.T) {
	for name, file := range map[string]string{"running": waiting(t), "ended": shipped(t)} {
		t.Run(name, func(t *testing.T) {
			durabletest.Replay(t, shop(t), file, filepath.Dir(file))
			report, err := durabletest.Check(shop(t), &durabletest.CheckOptions{StrictInputs: true, Exact: true}, file)
			if err != nil {
				t.Fatal(err)
			}
			want := &durabletest.Report{Executions: 1, Turns: map[string]int{"running": 2, "ended": 4}[name]}
			if diff := cmp.Diff(want, report); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Releases that break what runs.
func TestBrokenRelease(t *testing.T) {
	audit := durable.Activity[string, string]("audit")
	pay := durable.Activity[Order, string]("pay")
	running, ended := waiting(t), shipped(t)
	for name, test := range map[string]struct {
		file string
		code func(ctx *durable.Context, o Order) (string, error)
		want string
	}{
		"an activity renamed": {running, func(ctx *durable.Context, o Order) (string, error) {
			return pay.Call(ctx, o)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 2
    recorded: activity "charge"
    the code: activity "pay", at replay_test.go:N`},
		"an activity inserted": {running, func(ctx *durable.Context, o Order) (string, error) {
			receipt, err := charge.Call(ctx, o)
			if err != nil {
				return "", err
			}
			if _, err := audit.Call(ctx, receipt); err != nil {
				return "", err
			}
			return durable.WaitEvent[string](ctx, "approve").Await(ctx)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 4
    recorded: a wait for event "approve"
    the code: activity "audit", at replay_test.go:N`},
		"an early return": {running, func(ctx *durable.Context, o Order) (string, error) {
			return charge.Call(ctx, o)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 4
    recorded: a wait for event "approve"
    the code: returned, after activity "charge" (event 2, at replay_test.go:N)`},
		"a return before anything": {running, func(*durable.Context, Order) (string, error) { return "", errors.New("closed") }, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 2
    recorded: activity "charge"
    the code: failed: closed, before it asked for anything`},
		"a return while it waits": {running, func(ctx *durable.Context, o Order) (string, error) {
			receipt, err := charge.Call(ctx, o)
			durable.WaitEvent[string](ctx, "approve")
			ctx.Timer(time.Hour)
			return receipt, err
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 5
    recorded: still running, open: a wait for event "approve" (event 4), a timer (event 5)
    the code: returned, after a timer (event 5, at replay_test.go:N)`},
		"a step left out": {running, func(ctx *durable.Context, o Order) (string, error) {
			if _, err := charge.Call(ctx, o); err != nil {
				return "", err
			}
			return durable.WaitEvent[string](ctx, "approve").Await(ctx)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 5
    recorded: a timer
    the code: nothing more, open: a wait for event "approve" (event 4)`},
		"a panic": {running, func(ctx *durable.Context, o Order) (string, error) {
			if _, err := charge.Call(ctx, o); err != nil {
				return "", err
			}
			panic("not written yet")
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 4
    recorded: a wait for event "approve"
    the code: failed: orchestration panicked: not written yet, after activity "charge" (event 2, at replay_test.go:N), at replay_test.go:N`},
		"a status left out": {ended, func(ctx *durable.Context, o Order) (string, error) {
			if _, err := charge.Call(ctx, o); err != nil {
				return "", err
			}
			durable.Race(ctx, durable.WaitEvent[string](ctx, "approve"), ctx.Timer(72*time.Hour))
			return ship.Call(ctx, o.ID)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 3, event 7
    recorded: a custom status
    the code: activity "ship", at replay_test.go:N`},
		"something done at the end": {ended, func(ctx *durable.Context, o Order) (string, error) {
			out, err := runCheckout(ctx, o)
			ctx.SetStatus("done")
			return out, err
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 4, event 10
    recorded: returned
    the code: a custom status, at replay_test.go:N`},
		"something done too early": {ended, func(ctx *durable.Context, o Order) (string, error) {
			audit.Schedule(ctx, "early")
			return runCheckout(ctx, o)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 2
    recorded: activity "charge"
    the code: activity "audit", at replay_test.go:N`},
		"something done besides": {ended, func(ctx *durable.Context, o Order) (string, error) {
			f := charge.Schedule(ctx, o)
			audit.Schedule(ctx, "besides")
			if _, err := f.Await(ctx); err != nil {
				return "", err
			}
			return "", nil
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 3
    recorded: nothing more before ActivityCompleted
    the code: activity "audit", at replay_test.go:N`},
		"another outcome": {ended, func(ctx *durable.Context, o Order) (string, error) {
			out, err := runCheckout(ctx, o)
			return "", fmt.Errorf("%s, %w", out, errors.Join(err, errors.New("but")))
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 4, event 10
    recorded: returned
    the code: failed: shipped o1, but, after activity "ship" (event 8, at shop_test.go:N)`},
		"a race without a loser": {ended, func(ctx *durable.Context, o Order) (string, error) {
			if _, err := charge.Call(ctx, o); err != nil {
				return "", err
			}
			approval, deadline := durable.WaitEvent[string](ctx, "approve"), ctx.Timer(72*time.Hour)
			durable.Race(ctx, approval, deadline)
			ctx.SetStatus("approved")
			audit.Schedule(ctx, "x").Cancel()
			return ship.Call(ctx, o.ID)
		}, `
instance o1, execution 1 of checkout 1.0.0: turn 3, event 8
    recorded: activity "ship"
    the code: activity "audit", at replay_test.go:N`},
	} {
		t.Run(name, func(t *testing.T) {
			wantDifference(t, test.file, shop(t, checkout.With(test.code)), nil, test.want)
		})
	}
}

func TestMissingCode(t *testing.T) {
	file := waiting(t)
	wantDifference(t, file, durable.NewRegistry(), nil, `
instance o1, execution 1 of checkout 1.0.0
    the code: no orchestration of that name is registered`)
	newer := register(t, checkout.Version("2.0.0").With(runCheckout), checkout.Version("3.0.0").With(runCheckout))
	wantDifference(t, file, newer, nil, `
instance o1, execution 1 of checkout 1.0.0
    the code: that version is not registered, there is 2.0.0, 3.0.0`)
}

// What a runtime goes on with is a note.
func TestNotes(t *testing.T) {
	audit := durable.Activity[string, string]("audit")
	further := shop(t, checkout.With(func(ctx *durable.Context, o Order) (string, error) {
		receipt, err := charge.Call(ctx, o)
		if err != nil {
			return "", err
		}
		approval, deadline := durable.WaitEvent[string](ctx, "approve"), ctx.Timer(time.Hour)
		audited := audit.Schedule(ctx, receipt)
		durable.Race(ctx, approval, deadline, audited)
		return "", nil
	}))
	richer := shop(t, checkout.With(func(ctx *durable.Context, o Order) (string, error) {
		o.Cents++
		return runCheckout(ctx, o)
	}))
	for name, test := range map[string]struct {
		file string
		code *durable.Registry
		note string
		o    durabletest.CheckOptions
		want string
	}{
		"further": {waiting(t), further, `instance o1, execution 1: the code goes further than the history: activity "audit"`, durabletest.CheckOptions{Exact: true}, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 5
    recorded: still running, open: a wait for event "approve" (event 4), a timer (event 5)
    the code: activity "audit", at replay_test.go:N`},
		"another input": {shipped(t), richer, `instance o1, execution 1: event 2, activity "charge": recorded with "{\"cents\":4250,\"id\":\"o1\"}", the code has "{\"cents\":4251,\"id\":\"o1\"}": history wins; further ones are not shown`, durabletest.CheckOptions{StrictInputs: true}, `
instance o1, execution 1 of checkout 1.0.0: turn 1, event 2
    recorded: activity "charge" with "{\"cents\":4250,\"id\":\"o1\"}"
    the code: with "{\"cents\":4251,\"id\":\"o1\"}", at shop_test.go:N`},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := durabletest.Check(test.code, nil, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{test.file + ": " + test.note}, report.Notes); diff != "" {
				t.Error(diff)
			}
			wantDifference(t, test.file, test.code, nil, "")
			wantDifference(t, test.file, test.code, &test.o, test.want)
		})
	}
}

// Every kind of end, every kind of deed, and executions that follow others
// replay with the code that made them.
func TestRoundTrip(t *testing.T) {
	const (
		upper = durable.Activity[string, string]("upper")
		main  = durable.Orchestration[int, string]("main")
		child = durable.Orchestration[string, string]("child")
	)
	children := child.With(func(ctx *durable.Context, in string) (string, error) {
		if in == "fail" {
			return "", errors.New("child failed")
		}
		return upper.Call(ctx, in)
	})
	for name, code := range map[string]func(ctx *durable.Context, n int) (string, error){
		"fails":   func(*durable.Context, int) (string, error) { return "", errors.New("no") },
		"panics":  func(*durable.Context, int) (string, error) { panic("no") },
		"returns": func(ctx *durable.Context, _ int) (string, error) { return ctx.NewGUID() },
		"child":   func(ctx *durable.Context, _ int) (string, error) { return child.Call(ctx, "a") },
		"children": func(ctx *durable.Context, _ int) (string, error) {
			if _, err := child.Call(ctx, "fail", durable.WithInstanceID("c1")); err == nil {
				return "", errors.New("the child did not fail")
			}
			if err := child.StartDetached(ctx, "c2", "b"); err != nil {
				return "", err
			}
			slow := child.Schedule(ctx, "slow")
			slow.Cancel()
			return child.Call(ctx, "c")
		},
		"races": func(ctx *durable.Context, _ int) (string, error) {
			a := upper.Schedule(ctx, "a", durable.OnSession("s"))
			durable.Race(ctx, a, durable.Dequeue[string](ctx, "q"), durable.WaitEvent[string](ctx, "e"))
			ctx.Sleep(time.Hour)
			return fmt.Sprint(ctx.Now().Unix()), nil
		},
		"asked to cancel": func(ctx *durable.Context, _ int) (string, error) {
			backoff := core.FixedBackoff(time.Hour)
			failing := upper.Schedule(ctx, "fail", durable.Retry(durable.RetryPolicy{MaxAttempts: 3, Backoff: &backoff, Jitter: 0.5}))
			if durable.Race(ctx, failing, ctx.CancelRequested()) == 1 {
				return upper.Call(ctx, "cleaned up")
			}
			return failing.Await(ctx)
		},
		"blocks": func(ctx *durable.Context, _ int) (string, error) {
			a := durable.Go(ctx, func(ctx *durable.Context) (string, error) { ctx.Sleep(time.Hour); return upper.Call(ctx, "a") })
			b := durable.Go(ctx, func(ctx *durable.Context) (string, error) { return upper.Call(ctx, "b") })
			durable.Join(ctx, a, b)
			return "", nil
		},
		"keys, again and again": func(ctx *durable.Context, n int) (string, error) {
			seen, _, err := durable.KVGet[int](ctx, "n")
			if err != nil {
				return "", err
			}
			if _, err := upper.Call(ctx, fmt.Sprint("saw ", seen, ctx.KVKeys())); err != nil {
				return "", err
			}
			if err := durable.KVSet(ctx, "n", seen+n); err != nil {
				return "", err
			}
			if err := durable.KVSet(ctx, fmt.Sprint("only ", n), n); err != nil {
				return "", err
			}
			if n == 2 {
				ctx.KVClear("only 1")
			}
			if n == 3 {
				ctx.KVClearAll()
				return "", nil
			}
			return "", main.ContinueAsNew(n + 1)
		},
		"too large a status": func(ctx *durable.Context, _ int) (string, error) {
			ctx.SetStatus(strings.Repeat("x", core.MaxCustomStatusBytes+1))
			return upper.Call(ctx, "a")
		},
		"cancelled": func(ctx *durable.Context, _ int) (string, error) {
			return child.Call(ctx, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			reg := register(t, children, main.With(code), upper.With(func(ctx context.Context, s string) (string, error) {
				if s == "fail" {
					return "", errors.New("again")
				}
				if s == "x" { // until it is cancelled
					<-ctx.Done()
					return "", context.Cause(ctx)
				}
				return strings.ToUpper(s), nil
			}))
			exact := &durabletest.CheckOptions{StrictInputs: true, Exact: true}
			durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
				run := durabletest.Start(env, main, "o1", 1)
				env.Settle()
				// While it runs, after it ended, and what a redacted one has of it.
				wantDifference(t, export(t, env, "o1", nil), reg, exact, "")
				if name == "asked to cancel" {
					env.After(90*time.Minute, func() { _ = env.Client.RequestCancel(context.Background(), "o1", "enough") })
				}
				if name == "cancelled" {
					if err := env.Client.Cancel(t.Context(), "o1", "no longer"); err != nil {
						t.Fatal(err)
					}
				}
				_, _ = durabletest.Wait(env, run)
				env.Settle()
				for _, o := range []durable.ExportOptions{{}, {AllExecutions: true}, {Redact: true}, {AllExecutions: true, Redact: true}} {
					if o.Redact && name == "keys, again and again" {
						continue // its input says which key it sets
					}
					wantDifference(t, export(t, env, "o1", &o), reg, exact, "")
				}
			})
		})
	}
}

// A redacted history shows nothing of what an instance carried.
func TestRedacted(t *testing.T) {
	durabletest.Run(t, shop(t), nil, func(t *testing.T, env *durabletest.Env) {
		durabletest.Start(env, checkout, "o1", Order{ID: "secret-7", Cents: 4250})
		env.Settle()
		file := export(t, env, "o1", &durable.ExportOptions{Redact: true})
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"secret", "4250"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("the file holds %q:\n%s", secret, text)
			}
		}
		if !strings.Contains(string(text), `"input":"{\"cents\":1111,\"id\":\"aaaaaa-1\"}"`) {
			t.Errorf("the file has no placeholders:\n%s", text)
		}
		wantDifference(t, file, shop(t), &durabletest.CheckOptions{StrictInputs: true, Exact: true}, "")
	})
}

// What an execution finds in the store was left by those before it, also when
// these are not stored any more.
func TestPrunedExecutions(t *testing.T) {
	const main = durable.Orchestration[int, string]("main")
	reg := register(t, main.With(func(ctx *durable.Context, n int) (string, error) {
		if n < 4 {
			ctx.KVSetRaw(fmt.Sprint("left by ", n), "v")
			ctx.KVClear("left by 2")
			return "", main.ContinueAsNew(n + 1)
		}
		for _, key := range ctx.KVKeys() { // one timer for each key
			if v, _ := ctx.KVGetRaw(key); v == "v" {
				ctx.Sleep(time.Hour)
			}
		}
		ctx.KVSetRaw("left by 4", "w")
		return "", nil
	}))
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		if _, err := durabletest.Call(env, main, "o1", 1); err != nil {
			t.Fatal(err)
		}
		exact := &durabletest.CheckOptions{StrictInputs: true, Exact: true}
		wantDifference(t, export(t, env, "o1", nil), reg, exact, "")
		admin, _ := core.Ability[core.AdminPruner](env.Provider)
		pruned, err := admin.PruneExecutions(t.Context(), core.PruneExecutionsParams{Instance: "o1", Options: core.PruneOptions{KeepLast: new(uint32(1))}})
		if err != nil || pruned.ExecutionsDeleted != 3 {
			t.Fatalf("pruned %+v, %v", pruned, err)
		}
		wantDifference(t, export(t, env, "o1", &durable.ExportOptions{AllExecutions: true}), reg, exact, "")
	})
}

func TestExportErrors(t *testing.T) {
	durabletest.Run(t, shop(t), nil, func(t *testing.T, env *durabletest.Env) {
		if err := env.Client.ExportHistory(t.Context(), &bytes.Buffer{}, "nobody", nil); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("unknown instance: %v", err)
		}
		plain := durable.NewClient(struct{ core.Provider }{env.Provider}, nil)
		if err := plain.ExportHistory(t.Context(), &bytes.Buffer{}, "o1", nil); !errors.Is(err, durable.ErrNotSupported) {
			t.Errorf("provider without the ability: %v", err)
		}
	})
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad"+durabletest.FileSuffix)
	if err := os.WriteFile(bad, []byte(`{"format":"duroxide-history/2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := durable.NewRegistry()
	for name, test := range map[string]struct {
		reg   *durable.Registry
		paths []string
		want  string
	}{
		"no registry":  {nil, []string{dir}, "Check needs a registry"},
		"none":         {empty, nil, "no histories are named"},
		"missing":      {empty, []string{filepath.Join(dir, "nowhere")}, "no such file or directory"},
		"empty folder": {empty, []string{t.TempDir()}, "no file in"},
		"other format": {empty, []string{dir}, bad + `: line 1: the field format must be "duroxide-history/1", not "duroxide-history/2"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := durabletest.Check(test.reg, nil, test.paths...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// Code that does not repeat itself is found by replaying it.
func TestDoesNotRepeatItself(t *testing.T) {
	file := waiting(t)
	runs := 0
	code := shop(t, checkout.With(func(ctx *durable.Context, o Order) (string, error) {
		if runs++; runs > 1 {
			return durable.WaitEvent[string](ctx, "other").Await(ctx)
		}
		return runCheckout(ctx, o)
	}))
	wantDifference(t, file, code, nil, `
instance o1, execution 1 of checkout 1.0.0: turn 2, event 2
    recorded: what the code itself asked for in an earlier turn
    the code: does not repeat itself: schedule mismatch: activity "charge" is recorded, but the code asked for a wait for event "other"; does it look at a clock, at random numbers or at the order of a map?, at replay_test.go:N`)
}

// However many turns a history has, the code runs twice: once through all of
// them, and once from its beginning to see that it repeats itself.
func TestCheckIsLinear(t *testing.T) {
	const (
		step = durable.Activity[int, int]("step")
		loop = durable.Orchestration[string, int]("loop")
	)
	runs := 0
	reg := register(t,
		step.With(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		loop.With(func(ctx *durable.Context, _ string) (int, error) {
			runs++
			for n := range 50 {
				if _, err := step.Call(ctx, n); err != nil {
					return 0, err
				}
			}
			return 50, nil
		}))
	file := record(t, reg, func(t *testing.T, env *durabletest.Env) {
		if _, err := durabletest.Call(env, loop, "o1", ""); err != nil {
			t.Fatal(err)
		}
	})
	runs = 0
	wantDifference(t, file, reg, nil, "")
	if runs != 2 {
		t.Errorf("the code ran %d times", runs)
	}
}
