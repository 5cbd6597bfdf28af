package migrations_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

var sentinels = []error{
	migrations.ErrInvalidSchemaName, migrations.ErrNoSchema, migrations.ErrNoLedger, migrations.ErrBehind,
	migrations.ErrUnknownVersion, migrations.ErrGap, migrations.ErrForeignLineage, migrations.ErrTables,
	migrations.ErrUnreadable, migrations.ErrSession,
}

// wantSentinel expects an error that matches one sentinel and no other.
func wantSentinel(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) != errors.Is(want, sentinel) {
			t.Errorf("got error %v, want %q alone", err, want)
			return
		}
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

// refusals are schemas that a run does not accept. Those without an apply error
// are what Apply is for.
var refusals = []struct {
	name          string
	version       int
	change        string
	verify, apply error
	texts         []string
}{
	{
		name: "no schema", change: `DROP SCHEMA {S} CASCADE`,
		verify: migrations.ErrNoSchema, texts: []string{"running the migrations"},
	},
	{
		name:   "empty schema",
		verify: migrations.ErrNoLedger, texts: []string{"no table _duroxide_migrations", "run the migrations"},
	},
	{
		name: "version 5", version: 5,
		verify: migrations.ErrBehind,
		texts:  []string{"at version 5", "6 (0006_add_activity_tags.sql)", "11 (0011_", "run the migrations"},
	},
	{
		name: "empty ledger", change: `CREATE TABLE {S}._duroxide_migrations (version bigint, name text)`,
		verify: migrations.ErrBehind, texts: []string{"at version 0", "1 (0001_initial_schema.sql)"},
	},
	{
		name: "version 99", version: 11,
		change: `INSERT INTO {S}._duroxide_migrations (version, name) VALUES (12, '0012_a.sql'), (99, '0099_b.sql')`,
		verify: migrations.ErrUnknownVersion, apply: migrations.ErrUnknownVersion,
		texts: []string{"12 (0012_a.sql), 99 (0099_b.sql)", "newer program"},
	},
	{
		name: "gap", version: 11,
		change: `DELETE FROM {S}._duroxide_migrations WHERE version IN (3, 7)`,
		verify: migrations.ErrGap, apply: migrations.ErrGap,
		texts: []string{"3 (0003_", "7 (0007_", "restore the ledger"},
	},
	{
		name: "sister lineage", version: 1,
		change: `INSERT INTO {S}._duroxide_migrations (version, name)
			VALUES (2, '0002_something_else.sql'), (26, '0026_more.sql')`,
		verify: migrations.ErrForeignLineage, apply: migrations.ErrForeignLineage,
		texts: []string{"2 (0002_something_else.sql)", "0002_add_deletion_and_pruning_support.sql", "choose another schema"},
	},
	{
		name: "instances missing", version: 11, change: `DROP TABLE {S}.instances`,
		verify: migrations.ErrTables, apply: migrations.ErrTables,
		texts: []string{"version 11", "no table instances", "restore the schema from a backup"},
	},
	{
		name: "a view instead of a table", version: 11,
		change: `ALTER TABLE {S}.sessions RENAME TO was; CREATE VIEW {S}.sessions AS SELECT * FROM {S}.was`,
		verify: migrations.ErrTables, apply: migrations.ErrTables, texts: []string{"no table sessions"},
	},
	{
		name: "tables without a ledger", version: 11, change: `DROP TABLE {S}._duroxide_migrations`,
		verify: migrations.ErrTables, apply: migrations.ErrTables,
		texts: []string{"no table _duroxide_migrations", "choose another"},
	},
	{
		name: "table of somebody else", version: 2, change: `CREATE TABLE {S}.sessions (id uuid)`,
		verify: migrations.ErrTables, apply: migrations.ErrTables, texts: []string{"version 2", "sessions"},
	},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := setupAt(t, test.version)
			if test.change != "" {
				for change := range strings.SplitSeq(test.change, "; ") {
					f.exec(change)
				}
			}
			before := append(catalogue(t, f.Pool, f.Schema), ledgerOf(f)...)

			_, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema, Policy: migrations.Verify})
			wantSentinel(t, err, test.verify, append(test.texts, f.Schema)...)
			unchanged(f, before)

			result, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema})
			if test.apply == nil {
				if err != nil || result.Version != lastVersion() {
					t.Errorf("apply: got %+v and error %v", result, err)
				}
				return
			}
			wantSentinel(t, err, test.apply, test.texts...)
			if len(result.Applied) > 0 {
				t.Errorf("apply: applied %v", result.Applied)
			}
			unchanged(f, before)
		})
	}
}

// ledgerOf returns the rows of both ledgers.
func ledgerOf(f fixture) []string {
	f.Helper()
	return append(f.ledger("_duroxide_migrations", ledgerSQL), f.ledger("_duroxide_go_migrations", ownLedgerSQL)...)
}

func unchanged(f fixture, before []string) {
	f.Helper()
	if diff := cmp.Diff(before, append(catalogue(f.T, f.Pool, f.Schema), ledgerOf(f)...)); diff != "" {
		f.Errorf("schema changed (-before +after):\n%s", diff)
	}
}

// role makes a role that may nothing, and returns its quoted name.
func (f fixture) role() string {
	f.Helper()
	role := pgx.Identifier{f.Schema + "_reader"}.Sanitize()
	f.exec(`CREATE ROLE ` + role)
	f.Cleanup(func() {
		ctx := context.WithoutCancel(f.Context())
		for _, text := range []string{`DROP OWNED BY `, `DROP ROLE `} {
			if _, err := f.Pool.Exec(ctx, text+role); err != nil {
				f.Error(err)
			}
		}
	})
	return role
}

// An operator migrates; the program runs as a role that may not, on a session
// that may not even write.
func TestVerifyAndIdleApplyNeedNoPrivileges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.role()
	f.exec(`GRANT USAGE ON SCHEMA {S} TO ` + role)
	f.exec(`GRANT SELECT ON {S}._duroxide_migrations TO ` + role)
	if lastVersion() > migrations.SharedVersion {
		f.exec(`GRANT SELECT ON {S}._duroxide_go_migrations TO ` + role)
	}
	conn := f.connect()
	f.execOn(conn, `SET ROLE `+role)
	f.execOn(conn, `SET default_transaction_read_only TO on`)
	for _, policy := range []migrations.Policy{migrations.Verify, migrations.Apply, migrations.ApplyShared} {
		result, err := migrations.Run(t.Context(), conn, &migrations.Options{Schema: f.Schema, Policy: policy})
		if err != nil || result.Version != lastVersion() || len(result.Applied) > 0 {
			t.Errorf("policy %d: got %+v and error %v", policy, result, err)
		}
	}
}

func TestVerifyDoesNotWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	holder := f.connect()
	f.execOn(holder, `SELECT pg_advisory_lock($1)`, migrations.LockKey(f.Schema))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := migrations.RunPool(ctx, f.Pool, &migrations.Options{Schema: f.Schema, Policy: migrations.Verify}); err != nil {
		t.Error(err)
	}
}

func TestUnreadableLedgerIsNotAMissingOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(`ALTER TABLE {S}._duroxide_migrations RENAME COLUMN name TO title`)
	before := catalogue(t, f.Pool, f.Schema)
	_, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema})
	wantSentinel(t, err, migrations.ErrUnreadable, "SQLSTATE 42703", "not one of duroxide", "choose another schema")
	if diff := cmp.Diff(before, catalogue(t, f.Pool, f.Schema)); diff != "" {
		t.Errorf("schema changed (-before +after):\n%s", diff)
	}
}
