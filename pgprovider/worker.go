package pgprovider

import (
	"context"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/notifier"
)

const (
	opEnqueueWorker   = "enqueue_worker_work"
	opFetchWorkItem   = "fetch_work_item"
	opAckWorker       = "ack_worker"
	opRenewWorkItem   = "renew_work_item_lock"
	opAbandonWorkItem = "abandon_work_item"

	sqlEnqueueWorker query = `
SELECT @.enqueue_worker_work($1::text, $2::bigint, $3::text, $4::text)`
	sqlFetchWorkItem query = `
SELECT out_work_item, out_lock_token, out_attempt_count
  FROM @.fetch_work_item($1::bigint, $2::bigint, $3::text, $4::bigint, $5::text[], $6::text)`
	sqlFetchWorkItemExcept query = `
SELECT out_work_item, out_lock_token, out_attempt_count
  FROM @.dxgo_fetch_work_item_except($1::bigint, $2::bigint, $3::text, $4::bigint, $5::text[], $6::text, $7::bigint[])`
	sqlAckWorker query = `
SELECT @.ack_worker($1::text, $2::text, $3::text, $4::bigint)`
	sqlRenewWorkItem query = `
SELECT @.renew_work_item_lock($1::text, $2::bigint, $3::bigint)`
	sqlAbandonWorkItem query = `
SELECT @.abandon_work_item($1::text, $2::bigint, $3::bigint, $4::boolean)`
	// sqlLeaveWorkItem does the same and returns which row it was, or none if the
	// lock is lost.
	sqlLeaveWorkItem query = `
SELECT w.id, @.abandon_work_item($1::text, $2::bigint, $3::bigint, $4::boolean)::text
  FROM @.worker_queue w
 WHERE w.lock_token = $1::text`
)

// tagModes are the modes as the function names them.
var tagModes = map[core.TagMode]string{
	core.TagsDefaultOnly: "default_only",
	core.TagsOnly:        "tags",
	core.TagsDefaultAnd:  "default_and",
	core.TagsAny:         "any",
}

// EnqueueForWorker implements [core.WorkerQueue].
func (p *Provider) EnqueueForWorker(ctx context.Context, params core.EnqueueForWorkerParams) error {
	item, ok := params.Item.(core.ActivityExecuteItem)
	if !ok {
		err := fmt.Errorf("%w: the worker queue takes %s, not %T", core.ErrInvalidItem, core.ItemActivityExecute, params.Item)
		return classify(ctx, opEnqueueWorker, err)
	}
	encoded, err := encodeItem("Item", item)
	if err != nil {
		return classify(ctx, opEnqueueWorker, err)
	}
	return p.run(ctx, call{
		op: opEnqueueWorker, query: sqlEnqueueWorker,
		args: []any{encoded, p.nowMs(), item.SessionID, item.Tag},
	})
}

// FetchWorkItem implements [core.WorkerQueue]. An item that cannot be decoded
// stays locked for LockTimeout, so that it does not stop the items behind it,
// and is reported as [core.ErrUndecodable].
func (p *Provider) FetchWorkItem(ctx context.Context, params core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	request, err := checkFetchWorkItem(params)
	if err != nil {
		return nil, classify(ctx, opFetchWorkItem, err)
	}
	if params.Tags.Mode == core.TagsNone {
		return nil, p.checkOpen(opFetchWorkItem)
	}
	var item *core.LockedWorkItem
	err = p.poll(ctx, opFetchWorkItem, notifier.Worker, "", params.PollTimeout, func(ctx context.Context) (bool, error) {
		item, err = p.fetchWorkItem(ctx, request)
		return item != nil, err
	})
	return item, err
}

// workRequest holds the arguments of a fetch, but for the time.
type workRequest struct {
	lockMs    int64
	owner     *string
	sessionMs *int64
	tags      []string
	mode      string
}

