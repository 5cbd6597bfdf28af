package e2e_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/core"
)

// The soak notices what it is there for: each store breaks one rule.
func TestSoakNotices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule   string
		change func(*soakOptions)
	}{
		"messages are dropped": {soakLost, with(func(b *brokenStore) {
			b.enqueue = func(ctx context.Context, p core.EnqueueForOrchestratorParams) error {
				if b.everyTenth() {
					return nil
				}
				return b.Provider.EnqueueForOrchestrator(ctx, p)
			}
		})},
		"messages are doubled": {soakTwice, with(func(b *brokenStore) {
			b.enqueue = func(ctx context.Context, p core.EnqueueForOrchestratorParams) error {
				if _, ok := p.Item.(core.ExternalRaisedItem); ok {
					_ = b.Provider.EnqueueForOrchestrator(ctx, p)
				}
				return b.Provider.EnqueueForOrchestrator(ctx, p)
			}
		})},
		"messages never come": {soakLeft, func(o *soakOptions) {
			with(func(b *brokenStore) {
				b.enqueue = func(ctx context.Context, p core.EnqueueForOrchestratorParams) error {
					if b.everyTenth() {
						p.Delay = time.Hour
					}
					return b.Provider.EnqueueForOrchestrator(ctx, p)
				}
			})(o)
			o.drain = 500 * time.Millisecond
		}},
		"an acknowledgement does nothing": {soakTwice, with(func(b *brokenStore) {
			b.ackWork = func(ctx context.Context, p core.AckWorkItemParams) error {
				if b.everyTenth() {
					return b.Provider.AbandonWorkItem(ctx, core.AbandonParams{LockToken: p.LockToken})
				}
				return b.Provider.AckWorkItem(ctx, p)
			}
		})},
		"turns need no lock": {soakNoLock, func(o *soakOptions) {
			with(func(b *brokenStore) {
				b.ack = func(ctx context.Context, p core.AckOrchestrationItemParams) error {
					time.Sleep(50 * time.Millisecond) // so that there is a lock to take
					err := b.Provider.AckOrchestrationItem(ctx, p)
					if errors.Is(err, core.ErrLockLost) {
						return nil
					}
					return err
				}
			})(o)
			// The second one takes everything from the first one at once.
			o.skews = []time.Duration{0, time.Minute}
		}},
		"a clock is wrong": {soakTwoLocks, func(o *soakOptions) {
			with(func(b *brokenStore) {
				b.ack = func(ctx context.Context, p core.AckOrchestrationItemParams) error {
					time.Sleep(50 * time.Millisecond) // so that there is a lock to take
					return b.Provider.AckOrchestrationItem(ctx, p)
				}
			})(o)
			o.skews = []time.Duration{0, time.Minute}
			o.tell = func(time.Duration) time.Duration { return 0 }
		}},
		"a message has another token": {soakTwoLocks, with(func(b *brokenStore) {
			b.fetch = func(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
				item, err := b.Provider.FetchOrchestrationItem(ctx, p)
				if item != nil && b.everyTenth() {
					_, err = b.world.Pool.Exec(ctx, b.world.sql(
						`UPDATE @.orchestrator_queue SET lock_token = 'lock_other' WHERE lock_token = $1`), item.LockToken)
				}
				return item, err
			}
		})},
		"locks are lost": {soakLockLost, with(func(b *brokenStore) {
			b.ackWork = func(ctx context.Context, p core.AckWorkItemParams) error {
				if b.everyTenth() {
					return core.Permanent("ack_worker", core.ErrLockLost)
				}
				return b.Provider.AckWorkItem(ctx, p)
			}
		})},
		"attempts are not taken back": {soakAttempts, with(func(b *brokenStore) {
			b.abandonWork = func(ctx context.Context, p core.AbandonParams) error {
				p.IgnoreAttempt = false
				return b.Provider.AbandonWorkItem(ctx, p)
			}
		})},
		"events are dropped": {soakHistory, with(func(b *brokenStore) {
			b.ack = func(ctx context.Context, p core.AckOrchestrationItemParams) error {
				if n := len(p.HistoryDelta); n > 2 && p.Metadata.Status == "" {
					p.HistoryDelta = append(p.HistoryDelta[:n-2:n-2], p.HistoryDelta[n-1])
				}
				return b.Provider.AckOrchestrationItem(ctx, p)
			}
		})},
		"a failed turn has an effect": {soakUndone, with(func(b *brokenStore) {
			b.ack = func(ctx context.Context, p core.AckOrchestrationItemParams) error {
				if err := b.Provider.AckOrchestrationItem(ctx, p); err != nil {
					return err
				}
				return core.Permanent("ack_orchestration_item", core.ErrLockLost)
			}
		})},
		"deleted instances leave rows": {soakRows, with(func(b *brokenStore) {
			b.deleted = func(ctx context.Context, instance string) error {
				_, err := b.world.Pool.Exec(ctx, b.world.sql(
					`INSERT INTO @.kv_store (instance_id, key, value, execution_id) VALUES ($1, 'k', 'v', 1) ON CONFLICT DO NOTHING`), instance)
				return err
			}
		})},
		"a deadlock comes through": {soakDeadlock, with(func(b *brokenStore) {
			b.ackWork = func(context.Context, core.AckWorkItemParams) error {
				return core.Retryable("ack_worker", &pgconn.PgError{Code: "40P01"})
			}
		})},
		"a call takes too long": {soakTooLong, func(o *soakOptions) { o.limit = time.Microsecond }},
	} {
		t.Run(name, func(t *testing.T) {
			o := soakOptions{
				duration: patience, skews: []time.Duration{0, 0}, fetchers: 3, workers: 3, instances: 10,
				pace: 2 * time.Millisecond, limit: patience, drain: patience, until: c.rule,
			}
			switch c.rule {
			case soakLost, soakLeft, soakRows: // what is left at the end shows it
				o.duration = 2 * time.Second
			}
			c.change(&o)
			s := newSoak(t, o)
			s.soak(t)
			if s.ledger.broken[c.rule] == 0 {
				t.Errorf("not noticed: %s", c.rule)
			}
			for _, text := range s.ledger.texts {
				t.Log(text)
			}
		})
	}
}

