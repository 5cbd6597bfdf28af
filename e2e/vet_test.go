package e2e_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The analyser, run by go vet, has nothing to say of our orchestrations, and
// finds each mistake of the file that makes ten.
func TestVet(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "durablevet")
	if out, err := inWorkspace(t, "build", "-o", tool, "./durable/vet/cmd/durablevet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	clean := inWorkspace(t, "vet", "-vettool="+tool, "./durable", "./examples/...", "./cmd/duroxide/...")
	if out, err := clean.CombinedOutput(); err != nil {
		t.Errorf("findings in our own code: %v\n%s", err, out)
	}

	want, err := os.ReadFile(filepath.Join("testdata", "mistakes", "findings.txt"))
	must(t, err)
	for name, cmd := range map[string]*exec.Cmd{
		"go vet":     inWorkspace(t, "vet", "-vettool="+tool, "./e2e/testdata/mistakes"),
		"standalone": inWorkspace(t, "run", "./durable/vet/cmd/durablevet", "./e2e/testdata/mistakes"),
	} {
		var got bytes.Buffer
		cmd.Stderr = &got
		if exit := (*exec.ExitError)(nil); !errors.As(cmd.Run(), &exit) {
			t.Errorf("%s: mistakes are no failure", name)
		}
		equal(t, name, string(want), relative(got.String()))
	}
}

// inWorkspace is a command of go in the root of the repository. Unlike this
// module, which may be tested alone, the workspace has every package.
func inWorkspace(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	root, err := filepath.Abs("..")
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "GOFLAGS=")
	return cmd
}

// relative keeps the findings of an output and of their files the name.
func relative(output string) string {
	const file = "mistakes.go:"
	var kept strings.Builder
	for line := range strings.Lines(output) {
		if i := strings.Index(line, file); i >= 0 {
			kept.WriteString(line[i:])
		}
	}
	return kept.String()
}
