package e2e_test

import (
	"debug/buildinfo"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const modulePrefix = "github.com/duroxide/duroxide-go/"

// Package core and what is below it need nothing but the standard library, their
// tests included.
func TestCoreNeedsNothing(t *testing.T) {
	t.Parallel()
	for _, path := range list(t, "-test", modulePrefix+"core/...") {
		// A test's variants are called core_test and core.test.
		plain := strings.TrimSuffix(strings.TrimSuffix(path, ".test"), "_test")
		if !within(plain, []string{modulePrefix + "core"}) {
			t.Errorf("core needs %s", path)
		}
	}
}

// The example that imports only durable and the provider in memory links no
// driver and no other module.
func TestExampleLinksNoDriver(t *testing.T) {
	t.Parallel()
	source := filepath.Join("..", "examples", "hello", "main.go")
	own := []string{modulePrefix + "core", modulePrefix + "durable"}
	for _, path := range list(t, source) {
		if path != "command-line-arguments" && !within(path, own) {
			t.Errorf("the example imports %s", path)
		}
	}

	binary := filepath.Join(t.TempDir(), "hello")
	goCommand(t, "build", "-o", binary, source)
	info, err := buildinfo.ReadFile(binary)
	must(t, err)
	for _, dep := range info.Deps {
		if !within(dep.Path, own) {
			t.Errorf("the example links %s", dep.Path)
		}
	}
	symbols := goCommand(t, "tool", "nm", binary)
	if !strings.Contains(symbols, modulePrefix+"durable.") {
		t.Error("the example has no symbols of package durable")
	}
	for _, driver := range []string{"jackc/pgx", "lib/pq", "database/sql"} {
		if strings.Contains(symbols, driver) {
			t.Errorf("the example has symbols of %s", driver)
		}
	}
	out, err := exec.CommandContext(t.Context(), binary, "Bob").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "Hello, Bob!") {
		t.Errorf("the example says %q, %v", out, err)
	}
}

func within(path string, modules []string) bool {
	for _, m := range modules {
		if path == m || strings.HasPrefix(path, m+"/") {
			return true
		}
	}
	return false
}

// list returns what packages depend on, themselves included, without the
// standard library.
func list(t *testing.T, packages ...string) []string {
	t.Helper()
	const format = `{{if not .Standard}}{{.ImportPath}}{{end}}`
	var paths []string
	for line := range strings.Lines(goCommand(t, append([]string{"list", "-deps", "-f", format}, packages...)...)) {
		path, _, _ := strings.Cut(strings.TrimSpace(line), " ") // without " [for which test]"
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		t.Errorf("go list finds nothing for %v", packages)
	}
	return paths
}

func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}
