package durable_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/durable"
)

func act(name string) durable.Registration {
	return durable.Activity[string, string](name).With(func(context.Context, string) (string, error) { return name, nil })
}

func orch(name string) durable.Registration {
	return durable.Orchestration[string, string](name).With(echo)
}

func orchAt(name, version string) durable.Registration {
	return durable.Orchestration[string, string](name).Version(version).With(echo)
}

func TestRegistryRefuses(t *testing.T) {
	const o = durable.Orchestration[string, string]("o")
	tests := map[string]struct {
		add  []durable.Registration
		want []string // parts of the error; none for success
	}{
		"nothing":                      {nil, nil},
		"versions that rise":           {[]durable.Registration{orch("o"), orchAt("o", "1.0.1"), orchAt("o", "1.1.0-rc.1"), orchAt("o", "1.1.0")}, nil},
		"the same name of both kinds":  {[]durable.Registration{orch("x"), act("x")}, nil},
		"odd names":                    {[]durable.Registration{orch(""), act(""), act("活动"), orch(strings.Repeat("n", 10_000))}, nil},
		"an activity without code":     {[]durable.Registration{durable.Activity[string, string]("a").With(nil)}, []string{`activity "a": no code given`}},
		"an orchestration without":     {[]durable.Registration{o.With(nil)}, []string{`orchestration "o": no code given`}},
		"an activity twice":            {[]durable.Registration{act("a"), act("a")}, []string{"duplicate activity registration: a"}},
		"an orchestration twice":       {[]durable.Registration{orch("o"), orch("o")}, []string{"duplicate orchestration registration: o@1.0.0"}},
		"a version twice":              {[]durable.Registration{orchAt("o", "2.0.0"), orchAt("o", "2.0.0")}, []string{"duplicate orchestration registration: o@2.0.0"}},
		"an older version twice":       {[]durable.Registration{orch("o"), orchAt("o", "2.0.0"), orch("o")}, []string{"duplicate orchestration registration: o@1.0.0"}},
		"a lower version after":        {[]durable.Registration{orchAt("o", "2.0.0"), orch("o")}, []string{"non-monotonic orchestration version for o: 1.0.0 is not later than existing latest 2.0.0"}},
		"a version that is none":       {[]durable.Registration{orchAt("o", "two")}, []string{"orchestration o: ", `"two"`}},
		"the runtime's own activities": {[]durable.Registration{act("__duroxide_syscall:new_guid")}, []string{"activity name '__duroxide_syscall:new_guid' uses reserved prefix '__duroxide_syscall:'"}},
		"everything at once": {
			[]durable.Registration{act("a"), act("a"), orchAt("o", ""), durable.Activity[string, string]("b").With(nil)},
			[]string{"duplicate activity registration: a", "orchestration o: ", `activity "b": no code given`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := durable.NewRegistry()
			err := reg.Add(tt.add...)
			if len(tt.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if n := len(reg.Activities()) + len(reg.Orchestrations()); n != 0 {
				t.Errorf("%d names were added all the same", n)
			}
		})
	}
}

func TestRegistryLists(t *testing.T) {
	t.Parallel()
	reg := durable.NewRegistry()
	if n := len(reg.Activities()) + len(reg.Orchestrations()); n != 0 {
		t.Errorf("a new registry lists %d names", n)
	}
	if err := reg.Add(act("b"), act("a"), orch("p"), orch("o"), orchAt("o", "1.2.0"), orchAt("o", "1.10.0")); err != nil {
		t.Fatal(err)
	}
	got := [][]string{reg.Activities(), reg.Orchestrations(), reg.Versions("o"), reg.Versions("none")}
	want := [][]string{{"a", "b"}, {"o", "p"}, {"1.0.0", "1.2.0", "1.10.0"}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRegistryMerge(t *testing.T) {
	t.Parallel()
	library := durable.NewRegistry()
	if err := library.Add(act("a"), orch("o"), orchAt("o", "2.0.0")); err != nil {
		t.Fatal(err)
	}
	if err := library.SetPolicy("o", durable.Exact("1.0.0")); err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(e *env) {
		reg := durable.NewRegistry()
		if err := reg.Add(act("b"), durable.Orchestration[string, string]("p").With(func(ctx *durable.Context, _ string) (string, error) {
			return ctx.Version(), nil
		})); err != nil {
			t.Fatal(err)
		}
		if err := reg.Merge(library); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{{"a", "b"}, {"o", "p"}, {"1.0.0", "2.0.0"}}, [][]string{reg.Activities(), reg.Orchestrations(), reg.Versions("o")}); diff != "" {
			t.Error(diff)
		}
		e.startRegistry(nil, reg)
		o := durable.Orchestration[string, string]("o")
		want(e, o, "i", "in", "in")
		history, err := e.client.History(e.ctx, "i")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("1.0.0", startedVersion(history)); diff != "" {
			t.Errorf("the policy was not merged: %s", diff)
		}
	})

	clash := durable.NewRegistry()
	if err := clash.Add(act("a"), orch("o"), orch("new")); err != nil {
		t.Fatal(err)
	}
	err := clash.Merge(library)
	for _, part := range []string{"merge:", "duplicate activity registration: a", "duplicate orchestration registration: o@1.0.0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %q", err, part)
		}
	}
	if diff := cmp.Diff([]string{"1.0.0"}, clash.Versions("o")); diff != "" {
		t.Error(diff)
	}
	if err := clash.Merge(clash); err == nil {
		t.Error("merged with itself")
	}
}

