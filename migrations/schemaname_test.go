package migrations_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/migrations"
)

func TestValidateSchemaName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"public", "a", "_", "_9", "user", "select", "my_schema", "test_0123abcd", "pgx", "pg",
		"information_schema2", strings.Repeat("a", 51),
	} {
		if err := migrations.ValidateSchemaName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                      "it is empty",
		"MySchema":              `use "myschema"`,
		"My Schema":             "must match",
		"9a":                    "must match",
		"a-b":                   "must match",
		"a.b":                   "must match",
		`a"b`:                   "must match",
		"a;drop":                "must match",
		"a\n":                   "must match",
		"$user":                 "must match",
		"schéma":                "must match",
		"\u212a":                "must match", // KELVIN SIGN, which folds to k
		strings.Repeat("a", 52): "has 52 bytes",
		"pg_":                   "is reserved",
		"pg_temp":               "is reserved",
		"pg_catalog":            "is reserved",
		"information_schema":    "is reserved",
	} {
		err := migrations.ValidateSchemaName(name)
		if !errors.Is(err, migrations.ErrInvalidSchemaName) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want one with %q", name, err, want)
		}
	}
}

func FuzzValidateSchemaName(f *testing.F) {
	for _, name := range []string{"public", "MySchema", "pg_x", "9", "", "é"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if migrations.ValidateSchemaName(name) != nil {
			return
		}
		if name != strings.ToLower(name) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" ||
			len(name) == 0 || len(name+"_worker_work") > 63 || strings.HasPrefix(name, "pg_") {
			t.Errorf("accepted %q", name)
		}
	})
}
