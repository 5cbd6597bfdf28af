package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// The workflow of these tests, in the release that made the instances and in
// one that breaks them.
const (
	charge   = durable.Activity[string, string]("charge")
	audit    = durable.Activity[string, string]("audit")
	checkout = durable.Orchestration[string, string]("checkout")
)

func release(broken bool) *durable.Registry {
	reg := durable.NewRegistry()
	if err := reg.Add(
		charge.With(func(_ context.Context, card string) (string, error) { return "receipt for " + card, nil }),
		checkout.With(func(ctx *durable.Context, card string) (string, error) {
			receipt, err := charge.Call(ctx, card)
			if err != nil {
				return "", err
			}
			if broken {
				if _, err := audit.Call(ctx, receipt); err != nil {
					return "", err
				}
			}
			ctx.SetStatus("waiting")
			return durable.WaitEvent[string](ctx, "approve").Await(ctx)
		}),
	); err != nil {
		panic(err)
	}
	return reg
}

// asProgram makes the test binary the program of --check: a release.
const asProgram = "DUROXIDE_TEST_PROGRAM"

// oddID is an instance id that is no file name.
const oddID = "../odd id"

// liveSchema is a schema with two orders that wait and one that is through.
func liveSchema(t *testing.T) *migrationstest.DB {
	t.Helper()
	db := migrationstest.New(t)
	p, err := pgprovider.NewFromURL(t.Context(), db.URL, &pgprovider.Options{Schema: db.Schema})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	rt, err := durable.NewRuntime(p, release(false), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	defer func() { _ = rt.Shutdown(ctx) }()
	client := durable.NewClient(p, nil)
	for _, id := range []string{"order-1", oddID, "through"} {
		if _, err := checkout.Start(ctx, client, id, "card-4711"); err != nil {
			t.Fatal(err)
		}
		if _, err := client.WaitStatusChange(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.RaiseEvent(ctx, "through", "approve", "Ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Wait(ctx, "through"); err != nil {
		t.Fatal(err)
	}
	return db
}

// rows is everything in the tables of a schema, with what a lock or an update
// leaves on a row.
func rows(t *testing.T, db *migrationstest.DB) string {
	t.Helper()
	var all strings.Builder
	tables, err := db.Pool.Query(t.Context(), `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1 ORDER BY 1`, db.Schema)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(tables, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var text *string
		err := db.Pool.QueryRow(t.Context(), fmt.Sprintf(`SELECT string_agg(r.xmin || ' ' || r.xmax || ' ' || r::text, E'\n' ORDER BY r.ctid) FROM %s r`,
			pgx.Identifier{db.Schema, name}.Sanitize())).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		if text != nil {
			fmt.Fprintf(&all, "%s\n%s\n", name, *text)
		}
	}
	return all.String()
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestExport(t *testing.T) {
	t.Parallel()
	db := liveSchema(t)
	before := rows(t, db)
	export := func(args ...string) (dir string, r result) {
		dir = filepath.Join(t.TempDir(), "out")
		return dir, run(t, append([]string{"export", "--database-url", databaseURL(t), "--schema", db.Schema, "--out", dir}, args...)...)
	}
	same := func(dir string, executions int) {
		t.Helper()
		report, err := durabletest.Check(release(false), &durabletest.CheckOptions{Exact: true, StrictInputs: true}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if report.Executions != executions || len(report.Differences) > 0 {
			t.Errorf("replayed %+v", report)
		}
	}

	dir, r := export()
	r.want(t, 0, "     2  checkout 1.0.0\n     2  exported to "+dir+"\n")
	got := files(t, dir)
	if len(got) != 2 || !strings.HasPrefix(got[0], "checkout-1.0.0/.._odd_id-") || got[1] != "checkout-1.0.0/order-1.jsonl" {
		t.Errorf("files %q", got)
	}
	same(dir, 2)

	dir, r = export("--sample", "1")
	r.want(t, 0, "     1  checkout 1.0.0\n")
	same(dir, 1)

	dir, r = export("--status", "all", "--redact", "--all-executions")
	r.want(t, 0, "     3  checkout 1.0.0\n")
	same(dir, 3)
	for _, name := range files(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "4711") || strings.Contains(string(text), "Ada") || !strings.Contains(string(text), "aaaa-1111") {
			t.Errorf("%s is not redacted:\n%s", name, text)
		}
	}

	dir, r = export("--instance", "through", "--instance", "order-1")
	r.want(t, 0, "     2  checkout 1.0.0\n")
	same(dir, 2)

	_, r = export("--instance", "nobody")
	r.want(t, 3, "duroxide export: ", "Instance nobody not found")

	dir, r = export("--status", "failed")
	r.want(t, 0, "schema "+db.Schema+" has no such instances: nothing is exported\n")
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s was made for nothing", dir)
	}

	if after := rows(t, db); after != before {
		t.Errorf("the schema was changed from\n%s\nto\n%s", before, after)
	}
}

func TestExportRefusesSchema(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewEmpty(t)
	run(t, "export", "--database-url", databaseURL(t), "--schema", db.Schema).want(t, 4, "schema is not migrated")
}

// A history that nobody can read does not keep the others from being exported.
func TestExportSkips(t *testing.T) {
	t.Parallel()
	db := liveSchema(t)
	if _, err := db.Pool.Exec(t.Context(), fmt.Sprintf(`UPDATE %s SET event_data = '{}' WHERE instance_id = 'order-1'`,
		pgx.Identifier{db.Schema, "history"}.Sanitize())); err != nil {
		t.Fatal(err)
	}
	r := run(t, "export", "--database-url", databaseURL(t), "--schema", db.Schema)
	r.want(t, 0, "     1  checkout 1.0.0\n", "note: skipped: export order-1: ")
	run(t, "export", "--database-url", databaseURL(t), "--schema", db.Schema, "--instance", "order-1").want(t, 1, "duroxide export: export order-1: ")
}

func TestExportCheck(t *testing.T) {
	t.Parallel()
	db := liveSchema(t)
	for name, test := range map[string]struct {
		release string
		args    []string
		code    int
		want    []string
	}{
		"the same release": {"same", []string{"--check", os.Args[0]}, 0, []string{
			"     2  checkout 1.0.0\n", "2 executions, 4 turns: the code repeats them all\n",
		}},
		"a broken release": {"broken", []string{"--check", os.Args[0], "--redact"}, 1, []string{
			"order-1.jsonl: instance order-1, execution 1 of checkout 1.0.0: turn 2, event 4\n    recorded: a custom status\n    the code: activity \"audit\", at ",
			"2 of 2 executions do not go on with this code\n",
			"duroxide export: the check by " + os.Args[0] + " failed: exit status 1\n",
		}},
		"nothing to check": {"broken", []string{"--check", os.Args[0], "--status", "failed"}, 0, []string{"nothing is exported\n"}},
		"no program":       {"", []string{"--check", "./missing"}, 3, []string{"duroxide export: --check: ", "./missing: no such file"}},
		"another failure":  {"", []string{"--check", "sh", "--", "-c", "exit 7"}, 1, []string{"the check by sh failed: exit status 7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			cmd := command(t, append([]string{"export", "--database-url", databaseURL(t), "--schema", db.Schema}, test.args...)...)
			cmd.Env = append(slices.Clone(cmd.Env), "TMPDIR="+tmp, asProgram+"="+test.release)
			finish(t, cmd).want(t, test.code, test.want...)
			if left := files(t, tmp); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
