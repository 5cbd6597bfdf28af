package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable/durabletest"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

// binary is the program, built once.
var binary string

func TestMain(m *testing.M) {
	if which := os.Getenv(asProgram); which != "" {
		durabletest.CheckMain(release(which == "broken"))
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "duroxide")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "duroxide")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is how a run of the program ended.
type result struct {
	code           int
	stdout, stderr string
}

// command is the program with arguments, without any environment of ours that
// names a database.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "DATABASE_URL=") || strings.HasPrefix(s, "PG")
	})
	return cmd
}

func run(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, command(t, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want checks the code and that the output holds the texts.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("the output has no %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

// databaseURL is DATABASE_URL, or the test fails.
func databaseURL(t *testing.T) string {
	t.Helper()
	migrationstest.URL(t) // complains
	return os.Getenv("DATABASE_URL")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"", "migrate", "migrate up", "migrate verify", "migrate status", "migrate plan", "migrate print", "export", "demo", "demo-worker"} {
		t.Run("duroxide "+args, func(t *testing.T) {
			t.Parallel()
			r := run(t, append(strings.Fields(args), "--help")...)
			r.want(t, 0, "Usage:", "duroxide "+args)
			if r.stderr != "" {
				t.Errorf("stderr: %s", r.stderr)
			}
		})
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for args, text := range map[string]string{
		"":                               "no command given: choose migrate or export or demo",
		"migrat":                         `unknown command "migrat": choose migrate or export or demo`,
		"migrate":                        "no command given: choose up or verify or status or plan or print",
		"migrate down":                   `unknown command "down": choose up or verify`,
		"migrate up --too 3":             "unknown flag: --too",
		"migrate up --to x":              `"--to"`,
		"migrate up --to 99":             "--to: there is no version 99; this program has 1 to 11",
		"migrate up --to 0":              "--to: there is no version 0; this program has 1 to 11",
		"migrate plan --to 12":           "--to: there is no version 12; this program has 1 to 11",
		"migrate print --from 12":        "--from: there is no version 12; this program has 1 to 11",
		"migrate print --from 5 --to 3":  "--from: version 5 is not before version 3, so there is nothing to print",
		"migrate print --schema Orders":  `--schema: invalid schema name: "Orders"`,
		"migrate up extra":               `"extra"`,
		"migrate verify":                 "--database-url: not given, and DATABASE_URL is not set",
		"migrate verify --schema Orders": `--schema: invalid schema name: "Orders" has upper-case letters; use "orders"`,
		"migrate up --database-url postgres://:x": "--database-url: not a connection string",
		"demo --workers 0":                        "--workers: must be from 1 to 16, not 0",
		"demo --workers 17":                       "--workers: must be from 1 to 16, not 17",
		"demo --workers many":                     `"--workers"`,
		"demo --schema public":                    "--schema: the demo drops its schema",
		"demo --schema pg_x":                      "--schema: invalid schema name",
		"demo --database-url postgres://:secret":  "--database-url: not a connection string",
		"demo --store mysql":                      `--store: must be postgres or sqlite, not "mysql"`,
		"demo --store=":                           `--store: must be postgres or sqlite, not ""`,
		"demo --file x.db":                        "--file: does not go with --store postgres",
		"demo --store sqlite --schema x":          "--schema: does not go with --store sqlite",
		"demo --store sqlite --database-url x":    "--database-url: does not go with --store sqlite",
		"demo-worker --store mysql":               "--store: must be postgres or sqlite",
		"demo-worker --store sqlite --name w":     "--file and --name are needed",
		"export --status odd":                     `--status: must be running, completed, failed or all, not "odd"`,
		"export --sample 0":                       "--sample: must be from 1 to 1000000, not 0",
		"export order-1":                          `"order-1": arguments are for the program of --check`,
		"export --instance=":                      "--instance: the id is empty",
		"export --instance a --sample 3":          "--instance: does not go with --sample and --status",
		"export":                                  "--database-url: not given, and DATABASE_URL is not set",
		"export --database-url postgres://:x":     "--database-url: not a connection string",
		"demo now":                                `"now"`,
		"demo-worker":                             "--schema and --name and the environment variable DATABASE_URL are needed",
	} {
		t.Run("duroxide "+args, func(t *testing.T) {
			t.Parallel()
			r := run(t, strings.Fields(args)...)
			r.want(t, 2, text, "--help' for how to use it")
			if strings.Contains(r.stderr, "secret") || r.stdout != "" {
				t.Errorf("stdout: %s\nstderr: %s", r.stdout, r.stderr)
			}
		})
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	run(t, "demo", "--orders", "missing.jsonl").want(t, 3, "--orders: open missing.jsonl: no such file")
	run(t, "demo", "--store", "sqlite", "--file", "missing/x.db").want(t, 3, "missing/x.db: no such file")
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	const url = "postgres://u:secret@127.0.0.1:1/x"
	for _, args := range []string{"migrate verify", "migrate up", "export", "demo"} {
		t.Run("duroxide "+args, func(t *testing.T) {
			t.Parallel()
			r := run(t, append(strings.Fields(args), "--database-url", url)...)
			r.want(t, 5, "the database at 127.0.0.1:1 cannot be reached", "connection refused")
			if strings.Contains(r.stderr, "secret") || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("stderr: %s", r.stderr)
			}
		})
	}
	t.Run("DATABASE_URL", func(t *testing.T) {
		t.Parallel()
		for _, args := range []string{"migrate verify", "demo"} {
			cmd := command(t, strings.Fields(args)...)
			cmd.Env = append(cmd.Env, "DATABASE_URL="+url)
			finish(t, cmd).want(t, 5, "the database at 127.0.0.1:1 cannot be reached")
		}
	})
}
