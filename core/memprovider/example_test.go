package memprovider_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

// A turn: fetch a locked instance, record what it does, and find the activity
// that it scheduled in the worker queue.
func Example() {
	ctx := context.Background()
	provider := memprovider.New(nil)
	err := provider.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{
		Item: core.StartOrchestrationItem{Instance: "order-7", Orchestration: "checkout", Input: "{}", ExecutionID: 1},
	})
	if err != nil {
		log.Fatal(err)
	}

	turn, err := provider.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
		LockTimeout: 5 * time.Second,
		PollTimeout: 30 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(turn.Instance, turn.OrchestrationName, len(turn.Messages))

	version := "1.0.0"
	err = provider.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
		LockToken:   turn.LockToken,
		ExecutionID: turn.ExecutionID,
		HistoryDelta: []core.Event{
			{ID: 1, Data: core.OrchestrationStarted{Name: "checkout", Version: version, Input: "{}"}},
			{ID: 2, Data: core.ActivityScheduled{Name: "charge", Input: "5"}},
		},
		WorkerItems: []core.WorkItem{
			core.ActivityExecuteItem{Instance: "order-7", ExecutionID: 1, ID: 2, Name: "charge", Input: "5"},
		},
		Metadata: core.ExecutionMetadata{OrchestrationName: &turn.OrchestrationName, OrchestrationVersion: &version},
	})
	if err != nil {
		log.Fatal(err)
	}

	work, err := provider.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: 30 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(work.Item.(core.ActivityExecuteItem).Name, work.AttemptCount)
	// Output:
	// order-7 checkout 1
	// charge 1
}
