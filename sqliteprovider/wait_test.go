package sqliteprovider_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// stores runs a test on both kinds of store.
func stores(t *testing.T, f func(t *testing.T, p *sqliteprovider.Provider)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		f(t, openAt(t, filepath.Join(t.TempDir(), "test.db")))
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, openAt(t, ":memory:"))
	})
}

// A waiting fetch wakes for what becomes due by itself, not before and not only
// at the end of its time.
func TestWakesWhenDue(t *testing.T) {
	t.Parallel()
	const soon = 300 * time.Millisecond
	for _, tt := range []struct {
		name  string
		setUp func(t *testing.T, p *sqliteprovider.Provider)
	}{
		{"delay", func(t *testing.T, p *sqliteprovider.Provider) {
			err := p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("i"), Delay: soon})
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"timer", func(t *testing.T, p *sqliteprovider.Provider) {
			due := core.Milliseconds(time.Now().Add(soon))
			send(t, p, core.TimerFiredItem{Instance: "i", ExecutionID: 1, ID: 2, FireAtMs: due})
		}},
		{"lock", func(t *testing.T, p *sqliteprovider.Provider) {
			send(t, p, start("i"))
			item, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: soon})
			if err != nil || item == nil {
				t.Fatal(item, err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stores(t, func(t *testing.T, p *sqliteprovider.Provider) {
				begin := time.Now()
				tt.setUp(t, p)
				item := await(t, waitFor(t, p))
				if item == nil || item.Instance != "i" {
					t.Fatalf("fetched %+v", item)
				}
				if took := time.Since(begin); took < soon-5*time.Millisecond || took > patience/2 {
					t.Errorf("it took %v, want about %v", took, soon)
				}
			})
		})
	}
}

func TestWorkerWakesWhenDue(t *testing.T) {
	t.Parallel()
	const soon = 300 * time.Millisecond
	stores(t, func(t *testing.T, p *sqliteprovider.Provider) {
		inSession := activity("i", 3)
		inSession.SessionID = ptr("s")
		send(t, p, inSession)
		fetch := func(owner string, lock, claim, wait time.Duration) *core.LockedWorkItem {
			t.Helper()
			item, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{
				LockTimeout: lock, PollTimeout: wait, Session: &core.SessionFetchConfig{OwnerID: owner, LockTimeout: claim},
			})
			if err != nil || item == nil {
				t.Fatalf("fetched %+v, %v", item, err)
			}
			return item
		}
		fetch("a", soon, soon/2, 0)
		// The lock of the activity ends after the claim of the session.
		if item := fetch("b", lease, soon, patience); item.AttemptCount != 2 {
			t.Errorf("attempt %d", item.AttemptCount)
		}
		another := activity("i", 4)
		another.SessionID = ptr("s")
		send(t, p, another)
		fetch("c", lease, lease, patience) // when b's claim has ended
	})
}

func TestWakesAtOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, p *sqliteprovider.Provider) {
		found := waitFor(t, p)
		time.Sleep(20 * time.Millisecond) // it should be waiting by now
		send(t, p, start("i"))
		item := await(t, found)
		if item == nil {
			t.Fatal("nothing")
		}
		// What comes during a turn is there when it is given back.
		send(t, p, external("i"))
		found = waitFor(t, p)
		time.Sleep(20 * time.Millisecond)
		if err := p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: item.LockToken}); err != nil {
			t.Fatal(err)
		}
		if item := await(t, found); item == nil || len(item.Messages) != 2 || item.AttemptCount != 2 {
			t.Errorf("fetched %+v", item)
		}
	})
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, p *sqliteprovider.Provider) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		item, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: patience})
		if item != nil || !errors.Is(err, cause) {
			t.Errorf("fetch: %+v, %v", item, err)
		}
		// With an ended context nothing is begun.
		if err := p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity("i", 2)}); !errors.Is(err, cause) {
			t.Errorf("enqueue: %v", err)
		}
		if _, err := p.ListInstances(ctx); !errors.Is(err, cause) {
			t.Errorf("list: %v", err)
		}
		if item := work(t, p); item != nil {
			t.Errorf("it was enqueued: %+v", item)
		}
	})
}

