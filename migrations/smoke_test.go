package migrations_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSmoke(t *testing.T) {
	db := migrationstest.New(t)
	r, err := migrations.RunPool(t.Context(), db.Pool, &migrations.Options{Schema: db.Schema, Policy: migrations.Verify})
	if err != nil || !cmp.Equal(r, migrations.Result{Version: 11}) {
		t.Fatal(r, err)
	}
}
