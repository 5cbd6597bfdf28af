package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, "Ada"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "Hello, Ada! It is ") {
		t.Errorf("output %q", out.String())
	}
}

// The history is the one that docs/guide.md shows.
func TestHistory(t *testing.T) {
	reg := durable.NewRegistry()
	if err := reg.Add(greet.With(makeGreeting), hello.With(sayHello)); err != nil {
		t.Fatal(err)
	}
	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
		if _, err := durabletest.Call(env, hello, "hello-1", "Ada"); err != nil {
			t.Error(err)
		}
		if diff := env.History("hello-1").Diff(`
			1 OrchestrationStarted hello: Ada
			2 ActivityScheduled greet: Ada
			3 ActivityCompleted greet of 2: Hello, Ada!
			4 TimerCreated
			5 TimerFired of 4
			6 OrchestrationCompleted: Hello, Ada! It is Saturday.
		`); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}

// What imports only durable and core links nothing from outside.
func TestLinksTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(list)) {
		domain, _, _ := strings.Cut(pkg, "/")
		if strings.Contains(domain, ".") && !strings.HasPrefix(pkg, "github.com/duroxide/duroxide-go/") {
			t.Errorf("it links %s", pkg)
		}
	}
}
