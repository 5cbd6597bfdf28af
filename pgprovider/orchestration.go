package pgprovider

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/notifier"
)

const (
	opFetchOrchestration   = "fetch_orchestration_item"
	opAckOrchestration     = "ack_orchestration_item"
	opAbandonOrchestration = "abandon_orchestration_item"
	opRenewOrchestration   = "renew_orchestration_item_lock"
	opEnqueueOrchestrator  = "enqueue_orchestrator_work"

	sqlFetchOrchestration query = `
SELECT out_instance_id, out_orchestration_name, out_orchestration_version, out_execution_id,
       out_history::text, out_messages::text, out_lock_token, out_attempt_count, out_kv_snapshot::text
  FROM @.fetch_orchestration_item($1::bigint, $2::bigint, $3::bigint, $4::bigint)`
	sqlAckOrchestration query = `
SELECT @.ack_orchestration_item($1::text, $2::bigint, $3::bigint, $4::text::jsonb, $5::text::jsonb,
       $6::text::jsonb, $7::text::jsonb, $8::text::jsonb)`
	sqlAbandonOrchestration query = `
SELECT @.abandon_orchestration_item($1::text, $2::bigint, $3::bigint, $4::boolean)`
	sqlRenewOrchestration query = `
SELECT @.renew_orchestration_item_lock($1::text, $2::bigint, $3::bigint)`
	sqlEnqueueOrchestrator query = `
SELECT @.enqueue_orchestrator_work($1::text, $2::text, to_timestamp($3::bigint / 1000.0), $4::bigint,
       NULL::text, NULL::text, NULL::bigint)`

	// sqlHiddenStart returns when the start of an instance becomes visible that
	// nobody could fetch yet, NULL if there is none.
	sqlHiddenStart query = `
SELECT ceil(extract(epoch FROM min(q.visible_at)) * 1000)::bigint
  FROM @.orchestrator_queue q
 WHERE q.instance_id = $1::text AND q.lock_token IS NULL AND q.work_item LIKE '{"StartOrchestration":%'`
)

// FetchOrchestrationItem implements [core.OrchestrationQueue]. Messages that
// cannot be decoded are left out of the item and reported in HistoryError, so
// that the poison rules end the instance instead of the fetch.
func (p *Provider) FetchOrchestrationItem(ctx context.Context, params core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	lockMs, err := positive("LockTimeout", params.LockTimeout)
	if err != nil {
		return nil, classify(ctx, opFetchOrchestration, err)
	}
	claim := claimParams{lockMs: lockMs}
	key := "" // without a filter
	if params.Filter != nil {
		if len(params.Filter.SupportedVersions) == 0 {
			return nil, p.checkOpen(opFetchOrchestration)
		}
		first := params.Filter.SupportedVersions[0]
		low, high := packMin(first.Min), packMax(first.Max)
		claim.minVersion, claim.maxVersion = &low, &high
		key = fmt.Sprint(low, high)
	}
	if params.HistoryLimit > 0 {
		claim.historyLimit = new(int64(min(params.HistoryLimit, math.MaxInt64)))
	}
	var item *core.OrchestrationItem
	err = p.poll(ctx, opFetchOrchestration, notifier.Orchestrator, key, params.PollTimeout, func(ctx context.Context) (bool, error) {
		item, err = p.fetchOrchestration(ctx, claim)
		return item != nil, err
	})
	return item, err
}

// claimParams are the arguments of a claim. Nil versions exclude nothing, a nil
// limit asks for any history.
type claimParams struct {
	lockMs                 int64
	minVersion, maxVersion *int64
	historyLimit           *int64
}

// claimedRow is a claimed instance as it comes from the database.
type claimedRow interface {
	read(found *bool) func(pgx.Rows) error
	item() *core.OrchestrationItem
}

