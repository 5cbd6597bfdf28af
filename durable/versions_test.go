package durable_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

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
			want(e, child, "pinned", "", "1.5.0")
			if err := reg.SetPolicy("child", durable.Latest); err != nil { // while running
				t.Fatal(err)
			}
			want(e, child, "c", "", "2.0.0")
		})
	})
	t.Run("by a policy for one that is not there", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			reg := registry(t)
			if err := reg.SetPolicy("child", durable.Exact("9.0.0")); err != nil {
				t.Fatal(err)
			}
			e.startRegistry(nil, reg)
			wantFailure(e, begin(e, child, "c", ""), "poison: orchestration c exceeded 11 attempts (max 10)")
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
	t.Run("a continue as new at a version that is not there", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, append(code(func(ctx *durable.Context, _ string) (string, error) {
			_, err := child.Call(ctx, "")
			return "caught", err
		}), child.With(func(*durable.Context, string) (string, error) { return "", child.Version("9.0.0").ContinueAsNew("") })), func(e *env) {
			const text = "poison: orchestration i::sub::2 exceeded 11 attempts (max 10)"
			wantFailure(e, begin(e, main, "i", ""), text)
			wantFailure(e, child.Run(e.client, "i::sub::2"), text)
			if events := e.events("i::sub::2"); len(events) != 2 {
				t.Errorf("the second execution has %v", events)
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
