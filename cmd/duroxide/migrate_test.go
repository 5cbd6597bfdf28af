package main

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func last() int {
	files := migrations.Files()
	return files[len(files)-1].Version
}

func TestMigrateUpTwice(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewEmpty(t)
	args := []string{"migrate", "up", "--database-url", databaseURL(t), "--schema", db.Schema}
	first := run(t, args...)
	first.want(t, 0, "applied 0001_initial_schema.sql\n", fmt.Sprintf("schema %s is at version %d\n", db.Schema, last()))
	second := run(t, args...)
	second.want(t, 0)
	want := fmt.Sprintf("schema %s is at version %d already: nothing to do\n", db.Schema, last())
	if second.stdout != want || second.stderr != "" {
		t.Errorf("the second run said %q and %q, want %q", second.stdout, second.stderr, want)
	}
	run(t, "migrate", "verify", "--database-url", databaseURL(t), "--schema", db.Schema).
		want(t, 0, fmt.Sprintf("schema %s is at version %d, as this program needs it\n", db.Schema, last()))
}

func TestMigrateUpTo(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewEmpty(t)
	up := func(to string) result {
		cmd := command(t, "migrate", "up", "--to", to, "--schema", db.Schema)
		cmd.Env = append(cmd.Env, "DATABASE_URL="+databaseURL(t))
		return finish(t, cmd)
	}
	up("5").want(t, 0, "applied 0005_add_custom_status.sql\nschema "+db.Schema+" is at version 5\n")
	up("3").want(t, 0, "schema "+db.Schema+" is at version 5, past 3: nothing to do\n")
	up("6").want(t, 0, "applied 0006_add_activity_tags.sql\nschema "+db.Schema+" is at version 6\n")
}

func TestMigrateVerifyRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version int
		sql     string
		want    string
	}{
		"empty":     {0, ``, "schema is not migrated: it has no table _duroxide_migrations; run the migrations"},
		"version 5": {5, ``, "schema is behind this program: it is at version 5, and these are pending: 6 (0006_add_activity_tags.sql), "},
		"version 99": {
			last(), `INSERT INTO %s._duroxide_migrations (version, name) VALUES (99, '0099_later.sql')`,
			"schema is ahead of this program: the database has versions that this program does not know: 99 (0099_later.sql); run a newer program",
		},
		"missing": {0, `DROP SCHEMA %s`, "schema does not exist: create it by running the migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := migrationstest.NewAt(t, test.version)
			if test.sql != "" {
				if _, err := db.Pool.Exec(t.Context(), fmt.Sprintf(test.sql, pgx.Identifier{db.Schema}.Sanitize())); err != nil {
					t.Fatal(err)
				}
			}
			r := run(t, "migrate", "verify", "--database-url", databaseURL(t), "--schema", db.Schema)
			r.want(t, 4, fmt.Sprintf("duroxide migrate verify: migrations: schema %q: %s", db.Schema, test.want))
		})
	}
}
