package validation

import (
	"context"
	"errors"

	"github.com/duroxide/duroxide-go/core"
)

// transactionCases are about what a provider does in a transaction of its
// caller's, two optional abilities.
var transactionCases = append(
	needingAbility[core.TxEnqueuer]("the provider sends nothing in transactions of its caller", inCategory("transactions",
		Case{
			Name:     "TestTxEnqueueCommits",
			Rule:     "Messages sent in a transaction are there after its commit, in their order, and not before.",
			Contract: "core.TxEnqueuer",
			needs:    []need{needsBeginTx},
			run:      txEnqueueCommits,
		},
		Case{
			Name:     "TestTxEnqueueRollsBack",
			Rule:     "A message sent in a transaction that is rolled back was never there.",
			Contract: "core.TxEnqueuer",
			needs:    []need{needsBeginTx},
			run:      txEnqueueRollsBack,
		},
		Case{
			Name:     "TestTxCommitWakesFetch",
			Rule:     "A fetch that waits finds what a transaction commits meanwhile.",
			Contract: "core.TxEnqueuer, 3.1",
			polling:  longPolling,
			needs:    []need{needsBeginTx},
			run:      txCommitWakesFetch,
		},
		Case{
			Name:     "TestTxEnqueueRefused",
			Rule:     "What is refused without a transaction is refused in one, and so is one that is not the provider's; the good one goes on.",
			Contract: "core.TxEnqueuer",
			needs:    []need{needsBeginTx},
			run:      txEnqueueRefused,
		},
	)),
	needingAbility[core.TxAcknowledger]("the provider acknowledges nothing in transactions of its caller", inCategory("transactions",
		Case{
			Name:     "TestTxAckCommits",
			Rule:     "An acknowledgement in a transaction happens at its commit, once and whole.",
			Contract: "core.TxAcknowledger, 3.9",
			needs:    []need{needsBeginTx},
			run:      txAckCommits,
		},
		Case{
			Name:     "TestTxAckRollsBack",
			Rule:     "An acknowledgement in a transaction that is rolled back leaves the activity with its lock.",
			Contract: "core.TxAcknowledger, 3.9",
			needs:    []need{needsBeginTx},
			run:      txAckRollsBack,
		},
		Case{
			Name:     "TestTxAckFenced",
			Rule:     "A lock that is not live any more acknowledges nothing in a transaction, and disturbs nobody who has it now.",
			Contract: "core.TxAcknowledger, 5.1",
			needs:    []need{needsBeginTx},
			run:      txAckFenced,
		},
		Case{
			Name:     "TestTxAckCancelled",
			Rule:     "An activity that was cancelled cannot be acknowledged in a transaction.",
			Contract: "core.TxAcknowledger, 3.9",
			needs:    []need{needsBeginTx},
			run:      txAckCancelled,
		},
		Case{
			Name:     "TestTxAckRefused",
			Rule:     "What is refused without a transaction is refused in one, and so is one that is not the provider's.",
			Contract: "core.TxAcknowledger",
			needs:    []need{needsBeginTx},
			run:      txAckRefused,
		},
	))...,
)

// begin begins a transaction, which is rolled back if the case does not end it.
func (t *trial) begin() core.OpenTx {
	tx, err := t.h.BeginTx(t.ctx, t.p)
	if errors.Is(err, core.ErrNotSupported) {
		t.leave(err.Error())
	}
	t.check("begin a transaction", err)
	t.cleanup(func(ctx context.Context) { _ = tx.Rollback(ctx) })
	return tx
}

func (t *trial) commit(tx core.OpenTx)   { t.check("commit", tx.Commit(t.ctx)) }
func (t *trial) rollback(tx core.OpenTx) { t.check("roll back", tx.Rollback(t.ctx)) }

func (t *trial) trySendIn(tx core.Tx, item core.WorkItem) error {
	p, _ := core.Ability[core.TxEnqueuer](t.p)
	return p.EnqueueForOrchestratorTx(t.ctx, tx, core.EnqueueForOrchestratorParams{Item: item})
}

// sendIn sends messages in a transaction.
func (t *trial) sendIn(tx core.OpenTx, items ...core.WorkItem) {
	for _, item := range items {
		t.check("enqueue_for_orchestrator in a transaction", t.trySendIn(tx.Tx, item))
	}
}

func (t *trial) tryAckIn(tx core.Tx, token string, completion core.WorkItem) error {
	p, _ := core.Ability[core.TxAcknowledger](t.p)
	return p.AckWorkItemTx(t.ctx, tx, core.AckWorkItemParams{LockToken: token, Completion: completion})
}

// ackIn acknowledges an activity in a transaction.
func (t *trial) ackIn(tx core.OpenTx, item *core.LockedWorkItem, completion core.WorkItem) {
	t.check("ack_work_item in a transaction", t.tryAckIn(tx.Tx, item.LockToken, completion))
}

// foreignTx is no provider's.
type foreignTx struct{}

func (foreignTx) ProviderTx() {}

// wantForeign checks that an error refuses a transaction.
func (t *trial) wantForeign(what string, err error) {
	t.wantPermanent(what, err)
	if !errors.Is(err, core.ErrForeignTx) {
		t.fatalf("%s: %v, want %v", what, err, core.ErrForeignTx)
	}
}

