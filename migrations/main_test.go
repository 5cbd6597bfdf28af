package migrations_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
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

// fixture is a schema with short ways to call its functions. In SQL, {S} stands
// for the schema.
type fixture struct {
	*testing.T
	*migrationstest.DB
}

func setup(t *testing.T) fixture {
	t.Helper()
	return fixture{t, migrationstest.New(t)}
}

// setupShared has the shared lineage alone, whose behaviour is the baseline.
func setupShared(t *testing.T) fixture {
	t.Helper()
	return setupAt(t, migrations.SharedVersion)
}

func setupAt(t *testing.T, version int) fixture {
	t.Helper()
	return fixture{t, migrationstest.NewAt(t, version)}
}

func (f fixture) sql(text string) string {
	return strings.ReplaceAll(text, "{S}", pgx.Identifier{f.Schema}.Sanitize())
}

func (f fixture) exec(text string, args ...any) {
	f.Helper()
	if _, err := f.Pool.Exec(f.Context(), f.sql(text), args...); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
}

// query returns each row as its values joined by a bar; NULL is <nil>.
func (f fixture) query(text string, args ...any) ([]string, error) {
	rows, err := f.Pool.Query(f.Context(), f.sql(text), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		var texts []string
		for _, v := range values {
			texts = append(texts, fmt.Sprint(v))
		}
		return strings.Join(texts, "|"), err
	})
}

func (f fixture) rows(text string, args ...any) []string {
	f.Helper()
	rows, err := f.query(text, args...)
	if err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	return rows
}

// startBlocked queries in another goroutine, until a lock blocks it. The channel then
// gives the rows.
func (f fixture) startBlocked(text string, args ...any) <-chan []string {
	f.Helper()
	done := make(chan []string, 1)
	go func() {
		rows, err := f.query(text, args...)
		if err != nil {
			f.Errorf("%s: %v", text, err)
		}
		done <- rows
	}()
	for len(f.rows(`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = $1`, f.sql(text))) == 0 {
		select {
		case rows := <-done:
			f.Fatalf("%s: got %q, want it to wait for a lock", text, rows)
		case <-time.After(time.Millisecond):
		}
	}
	return done
}

// want compares what rows returns.
func (f fixture) want(want []string, text string, args ...any) {
	f.Helper()
	if diff := cmp.Diff(want, f.rows(text, args...)); diff != "" {
		f.Errorf("%s (-want +got):\n%s", text, diff)
	}
}

// wantError expects a failure whose message contains a text.
func (f fixture) wantError(want, text string, args ...any) {
	f.Helper()
	_, err := f.Pool.Exec(f.Context(), f.sql(text), args...)
	if err == nil || !strings.Contains(err.Error(), want) {
		f.Errorf("%s: got error %v, want one with %q", text, err, want)
	}
}

// connect opens a connection outside the pool, which sees the schema's names.
func (f fixture) connect() *pgx.Conn {
	f.Helper()
	config, err := pgx.ParseConfig(f.URL)
	if err != nil {
		f.Fatal(err)
	}
	config.RuntimeParams["search_path"] = f.Schema + ",pg_temp"
	conn, err := pgx.ConnectConfig(f.Context(), config)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close(context.WithoutCancel(f.Context())) })
	return conn
}

func (f fixture) execOn(conn *pgx.Conn, text string, args ...any) {
	f.Helper()
	if _, err := conn.Exec(f.Context(), f.sql(text), args...); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
}

// applyPlain runs a file the way psql would: without the runner, statement by
// statement.
func (f fixture) applyPlain(conn *pgx.Conn, file migrations.File) {
	f.Helper()
	text, err := fs.ReadFile(migrations.FS(), file.Name)
	if err != nil {
		f.Fatal(err)
	}
	statements, err := migrations.Split(string(text))
	if err != nil {
		f.Fatalf("%s: %v", file.Name, err)
	}
	for _, s := range statements {
		_, sql, _ := strings.Cut(s, ":")
		if _, err := conn.PgConn().Exec(f.Context(), sql).ReadAll(); err != nil {
			f.Fatalf("%s: %s: %v", file.Name, s, err)
		}
	}
}

// readTSV returns the lines of a file below testdata, without the header.
func readTSV(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return lines[1:]
}
