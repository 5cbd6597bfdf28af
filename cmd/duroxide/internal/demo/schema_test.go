package demo

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestPrepareSchema(t *testing.T) {
	t.Parallel()
	own := migrationstest.NewEmpty(t)
	db := &database{pool: own.Pool}
	for range 2 { // the second time it is the demo's own, and filled
		unlock, err := prepareSchema(t.Context(), db, own.Schema)
		if err != nil {
			t.Fatal(err)
		}
		_, err = prepareSchema(t.Context(), db, own.Schema)
		if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "another demo is running") {
			t.Errorf("a second demo at the same time: %v", err)
		}
		var rows int
		table := pgx.Identifier{own.Schema, "instances"}.Sanitize()
		if err := own.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d instances, error %v", rows, err)
		}
		if _, err := own.Pool.Exec(t.Context(), `INSERT INTO `+table+` VALUES ('a', 'o', NULL, 1, now(), now())`); err != nil {
			t.Fatal(err)
		}
		unlock()
	}
}

func TestPrepareSchemaKeepsWhatIsNotADemos(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"table":    `CREATE TABLE %.precious ()`,
		"function": `CREATE FUNCTION %.precious() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		"domain":   `CREATE DOMAIN %.precious AS int`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := migrationstest.NewEmpty(t)
			sql := strings.ReplaceAll(sql, "%", pgx.Identifier{own.Schema}.Sanitize())
			if _, err := own.Pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
			if _, err := prepareSchema(t.Context(), &database{pool: own.Pool}, own.Schema); !errors.Is(err, ErrSchema) {
				t.Errorf("error %v", err)
			}
			if _, err := own.Pool.Exec(t.Context(), sql); err == nil {
				t.Error("what was in the schema is gone")
			}
		})
	}
	migrated := migrationstest.New(t)
	if _, err := prepareSchema(t.Context(), &database{pool: migrated.Pool}, migrated.Schema); !errors.Is(err, ErrSchema) {
		t.Errorf("a migrated schema: error %v", err)
	}
}
