package migrations_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

// psql runs a script with the real program and returns what it prints.
func (f fixture) psql(script string, args ...string) (string, error) {
	f.Helper()
	program, err := exec.LookPath("psql")
	const missing = "psql is not on the PATH: install PostgreSQL's client programs (Debian: postgresql-client)"
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		f.Fatal(missing)
	default: // the other tests need only Go and a C compiler
		f.Skip(missing)
	}
	args = append([]string{"-X", "-d", os.Getenv("DATABASE_URL"), "-f", "-"}, args...)
	cmd := exec.CommandContext(f.Context(), program, args...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (f fixture) mustPsql(script string, args ...string) string {
	f.Helper()
	out, err := f.psql(script, args...)
	if err != nil {
		f.Fatalf("psql: %v\n%s", err, out)
	}
	return out
}

// Every file is plain SQL: psql runs it as it is.
func TestFilesRunUnderPlainPsql(t *testing.T) {
	t.Parallel()
	ours, theirs := setup(t), setupAt(t, 0)
	dir := t.TempDir()
	args := []string{"-q", "-v", "ON_ERROR_STOP=1", "-c", "SET client_min_messages TO warning",
		"-c", "SET search_path TO " + theirs.Schema + ", pg_temp"}
	for _, file := range migrations.Files() {
		text, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file.Name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", path)
	}
	if out := theirs.mustPsql("", args...); out != "" {
		t.Errorf("psql prints:\n%s", out)
	}
	want := slices.DeleteFunc(catalogue(t, ours.Pool, ours.Schema), func(line string) bool {
		return strings.Contains(line, "\t_duroxide_go_migrations") // the runner makes it
	})
	if diff := cmp.Diff(want, catalogue(t, theirs.Pool, theirs.Schema)); diff != "" {
		t.Errorf("catalogue (-runner +psql):\n%s", diff)
	}
}

const wholeLedgersSQL = `SELECT version, name, NULL, NULL, NULL FROM {S}._duroxide_migrations
	UNION ALL SELECT version, name, min_client, checksum, bodies::text FROM {S}._duroxide_go_migrations ORDER BY 1`

// psql with the printed script ends where the runner ends, from each version.
func TestPrintedScript(t *testing.T) {
	t.Parallel()
	fsys := ownFS(t, 3)
	ours := setupAt(t, 0)
	ours.mustRunOwn(3, migrations.Apply)
	want := append(catalogue(t, ours.Pool, ours.Schema), ours.rows(wholeLedgersSQL)...)

	for _, from := range []int{0, 5, migrations.SharedVersion, 901, 902} {
		t.Run(strconv.Itoa(from), func(t *testing.T) {
			t.Parallel()
			f := setupAt(t, min(from, migrations.SharedVersion))
			switch {
			case from == 0:
				f.exec(`DROP SCHEMA {S}`)
			case from > 900:
				f.mustRunOwn(from-900, migrations.Apply)
			}
			script, err := migrations.PrintFS(fsys, from, &migrations.Options{Schema: f.Schema})
			if err != nil {
				t.Fatal(err)
			}
			out := f.mustPsql(script)
			if !strings.HasSuffix(out, "0903_last.sql\nschema "+f.Schema+" is at version 903\n") {
				t.Errorf("psql prints:\n%s", out)
			}
			if diff := cmp.Diff(want, append(catalogue(t, f.Pool, f.Schema), f.rows(wholeLedgersSQL)...)); diff != "" {
				t.Errorf("catalogue and ledgers (-runner +psql):\n%s", diff)
			}
			f.mustRunOwn(3, migrations.Verify)

			// Run again, it refuses and changes nothing.
			out, err = f.psql(script)
			if err == nil || !strings.Contains(out, "print the script from the version that it has") {
				t.Errorf("a second time: error %v\n%s", err, out)
			}
		})
	}
}

func TestPrintedScriptOfTheRealFiles(t *testing.T) {
	t.Parallel()
	ours, theirs := setup(t), setupAt(t, 0)
	for _, step := range []struct{ from, to int }{{0, 3}, {3, migrations.SharedVersion}, {migrations.SharedVersion, lastVersion()}} {
		if step.from == step.to {
			continue
		}
		var b strings.Builder
		if err := migrations.Print(&b, step.from, &migrations.Options{Schema: theirs.Schema, UpTo: step.to}); err != nil {
			t.Fatal(err)
		}
		theirs.mustPsql(b.String())
		theirs.wantLedgers(step.to)
	}
	if diff := cmp.Diff(catalogue(t, ours.Pool, ours.Schema), catalogue(t, theirs.Pool, theirs.Schema)); diff != "" {
		t.Errorf("catalogue (-runner +psql):\n%s", diff)
	}
}

// The script refuses what the runner refuses, and repairs what it repairs.
func TestPrintedScriptFailsClosed(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	conn := f.connect()
	script := func(from int) string {
		text, err := migrations.PrintFS(ownFS(t, 2), from, &migrations.Options{Schema: f.Schema})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	refused := func(text, want string) {
		t.Helper()
		before := append(catalogue(t, f.Pool, f.Schema), ledgerOf(f)...)
		out, err := f.psql(text)
		// The server may still be ending the session of the script before.
		for range 50 {
			if strings.Contains(out, want) || !strings.Contains(out, "another process migrates") {
				break
			}
			time.Sleep(100 * time.Millisecond)
			out, err = f.psql(text)
		}
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("got error %v, want one with %q:\n%s", err, want, out)
		}
		unchanged(f, before)
	}
	refused(script(0), "schema "+f.Schema+" is in use")
	refused(script(10), "is not at version 10")
	f.execOn(conn, `SELECT pg_advisory_lock($1)`, migrations.LockKey(f.Schema))
	refused(script(11), "another process migrates the schema")
	f.execOn(conn, `SELECT pg_advisory_unlock($1)`, migrations.LockKey(f.Schema))
	f.exec(`DELETE FROM {S}._duroxide_migrations WHERE version = 4`)
	refused(script(11), "is not at version 11")
	f.exec(`INSERT INTO {S}._duroxide_migrations (version, name) VALUES (4, $1)`, migrations.Files()[3].Name)

	f.mustRunOwn(1, migrations.Apply)
	refused(script(11), "is not at version 11")
	invalid := f.leaveInvalidIndex()
	f.mustPsql(script(901))
	f.want([]string{"true"}, `SELECT indisvalid FROM pg_index WHERE indexrelid = ('{S}.' || $1)::regclass`, invalid)
}

// leaveInvalidIndex breaks off the build of an index of ownIndexes.
func (f fixture) leaveInvalidIndex() string {
	f.Helper()
	f.exec(`INSERT INTO {S}.dxgo_marks VALUES (1), (2)`)
	if _, err := f.Pool.Exec(f.Context(), f.sql(`CREATE UNIQUE INDEX CONCURRENTLY dxgo_marks_note ON {S}.dxgo_marks (note)`)); err == nil {
		f.Fatal("the index could be built")
	}
	f.want([]string{"false"}, `SELECT indisvalid FROM pg_index WHERE indexrelid = '{S}.dxgo_marks_note'::regclass`)
	return "dxgo_marks_note"
}

func TestPrintRefusals(t *testing.T) {
	t.Parallel()
	for want, test := range map[string]struct {
		from    int
		options *migrations.Options
	}{
		"no version 12":                       {12, nil},
		"version 5 is not after version 11":   {11, &migrations.Options{UpTo: 5}},
		`"Orders" has upper-case letters`:     {0, &migrations.Options{Schema: "Orders"}},
		"version 11 is not after version 11":  {11, &migrations.Options{Policy: migrations.ApplyShared}},
		"no version -1: this program has ver": {-1, nil},
	} {
		if err := migrations.Print(io.Discard, test.from, test.options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
	if err := migrations.Print(brokenWriter{}, 0, nil); err == nil {
		t.Error("a failed write is not reported")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, context.DeadlineExceeded }
