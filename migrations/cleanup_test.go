package migrations_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

func TestCleanupSchema(t *testing.T) {
	t.Parallel()
	for _, file := range migrations.Files() {
		version := file.Version
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			f, other := setupAt(t, version), setupAt(t, version)
			want := catalogue(t, other.Pool, other.Schema)

			// The session's own path leads to the other schema.
			conn := other.connect()
			f.execOn(conn, `SELECT {S}.cleanup_schema()`)
			if left := catalogue(t, f.Pool, f.Schema); len(left) > 0 {
				t.Errorf("left in the schema: %q", left)
			}
			if diff := cmp.Diff(want, catalogue(t, other.Pool, other.Schema)); diff != "" {
				t.Errorf("the other schema changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestCleanupSchemaKeepsTheTablesOfOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(`CREATE TABLE {S}.invoices (id bigint)`)
	f.exec(`SELECT {S}.cleanup_schema()`)
	f.want([]string{"invoices"}, `SELECT relname::text FROM pg_class WHERE relnamespace = $1::regnamespace`, f.Schema)
}
