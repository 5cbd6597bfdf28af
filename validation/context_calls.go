package validation

import (
	"context"
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func contextCancelledFetch(t *trial) {
	turns, works := map[string]bool{}, map[uint64]bool{}
	t.interrupt("fetch_orchestration_item", func(n int) (func(context.Context) error, func(error)) {
		turns[name("fetched", n)] = true
		t.enqueue(start(name("fetched", n)))
		return func(ctx context.Context) error {
			turn, err := t.p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: t.lease()})
			if turn != nil {
				t.ack(turn, ack{events: []core.Event{started(turn.Instance, 1)}})
				delete(turns, turn.Instance)
			}
			return err
		}, func(error) {}
	})
	t.interrupt("fetch_work_item", func(n int) (func(context.Context) error, func(error)) {
		works[uint64(n)] = true
		t.enqueue(activity("fetched", uint64(n)))
		return func(ctx context.Context) error {
			item, err := t.p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: t.lease()})
			if item != nil {
				t.ackWork(item, nil)
				delete(works, t.activityOf(item).ID)
			}
			return err
		}, func(error) {}
	})
	// What was taken comes after its lease, which begins when the database gets to
	// it.
	t.soon(late, func() bool {
		for turn := t.fetch(longLease, nil); turn != nil && !t.ended(); turn = t.fetch(longLease, nil) {
			if !turns[turn.Instance] {
				t.errorf("instance %s comes again although its turn was acknowledged", turn.Instance)
			}
			delete(turns, turn.Instance)
		}
		for item := t.tryWork(take{}); item != nil && !t.ended(); item = t.tryWork(take{}) {
			id := t.activityOf(item).ID
			if !works[id] {
				t.errorf("activity %d comes again although it was acknowledged", id)
			}
			delete(works, id)
		}
		return len(turns) == 0 && len(works) == 0
	})
	if len(turns) > 0 || len(works) > 0 {
		t.fatalf("lost in fetches whose caller went away: %v, activities %v", turns, works)
	}
}

func contextCancelledPoll(t *trial) {
	const wait, soon = 20 * time.Second, 5 * time.Second
	ends := func(what string, fetch func(context.Context) (found bool, err error)) {
		ctx, cancel := context.WithCancel(t.ctx)
		begin := time.Now()
		timer := time.AfterFunc(300*time.Millisecond, cancel)
		defer timer.Stop()
		found, err := fetch(ctx)
		cancel()
		if found || !errors.Is(err, context.Canceled) {
			t.fatalf("%s that waits: found something %t, error %v, want that of its context", what, found, err)
		}
		if took := time.Since(begin); took > soon {
			t.fatalf("%s that waits returned %v after its context had ended", what, took)
		}
	}
	ends("fetch_orchestration_item", func(ctx context.Context) (bool, error) {
		item, err := t.p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease, PollTimeout: wait})
		return item != nil, err
	})
	ends("fetch_work_item", func(ctx context.Context) (bool, error) {
		item, err := t.p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: longLease, PollTimeout: wait})
		return item != nil, err
	})
	t.enqueue(start("later"), activity("later", 1))
	t.sleep(100 * time.Millisecond)
	t.wantAttempt(t.turn("later").AttemptCount, 1)
	t.wantAttempt(t.work(1, take{}).AttemptCount, 1)
}