func checkFetchWorkItem(params core.FetchWorkItemParams) (r workRequest, err error) {
	if r.lockMs, err = positive("LockTimeout", params.LockTimeout); err != nil {
		return r, err
	}
	if err := params.Tags.Validate(); err != nil {
		return r, err
	}
	for i, tag := range params.Tags.Tags {
		if err := checkText(fmt.Sprintf("Tags[%d]", i), tag); err != nil {
			return r, err
		}
	}
	r.mode = tagModes[params.Tags.Mode]
	if len(params.Tags.Tags) > 0 {
		r.tags = params.Tags.Tags
	}
	if s := params.Session; s != nil {
		ms, err := positive("Session.LockTimeout", s.LockTimeout)
		if err != nil {
			return r, err
		}
		if err := checkText("Session.OwnerID", s.OwnerID); err != nil {
			return r, err
		}
		r.owner, r.sessionMs = &s.OwnerID, &ms
	}
	return r, nil
}

func (p *Provider) fetchWorkItem(ctx context.Context, r workRequest) (*core.LockedWorkItem, error) {
	var found bool
	var text, token string
	var attempts int32
	c := call{
		op: opFetchWorkItem, query: sqlFetchWorkItem,
		args: []any{p.nowMs(), r.lockMs, r.owner, r.sessionMs, r.tags, r.mode},
		read: one(&found, &text, &token, &attempts),
	}
	if p.leavesToOthers {
		c.query, c.args = sqlFetchWorkItemExcept, append(c.args, p.away.rows.list(p.clock.Now()))
	}
	err := p.run(ctx, c)
	if err != nil || !found {
		return nil, err
	}
	item, err := core.DecodeWorkItem([]byte(text))
	if err != nil {
		return nil, core.Permanent(opFetchWorkItem, fmt.Errorf("%w: %v", core.ErrUndecodable, err))
	}
	return &core.LockedWorkItem{Item: item, LockToken: token, AttemptCount: uint32(attempts)}, nil
}

// AckWorkItem implements [core.WorkerQueue].
func (p *Provider) AckWorkItem(ctx context.Context, params core.AckWorkItemParams) error {
	c, err := p.ackWorkCall(params)
	if err != nil {
		return classify(ctx, opAckWorker, err)
	}
	return p.run(ctx, c)
}

func (p *Provider) ackWorkCall(params core.AckWorkItemParams) (call, error) {
	if err := checkText("LockToken", params.LockToken); err != nil {
		return call{}, err
	}
	var instance, completion *string
	if params.Completion != nil {
		switch params.Completion.(type) {
		case core.ActivityCompletedItem, core.ActivityFailedItem:
		default:
			return call{}, fmt.Errorf("%w: %s is not a completion of an activity", core.ErrInvalidItem, params.Completion.ItemType())
		}
		encoded, err := encodeItem("Completion", params.Completion)
		if err != nil {
			return call{}, err
		}
		routing := params.Completion.RoutingInstance()
		instance, completion = &routing, &encoded
	}
	return call{
		op: opAckWorker, query: sqlAckWorker,
		args: []any{params.LockToken, instance, completion, p.nowMs()},
	}, nil
}

// RenewWorkItemLock implements [core.WorkerQueue]. The stored function adds
// ExtendFor to the deadline, not to the present time.
func (p *Provider) RenewWorkItemLock(ctx context.Context, params core.RenewLockParams) error {
	extendMs, err := checkRenewal(params)
	if err != nil {
		return classify(ctx, opRenewWorkItem, err)
	}
	return p.run(ctx, call{
		op: opRenewWorkItem, query: sqlRenewWorkItem,
		args: []any{params.LockToken, p.nowMs(), extendMs},
	})
}

// AbandonWorkItem implements [core.WorkerQueue].
func (p *Provider) AbandonWorkItem(ctx context.Context, params core.AbandonParams) error {
	if err := checkText("LockToken", params.LockToken); err != nil {
		return classify(ctx, opAbandonWorkItem, err)
	}
	gave := p.clock.Now()
	c := call{
		op: opAbandonWorkItem, query: sqlAbandonWorkItem,
		args: []any{params.LockToken, p.nowMs(), optionalDelay(params.Delay), params.IgnoreAttempt},
	}
	var err error
	var found bool
	if params.StayAway > 0 && p.leavesToOthers {
		var row int64
		leaving := c
		leaving.query, leaving.read = sqlLeaveWorkItem, one(&found, &row, nil)
		if err = p.run(ctx, leaving); err == nil && found {
			leave(p, notifier.Worker, &p.away.rows, row, gave, params)
		}
	}
	if err == nil && !found {
		err = p.run(ctx, c) // which says what is wrong, if anything
	}
	p.released(notifier.Worker, err, params.Delay)
	return err
}
