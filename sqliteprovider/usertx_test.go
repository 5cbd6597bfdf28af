package sqliteprovider_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// openUser opens the file as its user would, with a table of his own.
func openUser(t *testing.T, path, settings string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	return db
}

// openShop opens a provider and its user.
func openShop(t *testing.T, options ...func(*sqliteprovider.Options)) (*sqliteprovider.Provider, *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.db")
	p := openAt(t, path, options...)
	return p, openUser(t, path, "?_txlock=immediate&_pragma=busy_timeout(10000)")
}

func beginTx(t *testing.T, db *sql.DB) (*sql.Tx, core.OpenTx) {
	t.Helper()
	tx, open, err := sqliteprovider.Begin(db, nil)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Rollback(context.WithoutCancel(t.Context())) })
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO orders VALUES ('a')`); err != nil {
		t.Fatal(err)
	}
	return tx, open
}

func startTx(t *testing.T, p *sqliteprovider.Provider, tx core.Tx, instance string) error {
	t.Helper()
	return p.EnqueueForOrchestratorTx(t.Context(), tx, core.EnqueueForOrchestratorParams{Item: start(instance)})
}

func ackTx(t *testing.T, p *sqliteprovider.Provider, tx core.Tx, token string) error {
	t.Helper()
	return p.AckWorkItemTx(t.Context(), tx, core.AckWorkItemParams{LockToken: token, Completion: core.ActivityCompletedItem{
		Instance: "a", ExecutionID: 1, ID: 7, Result: "out",
	}})
}

func end(t *testing.T, f func(context.Context) error) {
	t.Helper()
	if err := f(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func orders(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM orders`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A message and the user's row are there after a commit, neither of them before
// it or after a rollback. The commit wakes a fetch that waits.
func TestTxEnqueue(t *testing.T) {
	t.Parallel()
	p, db := openShop(t)
	_, tx := beginTx(t, db)
	if err := startTx(t, p, tx.Tx, "a"); err != nil {
		t.Fatal(err)
	}
	if turn(t, p) != nil {
		t.Error("the message is visible before the commit")
	}
	end(t, tx.Rollback)
	if turn(t, p) != nil || orders(t, db) != 0 {
		t.Error("something is left after a rollback")
	}

	found := waitFor(t, p)
	_, tx = beginTx(t, db)
	for _, id := range []string{"a", "b"} {
		if err := startTx(t, p, tx.Tx, id); err != nil {
			t.Fatal(err)
		}
	}
	end(t, tx.Commit)
	if item := await(t, found); item == nil || item.Instance != "a" {
		t.Errorf("the fetch that waited found %v", item)
	}
	if item := turn(t, p); item == nil || item.Instance != "b" || orders(t, db) != 1 {
		t.Errorf("after it came %v beside %d orders", item, orders(t, db))
	}
}

// An acknowledgement is undone by a rollback and done by a commit.
func TestTxAck(t *testing.T) {
	t.Parallel()
	p, db := openShop(t)
	send(t, p, activity("a", 7))
	item := work(t, p)
	_, tx := beginTx(t, db)
	if err := ackTx(t, p, tx.Tx, item.LockToken); err != nil {
		t.Fatal(err)
	}
	end(t, tx.Rollback)
	if err := p.RenewWorkItemLock(t.Context(), core.RenewLockParams{LockToken: item.LockToken, ExtendFor: lease}); err != nil {
		t.Errorf("the lock after a rollback: %v", err)
	}

	_, tx = beginTx(t, db)
	if err := ackTx(t, p, tx.Tx, item.LockToken); err != nil {
		t.Fatal(err)
	}
	end(t, tx.Commit)
	got := turn(t, p)
	if got == nil || len(got.Messages) != 1 || got.Messages[0] != core.WorkItem(core.ActivityCompletedItem{Instance: "a", ExecutionID: 1, ID: 7, Result: "out"}) {
		t.Errorf("after the commit came %v", got)
	}
	permanently(t, "a second acknowledgement", p.AckWorkItem(t.Context(), core.AckWorkItemParams{LockToken: item.LockToken}), core.ErrLockLost)
	if n := orders(t, db); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// A lock that somebody else has by now refuses the acknowledgement.
func TestTxAckFenced(t *testing.T) {
	t.Parallel()
	p, db := openShop(t)
	send(t, p, activity("a", 7))
	item := work(t, p)
	if err := p.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: item.LockToken}); err != nil {
		t.Fatal(err)
	}
	second := work(t, p)
	_, tx := beginTx(t, db)
	permanently(t, "an acknowledgement with a lost lock", ackTx(t, p, tx.Tx, item.LockToken), core.ErrLockLost)
	end(t, tx.Rollback)
	if err := p.AckWorkItem(t.Context(), core.AckWorkItemParams{LockToken: second.LockToken}); err != nil {
		t.Error(err)
	}
	if n := orders(t, db); n != 0 {
		t.Errorf("%d orders", n)
	}
}

