package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// command is a run of the tool on a folder of the test.
type command struct {
	*testing.T
	dir string
}

// setup writes all documents and checksums into a folder.
func setup(t *testing.T) command {
	t.Helper()
	migrationstest.URL(t)
	c := command{t, t.TempDir()}
	c.run(exitDone, "--all")
	return c
}

func (c command) write(name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c command) read(name string) string {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// run runs the command line and returns what it prints.
func (c command) run(wantCode int, args ...string) (stdout, stderr string) {
	c.Helper()
	var out, errOut strings.Builder
	t := &tool{stdout: &out, stderr: &errOut, dir: c.dir}
	if code := t.main(c.Context(), args); code != wantCode {
		c.Errorf("migdiff %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, &out, &errOut)
	}
	return out.String(), errOut.String()
}

// history reads the real migrations.
func history(t *testing.T) []*step {
	t.Helper()
	steps, err := readHistory(migrations.FS(), migrations.Files())
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// madeUp reads migrations that a test wrote: the first one is version 1, the
// others are ours.
func madeUp(t *testing.T, texts ...string) []*step {
	t.Helper()
	fsys := fstest.MapFS{}
	var files []migrations.File
	for i, text := range texts {
		file := migrations.File{Version: 1, Name: "0001_first.sql"}
		if i > 0 {
			file.Version = 100 + i
			file.Name = "010" + string(rune('0'+i)) + "_next.sql"
		}
		fsys[file.Name] = &fstest.MapFile{Data: []byte(text)}
		files = append(files, file)
	}
	steps, err := readHistory(fsys, files)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// The committed files are the golden files of this test.
func TestCommittedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	migrationstest.URL(t)
	dir, err := migrationsDir()
	if err != nil {
		t.Fatal(err)
	}
	c := command{t, dir}
	if out, errOut := c.run(exitDone, "--check", "--all"); out+errOut != "" {
		t.Errorf("printed\n%s%s", out, errOut)
	}
	c.run(exitDone, "--lint")
}

// Two runs, in schemas of different names, give the same bytes, and so do one
// migration alone and all together.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	c := setup(t)
	names := func() map[string]string {
		files := map[string]string{}
		for _, s := range history(t) {
			files[documentName(s)] = c.read(documentName(s))
			if strings.Contains(files[documentName(s)], "migdiff_") {
				t.Errorf("%s has the name of a temporary schema", documentName(s))
			}
		}
		files[sumsFile] = c.read(sumsFile)
		return files
	}
	first := names()
	c.run(exitDone, "--all")
	if diff := cmp.Diff(first, names()); diff != "" {
		t.Errorf("the second run differs:\n%s", diff)
	}
	c.run(exitDone, "7", "0004", "0007")
	if diff := cmp.Diff(first, names()); diff != "" {
		t.Errorf("single runs differ:\n%s", diff)
	}
}

// With and without a database the functions are shown alike.
func TestFunctionSections(t *testing.T) {
	t.Parallel()
	c := setup(t)
	online := map[string]string{}
	for _, s := range history(t) {
		online[documentName(s)] = functionSection(c.read(documentName(s)))
		if online[documentName(s)] == "" {
			t.Errorf("%s has no section of functions", documentName(s))
		}
	}
	c.run(exitDone, "--offline", "--check")
	c.run(exitDone, "--offline", "--all")
	for _, s := range history(t) {
		text := c.read(documentName(s))
		if diff := cmp.Diff(online[documentName(s)], functionSection(text)); diff != "" {
			t.Errorf("%s (-online +offline):\n%s", documentName(s), diff)
		}
		if !strings.Contains(text, offlineNotice) {
			t.Errorf("%s does not say how it was made", documentName(s))
		}
	}
	out, _ := c.run(exitFailed, "--check", "0007")
	if !strings.Contains(out, "-"+offlineNotice) {
		t.Errorf("a document made without a database passes the check:\n%s", out)
	}
}

func TestCheckFindsStaleFiles(t *testing.T) {
	t.Parallel()
	c := setup(t)
	good := c.read("0007_diff.md")
	c.write("0007_diff.md", strings.Replace(good, "CONTINUE WHEN NOT FOUND", "CONTINUE", 1))
	for _, args := range [][]string{{"--check"}, {"--check", "7"}, {"--check", "--offline"}, {"--lint", "--check"}} {
		out, _ := c.run(exitFailed, args...)
		for _, want := range []string{
			"migrations/0007_diff.md is stale: run go run ./tools/migdiff 0007\n@@ ",
			"-+        CONTINUE;\n++        CONTINUE WHEN NOT FOUND;\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%q: printed\n%s\nwant %q in it", args, out, want)
			}
		}
	}
	c.run(exitDone, "--check", "0006")

	// What only a database shows is not seen without one.
	c.write("0007_diff.md", strings.Replace(good, "## New Indexes\n\nNone.", "## New Indexes\n\nSome.", 1))
	c.run(exitFailed, "--check", "0007")
	c.run(exitDone, "--check", "0007", "--offline")

	c.run(exitDone, "0007")
	if c.read("0007_diff.md") != good {
		t.Error("the file was not repaired")
	}
	if err := os.Remove(filepath.Join(c.dir, "0003_diff.md")); err != nil {
		t.Fatal(err)
	}
	c.write("0099_diff.md", "")
	out, _ := c.run(exitFailed, "--check")
	if out != "migrations/0003_diff.md is missing: run go run ./tools/migdiff 0003\n"+
		"migrations/0099_diff.md belongs to no migration\n" {
		t.Errorf("printed\n%s", out)
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	c := setup(t)
	good := c.read(sumsFile)
	lines := strings.SplitAfter(good, "\n")

	// A file without a line is new.
	c.write(sumsFile, strings.Join(append(lines[:2:2], lines[3:]...), ""))
	out, _ := c.run(exitFailed, "--lint")
	if !strings.Contains(out, "0003_add_capability_filtering.sql: checksum: sums.txt has no line for it") {
		t.Errorf("printed\n%s", out)
	}
	c.run(exitDone, "--offline", "--all")
	if c.read(sumsFile) != good {
		t.Error("the line was not added")
	}

	// One with another line has changed, and one with a line only is gone.
	c.write(sumsFile, strings.Repeat("0", 64)+lines[0][64:]+strings.Join(lines[1:], "")+
		strings.Repeat("0", 64)+"  0012_gone.sql\n")
	out, _ = c.run(exitFailed, "--lint")
	for _, want := range []string{
		"0001_initial_schema.sql: checksum: it is not the file", "0012_gone.sql: checksum: the file is in sums.txt, but does not exist",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("printed\n%s\nwant %q in it", out, want)
		}
	}
	_, errOut := c.run(exitFailed, "--offline", "--all")
	if !strings.Contains(errOut, "0001_initial_schema.sql is not what sums.txt says") {
		t.Errorf("printed\n%s", errOut)
	}
	c.run(exitDone, "--sums")
	if c.read(sumsFile) != good {
		t.Error("the sums were not written anew")
	}
	c.write(sumsFile, "nonsense\n")
	c.run(exitFailed, "--lint")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	c := command{t, t.TempDir()}
	for _, args := range []string{
		"", "--nonsense", "x", "0", "-7", "0099", "--all 7", "--sums --all", "--sums 7", "--offline", "7 --all",
	} {
		out, errOut := c.run(exitUsage, strings.Fields(args)...)
		if out != "" || !strings.HasPrefix(errOut, "migdiff: ") || !strings.Contains(errOut, "--help") {
			t.Errorf("%s: printed %q and %q", args, out, errOut)
		}
	}
	for _, arg := range []string{"--help", "-h"} {
		if out, errOut := c.run(exitDone, arg); out != usage || errOut != "" {
			t.Errorf("%s: printed %q and %q", arg, out, errOut)
		}
	}
}

