package pgprovider_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// TestNothingIsProcessedTwice has eight fetchers on two providers, one of them on
// a pool whose default isolation level would break the functions.
func TestNothingIsProcessedTwice(t *testing.T) {
	t.Parallel()
	const instances, fetchers = 200, 8
	db := migrationstest.New(t)
	own := openOn(t, db.URL, db.Schema)
	callers, _ := openPool(t, db, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	})
	listening(t, own)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range fetchers {
		p := []*pgprovider.Provider{own, callers}[i%2]
		wg.Go(func() {
			for {
				item, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: 500 * time.Millisecond})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if item != nil {
					seen[item.Instance]++
				}
				done := len(seen) == instances
				mu.Unlock()
				if item == nil {
					if done {
						return
					}
					continue
				}
				err = p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
					LockToken: item.LockToken, ExecutionID: 1, Metadata: named(), HistoryDelta: []core.Event{started(item.Instance)},
					WorkerItems: []core.WorkItem{core.ActivityExecuteItem{Instance: item.Instance, ExecutionID: 1, ID: 2}},
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range instances {
		enqueue(t, own, start(fmt.Sprint("i", i)))
	}
	wg.Wait()
	for instance, n := range seen {
		if n != 1 {
			t.Errorf("%s was fetched %d times", instance, n)
		}
	}
	equal(t, "instances", instances, len(seen))
	equal(t, "activities", instances, sqlValue[int](t, db, `SELECT count(*) FROM @.worker_queue`))
	equal(t, "messages", 0, sqlValue[int](t, db, `SELECT count(*) FROM @.orchestrator_queue`))

	// Their activities, by eight workers.
	taken := map[string]int{}
	for range fetchers {
		wg.Go(func() {
			for {
				work, err := own.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease})
				if err != nil || work == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				taken[work.Item.RoutingInstance()]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	equal(t, "activities fetched", instances, len(taken))
	for instance, n := range taken {
		if n != 1 {
			t.Errorf("the activity of %s was fetched %d times", instance, n)
		}
	}
}
