package sqliteprovider_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Two providers on one file stand for two processes: what one enqueues the
// other fetches, also when it was waiting for it already.
func TestTwoProvidersOnOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "duroxide.db")
	a, b := openAt(t, path), openAt(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	fetched := make(chan error, 1)
	go func() {
		item, err := b.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute, PollTimeout: patience})
		if err == nil && (item == nil || item.Instance != "i") {
			err = errors.New("the other provider's instance was not fetched")
		}
		fetched <- err
	}()
	err := a.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: core.StartOrchestrationItem{
		Instance: "i", Orchestration: "o", Input: "{}", ExecutionID: core.FirstExecutionID,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-fetched; err != nil {
		t.Error(err)
	}
	// The lock holds for both.
	item, err := a.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute})
	if item != nil || err != nil {
		t.Errorf("a locked instance was fetched: %v, %v", item, err)
	}
}

// What is stored is there when the file is opened again, and a closed provider
// says that it is.
func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "duroxide.db")
	first := openAt(t, path)
	err := first.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{Item: core.ActivityExecuteItem{
		Instance: "i", ExecutionID: 1, ID: 2, Name: "a", Input: "in",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // closing again is harmless
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: time.Minute}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("a closed provider returns %v", err)
	}
	item, err := openAt(t, path).FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: time.Minute})
	if err != nil || item == nil {
		t.Fatalf("nothing is left in the file: %v, %v", item, err)
	}
}
