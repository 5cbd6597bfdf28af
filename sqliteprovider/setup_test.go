package sqliteprovider_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

const (
	// patience is a bound for what happens at once; only a failure waits for it.
	patience = 20 * time.Second
	// lease is longer than any test.
	lease = 10 * time.Minute
)

func TestMain(m *testing.M) {
	if path := os.Getenv(processEnv); path != "" {
		os.Exit(process(path))
	}
	goleak.VerifyTestMain(m)
}

// openAt opens a provider that the end of the test closes.
func openAt(t *testing.T, path string, options ...func(*sqliteprovider.Options)) *sqliteprovider.Provider {
	t.Helper()
	o := &sqliteprovider.Options{}
	for _, f := range options {
		f(o)
	}
	p, err := sqliteprovider.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// send enqueues for the orchestrator or the worker, as the item demands.
func send(t *testing.T, p core.Provider, items ...core.WorkItem) {
	t.Helper()
	for _, item := range items {
		var err error
		if _, ok := item.(core.ActivityExecuteItem); ok {
			err = p.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{Item: item})
		} else {
			err = p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: item})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// turn fetches an instance without waiting, nil if there is none.
func turn(t *testing.T, p core.Provider) *core.OrchestrationItem {
	t.Helper()
	item, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: lease})
	if err != nil {
		t.Fatal(err)
	}
	return item
}

// work fetches an activity without waiting, nil if there is none.
func work(t *testing.T, p core.Provider) *core.LockedWorkItem {
	t.Helper()
	item, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lease})
	if err != nil {
		t.Fatal(err)
	}
	return item
}

// waitFor begins a fetch that waits.
func waitFor(t *testing.T, p core.Provider) <-chan *core.OrchestrationItem {
	t.Helper()
	found := make(chan *core.OrchestrationItem, 1)
	go func() {
		item, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: patience})
		if err != nil {
			t.Error(err)
		}
		found <- item
	}()
	return found
}

// await returns what comes out of the channel soon.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// permanently checks the cause of an error and that a retry cannot cure it.
func permanently(t *testing.T, what string, err, cause error) {
	t.Helper()
	var pe *core.ProviderError
	if !errors.Is(err, cause) || !errors.As(err, &pe) || pe.Retryable {
		t.Errorf("%s: %v, want a permanent error with %q", what, err, cause)
	}
}

func start(instance string) core.StartOrchestrationItem {
	return core.StartOrchestrationItem{Instance: instance, Orchestration: "Orch", Input: "{}", ExecutionID: 1}
}

func external(instance string) core.ExternalRaisedItem {
	return core.ExternalRaisedItem{Instance: instance, Name: "go", Data: "{}"}
}

func activity(instance string, id uint64) core.ActivityExecuteItem {
	return core.ActivityExecuteItem{Instance: instance, ExecutionID: 1, ID: id, Name: "Act", Input: "{}"}
}

func event(instance string, id uint64, data core.EventData) core.Event {
	return core.Event{ID: id, InstanceID: instance, ExecutionID: 1, TimestampMs: 7, DuroxideVersion: "0.1.32", Data: data}
}

func ptr[T any](v T) *T { return &v }
