package migrationstest_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestSchemasAreLentAgain(t *testing.T) {
	t.Parallel()
	schemas := migrationstest.NewSchemas(t, 0)
	first, second := borrow(t, schemas), borrow(t, schemas)
	if first.Schema == second.Schema {
		t.Fatal("two borrowers have the same schema")
	}
	fresh := contents(t, first)
	for _, table := range tables(t, first) {
		if _, err := first.Pool.Exec(t.Context(), fill(t, first, table)); err != nil {
			t.Fatal(err)
		}
	}
	if cmp.Equal(fresh, contents(t, first)) {
		t.Fatal("the rows of this test are not seen")
	}
	if err := schemas.Return(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	again := borrow(t, schemas)
	if again.Schema != first.Schema {
		t.Errorf("the schema is %s, want %s again", again.Schema, first.Schema)
	}
	if diff := cmp.Diff(fresh, contents(t, again)); diff != "" {
		t.Errorf("what the schema holds (-at first +again):\n%s", diff)
	}
	if _, err := migrations.RunPool(t.Context(), again.Pool, &migrations.Options{Schema: again.Schema, Policy: migrations.Verify}); err != nil {
		t.Error(err)
	}
}

func TestSchemasAtAVersion(t *testing.T) {
	t.Parallel()
	db := borrow(t, migrationstest.NewSchemas(t, 4))
	result, err := migrations.RunPool(t.Context(), db.Pool, &migrations.Options{Schema: db.Schema, Policy: migrations.Verify, UpTo: 4})
	if err != nil || result.Version != 4 {
		t.Errorf("version %d, error %v", result.Version, err)
	}
}

// What a borrower left open may still change the schema.
func TestSchemasInUseAreNotLent(t *testing.T) {
	t.Parallel()
	schemas := migrationstest.NewSchemas(t, 0)
	db := borrow(t, schemas)
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := schemas.Return(ctx, db); err == nil {
		t.Error("returned with a connection open")
	}
	if borrow(t, schemas).Schema == db.Schema {
		t.Error("lent to two")
	}
}

// Emptying keeps the ledgers alone, so the migrations must store nothing else.
func TestMigrationsStoreNothing(t *testing.T) {
	t.Parallel()
	db := migrationstest.New(t)
	for name, n := range contents(t, db) {
		if n > 0 && !slices.Contains([]string{"_duroxide_migrations", "_duroxide_go_migrations"}, name) {
			t.Errorf("%s holds %d", name, n)
		}
	}
}

func borrow(t *testing.T, schemas *migrationstest.Schemas) *migrationstest.DB {
	t.Helper()
	db, err := schemas.Borrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func column(t *testing.T, db *migrationstest.DB, query string, args ...any) []string {
	t.Helper()
	rows, _ := db.Pool.Query(t.Context(), query, args...)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// tables are those that hold the data.
func tables(t *testing.T, db *migrationstest.DB) []string {
	t.Helper()
	found := column(t, db, `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND relname !~ '^_'`, db.Schema)
	if len(found) < 9 {
		t.Fatalf("only the tables %q", found)
	}
	return found
}

// fill returns a statement that stores a row.
func fill(t *testing.T, db *migrationstest.DB, table string) string {
	t.Helper()
	return column(t, db, `
		SELECT format('INSERT INTO %s (%s) VALUES (%s)', attrelid::regclass, string_agg(attname, ', '),
		       string_agg(CASE WHEN atttypid = 'timestamptz'::regtype THEN 'now()' WHEN atttypid = 'text'::regtype THEN '''x'''
		              WHEN atttypid = 'boolean'::regtype THEN 'true' ELSE '1' END, ', '))
		  FROM pg_attribute
		 WHERE attrelid = format('%I.%I', $1::text, $2::text)::regclass AND attnum > 0 AND attnotnull AND attname <> 'id'
		 GROUP BY attrelid`, db.Schema, table)[0]
}

// contents is the number of rows of each table, and the last value of each
// sequence.
func contents(t *testing.T, db *migrationstest.DB) map[string]int {
	t.Helper()
	found := map[string]int{}
	for kind, value := range map[string]string{"r": "count(*)", "S": "max(CASE WHEN is_called THEN last_value ELSE 0 END)"} {
		for _, name := range column(t, db, `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind::text = $2`, db.Schema, kind) {
			var n int
			err := db.Pool.QueryRow(t.Context(), `SELECT `+value+` FROM `+pgx.Identifier{db.Schema, name}.Sanitize()).Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			found[name] = n
		}
	}
	return found
}
