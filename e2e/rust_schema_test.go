//go:build rust

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/migrations"
)

// rustSchemas are the ways in which a schema of both sides comes to be.
func rustSchemas() map[string]func(t *testing.T, w *rustWorld) {
	shared, improved := migrations.ApplyShared, migrations.Apply
	return map[string]func(t *testing.T, w *rustWorld){
		"made by Go": func(t *testing.T, w *rustWorld) { w.migrate(t, shared) },
		"made and improved by Go": func(t *testing.T, w *rustWorld) {
			w.migrate(t, improved)
			w.rustMigrate(t) // as a Rust program of a later day does at its start
			w.migrate(t, improved)
		},
		"made by Rust": func(t *testing.T, w *rustWorld) {
			w.rustMigrate(t)
			w.migrate(t, shared)
		},
		"made by Rust, improved by Go": func(t *testing.T, w *rustWorld) {
			w.rustMigrate(t)
			w.migrate(t, improved)
		},
	}
}

// On schemas that either side made, both serve.
func TestRustSchemas(t *testing.T) {
	t.Parallel()
	for name, prepare := range rustSchemas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRustWorld(t)
			prepare(t, w)
			w.serveTogether(t)
			w.complete(t)
		})
	}
}

// A schema that one side left at any version is brought further by the other,
// together with an instance that was started at that version, and then both serve.
func TestRustUpgrades(t *testing.T) {
	t.Parallel()
	for k := 1; k < migrations.SharedVersion; k++ {
		t.Run(fmt.Sprintf("Go to %d, then Rust", k), func(t *testing.T) {
			t.Parallel()
			w := newRustWorld(t)
			_, err := migrations.RunPool(w.ctx, w.Pool, &migrations.Options{Schema: w.Schema, UpTo: k})
			must(t, err)
			w.finishAfter(t, k, func() {
				w.rustMigrate(t)
				w.migrate(t, migrations.ApplyShared)
			})
		})
		for name, policy := range map[string]migrations.Policy{"Go": migrations.ApplyShared, "Go with improvements": migrations.Apply} {
			t.Run(fmt.Sprintf("Rust to %d, then %s", k, name), func(t *testing.T) {
				t.Parallel()
				w := newRustWorld(t)
				w.rustMigrateTo(t, k)
				w.finishAfter(t, k, func() { w.migrate(t, policy) })
			})
		}
	}
}

// finishAfter starts an instance on a schema at version k, has the schema
// upgraded, and lets both sides work.
func (w *rustWorld) finishAfter(t *testing.T, k int, upgrade func()) {
	t.Helper()
	equal(t, "version", k, value[int](t, w.world, `SELECT max(version)::bigint FROM @._duroxide_migrations`))
	const early = `{"StartOrchestration":{"instance":"early","orchestration":"salute","input":"eve","version":null,
		"parent_instance":null,"parent_id":null,"execution_id":1}}`
	w.exec(t, `SELECT @.enqueue_orchestrator_work('early', $1, now(), (extract(epoch FROM now()) * 1000)::bigint)`, early)
	upgrade()
	w.serveTogether(t)
	w.waitFor(t, w.client(t), "early", "hello EVE 42")
	w.complete(t)
}

// rustMigrateTo has Rust make a schema up to a version. Its runner knows no such
// thing, but applies each version in a transaction with its record in the
// ledger: a ledger that takes no later record stops it there.
func (w *rustWorld) rustMigrateTo(t *testing.T, version int) {
	t.Helper()
	like := newRustWorld(t)
	like.rustMigrate(t)
	w.exec(t, `CREATE TABLE @._duroxide_migrations (LIKE `+pgx.Identifier{like.Schema}.Sanitize()+`._duroxide_migrations INCLUDING ALL)`)
	w.exec(t, fmt.Sprintf(`ALTER TABLE @._duroxide_migrations ADD CONSTRAINT no_further CHECK (version <= %d)`, version))
	if _, err := w.rust(t, "migrate"); err == nil || !strings.Contains(err.Error(), "no_further") {
		t.Fatalf("Rust is not stopped at version %d: %v", version, err)
	}
	w.exec(t, `ALTER TABLE @._duroxide_migrations DROP CONSTRAINT no_further`)
}

// complete checks that the schema is at the last shared version for both sides.
func (w *rustWorld) complete(t *testing.T) {
	t.Helper()
	equal(t, "shared versions", migrations.SharedVersion,
		value[int](t, w.world, `SELECT count(*) FROM @._duroxide_migrations WHERE version <= $1`, migrations.SharedVersion))
	equal(t, "other versions in the shared ledger", 0,
		value[int](t, w.world, `SELECT count(*) FROM @._duroxide_migrations WHERE version > $1`, migrations.SharedVersion))
	if w.policy == migrations.Apply {
		result, err := migrations.RunPool(w.ctx, w.Pool, &migrations.Options{Schema: w.Schema, Policy: migrations.Verify})
		must(t, err)
		equal(t, "foreign bodies", nil, result.ForeignBodies)
	}
}
