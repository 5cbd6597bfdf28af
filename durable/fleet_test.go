package durable_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

const where = durable.Activity[string, string]("where")

// at is the activity that says on which node it ran.
func at(node string) durable.Registration {
	return where.With(func(context.Context, string) (string, error) { return node, nil })
}

// TestTags has two runtimes share a store: one runs orchestrations and what has
// no tag, the other what is tagged.
func TestTags(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, where.Schedule(ctx, ""), where.Schedule(ctx, "", durable.WithTag("gpu")), where.Schedule(ctx, "", durable.WithTag("gpu")))
			if err != nil {
				return "", err
			}
			nobody := where.Schedule(ctx, "", durable.WithTag("quantum"))
			return fmt.Sprint(out, durable.Race(ctx, nobody, ctx.Timer(time.Minute))), nil
		})
		e.start(nil, flow, at("cpu node"))
		e.start(&durable.Options{Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}}}, at("gpu node"))
		want(e, main, "i", "", "[cpu node gpu node gpu node] 1")
	})
}

func TestSessionsPinTheirWorker(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, in string) (string, error) {
			nodes := map[string]bool{}
			for range 6 {
				out, err := where.Call(ctx, "", durable.OnSession(in))
				if err != nil {
					return "", err
				}
				nodes[out] = true
			}
			return fmt.Sprint(len(nodes)), nil
		})
		for _, node := range []string{"a", "b"} {
			e.start(&durable.Options{NodeID: node}, flow, at(node))
		}
		var runs []*durable.Run[string]
		for i := range 8 {
			runs = append(runs, begin(e, main, fmt.Sprint("conversation-", i), fmt.Sprint("s", i)))
		}
		for _, run := range runs {
			wantRun(e, run, "1")
		}
	})
}

// TestRollingDeployment: an activity that only one of three nodes has is
// carried there by back-off.
func TestRollingDeployment(t *testing.T) {
	t.Parallel()
	const added = durable.Activity[string, string]("added")
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, in string) (string, error) { return added.Call(ctx, in) })
		for range 2 {
			e.start(&durable.Options{MaxAttempts: 1000}, flow)
		}
		run := begin(e, main, "i", "x")
		time.Sleep(time.Minute)
		e.start(&durable.Options{MaxAttempts: 1000}, flow, added.With(func(_ context.Context, s string) (string, error) { return "new " + s, nil }))
		wantRun(e, run, "new x")
	})
}

func TestUnregisteredPoisons(t *testing.T) {
	t.Parallel()
	withRuntime(t, nil, func(e *env) {
		began := time.Now()
		failed := wantFailure(e, begin(e, main, "i", ""), "poison: orchestration i exceeded 11 attempts (max 10)")
		// 1, 2, 4, 8, 16, 32, 60, 60, 60 and 60 s.
		if waited := time.Since(began); waited < 303*time.Second {
			t.Errorf("poisoned after %v", waited)
		}
		if _, ok := failed.Details.(core.PoisonError); !ok {
			t.Errorf("details %#v", failed.Details)
		}
	})
}

func TestVersions(t *testing.T) {
	const child = durable.Orchestration[string, string]("child")
	version := func(ctx *durable.Context, _ string) (string, error) { return ctx.Version(), nil }
	flow := func(ctx *durable.Context, _ string) (string, error) {
		latest, err := child.Call(ctx, "")
		if err != nil {
			return "", err
		}
		old, err := child.Version("1.0.0").Call(ctx, "")
		if err != nil {
			return "", err
		}
		f := child.Version("1.5.0").Schedule(ctx, "")
		mid, err := f.Await(ctx)
		return strings.Join([]string{latest, old, mid}, " "), err
	}
	registry := func(t *testing.T) *durable.Registry {
		reg := durable.NewRegistry()
		if err := reg.Add(main.With(flow), child.With(version), child.Version("1.5.0").With(version), child.Version("2.0.0").With(version)); err != nil {
			t.Fatal(err)
		}
		return reg
	}
	t.Run("the latest, unless asked for", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			e.startRegistry(nil, registry(t))
			want(e, main, "i", "", "2.0.0 1.0.0 1.5.0")
			want(e, child, "c", "", "2.0.0")
			run, err := child.Version("1.0.0").Start(e.ctx, e.client, "c1", "")
			if err != nil {
				t.Fatal(err)
			}
			wantRun(e, run, "1.0.0")
		})
	})
	t.Run("by policy", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			reg := registry(t)
			if err := reg.SetPolicy("child", durable.Exact("1.5.0")); err != nil {
				t.Fatal(err)
			}
			e.startRegistry(nil, reg)
			want(e, main, "i", "", "1.5.0 1.0.0 1.5.0")
			if err := reg.SetPolicy("child", durable.Latest); err != nil { // while running
				t.Fatal(err)
			}
			want(e, child, "c", "", "2.0.0")
		})
	})
	t.Run("a version that is not there", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			e.startRegistry(nil, registry(t))
			run, err := child.Version("9.0.0").Start(e.ctx, e.client, "c", "")
			if err != nil {
				t.Fatal(err)
			}
			wantFailure(e, run, "poison: orchestration c exceeded 11 attempts (max 10)")
			if _, err := child.Version("nine").Start(e.ctx, e.client, "d", ""); !errors.Is(err, durable.ErrInvalidInput) {
				t.Errorf("start of version nine: %v", err)
			}
		})
	})
	t.Run("an execution keeps its own, a continue-as-new upgrades", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			reg := durable.NewRegistry()
			eternal := func(tag string) func(*durable.Context, string) (string, error) {
				return func(ctx *durable.Context, in string) (string, error) {
					ctx.Sleep(time.Hour)
					if in += tag; len(in) < 6 {
						return "", main.ContinueAsNew(in)
					}
					return in, nil
				}
			}
			if err := reg.Add(main.With(eternal("a"))); err != nil {
				t.Fatal(err)
			}
			e.startRegistry(nil, reg)
			run := begin(e, main, "i", "")
			time.Sleep(90 * time.Minute) // in the middle of the second execution
			if err := reg.Add(main.Version("2.0.0").With(eternal("b"))); err != nil {
				t.Fatal(err)
			}
			wantRun(e, run, "aabbbb")
		})
	})
	t.Run("continue as new at an exact version", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, []durable.Registration{
			main.With(func(*durable.Context, string) (string, error) {
				return "", main.Version("3.0.0").ContinueAsNew("from 1")
			}),
			main.Version("2.0.0").With(func(*durable.Context, string) (string, error) { return "", main.Version("1.0.0").ContinueAsNew("down") }),
			main.Version("3.0.0").With(func(ctx *durable.Context, in string) (string, error) { return in + " to " + ctx.Version(), nil }),
		}, func(e *env) {
			run, err := main.Version("2.0.0").Start(e.ctx, e.client, "i", "")
			if err != nil {
				t.Fatal(err)
			}
			wantRun(e, run, "from 1 to 3.0.0")
		})
	})
}

