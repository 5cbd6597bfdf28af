package pgprovider_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// forBothPools runs a test on a pool with the isolation level as a parameter and
// on one without, each of two connections.
func forBothPools(t *testing.T, test func(*testing.T, *migrationstest.DB, *pgprovider.Provider, *pgxpool.Pool)) {
	for name, configure := range map[string]func(*pgxpool.Config){
		"isolated":      param("default_transaction_isolation", "read committed"),
		"caller's pool": func(*pgxpool.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := migrationstest.New(t)
			p, pool := openPool(t, db, func(c *pgxpool.Config) {
				c.MaxConns = 2
				configure(c)
			})
			test(t, db, p, pool)
		})
	}
}

// onAll runs a statement on every connection of a pool of two.
func onAll(t *testing.T, pool *pgxpool.Pool, f func(*pgxpool.Conn)) {
	t.Helper()
	a, err := pool.Acquire(t.Context())
	must(t, err)
	defer a.Release()
	b, err := pool.Acquire(t.Context())
	must(t, err)
	defer b.Release()
	f(a)
	f(b)
}

// prepareBoth makes both connections prepare the statements of the fetches.
func prepareBoth(t *testing.T, p *pgprovider.Provider, pool *pgxpool.Pool) {
	t.Helper()
	for range 2 {
		held, err := pool.Acquire(t.Context())
		must(t, err)
		fetch(t, p)
		fetchWork(t, p)
		// The pool hands out the connection that came back last.
		other, err := pool.Acquire(t.Context())
		must(t, err)
		held.Release()
		fetch(t, p)
		fetchWork(t, p)
		other.Release()
	}
}

// TestReplacedFunction is race 4.4: a migration replaces a function whose
// statements are prepared.
func TestReplacedFunction(t *testing.T) {
	t.Parallel()
	forBothPools(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider, pool *pgxpool.Pool) {
		prepareBoth(t, p, pool)
		enqueue(t, p, start("i"))
		enqueueWork(t, p, activity(1))
		// Another result type, and a new function under the old name.
		sql(t, db, `
			ALTER FUNCTION @.dxgo_fetch_work_item_except RENAME TO old_fetch_work_item;
			CREATE FUNCTION @.dxgo_fetch_work_item_except(p_now_ms bigint, p_lock_timeout_ms bigint, p_owner_id text,
			    p_session_lock_timeout_ms bigint, p_tag_filter text[], p_tag_mode text, p_away bigint[])
			RETURNS TABLE(out_work_item varchar, out_lock_token varchar, out_attempt_count bigint)
			LANGUAGE sql AS $$ SELECT * FROM @.old_fetch_work_item($1, $2, $3, $4, $5, $6, $7) $$;
			CREATE OR REPLACE FUNCTION @.old_fetch_history(text) RETURNS int LANGUAGE sql AS 'SELECT 1'`)
		onAll(t, pool, func(c *pgxpool.Conn) {
			_, err := c.Exec(t.Context(), `SELECT 1`)
			must(t, err)
		})
		equal(t, "activity", core.WorkItem(activity(1)), mustFetchWork(t, p).Item)
		equal(t, "instance", "i", mustFetch(t, p).Instance)
		for range 4 {
			fetchWork(t, p)
		}
	})
}

// TestForgottenStatements: a session that forgot its prepared statements, as
// happens behind a pooler, is 26000.
func TestForgottenStatements(t *testing.T) {
	t.Parallel()
	forBothPools(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider, pool *pgxpool.Pool) {
		prepareBoth(t, p, pool)
		enqueue(t, p, start("i"))
		forget := func() {
			onAll(t, pool, func(c *pgxpool.Conn) {
				_, err := c.Conn().PgConn().Exec(t.Context(), `DEALLOCATE ALL`).ReadAll()
				must(t, err)
			})
		}
		forget()
		item := mustFetch(t, p)
		forget()
		must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1, Metadata: named()}))
		forget()
		enqueueWork(t, p, activity(1))
		forget()
		mustFetchWork(t, p)
		if _, err := p.GetInstanceInfo(t.Context(), core.GetInstanceInfoParams{Instance: "i"}); err != nil {
			t.Error(err)
		}
		equal(t, "attempts, since nothing ran twice", 1, sqlValue[int](t, db, `SELECT attempt_count FROM @.worker_queue`))
	})
}

// TestForeignStatements: a session where another client prepared the same
// statement is 42P05.
func TestForeignStatements(t *testing.T) {
	t.Parallel()
	forBothPools(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider, pool *pgxpool.Pool) {
		prepareBoth(t, p, pool)
		names := make(map[string]string)
		rows, err := pool.Query(t.Context(), `SELECT name, statement FROM pg_catalog.pg_prepared_statements WHERE statement LIKE $1`, "%fetch_work_item%")
		must(t, err)
		for rows.Next() {
			var name, text string
			must(t, rows.Scan(&name, &text))
			names[name] = text
		}
		must(t, rows.Err())
		if len(names) == 0 {
			t.Fatal("nothing is prepared")
		}
		fresh, freshPool := openPool(t, db, func(c *pgxpool.Config) { c.MaxConns = 2 })
		onAll(t, freshPool, func(c *pgxpool.Conn) {
			for name, text := range names {
				// pgx does not know about these.
				_, err := c.Conn().PgConn().Prepare(t.Context(), name, text, nil)
				must(t, err)
			}
		})
		// Not the fetch of an instance, which is repeated in any case.
		enqueueWork(t, p, activity(1))
		mustFetchWork(t, fresh)
	})
}