// fetchOrchestration asks until it finds an item that is not an orphan batch,
// or nothing.
func (p *Provider) fetchOrchestration(ctx context.Context, claim claimParams) (*core.OrchestrationItem, error) {
	for {
		var row claimedRow
		var found bool
		err := p.retryTransient(ctx, opFetchOrchestration, func() error {
			c := call{
				op: opFetchOrchestration, query: sqlFetchOrchestration,
				args: []any{p.nowMs(), claim.lockMs, claim.minVersion, claim.maxVersion},
			}
			row = &orchestrationRow{}
			if p.TracksTurns() {
				row = &turnRow{}
				c.query, c.args = sqlFetchTurn, append(c.args, claim.historyLimit)
				if p.leavesToOthers {
					c.query, c.args = sqlFetchTurnExcept, append(c.args, p.away.instances.list(p.clock.Now()))
				}
			}
			found = false
			c.read = row.read(&found)
			return p.run(ctx, c)
		})
		if err != nil || !found {
			return nil, err
		}
		item := row.item()
		if item.AwaitsStart() {
			postponed, err := p.awaitStart(ctx, item)
			if err != nil {
				return nil, err
			}
			if postponed {
				continue
			}
		}
		if !item.IsOrphanBatch() {
			return item, nil
		}
		p.log.WarnContext(ctx, "dropping messages for an instance that does not exist",
			"instance", item.Instance, "messages", len(item.Messages))
		err = p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: item.ExecutionID})
		if err != nil && !errors.Is(err, core.ErrLockLost) {
			return nil, err
		}
	}
}

// awaitStart gives an item back that came before its start, if the start is
// queued but hidden, and hides it until then. Its attempt does not count.
func (p *Provider) awaitStart(ctx context.Context, item *core.OrchestrationItem) (postponed bool, err error) {
	var found bool
	var visibleMs *int64
	err = p.run(ctx, call{
		op: opFetchOrchestration, query: sqlHiddenStart, args: []any{item.Instance}, read: one(&found, &visibleMs),
	})
	if err != nil || visibleMs == nil {
		return false, err
	}
	delay := time.Duration(max(*visibleMs-p.nowMs(), 1)) * time.Millisecond
	err = p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: item.LockToken, Delay: delay, IgnoreAttempt: true})
	if errors.Is(err, core.ErrLockLost) {
		err = nil
	}
	return true, err
}

// orchestrationRow is what the shared function returns.
type orchestrationRow struct {
	instance, token             string
	name, version               *string
	execution                   int64
	history, messages, snapshot []byte
	attempts                    int32
}

func (r *orchestrationRow) read(found *bool) func(pgx.Rows) error {
	return one(found, &r.instance, &r.name, &r.version, &r.execution,
		&r.history, &r.messages, &r.token, &r.attempts, &r.snapshot)
}

// item decodes the row. What cannot be decoded is reported in the item, whose
// lock is held by now.
func (r *orchestrationRow) item() *core.OrchestrationItem {
	item := &core.OrchestrationItem{
		Instance: r.instance, OrchestrationName: core.UnknownName, Version: core.UnknownVersion,
		ExecutionID: uint64(r.execution), LockToken: r.token, AttemptCount: uint32(r.attempts),
	}
	if r.name != nil {
		item.OrchestrationName = *r.name
	}
	if r.version != nil {
		item.Version = *r.version
	}
	var events core.EventDecoder // keeps what all events of a history share
	history, historyErr := decodeArray(r.history, "event", events.Decode)
	messages, messagesErr := decodeArray(r.messages, "message", core.DecodeWorkItem)
	snapshot, snapshotErr := decodeSnapshot(r.snapshot)
	item.Messages = messages
	if err := errors.Join(historyErr, messagesErr, snapshotErr); err != nil {
		item.HistoryError = err.Error()
		return item
	}
	item.History, item.KVSnapshot = history, snapshot
	return item
}

// AckOrchestrationItem implements [core.OrchestrationQueue]. The instance of
// each of CancelledActivities is that of the lock. When the connection breaks
// during a call that the server then turns out to have finished, the error is
// [core.ErrLockLost] with a text that says so.
func (p *Provider) AckOrchestrationItem(ctx context.Context, params core.AckOrchestrationItemParams) error {
	args, err := p.ackArgs(params)
	if err != nil {
		return classify(ctx, opAckOrchestration, err)
	}
	hints := p.hints()
	ambiguous := false
	err = p.retryTransient(ctx, opAckOrchestration, func() error {
		err := p.run(ctx, call{op: opAckOrchestration, query: sqlAckOrchestration, args: args})
		if isAmbiguous(err) {
			ambiguous = true
		} else if ambiguous && errors.Is(err, core.ErrLockLost) {
			err = fmt.Errorf("%w: the connection broke during an earlier attempt, which may have committed the turn", err)
			err = &core.ProviderError{Op: opAckOrchestration, Err: err}
		}
		return err
	})
	if err == nil {
		p.waiting.hints.Acked(&params)
	}
	if !p.notifiesBacklog || p.hints() != hints {
		// Messages that came during the turn were notified while it held the lock.
		// The function sees only those that came before this call.
		p.released(notifier.Orchestrator, err, 0)
	}
	return err
}

