package sqliteprovider_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// What one process has stored is there for the next.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "orders.db")

	provider, err := sqliteprovider.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	err = provider.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{
		Item: core.StartOrchestrationItem{Instance: "order-7", Orchestration: "checkout", Input: "{}", ExecutionID: 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := provider.Close(); err != nil {
		log.Fatal(err)
	}

	provider, err = sqliteprovider.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer provider.Close()
	turn, err := provider.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
		LockTimeout: 5 * time.Second,
		PollTimeout: 30 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(turn.Instance, turn.OrchestrationName, turn.AttemptCount)
	// Output: order-7 checkout 1
}

func ExampleOpen_memory() {
	ctx := context.Background()
	provider, err := sqliteprovider.Open(ctx, ":memory:", &sqliteprovider.Options{DisableLongPoll: true})
	if err != nil {
		log.Fatal(err)
	}
	err = provider.Close()
	fmt.Println(err)

	_, err = provider.ListInstances(ctx)
	fmt.Println(err, errors.Is(err, core.ErrClosed))
	// Output:
	// <nil>
	// list_instances: provider is closed true
}

// A row of the program and a message are stored together, in the same file.
func ExampleTx() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "orders.db")
	provider, err := sqliteprovider.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer provider.Close()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `CREATE TABLE orders (id TEXT)`); err != nil {
		log.Fatal(err)
	}

	order := func(id string, sure bool) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after the commit it does nothing
		if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES (?)`, id); err != nil {
			return err
		}
		err = provider.EnqueueForOrchestratorTx(ctx, sqliteprovider.Tx(tx), core.EnqueueForOrchestratorParams{
			Item: core.StartOrchestrationItem{Instance: id, Orchestration: "checkout", Input: "{}", ExecutionID: 1},
		})
		if err != nil || !sure {
			return err
		}
		return tx.Commit()
	}
	fmt.Println(order("order-7", false), order("order-8", true))

	for {
		turn, err := provider.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute})
		if err != nil {
			log.Fatal(err)
		}
		if turn == nil {
			break
		}
		fmt.Println(turn.Instance)
	}
	// Output:
	// <nil> <nil>
	// order-8
}
