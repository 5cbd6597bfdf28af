package pgprovider_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// lend gives a schema name to one test at a time, among all that use the server,
// and drops the schema after the test. An empty name is one of 51 bytes.
func lend(t *testing.T, name string) (url, schema string) {
	t.Helper()
	db := migrationstest.NewEmpty(t) // for its unique name
	if schema = name; name == "" {
		schema = db.Schema + strings.Repeat("x", 51-len(db.Schema))
	}
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, db.URL)
	must(t, err)
	drop := `DROP SCHEMA IF EXISTS ` + pgx.Identifier{schema}.Sanitize() + ` CASCADE`
	t.Cleanup(func() {
		defer conn.Close(ctx)
		_, err := conn.Exec(ctx, drop)
		must(t, err)
	})
	_, err = conn.Exec(ctx, `SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext($1))`, "pgprovider test of schema "+schema)
	must(t, err)
	_, err = conn.Exec(ctx, drop) // a test that was killed may have left it
	must(t, err)
	return db.URL, schema
}

func TestSchemaNames(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{"reserved word": "user", "51 bytes": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, schema := lend(t, schema)
			p := openOn(t, url, schema)
			listening(t, p)
			create(t, p, "i")
			enqueueWork(t, p, activity(1))
			mustFetchWork(t, p)
			waitFor(t, "notifications", func() bool { return p.Notifier().Status().Notifications >= 2 })
			if status := p.Notifier().Status(); status.RefreshError != nil {
				t.Error(status.RefreshError)
			}
			equal(t, "schema", schema, p.Schema())
			must(t, p.CleanupSchema(t.Context()))
		})
	}
}

func TestMigrationPolicies(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewEmpty(t)
	make := func(policy migrations.Policy) error {
		p, err := pgprovider.NewFromURL(t.Context(), db.URL, &pgprovider.Options{Schema: db.Schema, Migrations: policy})
		if err == nil {
			err = p.Close()
		}
		return err
	}
	if err := make(migrations.Verify); !errors.Is(err, migrations.ErrNoLedger) {
		t.Errorf("verified an empty schema: %v", err)
	}
	must(t, make(migrations.None))
	must(t, make(migrations.ApplyShared))
	must(t, make(migrations.Apply))
	must(t, make(migrations.Verify))
}

func TestCleanupSchema(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	neighbour, other := openDB(t)
	sql(t, db, `CREATE TABLE @.mine (id int); CREATE VIEW @.v AS SELECT * FROM @.instances`)
	must(t, p.CleanupSchema(t.Context()))
	equal(t, "schemas of that name", 0, sqlValue[int](t, db, `SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1`, db.Schema))
	_, err := p.Read(t.Context(), core.ReadParams{Instance: "i"})
	if err == nil || core.IsRetryable(err) {
		t.Errorf("read from a schema that is gone: %v", err)
	}

	// The other schema has its triggers and functions still.
	listening(t, neighbour)
	enqueue(t, neighbour, start("i"))
	waitFor(t, "a notification", func() bool { return neighbour.Notifier().Status().Notifications > 0 })
	equal(t, "triggers", 4, sqlValue[int](t, other, `SELECT count(*) FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND NOT g.tgisinternal`, other.Schema))
}

// TestPublicSchema has a database of its own, because everybody shares public.
func TestPublicSchema(t *testing.T) {
	t.Parallel()
	db := migrationstest.NewEmpty(t) // for its unique name
	ctx := context.WithoutCancel(t.Context())
	name := pgx.Identifier{db.Schema}.Sanitize()
	_, err := db.Pool.Exec(ctx, `CREATE DATABASE `+name)
	must(t, err)
	t.Cleanup(func() {
		admin, err := pgx.Connect(ctx, db.URL)
		must(t, err)
		defer admin.Close(ctx)
		_, err = admin.Exec(ctx, `DROP DATABASE `+name+` WITH (FORCE)`)
		must(t, err)
	})
	u, err := url.Parse(db.URL)
	must(t, err)
	u.Path = "/" + db.Schema
	p := openOn(t, u.String(), "")
	equal(t, "schema", "public", p.Schema())
	create(t, p, "i")
	must(t, p.CleanupSchema(ctx))

	conn, err := pgx.Connect(ctx, u.String())
	must(t, err)
	defer conn.Close(ctx)
	var schemas, tables, functions int
	must(t, conn.QueryRow(ctx, `SELECT count(*), (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = min(n.oid::bigint)),
		(SELECT count(*) FROM pg_catalog.pg_proc WHERE pronamespace = min(n.oid::bigint))
		FROM pg_catalog.pg_namespace n WHERE nspname = 'public'`).Scan(&schemas, &tables, &functions))
	equal(t, "schema, tables and functions that are left", [3]int{1, 0, 0}, [3]int{schemas, tables, functions})
}

func TestClose(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	must(t, p.Close())
	must(t, p.Close())
	ctx := t.Context()
	for name, err := range map[string]error{
		"fetch":            second(p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: lease})),
		"fetch of nothing": second(p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, Filter: &core.CapabilityFilter{}})),
		"fetch of work":    second(p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: lease})),
		"fetch of no work": second(p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, Tags: core.TagFilter{Mode: core.TagsNone}})),
		"ack":              p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{}),
		"append":           p.AppendWithExecution(ctx, core.AppendWithExecutionParams{}),
		"renew sessions":   second(p.RenewSessionLock(ctx, core.RenewSessionLockParams{})),
		"read":             second(p.Read(ctx, core.ReadParams{})),
		"clean-up":         p.CleanupSchema(ctx),
	} {
		wantError(t, name, err, core.ErrClosed)
	}
	// The pool of the caller stays open.
	q, pool := openPool(t, db, nil)
	must(t, q.Close())
	must(t, pool.Ping(ctx))
	wantError(t, "read", second(q.Read(ctx, core.ReadParams{})), core.ErrClosed)
}