func txEnqueueCommits(t *trial) {
	tx := t.begin()
	t.sendIn(tx, start("a"), raised("a", "first"), raised("a", "second"), start("b"))
	t.noTurn("the transaction is not committed")
	t.commit(tx)
	t.wantMessages(t.turn("a"), start("a"), raised("a", "first"), raised("a", "second"))
	t.wantMessages(t.turn("b"), start("b"))
	t.noTurn("both instances are locked")
}

func txEnqueueRollsBack(t *trial) {
	tx := t.begin()
	t.sendIn(tx, start("a"))
	t.rollback(tx)
	t.noTurn("the transaction was rolled back")
	tx = t.begin()
	t.sendIn(tx, start("b"))
	t.commit(tx)
	t.wantMessages(t.turn("b"), start("b"))
}

func txCommitWakesFetch(t *trial) {
	found := make(chan *core.OrchestrationItem, 1)
	failed := make(chan error, 1)
	go func() {
		item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease, PollTimeout: longLease})
		found <- item
		failed <- err
	}()
	tx := t.begin()
	t.sendIn(tx, start("a"))
	t.commit(tx)
	item := <-found // it ends by itself
	t.check("fetch_orchestration_item", <-failed)
	t.requireTurn(item, "a")
}

func txEnqueueRefused(t *trial) {
	tx := t.begin()
	t.wantForeign("a message without a transaction", t.trySendIn(nil, start("a")))
	t.wantForeign("a message in a strange transaction", t.trySendIn(foreignTx{}, start("a")))
	if err := t.trySendIn(tx.Tx, activity("a", 2)); !errors.Is(err, core.ErrInvalidItem) {
		t.errorf("an activity for the orchestrator: %v, want %v", err, core.ErrInvalidItem)
	}
	t.sendIn(tx, start("b"))
	t.commit(tx)
	t.wantMessages(t.turn("b"), start("b"))
	t.noTurn("the rest was refused")
}

func txAckCommits(t *trial) {
	t.enqueue(activity("a", 2), activity("a", 3))
	first, second := t.work(2, take{}), t.work(3, take{})
	tx := t.begin()
	t.ackIn(tx, first, completed("a", 2))
	t.ackIn(tx, second, nil)
	t.noTurn("the transaction is not committed")
	t.noWork(take{}, "both activities are the transaction's")
	t.commit(tx)
	t.wantMessages(t.turn("a"), completed("a", 2))
	t.noWork(take{}, "both activities were acknowledged")
	t.wantLockLost("a second acknowledgement", t.tryAckWork(first, completed("a", 2)))
	t.wantLockLost("a renewal", t.tryRenewWork(second.LockToken, longLease))
}

func txAckRollsBack(t *trial) {
	t.enqueue(activity("a", 2))
	item := t.work(2, take{})
	tx := t.begin()
	t.ackIn(tx, item, completed("a", 2))
	t.rollback(tx)
	t.noTurn("the transaction was rolled back")
	t.noWork(take{}, "the activity is still locked")
	t.renewWork(item, longLease)
	tx = t.begin()
	t.ackIn(tx, item, completed("a", 2))
	t.commit(tx)
	t.wantMessages(t.turn("a"), completed("a", 2))
}

func txAckFenced(t *trial) {
	t.enqueue(activity("a", 2))
	old := t.work(2, take{})
	t.abandonWork(old, 0, false)
	tx := t.begin()
	t.wantLockLost("with the lock of an activity that was given back", t.tryAckIn(tx.Tx, old.LockToken, completed("a", 2)))
	t.rollback(tx)
	item := t.work(2, take{})
	tx = t.begin()
	t.wantLockLost("with the lock before the present one", t.tryAckIn(tx.Tx, old.LockToken, completed("a", 2)))
	t.rollback(tx)
	t.noTurn("nothing was acknowledged")
	t.ackWork(item, completed("a", 2))
	t.wantMessages(t.turn("a"), completed("a", 2))
}

func txAckCancelled(t *trial) {
	t.createWith("a", ack{work: []core.WorkItem{activity("a", 2)}})
	item := t.work(2, take{})
	t.step("a", ack{cancelled: []core.ActivityIdentifier{identify(activity("a", 2))}})
	tx := t.begin()
	t.wantLockLost("a cancelled activity", t.tryAckIn(tx.Tx, item.LockToken, completed("a", 2)))
	t.rollback(tx)
	t.noTurn("nothing was acknowledged")
}

func txAckRefused(t *trial) {
	t.enqueue(activity("a", 2))
	item := t.work(2, take{})
	tx := t.begin()
	t.wantForeign("without a transaction", t.tryAckIn(nil, item.LockToken, completed("a", 2)))
	t.wantForeign("in a strange transaction", t.tryAckIn(foreignTx{}, item.LockToken, completed("a", 2)))
	if err := t.tryAckIn(tx.Tx, item.LockToken, start("a")); !errors.Is(err, core.ErrInvalidItem) {
		t.errorf("with a start: %v, want %v", err, core.ErrInvalidItem)
	}
	t.rollback(tx)
	t.ackWork(item, completed("a", 2))
}
