package memprovider_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

// lease is the lock time-out of all fetches that do not say otherwise.
const lease = 10 * time.Second

// A store is a fresh provider with calls that fail the test on any error.
type store struct {
	*memprovider.Provider
	t   *testing.T
	ctx context.Context
}

// inBubble runs a test with a fresh store in a bubble, where time.Sleep takes
// no time and stops exactly when it says.
func inBubble(t *testing.T, f func(t *testing.T, s store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newStore(t)) })
}

func newStore(t *testing.T) store {
	return store{memprovider.New(nil), t, t.Context()}
}

func (s store) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// send enqueues for the orchestrator or the worker, as the item demands.
func (s store) send(items ...core.WorkItem) {
	s.t.Helper()
	for _, item := range items {
		if _, ok := item.(core.ActivityExecuteItem); ok {
			s.check(s.EnqueueForWorker(s.ctx, core.EnqueueForWorkerParams{Item: item}))
		} else {
			s.sendLater(0, item)
		}
	}
}

func (s store) sendLater(d time.Duration, item core.WorkItem) {
	s.t.Helper()
	s.check(s.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{Item: item, Delay: d}))
}

// tryTurn fetches without waiting; nil if there is nothing.
func (s store) tryTurn() *core.OrchestrationItem {
	s.t.Helper()
	return s.tryTurnWith(core.FetchOrchestrationItemParams{LockTimeout: lease})
}

func (s store) tryTurnWith(p core.FetchOrchestrationItemParams) *core.OrchestrationItem {
	s.t.Helper()
	item, err := s.FetchOrchestrationItem(s.ctx, p)
	s.check(err)
	return item
}

// turn fetches the instance that must be next.
func (s store) turn(instance string) *core.OrchestrationItem {
	s.t.Helper()
	item := s.tryTurn()
	if item == nil || item.Instance != instance {
		s.t.Fatalf("fetched %+v, want instance %s", item, instance)
	}
	return item
}

func (s store) noTurn() {
	s.t.Helper()
	if item := s.tryTurn(); item != nil {
		s.t.Fatalf("fetched %+v, want nothing", item)
	}
}

// turnMessages fetches the instance and compares the batch.
func (s store) turnMessages(instance string, want ...core.WorkItem) *core.OrchestrationItem {
	s.t.Helper()
	item := s.turn(instance)
	equal(s.t, "messages", item.Messages, want)
	return item
}

// ack acknowledges a turn as its own execution; edit adds to it.
func (s store) ack(turn *core.OrchestrationItem, edit func(*core.AckOrchestrationItemParams)) {
	s.t.Helper()
	s.check(s.tryAck(turn, edit))
}

func (s store) tryAck(turn *core.OrchestrationItem, edit func(*core.AckOrchestrationItemParams)) error {
	p := core.AckOrchestrationItemParams{LockToken: turn.LockToken, ExecutionID: turn.ExecutionID}
	if edit != nil {
		edit(&p)
	}
	return s.AckOrchestrationItem(s.ctx, p)
}

// create makes an instance with a row and one event.
func (s store) create(instance string) {
	s.t.Helper()
	s.createWith(instance, nil)
}

func (s store) createWith(instance string, edit func(*core.AckOrchestrationItemParams)) {
	s.t.Helper()
	s.send(start(instance))
	s.ack(s.turn(instance), func(p *core.AckOrchestrationItemParams) {
		p.HistoryDelta = []core.Event{started(1)}
		p.Metadata = named("Orch", "1.0.0")
		if edit != nil {
			edit(p)
		}
	})
}

// step runs a turn of an existing instance in the given execution, with the
// payloads as its events, numbered from firstID.
func (s store) step(instance string, executionID uint64, status core.ExecutionStatus, firstID uint64, data ...core.EventData) {
	s.t.Helper()
	s.send(external(instance))
	s.ack(s.turn(instance), func(p *core.AckOrchestrationItemParams) {
		p.ExecutionID = executionID
		p.HistoryDelta = events(firstID, data...)
		p.Metadata.Status = status
	})
}

// tryWork fetches an activity without waiting; nil if there is nothing.
func (s store) tryWork(p core.FetchWorkItemParams) *core.LockedWorkItem {
	s.t.Helper()
	if p.LockTimeout == 0 {
		p.LockTimeout = lease
	}
	item, err := s.FetchWorkItem(s.ctx, p)
	s.check(err)
	return item
}

