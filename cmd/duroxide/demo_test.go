package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

// demoSchema is a schema without anything in it, which is dropped after the
// test.
func demoSchema(t *testing.T) *migrationstest.DB {
	t.Helper()
	return migrationstest.NewEmpty(t)
}

func ordersFile(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/orders20.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Twenty lines with every outcome, a kill, a check; and once more on the schema
// that the first run left.
func TestDemo(t *testing.T) {
	t.Parallel()
	db := demoSchema(t)
	for range 2 {
		r := run(t, "demo", "--orders", ordersFile(t), "--database-url", databaseURL(t), "--schema", db.Schema)
		r.wantSurvived(t)
		r.want(t, 0, "Schema "+db.Schema+" stays for you to look at")
	}
}

// wantSurvived checks what a run of the twenty lines shows.
func (r result) wantSurvived(t *testing.T) {
	t.Helper()
	r.want(t, 0,
		"16 orders, 4 refused",
		"all 16 orders are through",
		"  completed      11   charged once, shipped once\n",
		"  compensated     3   not shipped 1, out of stock 1, payment declined 1\n",
		"  expired         2   nobody approved in time: refunded and released\n",
		"  refused         4   faulty lines of the input, below\n",
		"  line 6    -         bad JSON: the line ends in the middle\n",
		"  line 11   ord-1020  unknown product \"toaster-chrome\"\n",
		"  line 12   ord-1060  negative quantity -2 of kettle-steel\n",
		"  line 20   ord-1002  duplicate id, first used on line 1\n",
		"orchestration checkout 1.0.0 starts",
		"✓ no order was lost: 16 started, 16 at their end\n",
		"✓ ledger and histories agree: 77 effects called for, exactly these 77 done\n",
		"✓ 11 orders charged once and shipped once; of 5 undone nothing is left charged or reserved\n",
	)
	for _, pattern := range []string{
		`worker-\d killed \(SIGKILL, pid \d+\) in the middle of [1-9]\d* (activity|activities): `,
		`worker-\d \(pid \d+\) started in its place`,
		`all of it was taken over by worker-\d`,
		`← delivered to worker-\d \(killed\), then worker-\d`,
		`✓ [1-9]\d* (activity|activities) delivered more than once, none acted twice`,
	} {
		if !regexp.MustCompile(pattern).MatchString(r.stdout) {
			t.Errorf("the output does not match %s", pattern)
		}
	}
	if r.stderr != "" || strings.Contains(r.stdout, "\x1b") || strings.Contains(r.stdout, "\r") {
		t.Errorf("not plain output; stderr: %s", r.stderr)
	}
	if t.Failed() {
		t.Log(r.stdout)
	}
}

func TestDemoRefusesAnothersSchema(t *testing.T) {
	t.Parallel()
	db := demoSchema(t)
	if _, err := db.Pool.Exec(t.Context(), `CREATE TABLE `+pgx.Identifier{db.Schema, "precious"}.Sanitize()+` ()`); err != nil {
		t.Fatal(err)
	}
	run(t, "demo", "--orders", ordersFile(t), "--database-url", databaseURL(t), "--schema", db.Schema).
		want(t, 4, db.Schema+" holds something that no demo made")
	if _, err := db.Pool.Exec(t.Context(), `SELECT FROM `+pgx.Identifier{db.Schema, "precious"}.Sanitize()); err != nil {
		t.Error(err)
	}
}

// However the demo ends early, its workers end with it.
func TestDemoStops(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		signal syscall.Signal
		code   int
		stderr string
	}{
		"SIGINT":  {syscall.SIGINT, 1, "duroxide demo: interrupted\n"},
		"SIGTERM": {syscall.SIGTERM, 1, "duroxide demo: interrupted\n"},
		"SIGKILL": {syscall.SIGKILL, -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := demoSchema(t)
			cmd := command(t, "demo", "--database-url", databaseURL(t), "--schema", db.Schema)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitConnections(t, db, func(n int) bool { return n > 0 })
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the code tells more
			if code := cmd.ProcessState.ExitCode(); code != test.code || stderr.String() != test.stderr {
				t.Errorf("exit code %d, stderr %q; want %d, %q", code, stderr.String(), test.code, test.stderr)
			}
			waitConnections(t, db, func(n int) bool { return n == 0 })
		})
	}
}

// waitConnections waits until the number of connections of workers on the schema
// is right.
func waitConnections(t *testing.T, db *migrationstest.DB, right func(int) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var n int
		err := db.Pool.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE $1`,
			"duroxide-demo "+db.Schema+" worker-%").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if right(n) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d connections of workers", n)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