func contextCancelledAck(t *trial) {
	t.interrupt("ack_orchestration_item", func(n int) (func(context.Context) error, func(error)) {
		id := name("acked", n)
		t.createWith(id, scheduling(id, 2))
		item := t.work(2, take{})
		t.enqueue(raised(id, "go"))
		turn := t.turn(id)
		a := scheduling(id, 3)
		a.events = append(a.events, event(id, 4, set("k", "v")), event(id, 5, core.CustomStatusUpdated{Status: ptr("s")}))
		a.messages = []core.WorkItem{raised(id, "more")}
		a.meta.Status = core.StatusCompleted
		a.cancelled = []core.ActivityIdentifier{identify(activity(id, 2))}
		done := func() {
			if got := len(t.read(id)); got != 5 {
				t.fatalf("an ack stored %d of 3 events", got-2)
			}
			wantEqual(t, "value", t.value(id, "k"), ptr("v"))
			t.work(3, take{})
			t.wantLockLost("the ack of a cancelled activity", t.tryAckWork(item, nil))
			next := t.turn(id)
			t.wantMessages(next, raised(id, "more"))
			t.wantAttempt(next.AttemptCount, 1)
			t.ack(next, ack{})
		}
		return func(ctx context.Context) error { return t.tryAckWith(ctx, turn, a) }, func(err error) {
			if err != nil {
				t.had("ack_orchestration_item", t.tryAck(turn, a), core.ErrLockLost)
			}
			done()
			t.noTurn("one message was sent")
			t.noWork(take{}, "one activity was scheduled")
		}
	})
}

// tryAckWith is tryAck with another context.
func (t *trial) tryAckWith(ctx context.Context, turn *core.OrchestrationItem, a ack) error {
	return t.p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
		LockToken: turn.LockToken, ExecutionID: turn.ExecutionID, HistoryDelta: a.events, WorkerItems: a.work,
		OrchestratorItems: a.messages, Metadata: a.meta, CancelledActivities: a.cancelled,
	})
}

func contextCancelledAckWork(t *trial) {
	t.interrupt("ack_work_item", func(n int) (func(context.Context) error, func(error)) {
		id := name("acked", n)
		t.create(id)
		t.enqueue(activity(id, 1))
		item := t.work(1, take{})
		params := core.AckWorkItemParams{LockToken: item.LockToken, Completion: completed(id, 1)}
		return func(ctx context.Context) error { return t.p.AckWorkItem(ctx, params) }, func(err error) {
			if err != nil {
				t.had("ack_work_item", t.tryAckWork(item, completed(id, 1)), core.ErrLockLost)
			}
			turn := t.turn(id)
			t.wantMessages(turn, completed(id, 1))
			t.ack(turn, ack{})
			t.wantLockLost("a second ack", t.tryAckWork(item, completed(id, 1)))
		}
	})
}

func contextCancelledSend(t *trial) {
	// What is unsure may come once, now or later.
	turns, works := map[string]bool{}, map[uint64]bool{}
	t.interrupt("enqueue_for_orchestrator", func(n int) (func(context.Context) error, func(error)) {
		id := name("sent", n)
		return func(ctx context.Context) error {
				return t.p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start(id)})
			}, func(err error) {
				turns[id] = true
				for turn := t.fetch(longLease, nil); turn != nil; turn = t.fetch(longLease, nil) {
					if !turns[turn.Instance] {
						t.fatalf("a message of %s comes twice", turn.Instance)
					}
					delete(turns, turn.Instance)
					t.wantMessages(turn, start(turn.Instance))
					t.ack(turn, ack{events: []core.Event{started(turn.Instance, 1)}})
				}
				if err == nil && turns[id] {
					t.fatalf("a message that was sent is not there")
				}
			}
	})
	t.interrupt("enqueue_for_worker", func(n int) (func(context.Context) error, func(error)) {
		id := uint64(n)
		return func(ctx context.Context) error {
				return t.p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity("sent", id)})
			}, func(err error) {
				works[id] = true
				for item := t.tryWork(take{}); item != nil; item = t.tryWork(take{}) {
					got := t.activityOf(item).ID
					if !works[got] {
						t.fatalf("activity %d comes twice", got)
					}
					delete(works, got)
					t.ackWork(item, nil)
				}
				if err == nil && works[id] {
					t.fatalf("an activity that was scheduled is not there")
				}
			}
	})
}

