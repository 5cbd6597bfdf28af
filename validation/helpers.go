package validation

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
)

// longLease is the lease of fetches in cases that do not wait for its end; no
// machine is so busy that it ends in a case.
const longLease = time.Hour

// lease is the lease of fetches in cases that wait for its end. It is longer in
// each try after one whose steps took longer than theirs.
func (t *trial) lease() time.Duration { return t.h.LockTimeout * time.Duration(t.number) }

// enqueue puts a message into the queue that it belongs to.
func (t *trial) enqueue(items ...core.WorkItem) {
	for _, item := range items {
		if _, ok := item.(core.ActivityExecuteItem); ok {
			t.check("enqueue_for_worker", t.p.EnqueueForWorker(t.ctx, core.EnqueueForWorkerParams{Item: item}))
		} else {
			t.enqueueLater(0, item)
		}
	}
}

// enqueueLater puts a message into the orchestrator queue, hidden for a while.
func (t *trial) enqueueLater(d time.Duration, item core.WorkItem) {
	err := t.p.EnqueueForOrchestrator(t.ctx, core.EnqueueForOrchestratorParams{Item: item, Delay: d})
	t.check("enqueue_for_orchestrator", err)
}

// fetch tries to fetch a turn without waiting; nil if there is none.
func (t *trial) fetch(lease time.Duration, filter *core.CapabilityFilter) *core.OrchestrationItem {
	item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, Filter: filter})
	t.check("fetch_orchestration_item", err)
	return item
}

// turn fetches the turn of that instance, which must be there.
func (t *trial) turn(instance string) *core.OrchestrationItem { return t.turnFor(longLease, instance) }

// turnFor is turn with a lease.
func (t *trial) turnFor(lease time.Duration, instance string) *core.OrchestrationItem {
	item := t.fetch(lease, nil)
	t.requireTurn(item, instance)
	return item
}

func (t *trial) requireTurn(item *core.OrchestrationItem, instance string) {
	if item == nil {
		t.fatalf("fetched nothing, want instance %s", instance)
	}
	if item.Instance != instance {
		t.fatalf("fetched instance %s, want %s", item.Instance, instance)
	}
	if item.LockToken == "" {
		t.fatalf("fetched instance %s without a lock token", instance)
	}
}

// noTurn fails if there is a turn to fetch; because says why there must be none.
func (t *trial) noTurn(because string) { t.noTurnWith(nil, because) }

func (t *trial) noTurnWith(filter *core.CapabilityFilter, because string) {
	if item := t.fetch(longLease, filter); item != nil {
		t.fatalf("fetched instance %s with %d messages, want nothing: %s", item.Instance, len(item.Messages), because)
	}
}

// ack is what an acknowledgement of a turn says.
type ack struct {
	exec      uint64 // 0 for the execution that was fetched
	events    []core.Event
	work      []core.WorkItem
	messages  []core.WorkItem
	meta      core.ExecutionMetadata
	cancelled []core.ActivityIdentifier
}

// tryAck acknowledges a turn.
func (t *trial) tryAck(turn *core.OrchestrationItem, a ack) error {
	if a.exec == 0 {
		a.exec = turn.ExecutionID
	}
	return t.tryAckOn(t.p, turn, a.exec, a)
}

// tryAckOn acknowledges a turn of an execution on any provider.
func (t *trial) tryAckOn(p core.Provider, turn *core.OrchestrationItem, exec uint64, a ack) error {
	return p.AckOrchestrationItem(t.ctx, core.AckOrchestrationItemParams{
		LockToken: turn.LockToken, ExecutionID: exec, HistoryDelta: a.events,
		WorkerItems: a.work, OrchestratorItems: a.messages, Metadata: a.meta, CancelledActivities: a.cancelled,
	})
}

// ack acknowledges a turn, which must succeed.
func (t *trial) ack(turn *core.OrchestrationItem, a ack) {
	t.check("ack_orchestration_item", t.tryAck(turn, a))
}

// abandon gives a turn back.
func (t *trial) abandon(turn *core.OrchestrationItem, delay time.Duration, ignoreAttempt bool) {
	t.check("abandon_orchestration_item", t.p.AbandonOrchestrationItem(t.ctx, core.AbandonParams{
		LockToken: turn.LockToken, Delay: delay, IgnoreAttempt: ignoreAttempt,
	}))
}

// create makes an instance with a row and its first event.
func (t *trial) create(instance string) { t.createWith(instance, ack{}) }

// createWith is create with more in the acknowledgement: what is set in a is
// added, and metadata that names an orchestration replaces the usual name.
func (t *trial) createWith(instance string, a ack) {
	t.createFrom(start(instance), a)
}

