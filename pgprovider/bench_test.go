package pgprovider_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// BenchmarkCall compares what a transaction around a call costs, per call.
func BenchmarkCall(b *testing.B) {
	for _, tt := range []struct {
		name      string
		configure func(*pgxpool.Config)
	}{
		{"isolated", param("default_transaction_isolation", "read committed")},
		{"transaction", func(*pgxpool.Config) {}},
		{"transaction, exec", mode(pgx.QueryExecModeExec)},
		{"transaction, simple protocol", mode(pgx.QueryExecModeSimpleProtocol)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			p := benchProvider(b, tt.configure)
			b.Run("read", func(b *testing.B) {
				for b.Loop() {
					if _, err := p.GetKVValue(b.Context(), core.GetKVValueParams{Instance: "i", Key: "k"}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("empty fetch", func(b *testing.B) {
				for b.Loop() {
					if _, err := p.FetchWorkItem(b.Context(), core.FetchWorkItemParams{LockTimeout: lease}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("enqueue", func(b *testing.B) {
				for b.Loop() {
					if err := p.EnqueueForWorker(b.Context(), core.EnqueueForWorkerParams{Item: activity(1)}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkFetch measures a fetch and its abandonment by the length of the
// history.
func BenchmarkFetch(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(events, " events"), func(b *testing.B) {
			p := benchProvider(b, param("default_transaction_isolation", "read committed"))
			history := make([]core.Event, events)
			for i := range history {
				history[i] = event("i", uint64(i+1), core.ActivityCompleted{Result: `{"answer":42,"text":"some text of a usual length"}`})
			}
			err := p.EnqueueForOrchestrator(b.Context(), core.EnqueueForOrchestratorParams{Item: start("i")})
			if err != nil {
				b.Fatal(err)
			}
			params := core.FetchOrchestrationItemParams{LockTimeout: lease}
			item, err := p.FetchOrchestrationItem(b.Context(), params)
			if err != nil {
				b.Fatal(err)
			}
			err = p.AckOrchestrationItem(b.Context(), core.AckOrchestrationItemParams{
				LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: history, Metadata: named(),
				OrchestratorItems: []core.WorkItem{core.ExternalRaisedItem{Instance: "i"}},
			})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				item, err := p.FetchOrchestrationItem(b.Context(), params)
				if err != nil || len(item.History) != events {
					b.Fatal(err)
				}
				if err := p.AbandonOrchestrationItem(b.Context(), core.AbandonParams{LockToken: item.LockToken}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchProvider(b *testing.B, configure func(*pgxpool.Config)) *pgprovider.Provider {
	b.Helper()
	db := migrationstest.New(b)
	config, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		b.Fatal(err)
	}
	configure(config)
	ctx := context.WithoutCancel(b.Context())
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	p, err := pgprovider.New(ctx, pool, &pgprovider.Options{Schema: db.Schema, LongPoll: pgprovider.LongPoll{Disabled: true}})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkWake measures from before an activity is enqueued by one provider
// until the waiting fetch of another one returns it.
func BenchmarkWake(b *testing.B) {
	db := migrationstest.New(b)
	ctx := context.WithoutCancel(b.Context())
	var providers [2]*pgprovider.Provider
	for i := range providers {
		p, err := pgprovider.NewFromURL(ctx, db.URL, &pgprovider.Options{Schema: db.Schema})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		if err := p.Notifier().WaitListening(ctx); err != nil {
			b.Fatal(err)
		}
		providers[i] = p
	}
	found := make(chan error)
	for b.Loop() {
		go func() {
			item, err := providers[0].FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: longPoll})
			if err == nil {
				err = providers[0].AckWorkItem(ctx, core.AckWorkItemParams{LockToken: item.LockToken})
			}
			found <- err
		}()
		if err := providers[1].EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity(1)}); err != nil {
			b.Fatal(err)
		}
		if err := <-found; err != nil {
			b.Fatal(err)
		}
	}
}