func TestRegistryReplace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		o := durable.Orchestration[string, string]("o")
		says := func(text string) func(*durable.Context, string) (string, error) {
			return func(ctx *durable.Context, _ string) (string, error) { return upper.Call(ctx, text) }
		}
		shout := upper.With(func(_ context.Context, s string) (string, error) { return s + "!", nil })
		reg := durable.NewRegistry()
		if err := reg.Add(activities(o.With(says("one")), o.Version("2.0.0").With(says("two")))...); err != nil {
			t.Fatal(err)
		}
		e.startRegistry(nil, reg)
		if err := reg.Replace(shout, o.With(nil)); err == nil || !strings.Contains(err.Error(), `orchestration "o": no code given`) {
			t.Errorf("error %v", err)
		}
		want(e, o, "before", "", "TWO") // nothing was replaced
		if err := reg.Replace(shout, o.Version("2.0").With(says("x"))); err == nil {
			t.Error("a version that is none was taken")
		}
		if err := reg.Replace(shout, o.Version("2.0.0").With(says("deux")), o.Version("3.0.0").With(says("trois"))); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1.0.0", "2.0.0", "3.0.0"}, reg.Versions("o")); diff != "" {
			t.Error(diff)
		}
		wantRun(e, begin(e, o, "latest", ""), "trois!")
		run, err := o.Version("2.0.0").Start(e.ctx, e.client, "second", "")
		if err != nil {
			t.Fatal(err)
		}
		wantRun(e, run, "deux!")
	})
}

func TestSetPolicy(t *testing.T) {
	t.Parallel()
	reg := durable.NewRegistry()
	if err := reg.Add(orch("o")); err != nil {
		t.Fatal(err)
	}
	for text, err := range map[string]error{
		"":                            reg.SetPolicy("o", durable.Exact("9.0.0")), // may come later
		"it is not registered":        reg.SetPolicy("none", durable.Latest),
		"policy of orchestration o: ": reg.SetPolicy("o", durable.Exact("nine")),
	} {
		if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}

func TestRegistryConcurrently(t *testing.T) {
	t.Parallel()
	reg := durable.NewRegistry()
	if err := reg.Add(orch("o"), act("a")); err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(e *env) {
		e.startRegistry(nil, reg)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 25 {
					name := fmt.Sprintf("%d-%d", i, j)
					other := durable.NewRegistry()
					if err := other.Add(orch("m" + name)); err != nil {
						t.Error(err)
					}
					if err := reg.Add(orch(name), act(name)); err != nil {
						t.Error(err)
					}
					if err := reg.Merge(other); err != nil {
						t.Error(err)
					}
					if err := reg.SetPolicy(name, durable.Exact("1.0.0")); err != nil {
						t.Error(err)
					}
					reg.Activities()
					reg.Versions("o")
				}
			})
			want(e, durable.Orchestration[string, string]("o"), fmt.Sprint("i", i), "x", "x")
		}
		wg.Wait()
		if n := len(reg.Orchestrations()); n != 201 {
			t.Errorf("%d orchestrations", n)
		}
	})
}
