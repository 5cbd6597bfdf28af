package pgprovider

import (
	"context"
	"math"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opPruneExecutions     = "prune_executions"
	opPruneExecutionsBulk = "prune_executions_bulk"

	// sqlPrune prunes several instances in the order of their ids. The lock lets
	// turns begin and end, and keeps a deletion, which would remove the same rows
	// in another order, out; an instance that is gone by then is left out.
	sqlPrune query = `
SELECT coalesce(sum(r.instances_processed), 0)::bigint,
       coalesce(sum(r.executions_deleted), 0)::bigint,
       coalesce(sum(r.events_deleted), 0)::bigint
  FROM (SELECT i.instance_id FROM @.instances i WHERE i.instance_id = ANY ($1::text[])
         ORDER BY i.instance_id FOR KEY SHARE) l,
       LATERAL @.prune_executions(l.instance_id, $2::integer, $3::bigint) r`

	// sqlPrunable lists instances, those with something to prune first. In any
	// fixed order a limit would stop repeated calls at the same ones for ever.
	sqlPrunable query = `
SELECT i.instance_id
  FROM @.instances i
  LEFT JOIN @.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE ($1::text[] IS NULL OR i.instance_id = ANY ($1::text[]))
   AND ($2::bigint IS NULL OR e.completed_at < to_timestamp($2::bigint / 1000.0))
 ORDER BY i.current_execution_id > 1 AND EXISTS (
          SELECT FROM (SELECT v.execution_id, v.status, v.completed_at
                         FROM @.executions v
                        WHERE v.instance_id = i.instance_id
                        ORDER BY v.execution_id DESC
                       OFFSET coalesce($4::integer, 0)) v
           WHERE v.execution_id <> i.current_execution_id
             AND v.status <> 'Running'
             AND ($5::bigint IS NULL OR v.completed_at < to_timestamp($5::bigint / 1000.0))) DESC
 LIMIT $3::bigint`
)

// PruneExecutions implements [core.AdminPruner]. In the shared schema an
// execution that continued as new has no completion time, so that a condition on
// it never selects one: KeepLast is for those.
func (p *Provider) PruneExecutions(ctx context.Context, params core.PruneExecutionsParams) (*core.PruneResult, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opPruneExecutions, err)
	}
	result := &core.PruneResult{}
	err := p.prune(ctx, opPruneExecutions, []string{params.Instance}, params.Options, result)
	if err == nil && result.InstancesProcessed == 0 {
		err = classify(ctx, opPruneExecutions, notFound("Instance %s", params.Instance))
	}
	return nilOnError(result, err)
}

// PruneExecutionsBulk implements [core.AdminPruner]. Instances with something to
// prune come first. It works in batches, each a transaction, so that an error
// can come after some instances are pruned: the result beside it counts those.
func (p *Provider) PruneExecutionsBulk(ctx context.Context, params core.PruneExecutionsBulkParams) (*core.PruneResult, error) {
	result := &core.PruneResult{}
	f, err := newFilter(params.Filter)
	if err != nil {
		return result, classify(ctx, opPruneExecutionsBulk, err)
	}
	if f.nothing {
		return result, p.checkOpen(opPruneExecutionsBulk)
	}
	keep, before := pruneArgs(params.Options)
	ids, err := p.listIDs(ctx, opPruneExecutionsBulk, sqlPrunable, f.ids, f.before, f.limit, keep, before)
	if err != nil {
		return result, err
	}
	return result, inBatches(ids, func(batch []string) error {
		return p.prune(ctx, opPruneExecutionsBulk, batch, params.Options, result)
	})
}

// prune prunes in one transaction and adds up what it removed.
func (p *Provider) prune(ctx context.Context, op string, ids []string, options core.PruneOptions, result *core.PruneResult) error {
	keep, before := pruneArgs(options)
	var instances, executions, events int64
	c := call{
		op: op, query: sqlPrune, args: []any{ids, keep, before}, read: exactlyOne(&instances, &executions, &events),
	}
	err := p.retry(ctx, op, deadlockRetries, isDeadlock, func() error { return p.run(ctx, c) })
	if err != nil {
		return err
	}
	result.InstancesProcessed += uint64(instances)
	result.ExecutionsDeleted += uint64(executions)
	result.EventsDeleted += uint64(events)
	return nil
}

func pruneArgs(o core.PruneOptions) (keep *int32, before *int64) {
	if o.KeepLast != nil {
		n := int32(min(*o.KeepLast, math.MaxInt32))
		keep = &n
	}
	return keep, timestampMs(o.CompletedBeforeMs)
}