func TestCancellation(t *testing.T) {
	const child = durable.Orchestration[string, string]("child")
	t.Run("reaches children and activities", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		var causes []error
		const endless = durable.Activity[string, string]("endless")
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			_, err := durable.JoinAll(ctx, child.Schedule(ctx, ""), child.Schedule(ctx, "", durable.WithInstanceID("own")), endless.Schedule(ctx, ""))
			return "", err
		}), child.With(func(ctx *durable.Context, _ string) (string, error) { return endless.Call(ctx, "") }),
			endless.With(func(ctx context.Context, _ string) (string, error) {
				<-ctx.Done()
				mu.Lock()
				defer mu.Unlock()
				causes = append(causes, context.Cause(ctx))
				return "", ctx.Err()
			})), func(e *env) {
			run := begin(e, main, "i", "")
			time.Sleep(time.Second)
			e.cancel("i", "no more")
			failed := wantFailure(e, run, "canceled: no more")
			if !errors.Is(failed, durable.ErrCancelled) {
				t.Error("it is no ErrCancelled")
			}
			wantFailure(e, child.Run(e.client, "i::sub::2"), "canceled: parent canceled")
			wantFailure(e, child.Run(e.client, "own"), "canceled: parent canceled")
			time.Sleep(time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if len(causes) != 3 || slices.ContainsFunc(causes, func(err error) bool { return !errors.Is(err, durable.ErrNotWanted) }) {
				t.Errorf("causes %v", causes)
			}
		})
	})
	t.Run("of a child is an error for its parent", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			_, err := child.Call(ctx, "", durable.WithInstanceID("kid"))
			var failed *durable.ChildError
			return fmt.Sprint(errors.As(err, &failed), errors.Is(err, durable.ErrCancelled), err), nil
		}), child.With(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil })), func(e *env) {
			run := begin(e, main, "i", "")
			time.Sleep(time.Second)
			e.cancel("kid", "shoo")
			wantRun(e, run, "true true canceled: shoo")
		})
	})
	t.Run("before the start, twice, after the end, of nobody", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			run := begin(e, main, "i", "")
			e.cancel("i", "first")
			e.cancel("i", "second")
			e.cancel("nobody", "x")
			e.start(nil, code(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil })...)
			wantFailure(e, run, "canceled: first")
			before := e.events("i")
			e.cancel("i", "third")
			time.Sleep(time.Minute)
			if diff := cmp.Diff(before, e.events("i")); diff != "" {
				t.Error(diff)
			}
			if _, err := e.client.Status(e.ctx, "nobody"); !errors.Is(err, durable.ErrInstanceNotFound) {
				t.Errorf("status of nobody: %v", err)
			}
		})
	})
	t.Run("reaches the current execution", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, code(func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(time.Minute)
			return "", main.ContinueAsNew("")
		}), func(e *env) {
			run := begin(e, main, "i", "")
			time.Sleep(10*time.Minute + time.Second)
			e.cancel("i", "enough")
			wantFailure(e, run, "canceled: enough")
		})
	})
	t.Run("of a race's losers", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			durable.Race(ctx, ctx.Timer(time.Second), child.Schedule(ctx, ""), slow.Schedule(ctx, time.Hour),
				durable.Go(ctx, func(ctx *durable.Context) (string, error) {
					return child.Call(ctx, "", durable.WithInstanceID("in-a-block"))
				}))
			ctx.Sleep(time.Minute)
			return "on", nil
		}), child.With(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(24 * time.Hour); return "", nil })), func(e *env) {
			want(e, main, "i", "", "on")
			wantFailure(e, child.Run(e.client, "i::sub::3"), "canceled: parent dropped sub-orchestration future")
			wantFailure(e, child.Run(e.client, "in-a-block"), "canceled: parent dropped sub-orchestration future")
		})
	})
}

