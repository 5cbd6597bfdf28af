package validation_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/validation"
)

// badTx takes part in transactions on top of a provider that has none: all of it
// happens at the commit. Each flag breaks a rule.
type badTx struct {
	core.Provider

	sendsAtOnce   bool // messages do not wait for the commit
	sendsAnyway   bool // messages survive a rollback
	reverses      bool // messages change their order
	sleeps        bool // fetches that wait do not find what is committed
	takesAnything bool // foreign transactions and items seem to be stored
	acksAtOnce    bool // acknowledgements do not wait for the commit
	acksAnyway    bool // acknowledgements survive a rollback
	acksTwice     bool // the completion comes twice
	forgets       bool // the completion is lost
	unlocks       bool // a rollback gives the activity back
	ignoresLock   bool // the completion comes though the lock is lost
	curable       bool // the loss of a lock looks curable
}

func (b badTx) Unwrap() core.Provider { return b.Provider }

// a deferredTx holds what its commit and its rollback do.
type deferredTx struct {
	commits, rollbacks []func(context.Context) error
	ended              bool
}

func (*deferredTx) ProviderTx() {}

func (x *deferredTx) end(ctx context.Context, ops []func(context.Context) error) error {
	if x.ended {
		return nil
	}
	x.ended = true
	for _, op := range ops {
		if err := op(ctx); err != nil {
			return err
		}
	}
	return nil
}

func beginDeferred(_ context.Context, p core.Provider) (core.OpenTx, error) {
	x := &deferredTx{}
	return core.OpenTx{
		Tx: x,
		Commit: func(ctx context.Context) error {
			if b, ok := p.(badTx); ok && b.reverses {
				slices.Reverse(x.commits)
			}
			return x.end(ctx, x.commits)
		},
		Rollback: func(ctx context.Context) error { return x.end(ctx, x.rollbacks) },
	}, nil
}

// check is what both abilities refuse.
func (b badTx) check(tx core.Tx, item core.WorkItem, good ...string) (*deferredTx, error) {
	x, ok := tx.(*deferredTx)
	switch {
	case b.takesAnything:
		return &deferredTx{}, nil
	case !ok:
		return nil, core.Permanent("op", core.ErrForeignTx)
	case item != nil && slices.Contains(good, item.ItemType()) != (len(good) > 1):
		return nil, core.Permanent("op", core.ErrInvalidItem)
	}
	return x, nil
}

func (b badTx) EnqueueForOrchestratorTx(ctx context.Context, tx core.Tx, p core.EnqueueForOrchestratorParams) error {
	x, err := b.check(tx, p.Item, core.ItemActivityExecute)
	if err != nil {
		return err
	}
	send := func(ctx context.Context) error { return b.EnqueueForOrchestrator(ctx, p) }
	if b.sendsAtOnce {
		return send(ctx)
	}
	if b.sendsAnyway {
		x.rollbacks = append(x.rollbacks, send)
	}
	x.commits = append(x.commits, send)
	return nil
}

func (b badTx) AckWorkItemTx(ctx context.Context, tx core.Tx, p core.AckWorkItemParams) error {
	x, err := b.check(tx, p.Completion, core.ItemActivityCompleted, core.ItemActivityFailed)
	if err != nil {
		return err
	}
	// Until the end it is the transaction's.
	err = b.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: p.LockToken, ExtendFor: time.Minute})
	complete := func(ctx context.Context) error {
		return b.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: p.Completion})
	}
	if err != nil {
		if b.ignoresLock {
			x.rollbacks = append(x.rollbacks, complete)
		}
		if b.curable {
			return core.Retryable("op", errors.Unwrap(err))
		}
		return err
	}
	if b.forgets {
		p.Completion = nil
	}
	ack := func(ctx context.Context) error { return b.AckWorkItem(ctx, p) }
	if b.acksAtOnce {
		return ack(ctx)
	}
	x.commits = append(x.commits, ack)
	if b.acksTwice && p.Completion != nil {
		x.commits = append(x.commits, complete)
	}
	if b.acksAnyway {
		x.rollbacks = append(x.rollbacks, ack)
	}
	if b.unlocks {
		x.rollbacks = append(x.rollbacks, func(ctx context.Context) error {
			return b.AbandonWorkItem(ctx, core.AbandonParams{LockToken: p.LockToken})
		})
	}
	return nil
}

func (b badTx) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	if b.sleeps && p.PollTimeout > 0 {
		select {
		case <-time.After(p.PollTimeout):
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return b.Provider.FetchOrchestrationItem(ctx, p)
}

func TestTransactionMutants(t *testing.T) {
	t.Parallel()
	with := func(b badTx) validation.Harness {
		h := memory()
		sound := h.NewProvider
		h.NewProvider = func(ctx context.Context) (core.Provider, error) {
			p, err := sound(ctx)
			b := b
			b.Provider = p
			return b, err
		}
		h.BeginTx = beginDeferred
		return h
	}
	t.Run("sound", func(t *testing.T) {
		t.Parallel()
		n := 0
		for _, c := range validation.Extra() {
			if c.Category == "transactions" {
				n++
				if r := virtually(t, with(badTx{}), c); r.Outcome != validation.Passed {
					t.Error(r)
				}
			}
		}
		if n != 9 {
			t.Errorf("%d cases about transactions, want 9", n)
		}
	})
	t.Run("without a way to begin", func(t *testing.T) {
		t.Parallel()
		h := with(badTx{})
		h.BeginTx = nil
		c := extraNamed(t, "TestTxAckCommits")
		if r := virtually(t, h, c); r.Outcome != validation.Skipped {
			t.Error(r)
		}
		h.BeginTx = func(context.Context, core.Provider) (core.OpenTx, error) { return core.OpenTx{}, core.ErrNotSupported }
		if r := virtually(t, h, c); r.Outcome != validation.NotApplicable {
			t.Error(r)
		}
	})
	for name, m := range map[string]struct {
		killer string
		badTx
	}{
		"messages do not wait for the commit":         {"TestTxEnqueueCommits", badTx{sendsAtOnce: true}},
		"messages survive a rollback":                 {"TestTxEnqueueRollsBack", badTx{sendsAnyway: true}},
		"messages change their order":                 {"TestTxEnqueueCommits", badTx{reverses: true}},
		"a commit wakes nobody":                       {"TestTxCommitWakesFetch", badTx{sleeps: true}},
		"any message is taken":                        {"TestTxEnqueueRefused", badTx{takesAnything: true}},
		"any completion is taken":                     {"TestTxAckRefused", badTx{takesAnything: true}},
		"acknowledgements do not wait for the commit": {"TestTxAckCommits", badTx{acksAtOnce: true}},
		"acknowledgements survive a rollback":         {"TestTxAckRollsBack", badTx{acksAnyway: true}},
		"the completion comes twice":                  {"TestTxAckCommits", badTx{acksTwice: true}},
		"the completion is lost":                      {"TestTxAckCommits", badTx{forgets: true}},
		"a rollback gives the activity back":          {"TestTxAckRollsBack", badTx{unlocks: true}},
		"a lost lock completes":                       {"TestTxAckFenced", badTx{ignoresLock: true}},
		"a cancelled activity completes":              {"TestTxAckCancelled", badTx{ignoresLock: true}},
		"the loss of a lock looks curable":            {"TestTxAckFenced", badTx{curable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := virtually(t, with(m.badTx), extraNamed(t, m.killer)); r.Outcome != validation.Failed {
				t.Errorf("survives %s: %v", m.killer, r)
			}
		})
	}
}