// strange is a transaction of another provider.
type strange struct{}

func (strange) ProviderTx() {}

// A transaction that cannot be used is refused.
func TestTxRefused(t *testing.T) {
	t.Parallel()
	p, db := openShop(t)
	_, elsewhere := beginTx(t, openUser(t, filepath.Join(t.TempDir(), "other.db"), ""))
	inMemory, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inMemory.Close() })
	_, nowhere, err := sqliteprovider.Begin(inMemory, nil)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, tx := range map[string]core.Tx{
		"nothing": nil, "another provider's": strange{}, "a nil *sql.Tx": sqliteprovider.Tx(nil),
		"another file": elsewhere.Tx, "memory": nowhere.Tx,
	} {
		permanently(t, "a message: "+name, startTx(t, p, tx, "a"), core.ErrForeignTx)
		permanently(t, "an acknowledgement: "+name, ackTx(t, p, tx, "token"), core.ErrForeignTx)
	}
	end(t, nowhere.Rollback)
	end(t, elsewhere.Rollback)
	memory := openAt(t, ":memory:")
	_, tx := beginTx(t, db)
	permanently(t, "a provider in memory", startTx(t, memory, tx.Tx, "a"), core.ErrNotSupported)
	permanently(t, "an activity", p.EnqueueForOrchestratorTx(t.Context(), tx.Tx, core.EnqueueForOrchestratorParams{Item: activity("a", 7)}), core.ErrInvalidItem)
	permanently(t, "no completion", p.AckWorkItemTx(t.Context(), tx.Tx, core.AckWorkItemParams{Completion: start("a")}), core.ErrInvalidItem)
	if err := startTx(t, p, tx.Tx, "a"); err != nil { // it goes on
		t.Error(err)
	}
	end(t, tx.Commit)
	permanently(t, "after the end", startTx(t, p, tx.Tx, "b"), sql.ErrTxDone)
}

// A file has one writer: the user's transaction waits as his connection says,
// and until its end the provider's writes wait as the provider's options say.
func TestTxBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shop.db")
	p := openAt(t, path, func(o *sqliteprovider.Options) { o.BusyTimeout = 20 * time.Millisecond })
	impatient := openUser(t, path, "")
	_, first := beginTx(t, impatient)
	err := p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("a")})
	if !core.IsRetryable(err) {
		t.Errorf("the provider beside a transaction: %v", err)
	}
	second, err := impatient.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := startTx(t, p, sqliteprovider.Tx(second), "a"); !core.IsRetryable(err) {
		t.Errorf("a transaction beside another: %v", err)
	}
	end(t, func(context.Context) error { return second.Rollback() })
	end(t, first.Rollback)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err = p.EnqueueForOrchestratorTx(ended, first.Tx, core.EnqueueForOrchestratorParams{Item: start("a")})
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*core.ProviderError)) {
		t.Errorf("an ended context: %v", err)
	}
}