func TestChildIDTaken(t *testing.T) {
	t.Parallel()
	const child = durable.Orchestration[string, string]("child")
	withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
		_, err := child.Call(ctx, "", durable.WithInstanceID("taken"))
		return fmt.Sprint(err), nil
	}), child.With(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Hour); return "", nil })), func(e *env) {
		run := begin(e, child, "taken", "")
		want(e, main, "a", "", "sub-orchestration instance id 'taken' already exists")
		wantRun(e, run, "")
		want(e, main, "b", "", "sub-orchestration instance id 'taken' already exists and is terminal")
	})
}

func TestFailuresThatCannotBeCaught(t *testing.T) {
	t.Parallel()
	const child = durable.Orchestration[string, string]("child")
	missing := durable.Activity[string, string]("missing")
	withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
		_, _ = child.Call(ctx, "")
		return "caught", nil
	}), child.With(func(ctx *durable.Context, _ string) (string, error) {
		_, _ = missing.Call(ctx, "")
		return "caught", nil
	})), func(e *env) {
		const text = "poison: activity missing#2 exceeded 11 attempts (max 10)"
		failed := wantFailure(e, begin(e, main, "i", ""), text)
		wantFailure(e, child.Run(e.client, "i::sub::2"), text)
		if failed.InstanceID != "i" || failed.Error() != "orchestration i: "+text {
			t.Errorf("%v", failed)
		}
	})
}

// TestRestart: the second runtime goes on where the first one stopped.
func TestRestart(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	const counted = durable.Activity[string, string]("counted")
	registrations := append(code(func(ctx *durable.Context, _ string) (string, error) {
		out := ""
		for range 3 {
			s, err := counted.Call(ctx, "")
			if err != nil {
				return "", err
			}
			out += s
			ctx.Sleep(24 * time.Hour)
		}
		return out, nil
	}), counted.With(func(context.Context, string) (string, error) { calls.Add(1); return "x", nil }))
	inBubble(t, func(e *env) {
		stop := e.start(nil, registrations...)
		run := begin(e, main, "i", "")
		for range 4 {
			time.Sleep(12 * time.Hour)
			stop()
			time.Sleep(time.Hour)
			stop = e.start(nil, registrations...)
		}
		wantRun(e, run, "xxx")
		if n := calls.Load(); n != 3 {
			t.Errorf("the activity ran %d times", n)
		}
	})
}

// TestParking: an instance whose code changed waits for the right code.
func TestParking(t *testing.T) {
	t.Parallel()
	const other = durable.Activity[string, string]("other")
	right := code(func(ctx *durable.Context, in string) (string, error) {
		ctx.Sleep(time.Hour)
		return upper.Call(ctx, in)
	})
	wrong := activities(other.With(func(context.Context, string) (string, error) { return "", nil }),
		main.With(func(ctx *durable.Context, in string) (string, error) { return other.Call(ctx, in) }))
	t.Run("and goes on with it", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(nil, right...)
			run := begin(e, main, "i", "in")
			time.Sleep(time.Minute)
			stop()
			stop = e.start(nil, wrong...)
			time.Sleep(24 * time.Hour) // far more than ten attempts
			if s, err := e.client.Status(e.ctx, "i"); err != nil || s.State != core.StatusRunning {
				t.Errorf("parked: %+v, %v", s, err)
			}
			stop()
			e.start(nil, right...)
			wantRun(e, run, "IN")
		})
	})
	t.Run("or fails, as an option", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(nil, right...)
			run := begin(e, main, "i", "in")
			time.Sleep(time.Minute)
			stop()
			e.start(&durable.Options{Nondeterminism: durable.Fail}, wrong...)
			wantFailure(e, run, `nondeterministic: schedule mismatch: a timer is recorded, but the code asked for activity "other" (event 2)`)
		})
	})
}

func TestManyInstances(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, in string) (string, error) {
		out, err := durable.JoinAll(ctx, upper.Schedule(ctx, in), upper.Schedule(ctx, in+"!"))
		if err != nil {
			return "", err
		}
		ctx.Sleep(time.Minute)
		return out[0] + out[1], nil
	}), func(e *env) {
		var runs []*durable.Run[string]
		for i := range 100 {
			runs = append(runs, begin(e, main, fmt.Sprint("i", i), fmt.Sprint("x", i)))
		}
		synctest.Wait()
		for i, run := range runs {
			wantRun(e, run, fmt.Sprintf("X%dX%d!", i, i))
		}
	})
}