// createChild is create for an instance with a parent.
func (t *trial) createChild(instance, parent string, a ack) {
	item := start(instance)
	item.ParentInstance = &parent
	a.meta.ParentInstanceID = &parent
	t.createFrom(item, a)
}

func (t *trial) createFrom(item core.StartOrchestrationItem, a ack) {
	t.enqueue(item)
	first := started(item.Instance, 1)
	first.Data = core.OrchestrationStarted{
		Name: item.Orchestration, Version: "1.0.0", Input: item.Input, ParentInstance: item.ParentInstance,
	}
	a.exec, a.events = 1, append([]core.Event{first}, a.events...)
	if a.meta.OrchestrationName == nil {
		name, version := item.Orchestration, "1.0.0"
		a.meta.OrchestrationName, a.meta.OrchestrationVersion = &name, &version
	}
	t.ack(t.turn(item.Instance), a)
}

// step sends a message to an instance and acknowledges the turn that it causes.
func (t *trial) step(instance string, a ack) {
	t.enqueue(raised(instance, "go"))
	t.ack(t.turn(instance), a)
}

// read returns the history of the latest execution.
func (t *trial) read(instance string) []core.Event {
	events, err := t.p.Read(t.ctx, core.ReadParams{Instance: instance})
	t.check("read", err)
	return events
}

// readExecution returns the history of an execution.
func (t *trial) readExecution(instance string, exec uint64) []core.Event {
	events, err := t.p.ReadWithExecution(t.ctx, core.ReadWithExecutionParams{Instance: instance, ExecutionID: exec})
	t.check("read_with_execution", err)
	return events
}

// wantEvents compares a history with the events that were stored.
func (t *trial) wantEvents(what string, got []core.Event, want ...core.Event) {
	if len(got) == 0 && len(want) == 0 {
		return
	}
	wantEqual(t, what, got, want)
}

// wantMessages compares the messages of a turn.
func (t *trial) wantMessages(turn *core.OrchestrationItem, want ...core.WorkItem) {
	wantEqual(t, "messages", turn.Messages, want)
}

// wantEqual compares and ends the case if there is a difference.
func wantEqual[T any](t *trial, what string, got, want T) {
	if diff := cmp.Diff(want, got); diff != "" {
		t.fatalf("%s: got (+) differs from wanted (-)\n%s", what, diff)
	}
}

// wantError ends the case if a call that must be refused was not.
func (t *trial) wantError(what string, err error) {
	if err == nil {
		t.fatalf("%s: succeeded, want an error", what)
	}
}

// wantPermanent is wantError for an error that a retry cannot cure.
func (t *trial) wantPermanent(what string, err error) {
	t.wantError(what, err)
	if core.IsRetryable(err) {
		t.fatalf("%s: the error is retryable, want a permanent one: %v", what, err)
	}
}

// wantLockLost is wantPermanent for a call with a token that is not live.
func (t *trial) wantLockLost(what string, err error) {
	t.wantPermanent(what, err)
	if !errors.Is(err, core.ErrLockLost) {
		t.fatalf("%s: the error is not core.ErrLockLost: %v", what, err)
	}
}

// wantNotFound is wantPermanent for a call that names what does not exist.
func (t *trial) wantNotFound(what string, err error) {
	t.wantPermanent(what, err)
	if !errors.Is(err, core.ErrNotFound) {
		t.fatalf("%s: the error is not core.ErrNotFound: %v", what, err)
	}
}

// wantDescribed compares what a turn says of its instance.
func (t *trial) wantDescribed(turn *core.OrchestrationItem, name, version string, exec uint64) {
	if turn.OrchestrationName != name || turn.Version != version || turn.ExecutionID != exec {
		t.fatalf("fetched orchestration %s version %s execution %d, want %s version %s execution %d",
			turn.OrchestrationName, turn.Version, turn.ExecutionID, name, version, exec)
	}
}

// stats returns the sizes of an instance, nil if there are none.
func (t *trial) stats(instance string) *core.SystemStats {
	s, err := t.p.GetInstanceStats(t.ctx, core.GetInstanceStatsParams{Instance: instance})
	t.check("get_instance_stats", err)
	return s
}

// atOnce runs f n times at the same time, each stagger later than the one
// before, and returns when all are done.
func (t *trial) atOnce(n int, stagger time.Duration, f func(i int)) {
	done := make(chan struct{})
	for i := range n {
		go func() {
			defer func() {
				if v := recover(); v != nil {
					t.failPanic(v)
				}
				done <- struct{}{}
			}()
			time.Sleep(time.Duration(i) * stagger)
			f(i)
		}()
	}
	for range n {
		<-done
	}
	if t.ended() {
		t.giveUp()
	}
}

// name numbers instances, activities and the like.
func name(prefix string, i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
