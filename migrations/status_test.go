package migrations_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

func (f fixture) status(n int) *migrations.SchemaStatus {
	f.Helper()
	status, err := migrations.StatusFS(f.Context(), f.connect(), ownFS(f.T, n), &migrations.Options{Schema: f.Schema})
	if err != nil {
		f.Fatal(err)
	}
	return status
}

// wantStatus compares the text, with T for times and without the lines of the
// shared lineage.
func (f fixture) wantStatus(n int, want string) {
	f.Helper()
	text := f.status(n).String()
	text = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`).ReplaceAllString(text, "T                   ")
	text = regexp.MustCompile(`(?m)^  \w+  .{20}  00\d\d_.*\n`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, f.Schema, "SCHEMA")
	if diff := cmp.Diff(want, text); diff != "" {
		f.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	f.wantStatus(1, "schema SCHEMA is not migrated\n  pending                        0901_tables.sql\n")
	if n := len(f.status(0).Pending); n != migrations.SharedVersion {
		t.Errorf("%d files pending", n)
	}
	f.mustRunOwn(1, migrations.Apply)
	f.exec(`UPDATE {S}._duroxide_migrations SET applied_at = NULL WHERE version = 11`)
	status := f.status(2)
	last := status.Applied[11]
	if age := time.Since(last.AppliedAt); age < -time.Minute || age > time.Minute {
		t.Errorf("applied at %v", last.AppliedAt)
	}
	last.AppliedAt = time.Time{}
	want := migrations.AppliedFile{File: migrations.File{Version: 901, Name: "0901_tables.sql"}, MinClient: 11, Known: true}
	if diff := cmp.Diff(want, last); diff != "" || !status.Applied[10].AppliedAt.IsZero() {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	f.wantStatus(2, `schema SCHEMA is at version 901, for programs that have version 11
  applied  T                     0901_tables.sql
  pending                        0902_indexes.sql
`)

	f.mustRunOwn(2, migrations.Apply)
	f.exec(`UPDATE {S}._duroxide_go_migrations SET checksum = 'x' WHERE version = 901`)
	f.exec(`DROP FUNCTION {S}.list_executions(text)`)
	f.wantStatus(1, `schema SCHEMA is at version 902, for programs that have version 901
  applied  T                     0901_tables.sql  (this program has it with another text)
  applied  T                     0902_indexes.sql  (this program does not have it)
functions that somebody else replaced, so that what needs ours is off: list_executions
`)

	f.exec(`DROP TABLE {S}.instances CASCADE`)
	status = f.status(2)
	if !errors.Is(status.Problem, migrations.ErrTables) || !strings.Contains(status.String(), "\nproblem: tables do not fit the ledger: ") {
		t.Errorf("problem is %v in\n%s", status.Problem, status)
	}
	f.exec(`DROP SCHEMA {S} CASCADE`)
	if status = f.status(0); status.Exists || !strings.HasPrefix(status.String(), "schema "+f.Schema+" does not exist\n") {
		t.Errorf("status of a missing schema:\n%s", status)
	}
}

func TestStatusOfTheRealFiles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	status, err := migrations.Status(t.Context(), f.connect(), &migrations.Options{Schema: f.Schema})
	if err != nil {
		t.Fatal(err)
	}
	if status.Version != lastVersion() || status.Problem != nil || len(status.Pending) > 0 || len(status.ForeignBodies) > 0 {
		t.Errorf("status:\n%s", status)
	}
	f.exec(`ALTER TABLE {S}._duroxide_migrations RENAME COLUMN applied_at TO made_at`)
	_, err = migrations.Status(t.Context(), f.connect(), &migrations.Options{Schema: f.Schema})
	wantSentinel(t, err, migrations.ErrUnreadable, "not one of duroxide")
}