// brokenStore is a provider some of whose methods are replaced.
type brokenStore struct {
	core.Provider
	core.Admin
	world *world
	calls atomic.Int64

	fetch       func(context.Context, core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error)
	enqueue     func(context.Context, core.EnqueueForOrchestratorParams) error
	ack         func(context.Context, core.AckOrchestrationItemParams) error
	ackWork     func(context.Context, core.AckWorkItemParams) error
	abandonWork func(context.Context, core.AbandonParams) error
	deleted     func(ctx context.Context, instance string) error
}

// with puts a broken store between the soak and the provider.
func with(breaks func(*brokenStore)) func(*soakOptions) {
	return func(o *soakOptions) {
		o.wrap = func(w *world, p core.Provider) core.Provider {
			admin, _ := core.Ability[core.Admin](p)
			b := &brokenStore{
				Provider: p, Admin: admin, world: w,
				fetch: p.FetchOrchestrationItem, enqueue: p.EnqueueForOrchestrator, ack: p.AckOrchestrationItem, ackWork: p.AckWorkItem, abandonWork: p.AbandonWorkItem,
				deleted: func(context.Context, string) error { return nil },
			}
			breaks(b)
			return b
		}
	}
}

func (b *brokenStore) everyTenth() bool { return b.calls.Add(1)%10 == 0 }

func (b *brokenStore) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	return b.fetch(ctx, p)
}

func (b *brokenStore) EnqueueForOrchestrator(ctx context.Context, p core.EnqueueForOrchestratorParams) error {
	return b.enqueue(ctx, p)
}

func (b *brokenStore) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	return b.ack(ctx, p)
}

func (b *brokenStore) AckWorkItem(ctx context.Context, p core.AckWorkItemParams) error {
	return b.ackWork(ctx, p)
}

func (b *brokenStore) AbandonWorkItem(ctx context.Context, p core.AbandonParams) error {
	return b.abandonWork(ctx, p)
}

func (b *brokenStore) DeleteInstance(ctx context.Context, p core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
	result, err := b.Admin.DeleteInstance(ctx, p)
	if err == nil {
		err = b.deleted(ctx, p.Instance)
	}
	return result, err
}
