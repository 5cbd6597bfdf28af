package migrations_test

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

// childEnv makes the test program migrate until it is killed: the schema, the
// version in which it stops, the statement after which it does, and the number
// of ownFS, -1 for the real files.
const childEnv = "MIGRATIONS_TEST_CHILD"

func childMain(t *testing.T, spec string) {
	var schema string
	var version, statement, own int
	if _, err := fmt.Sscan(spec, &schema, &version, &statement, &own); err != nil {
		t.Fatal(err)
	}
	fsys := filesOf(t, own)
	if version > 0 {
		stopAfter(t, fsys, version, statement, stopKey(schema))
	}
	conn, err := pgx.Connect(t.Context(), os.Getenv("DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = migrations.RunFS(t.Context(), conn, fsys, &migrations.Options{Schema: schema, LockTimeout: time.Hour})
	t.Fatalf("the run ended: %v", err)
}

// filesOf returns ownFS, or the real files.
func filesOf(t *testing.T, own int) fstest.MapFS {
	t.Helper()
	if own >= 0 {
		return ownFS(t, own).(fstest.MapFS)
	}
	fsys := fstest.MapFS{}
	for _, file := range migrations.Files() {
		data, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[file.Name] = &fstest.MapFile{Data: data}
	}
	return fsys
}

// stopAfter makes a file wait for a lock after some of its statements.
func stopAfter(t *testing.T, fsys fstest.MapFS, version, statement int, key int64) {
	t.Helper()
	for name, file := range fsys {
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", version)) {
			continue
		}
		statements, err := migrations.Split(string(file.Data))
		if err != nil {
			t.Fatal(err)
		}
		text := string(file.Data)
		_, last, _ := strings.Cut(statements[statement-1], ":")
		at := strings.Index(text, last) + len(last)
		text = text[:at] + fmt.Sprintf(";\nSELECT pg_advisory_lock(%d)", key) + text[at:]
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
}

func stopKey(schema string) int64 { return migrations.LockKey("stop " + schema) }

// killed starts a run in another process, waits until it is stuck, and kills it.
// It returns the process of the server that served it and may not know yet.
func (f fixture) killed(version, statement, own int) (pid int) {
	f.Helper()
	child := exec.CommandContext(f.Context(), os.Args[0], "-test.run=^TestKilledRun$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", childEnv, f.Schema, version, statement, own))
	var out strings.Builder
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		f.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	// Who holds the migration lock and waits where it shall stop.
	key := migrations.LockKey(f.Schema)
	for pid == 0 {
		for _, row := range f.rows(`SELECT h.pid FROM pg_locks h JOIN pg_locks w ON w.pid = h.pid AND NOT w.granted
			WHERE h.locktype = 'advisory' AND h.granted AND ((h.classid::bigint << 32) | h.objid::bigint) = $1
			  AND (w.locktype = 'advisory' OR $2 = 0)`, key, version) {
			pid, _ = strconv.Atoi(row)
		}
		select {
		case err := <-ended:
			f.Fatalf("the child ended: %v\n%s", err, out.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
	if err := child.Process.Kill(); err != nil {
		f.Fatal(err)
	}
	<-ended
	return pid
}

// A process dies in the middle of a file. What the server still does for it is
// waited for, and the next run ends as if nothing had happened.
func TestKilledRun(t *testing.T) {
	if spec := os.Getenv(childEnv); spec != "" {
		childMain(t, spec)
	}
	t.Parallel()
	for _, own := range []int{-1, 3} {
		fsys := filesOf(t, own)
		direct := setupAt(t, 0)
		if _, err := migrations.RunFS(t.Context(), direct.connect(), fsys, &migrations.Options{Schema: direct.Schema}); err != nil {
			t.Fatal(err)
		}
		want := append(catalogue(t, direct.Pool, direct.Schema), direct.rows(wholeLedgersSQL)...)
		files, err := migrations.ListFiles(fsys)
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range files {
			if own >= 0 && file.Shared() {
				continue
			}
			t.Run(file.Name, func(t *testing.T) {
				t.Parallel()
				f := setupAt(t, 0)
				if i > 0 {
					options := &migrations.Options{Schema: f.Schema, UpTo: files[i-1].Version}
					if _, err := migrations.RunFS(t.Context(), f.connect(), fsys, options); err != nil {
						t.Fatal(err)
					}
				}
				holder := f.connect()
				f.execOn(holder, `SELECT pg_advisory_lock($1)`, stopKey(f.Schema))
				text, err := fs.ReadFile(fsys, file.Name)
				if err != nil {
					t.Fatal(err)
				}
				statements, err := migrations.Split(string(text))
				if err != nil {
					t.Fatal(err)
				}
				f.killed(file.Version, (len(statements)+1)/2, own)

				waiting := signals{slog.LevelInfo, make(chan string, 1)}
				done := make(chan error)
				go func() {
					_, err := migrations.RunFS(t.Context(), f.connect(), fsys, &migrations.Options{Schema: f.Schema, Logger: slog.New(waiting)})
					done <- err
				}()
				if message := <-waiting.sent; !strings.Contains(message, "waiting for another process") {
					t.Errorf("logged %q", message)
				}
				f.execOn(holder, `SELECT pg_advisory_unlock($1)`, stopKey(f.Schema))
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, append(catalogue(t, f.Pool, f.Schema), f.rows(wholeLedgersSQL)...)); diff != "" {
					t.Errorf("catalogue and ledgers (-direct +after the kill):\n%s", diff)
				}
			})
		}
	}
}

// A process dies while it builds an index, and the server ends what it did for
// it: the index is there but invalid.
func TestKilledIndexBuild(t *testing.T) {
	t.Parallel()
	f := setupShared(t)
	f.mustRunOwn(1, migrations.Apply)
	writer := f.connect()
	f.execOn(writer, `BEGIN`)
	f.execOn(writer, `INSERT INTO {S}.dxgo_marks VALUES (1)`)
	pid := f.killed(0, 0, 2)
	f.exec(`SELECT pg_terminate_backend($1, 10000)`, pid)
	f.want([]string{"false"}, `SELECT indisvalid FROM pg_index WHERE indexrelid = '{S}.dxgo_marks_note'::regclass`)
	f.execOn(writer, `COMMIT`)

	dropped := signals{slog.LevelWarn, make(chan string, 1)}
	_, err := migrations.RunFS(t.Context(), f.connect(), ownFS(t, 2), &migrations.Options{Schema: f.Schema, Logger: slog.New(dropped)})
	if err != nil {
		t.Fatal(err)
	}
	if message := <-dropped.sent; !strings.Contains(message, "dropping an invalid index") {
		t.Errorf("logged %q", message)
	}
	f.want([]string{"true", "true"}, `SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE c.relnamespace = $1::regnamespace AND c.relname IN ('dxgo_marks_note', 'dxgo_instances_mark')`, f.Schema)
}