// holdLock takes the lock of the file as another program would, until release
// is called.
func holdLock(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	release = func() {
		once.Do(func() {
			_, _ = conn.ExecContext(context.WithoutCancel(t.Context()), `ROLLBACK`)
			conn.Close()
		})
	}
	t.Cleanup(release)
	return release
}

func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	p := openAt(t, path)
	hasty := openAt(t, path, func(o *sqliteprovider.Options) { o.BusyTimeout = 20 * time.Millisecond })
	release := holdLock(t, path)

	err := hasty.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{Item: activity("i", 2)})
	if !core.IsRetryable(err) {
		t.Errorf("busy: %v, want an error that can be retried", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity("i", 2)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("busy until the context ends: %v", err)
	}
	// Reading, and looking for work that is not there, need no lock.
	begin := time.Now()
	if _, err := p.ListInstances(t.Context()); err != nil {
		t.Error(err)
	}
	if item := turn(t, p); item != nil {
		t.Errorf("fetched %+v", item)
	}
	if took := time.Since(begin); took > patience/4 {
		t.Errorf("reading took %v", took)
	}

	enqueued := make(chan error, 1)
	go func() {
		enqueued <- p.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{Item: activity("i", 2)})
	}()
	time.Sleep(50 * time.Millisecond)
	release()
	if err := await(t, enqueued); err != nil {
		t.Errorf("after the lock was given back: %v", err)
	}
	if item := work(t, hasty); item == nil {
		t.Error("nothing was enqueued")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, p *sqliteprovider.Provider) {
		ended := make(chan error, 2)
		go func() {
			_, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: patience})
			ended <- err
		}()
		go func() {
			_, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: patience})
			ended <- err
		}()
		time.Sleep(20 * time.Millisecond)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		permanently(t, "a waiting fetch", await(t, ended), core.ErrClosed)
		permanently(t, "a waiting fetch", await(t, ended), core.ErrClosed)
		closedCalls(t, p)
	})
}

// closedCalls checks calls of every kind, those too that need no database.
func closedCalls(t *testing.T, p *sqliteprovider.Provider) {
	t.Helper()
	ctx := t.Context()
	results := map[string]error{}
	results["enqueue"] = p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity("i", 2)})
	results["abandon"] = p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: "x"})
	results["append"] = p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "i", ExecutionID: 1})
	_, results["fetch"] = p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease})
	_, results["fetch with a filter"] = p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
		LockTimeout: lease, Filter: &core.CapabilityFilter{},
	})
	_, results["fetch no tags"] = p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, Tags: core.TagFilter{Mode: core.TagsNone}})
	_, results["read"] = p.Read(ctx, core.ReadParams{Instance: "i"})
	_, results["read out of range"] = p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: "i", ExecutionID: 1 << 63})
	_, results["info out of range"] = p.GetExecutionInfo(ctx, core.GetExecutionInfoParams{Instance: "i", ExecutionID: 1 << 63})
	_, results["renew no sessions"] = p.RenewSessionLock(ctx, core.RenewSessionLockParams{ExtendFor: lease})
	_, results["delete none"] = p.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{})
	_, results["delete none in bulk"] = p.DeleteInstanceBulk(ctx, core.DeleteInstanceBulkParams{Filter: core.InstanceFilter{InstanceIDs: []string{}}})
	_, results["prune in bulk"] = p.PruneExecutionsBulk(ctx, core.PruneExecutionsBulkParams{})
	_, results["metrics"] = p.GetSystemMetrics(ctx)
	for what, err := range results {
		permanently(t, what, err, core.ErrClosed)
	}
}