// The tests for exit codes of the process run this binary again.
func TestUnreachable(t *testing.T) {
	if os.Getenv("MIGDIFF_CHILD") != "" {
		_, errOut := command{t, t.TempDir()}.run(exitUnreachable, "0007")
		if !strings.Contains(errOut, "connection refused") {
			t.Errorf("printed %q", errOut)
		}
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnreachable$")
	child.Env = append(os.Environ(), "MIGDIFF_CHILD=1", "PGTEST_SOURCE=url", "DATABASE_URL=postgres://127.0.0.1:1/none")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// No schema is left behind, whatever happens. The test is not parallel, so that
// no other one has schemas meanwhile.
func TestCleansUp(t *testing.T) {
	url := migrationstest.URL(t)
	left := func() (names []string) {
		rows, err := connect(t, url).Query(t.Context(), `SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'migdiff\_%' ORDER BY 1`)
		if err == nil {
			names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	before := left()
	for name, work := range map[string]func(context.Context, *database) error{
		"done": func(ctx context.Context, d *database) error {
			_, err := d.version(ctx, 3)
			return err
		},
		"failed": func(ctx context.Context, d *database) error {
			_, err := d.version(ctx, 99)
			return err
		},
		"cut off": func(ctx context.Context, d *database) error {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Millisecond, cancel) // in the middle of the migrations
			_, err := d.version(ctx, 106)
			return err
		},
	} {
		err := withConnection(t.Context(), url, func(d *database) error { return work(t.Context(), d) })
		if (err != nil) != (name != "done") {
			t.Errorf("%s: error %v", name, err)
		}
		if diff := cmp.Diff(before, left()); diff != "" {
			t.Errorf("%s: schemas (-before +after):\n%s", name, diff)
		}
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func randomHex() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
