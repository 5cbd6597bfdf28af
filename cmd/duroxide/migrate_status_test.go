package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

// change changes a schema behind the program's back.
func change(t *testing.T, db *migrationstest.DB, sql string) {
	t.Helper()
	if _, err := db.Pool.Exec(t.Context(), fmt.Sprintf(sql, pgx.Identifier{db.Schema}.Sanitize())); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateStatus(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewAt(t, migrations.SharedVersion-1)
	status := func() result {
		return run(t, "migrate", "status", "--database-url", databaseURL(t), "--schema", db.Schema)
	}
	const lastShared = "0011_add_get_instance_stats.sql\n"
	status().want(t, 0, "schema "+db.Schema+" is at version 10", "  applied  ", "0010_add_kv_delta.sql\n", "  pending  ", lastShared)
	change(t, db, `DROP TABLE %s.kv_delta`)
	r := status()
	r.want(t, 4, "0010_add_kv_delta.sql\n",
		"duroxide migrate status: tables do not fit the ledger: the ledger records version 10, but there is no table kv_delta; restore")
	if !strings.HasPrefix(r.stdout, "schema "+db.Schema) || !strings.HasPrefix(r.stderr, "duroxide migrate status: ") {
		t.Errorf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
	change(t, db, `DROP SCHEMA %s CASCADE`)
	status().want(t, 0, "schema "+db.Schema+" does not exist\n", "  pending  ", "0001_initial_schema.sql\n")
}

func TestMigratePlan(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewAt(t, 1)
	plan := func(args ...string) result {
		return run(t, append([]string{"migrate", "plan", "--database-url", databaseURL(t), "--schema", db.Schema}, args...)...)
	}
	plan("--to", "2").want(t, 0,
		"schema "+db.Schema+" is at version 1 and would be migrated to version 2\n",
		"0002_add_deletion_and_pruning_support.sql, in one transaction\n", "lock: ACCESS EXCLUSIVE instances\n", "reads and writes wait")
	plan().want(t, 0, fmt.Sprintf("would be migrated to version %d\n", last()))
	plan("--to", "1").want(t, 0, "schema "+db.Schema+" is at version 1: nothing to do\n")
	change(t, db, `DROP TABLE %s.instances`)
	plan().want(t, 4, "no table instances")
}

func TestMigratePrint(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewEmpty(t)
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Fatal("psql is not on the PATH: install PostgreSQL's client programs (Debian: postgresql-client)")
	}
	for _, args := range [][]string{{"--to", "5"}, {"--from", "5"}} {
		script := run(t, append([]string{"migrate", "print", "--schema", db.Schema}, args...)...)
		script.want(t, 0, `\set ON_ERROR_STOP on`, "COMMIT;")
		cmd := exec.CommandContext(t.Context(), psql, "-X", "-d", databaseURL(t), "-f", "-")
		cmd.Stdin = strings.NewReader(script.stdout)
		finish(t, cmd).want(t, 0, "schema "+db.Schema+" is at version ")
	}
	run(t, "migrate", "verify", "--database-url", databaseURL(t), "--schema", db.Schema).want(t, 0)
}

// A body that somebody put back is no failure, but it is said.
func TestMigrateNotesForeignBodies(t *testing.T) {
	t.Parallel()
	db := migrationstest.New(t)
	change(t, db, `CREATE OR REPLACE FUNCTION %s.cleanup_schema() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'`)
	for _, command := range []string{"up", "verify"} {
		r := run(t, "migrate", command, "--database-url", databaseURL(t), "--schema", db.Schema)
		r.want(t, 0, "note: somebody else replaced functions of this program's migrations, so that what needs them is off: cleanup_schema\n")
	}
	run(t, "migrate", "status", "--database-url", databaseURL(t), "--schema", db.Schema).want(t, 0, "ours is off: cleanup_schema\n")
}

// Every command that needs a database says when there is none.
func TestMigrateUnreachable(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"up", "verify", "status", "plan"} {
		run(t, "migrate", command, "--database-url", "postgres://127.0.0.1:1/x?sslmode=disable").
			want(t, 5, "duroxide migrate "+command+": the database at 127.0.0.1:1 cannot be reached")
	}
}

// Whoever stops a run is told what it left.
func TestMigrateUpInterrupted(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewAt(t, 1)
	reader, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback(context.WithoutCancel(t.Context()))
	if _, err := reader.Exec(t.Context(), fmt.Sprintf(`SELECT FROM %s.instances`, pgx.Identifier{db.Schema}.Sanitize())); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "migrate", "up", "--database-url", databaseURL(t), "--schema", db.Schema)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for blocked := false; !blocked; {
		err := db.Pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
			WHERE c.relnamespace = $1::regnamespace AND NOT l.granted)`, db.Schema).Scan(&blocked)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code tells
	result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}.want(t, 4, "duroxide migrate up: interrupted in 0002_add_deletion_and_pruning_support.sql: "+
		"the file is rolled back and the schema stays at version 1: run again and let it finish\n")
}