func contextCancelledAbandon(t *trial) {
	t.interrupt("abandon_orchestration_item", func(n int) (func(context.Context) error, func(error)) {
		id := name("abandoned", n)
		t.enqueue(start(id))
		params := core.AbandonParams{LockToken: t.turn(id).LockToken, IgnoreAttempt: true}
		return func(ctx context.Context) error { return t.p.AbandonOrchestrationItem(ctx, params) }, func(err error) {
			if err != nil {
				t.had("abandon_orchestration_item", t.p.AbandonOrchestrationItem(t.ctx, params), core.ErrLockLost)
			}
			turn := t.turn(id)
			t.wantAttempt(turn.AttemptCount, 1)
			t.ack(turn, ack{})
		}
	})
	t.interrupt("abandon_work_item", func(n int) (func(context.Context) error, func(error)) {
		t.enqueue(activity("abandoned", uint64(n)))
		params := core.AbandonParams{LockToken: t.work(uint64(n), take{}).LockToken, IgnoreAttempt: true}
		return func(ctx context.Context) error { return t.p.AbandonWorkItem(ctx, params) }, func(err error) {
			if err != nil {
				t.had("abandon_work_item", t.p.AbandonWorkItem(t.ctx, params), core.ErrLockLost)
			}
			item := t.work(uint64(n), take{})
			t.wantAttempt(item.AttemptCount, 1)
			t.ackWork(item, nil)
		}
	})
}

func contextCancelledRenew(t *trial) {
	t.enqueue(start("renewed"), inSession("s1", 1), inSession("s1", 2))
	turn, item := t.turn("renewed"), t.work(1, as("A"))
	check := func(error) {
		t.noTurn("the instance is locked")
		t.noWork(take{}, "the activity is locked")
		t.noWork(as("B"), "the session is another owner's")
	}
	t.interrupt("renew_orchestration_item_lock", func(int) (func(context.Context) error, func(error)) {
		return func(ctx context.Context) error {
			return t.p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: turn.LockToken, ExtendFor: longLease})
		}, check
	})
	t.interrupt("renew_work_item_lock", func(int) (func(context.Context) error, func(error)) {
		return func(ctx context.Context) error {
			return t.p.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: item.LockToken, ExtendFor: longLease})
		}, check
	})
	t.interrupt("renew_session_lock", func(int) (func(context.Context) error, func(error)) {
		return func(ctx context.Context) error {
			_, err := t.p.RenewSessionLock(ctx, core.RenewSessionLockParams{OwnerIDs: []string{"A"}, ExtendFor: longClaim, IdleTimeout: longClaim})
			return err
		}, check
	})
	t.interrupt("cleanup_orphaned_sessions", func(int) (func(context.Context) error, func(error)) {
		return func(ctx context.Context) error {
			_, err := t.p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{IdleTimeout: longClaim})
			return err
		}, check
	})
	t.ack(turn, ack{})
	t.ackWork(item, nil)
}

func contextCancelledRead(t *trial) {
	const id = "read"
	want := []core.Event{started(id, 1), event(id, 2, set("k", "v")), event(id, 3, core.CustomStatusUpdated{Status: ptr("s")})}
	t.createWith(id, ack{events: want[1:]})
	read := func(what string, call func(ctx context.Context) (complete bool, err error)) {
		t.interrupt(what, func(int) (func(context.Context) error, func(error)) {
			return func(ctx context.Context) error {
				complete, err := call(ctx)
				if err == nil && !complete {
					t.fatalf("%s, whose caller went away, has returned a part and no error", what)
				}
				return err
			}, func(error) {}
		})
	}
	read("read", func(ctx context.Context) (bool, error) {
		events, err := t.p.Read(ctx, core.ReadParams{Instance: id})
		return len(events) == len(want), err
	})
	read("read_with_execution", func(ctx context.Context) (bool, error) {
		events, err := t.p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: id, ExecutionID: 1})
		return len(events) == len(want), err
	})
	read("get_custom_status", func(ctx context.Context) (bool, error) {
		s, err := t.p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: id})
		return s != nil, err
	})
	read("get_kv_value", func(ctx context.Context) (bool, error) {
		v, err := t.p.GetKVValue(ctx, core.GetKVValueParams{Instance: id, Key: "k"})
		return v != nil, err
	})
	read("get_kv_all_values", func(ctx context.Context) (bool, error) {
		all, err := t.p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: id})
		return len(all) == 1, err
	})
	read("get_instance_stats", func(ctx context.Context) (bool, error) {
		s, err := t.p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: id})
		return s != nil && s.HistoryEventCount == uint64(len(want)), err
	})
}

