package pgprovider_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
)

func ExampleNewFromURL() {
	open := func(ctx context.Context) (*pgprovider.Provider, error) {
		return pgprovider.NewFromURL(ctx, os.Getenv("DATABASE_URL"), &pgprovider.Options{
			Schema: "orders",
			Logger: slog.Default(),
		})
	}
	_ = open
}

// A program that may not change the schema, on a pool that it uses for other
// things too.
func ExampleNew() {
	open := func(ctx context.Context, pool *pgxpool.Pool) (*pgprovider.Provider, error) {
		provider, err := pgprovider.New(ctx, pool, &pgprovider.Options{
			Schema:     "orders",
			Migrations: migrations.Verify,
		})
		if errors.Is(err, migrations.ErrBehind) {
			slog.Error("ask the operator to migrate the schema", "error", err)
		}
		return provider, err
	}
	_ = open
}

// One turn of an instance. The runtime of the durable module does this.
func ExampleProvider_FetchOrchestrationItem() {
	turn := func(ctx context.Context, provider *pgprovider.Provider) error {
		item, err := provider.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
			LockTimeout: 5 * time.Second,
			PollTimeout: 30 * time.Second,
		})
		if err != nil || item == nil {
			return err
		}
		err = provider.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
			LockToken:   item.LockToken,
			ExecutionID: item.ExecutionID,
		})
		if errors.Is(err, core.ErrLockLost) {
			return nil // somebody else has the instance now
		}
		return err
	}
	_ = turn
}

func ExampleProvider_Notifier() {
	healthy := func(provider *pgprovider.Provider) bool {
		status := provider.Notifier().Status()
		if !status.Listening {
			slog.Warn("polling for work", "since", status.Since, "error", status.ListenError)
		}
		return status.Listening && status.RefreshError == nil
	}
	_ = healthy
}

// Clients of the durable module do this with StartTx.
func ExampleTx() {
	start := func(ctx context.Context, pool *pgxpool.Pool, provider *pgprovider.Provider, order string) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO shop.orders VALUES ($1)`, order); err != nil {
				return err
			}
			return provider.EnqueueForOrchestratorTx(ctx, pgprovider.Tx(tx), core.EnqueueForOrchestratorParams{
				Item: core.StartOrchestrationItem{Instance: order, Orchestration: "checkout", Input: "{}", ExecutionID: 1},
			})
		})
	}
	_ = start
}