// ackArgs takes the time once, so that every attempt says the same.
func (p *Provider) ackArgs(params core.AckOrchestrationItemParams) ([]any, error) {
	now := p.nowMs()
	if err := checkText("LockToken", params.LockToken); err != nil {
		return nil, err
	}
	if err := checkID("ExecutionID", params.ExecutionID); err != nil {
		return nil, err
	}
	history, err := encodeEvents("HistoryDelta", params.HistoryDelta)
	if err != nil {
		return nil, err
	}
	workerItems, err := encodeItems("WorkerItems", params.WorkerItems)
	if err != nil {
		return nil, err
	}
	orchestratorItems, err := encodeItems("OrchestratorItems", params.OrchestratorItems)
	if err != nil {
		return nil, err
	}
	meta, err := encodeMetadata(params.Metadata, params.HistoryDelta)
	if err != nil {
		return nil, err
	}
	cancelled, err := encodeCancelled(params.CancelledActivities)
	if err != nil {
		return nil, err
	}
	return []any{
		params.LockToken, now, int64(params.ExecutionID), history, workerItems, orchestratorItems, meta, cancelled,
	}, nil
}

// AbandonOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) AbandonOrchestrationItem(ctx context.Context, params core.AbandonParams) error {
	if err := checkText("LockToken", params.LockToken); err != nil {
		return classify(ctx, opAbandonOrchestration, err)
	}
	gave := p.clock.Now()
	var instance string
	err := p.run(ctx, call{
		op: opAbandonOrchestration, query: sqlAbandonOrchestration,
		args: []any{params.LockToken, p.nowMs(), optionalDelay(params.Delay), params.IgnoreAttempt},
		read: exactlyOne(&instance),
	})
	if err == nil && params.StayAway > 0 && p.leavesToOthers {
		leave(p, notifier.Orchestrator, &p.away.instances, instance, gave, params)
	}
	p.released(notifier.Orchestrator, err, params.Delay)
	return err
}

// RenewOrchestrationItemLock implements [core.OrchestrationQueue]. The stored
// function adds ExtendFor to the deadline, not to the present time.
func (p *Provider) RenewOrchestrationItemLock(ctx context.Context, params core.RenewLockParams) error {
	extendMs, err := checkRenewal(params)
	if err != nil {
		return classify(ctx, opRenewOrchestration, err)
	}
	return p.retryTransient(ctx, opRenewOrchestration, func() error {
		return p.run(ctx, call{
			op: opRenewOrchestration, query: sqlRenewOrchestration,
			args: []any{params.LockToken, p.nowMs(), extendMs},
		})
	})
}

func checkRenewal(params core.RenewLockParams) (extendMs int64, err error) {
	if err := checkText("LockToken", params.LockToken); err != nil {
		return 0, err
	}
	return positive("ExtendFor", params.ExtendFor)
}

// EnqueueForOrchestrator implements [core.OrchestrationQueue].
func (p *Provider) EnqueueForOrchestrator(ctx context.Context, params core.EnqueueForOrchestratorParams) error {
	c, err := p.enqueueCall(params)
	if err != nil {
		return classify(ctx, opEnqueueOrchestrator, err)
	}
	return p.run(ctx, c)
}

func (p *Provider) enqueueCall(params core.EnqueueForOrchestratorParams) (call, error) {
	if item, ok := params.Item.(core.ActivityExecuteItem); ok {
		return call{}, fmt.Errorf("%w: %s goes to the worker queue", core.ErrInvalidItem, item.ItemType())
	}
	encoded, err := encodeItem("Item", params.Item)
	if err != nil {
		return call{}, err
	}
	now := p.nowMs()
	return call{
		op: opEnqueueOrchestrator, query: sqlEnqueueOrchestrator,
		args: []any{params.Item.RoutingInstance(), encoded, visibleAt(params.Item, now, milliseconds(params.Delay)), now},
	}, nil
}