// work fetches the activity that must be next.
func (s store) work(id uint64, p core.FetchWorkItemParams) *core.LockedWorkItem {
	s.t.Helper()
	item := s.tryWork(p)
	if item == nil || item.Item.(core.ActivityExecuteItem).ID != id {
		s.t.Fatalf("fetched %+v, want activity %d", item, id)
	}
	return item
}

func (s store) noWork(p core.FetchWorkItemParams) {
	s.t.Helper()
	if item := s.tryWork(p); item != nil {
		s.t.Fatalf("fetched %+v, want nothing", item)
	}
}

func (s store) ackWork(item *core.LockedWorkItem) {
	s.t.Helper()
	s.check(s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: item.LockToken}))
}

func (s store) read(instance string) []core.Event {
	s.t.Helper()
	got, err := s.Read(s.ctx, core.ReadParams{Instance: instance})
	s.check(err)
	return got
}

// anyWork takes plain activities only.
var anyWork core.FetchWorkItemParams

// by fetches for a session owner.
func by(owner string) core.FetchWorkItemParams {
	return byFor(owner, time.Minute)
}

func byFor(owner string, claim time.Duration) core.FetchWorkItemParams {
	return core.FetchWorkItemParams{Session: &core.SessionFetchConfig{OwnerID: owner, LockTimeout: claim}}
}

func tagged(mode core.TagMode, tags ...string) core.FetchWorkItemParams {
	return core.FetchWorkItemParams{Tags: core.TagFilter{Mode: mode, Tags: tags}}
}

func start(instance string) core.StartOrchestrationItem {
	return core.StartOrchestrationItem{
		Instance: instance, Orchestration: "Orch", Input: "{}", Version: ptr("1.0.0"), ExecutionID: 1,
	}
}

func external(instance string) core.ExternalRaisedItem {
	return core.ExternalRaisedItem{Instance: instance, Name: "go", Data: "{}"}
}

func queued(instance, data string) core.QueueMessageItem {
	return core.QueueMessageItem{Instance: instance, Name: "inbox", Data: data}
}

func completed(instance string, id uint64) core.ActivityCompletedItem {
	return core.ActivityCompletedItem{Instance: instance, ExecutionID: 1, ID: id, Result: "ok"}
}

func activity(id uint64) core.ActivityExecuteItem {
	return core.ActivityExecuteItem{Instance: "a", ExecutionID: 1, ID: id, Name: "Act", Input: "{}"}
}

func inSession(id uint64, session string) core.ActivityExecuteItem {
	item := activity(id)
	item.SessionID = &session
	return item
}

func withTag(id uint64, tag string) core.ActivityExecuteItem {
	item := activity(id)
	item.Tag = &tag
	return item
}

func started(id uint64) core.Event {
	return event(id, core.OrchestrationStarted{Name: "Orch", Version: "1.0.0", Input: "{}"})
}

func event(id uint64, data core.EventData) core.Event {
	return core.Event{ID: id, InstanceID: "a", ExecutionID: 1, TimestampMs: 7, DuroxideVersion: "0.1.32", Data: data}
}

func events(firstID uint64, data ...core.EventData) []core.Event {
	list := make([]core.Event, len(data))
	for n, d := range data {
		list[n] = event(firstID+uint64(n), d)
	}
	return list
}

func named(name, version string) core.ExecutionMetadata {
	return core.ExecutionMetadata{OrchestrationName: &name, OrchestrationVersion: &version}
}

func ptr[T any](v T) *T { return &v }

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %s\nwant %s", what, show(got), show(want))
	}
}

// show renders pointers as what they point to.
func show(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && !r.IsNil() {
		return fmt.Sprintf("&%+v", r.Elem())
	}
	return fmt.Sprintf("%+v", v)
}

// wantError checks the cause and that the error is a permanent one of op.
func wantError(t *testing.T, err error, op string, cause error) {
	t.Helper()
	var pe *core.ProviderError
	if !errors.Is(err, cause) || !errors.As(err, &pe) || pe.Op != op || pe.Retryable {
		t.Fatalf("error %v, want a permanent one of %s that wraps %q", err, op, cause)
	}
}
