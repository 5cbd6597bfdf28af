package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
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