func contextCancelledAppend(t *trial) {
	t.interrupt("append_with_execution", func(n int) (func(context.Context) error, func(error)) {
		id := name("appended", n)
		t.create(id)
		more := eventsOf(id, 1, 2, core.ExternalEvent{Name: "a"}, core.ExternalEvent{Name: "b"}, core.ExternalEvent{Name: "c"})
		return func(ctx context.Context) error {
				return t.p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: id, ExecutionID: 1, Events: more})
			}, func(err error) {
				if err != nil {
					t.had("append_with_execution", t.p.AppendWithExecution(t.ctx, core.AppendWithExecutionParams{
						Instance: id, ExecutionID: 1, Events: more,
					}), core.ErrDuplicateEvent)
				}
				t.wantEvents("history", t.read(id), append([]core.Event{started(id, 1)}, more...)...)
			}
	})
}

func contextCancelledDelete(t *trial) {
	t.interrupt("delete_instance", func(n int) (func(context.Context) error, func(error)) {
		parent, child := name("parent", n), name("child", n)
		t.createWith(parent, scheduling(parent, 2))
		t.createChild(child, parent, ack{})
		return func(ctx context.Context) error {
				_, err := admin[core.AdminDeleter](t).DeleteInstance(ctx, core.DeleteInstanceParams{Instance: parent, Force: true})
				return err
			}, func(err error) {
				if err != nil {
					t.wantWholeOrGone(parent, child)
					_, err := t.tryDelete(parent, true)
					t.had("delete_instance", err, core.ErrNotFound)
				}
				t.wantGone(parent)
				t.wantGone(child)
				t.noWork(take{}, "the activities are deleted")
			}
	})
}

// wantWholeOrGone checks that both instances are there or neither is, while they
// may be going.
func (t *trial) wantWholeOrGone(parent, child string) {
	there := func(id string) bool {
		_, err := admin[core.AdminReader](t).GetInstanceInfo(t.ctx, core.GetInstanceInfoParams{Instance: id})
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			t.fatalf("get_instance_info: %v", err)
		}
		return err == nil
	}
	before, between, after := there(child), there(parent), there(child)
	if !before && between || !between && after {
		t.fatalf("a part of a tree is deleted: the child is there %t, then the parent %t, then the child %t", before, between, after)
	}
}

func contextCancelledPrune(t *trial) {
	t.interrupt("prune_executions", func(n int) (func(context.Context) error, func(error)) {
		id := name("pruned", n)
		t.createWith(id, ack{meta: core.ExecutionMetadata{Status: core.StatusContinuedAsNew}})
		t.step(id, ack{exec: 2, events: []core.Event{started(id, 2)}, meta: withStatus(named("TestOrch", "1.0.0"), core.StatusContinuedAsNew)})
		t.step(id, ack{exec: 3, events: []core.Event{started(id, 3)}, meta: named("TestOrch", "1.0.0")})
		return func(ctx context.Context) error {
				_, err := admin[core.AdminPruner](t).PruneExecutions(ctx, core.PruneExecutionsParams{Instance: id})
				return err
			}, func(err error) {
				if err != nil {
					left, err := admin[core.AdminReader](t).ListExecutions(t.ctx, core.ListExecutionsParams{Instance: id})
					t.check("list_executions", err)
					if len(left) != 1 && len(left) != 3 {
						t.fatalf("the executions %v are left of 3, want all or the current one", left)
					}
					t.prune(id, core.PruneOptions{})
				}
				t.wantEvents("history that was pruned", append(t.readExecution(id, 1), t.readExecution(id, 2)...))
				t.wantExecutions(id, 3)
			}
	})
}
