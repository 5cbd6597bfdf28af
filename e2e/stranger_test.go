package e2e_test

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// strangerVersion is the version of core and validation that the stranger's
// go.mod asks for.
const strangerVersion = "v0.1.0"

// The author of a provider outside this repository imports core and validation
// and nothing else: the module of the guide is built and tested as it would be
// on another machine, from a module proxy that holds the two as they are here.
func TestStranger(t *testing.T) {
	t.Parallel()
	proxy := t.TempDir()
	for _, module := range []string{"core", "validation"} {
		publish(t, proxy, module)
	}
	dir := filepath.Join(t.TempDir(), "stranger")
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "stranger"))))
	env := strangerEnv(t, proxy)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}

	before, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	must(t, err)
	run("mod", "tidy")
	after, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	must(t, err)
	equal(t, "go.mod after go mod tidy", string(before), string(after))

	// Whatever else came along would have to be downloaded by every author of a
	// provider: drivers, telemetry, containers.
	const self = "example.com/stranger"
	graph := strings.Fields(run("list", "-m", "-f", "{{.Path}}", "all"))
	equal(t, "modules", []string{
		self,
		modulePrefix + "core", modulePrefix + "validation",
		"github.com/google/go-cmp", // validation compares with it
		"go.uber.org/goleak",       // validation's own tests use it
	}, graph)
	const format = `{{if not .Standard}}{{with .Module}}{{.Path}}{{end}}{{end}}`
	linked := strings.Fields(run("list", "-deps", "-test", "-f", format, "./..."))
	slices.Sort(linked)
	equal(t, "modules that the tests link", []string{
		self, modulePrefix + "core", modulePrefix + "validation", "github.com/google/go-cmp",
	}, slices.Compact(linked))
	for imported := range strings.FieldsSeq(run("list", "-f", `{{join .Imports " "}}`, ".")) {
		if strings.Contains(imported, ".") && imported != modulePrefix+"core" {
			t.Errorf("the provider imports %s", imported)
		}
	}

	run("build", "./...")
	run("vet", "./...")
	out := run("test", "-v", "./...")
	for line := range strings.Lines(out) {
		if strings.Contains(line, "polling: ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	// Only what needs an engine, the half for providers that do not wait, and the
	// abilities that the toy does not have.
	skipped := []string{"race_replay", "long_polling", "turn_tracking", "history_range", "instance_watch", "transactions"}
	for _, name := range regexp.MustCompile(`--- SKIP: TestConformance/(\w+)/`).FindAllStringSubmatch(out, -1) {
		if !slices.Contains(skipped, name[1]) {
			t.Errorf("a case of %s is skipped", name[1])
		}
	}
}

// strangerEnv is the environment of another machine: its module cache is empty,
// and no workspace is near. What is not ours comes from this machine's cache or
// from where it always comes.
func strangerEnv(t *testing.T, proxy string) []string {
	t.Helper()
	usual := strings.Split(strings.TrimSpace(goCommand(t, "env", "GOPROXY", "GOMODCACHE", "GONOSUMDB")), "\n")
	for len(usual) < 3 {
		usual = append(usual, "")
	}
	fileURL := func(dir string) string { return "file://" + path.Join("/", filepath.ToSlash(dir)) }
	return append(os.Environ(),
		"GOPROXY="+strings.Join([]string{fileURL(proxy), fileURL(filepath.Join(usual[1], "cache", "download")), usual[0]}, ","),
		"GOMODCACHE="+t.TempDir(),
		"GONOSUMDB="+strings.TrimPrefix(usual[2]+",github.com/duroxide/duroxide-go", ","), // the checksums are of this checkout
		"GONOPROXY=none",
		"GOFLAGS=-modcacherw", // so that it can be removed
		"GOWORK=off",
	)
}

// publish puts a module of the checkout into a proxy: the files that the go
// command asks for, see https://go.dev/ref/mod#goproxy-protocol.
func publish(t *testing.T, proxy, module string) {
	t.Helper()
	root := filepath.Join("..", module)
	modulePath := modulePrefix + module
	dir := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	must(t, os.MkdirAll(dir, 0o755))
	write := func(name string, data []byte) {
		must(t, os.WriteFile(filepath.Join(dir, strangerVersion+name), data, 0o600))
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	must(t, err)
	write(".mod", mod)
	write(".info", []byte(`{"Version":"`+strangerVersion+`"}`))

	f, err := os.Create(filepath.Join(dir, strangerVersion+".zip"))
	must(t, err)
	defer f.Close()
	archive := zip.NewWriter(f)
	must(t, filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && file != root {
				return filepath.SkipDir // another module
			}
			return nil
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		w, err := archive.Create(modulePath + "@" + strangerVersion + "/" + filepath.ToSlash(name))
		if err != nil {
			return err
		}
		r, err := os.Open(file)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	}))
	must(t, archive.Close())
}
