package sqliteprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opPruneExecutions     = "prune_executions"
	opPruneExecutionsBulk = "prune_executions_bulk"

	// sqlPrune deletes the executions of ?1 that are neither current nor
	// running, not among the ?2 newest, and ended before ?3.
	sqlPrune = `
DELETE FROM executions
 WHERE instance_id = ?1
   AND execution_id <> (SELECT current_execution_id FROM instances WHERE instance_id = ?1)
   AND status <> 'Running'
   AND execution_id NOT IN (
         SELECT execution_id FROM executions WHERE instance_id = ?1 ORDER BY execution_id DESC LIMIT ?2)
   AND (?3 IS NULL OR completed_at < ?3)
RETURNING execution_id`
	sqlPruneHistory = `
DELETE FROM history WHERE instance_id = ? AND execution_id = ?`

	// sqlEndedBefore finds the instance ?1 if its current execution ended before
	// ?2, which may be NULL.
	sqlEndedBefore = `
SELECT 1
  FROM instances i
  LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.instance_id = ?1 AND (?2 IS NULL OR e.completed_at < ?2)`

	// sqlPrunable lists instances, those with something to prune first. In any
	// fixed order a limit would stop repeated calls at the same ones for ever.
	sqlPrunable = `
SELECT i.instance_id
  FROM instances i
  LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE (?1 IS NULL OR e.completed_at < ?1)
 ORDER BY i.current_execution_id > 1 AND EXISTS (
          SELECT 1 FROM executions v
           WHERE v.instance_id = i.instance_id
             AND v.execution_id <> i.current_execution_id
             AND v.status <> 'Running'
             AND v.execution_id NOT IN (
                   SELECT k.execution_id FROM executions k
                    WHERE k.instance_id = i.instance_id ORDER BY k.execution_id DESC LIMIT ?3)
             AND (?4 IS NULL OR v.completed_at < ?4)) DESC,
       i.seq
 LIMIT ?2`
)

// PruneExecutions implements [core.AdminPruner].
func (p *Provider) PruneExecutions(ctx context.Context, a core.PruneExecutionsParams) (*core.PruneResult, error) {
	result := &core.PruneResult{}
	err := p.write(ctx, opPruneExecutions, func(t *tx) error {
		found, err := prune(t, a.Instance, nil, a.Options, result)
		if err == nil && !found {
			err = notFound("Instance %s", a.Instance)
		}
		return err
	})
	return nilOnError(result, err)
}

// PruneExecutionsBulk implements [core.AdminPruner]. Instances with something to
// prune come first, or the first of InstanceIDs. It works in batches, each a
// transaction, so that an error can come after some instances are pruned: the
// result beside it counts those.
func (p *Provider) PruneExecutionsBulk(ctx context.Context, a core.PruneExecutionsBulkParams) (*core.PruneResult, error) {
	result := &core.PruneResult{}
	before, limit := signedPtr(a.Filter.CompletedBeforeMs), bulkLimit(a.Filter)
	keep, ended := pruneArgs(a.Options)
	ids, err := p.selected(ctx, opPruneExecutionsBulk, a.Filter, sqlPrunable, before, limit, keep, ended)
	if err != nil {
		return result, err
	}
	return result, inBatches(ids, func(batch []string) error {
		done := *result
		err := p.write(ctx, opPruneExecutionsBulk, func(t *tx) error {
			for _, id := range batch {
				if done.InstancesProcessed == uint64(limit) {
					return nil
				}
				if _, err := prune(t, id, before, a.Options, &done); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			*result = done
		}
		return err
	})
}

// prune prunes an instance, if there is one and its current execution ended
// before that time, and adds up what it removed. Key-values, custom status and
// messages belong to the instance and stay.
func prune(t *tx, instance string, before any, o core.PruneOptions, result *core.PruneResult) (found bool, err error) {
	var one int
	if found, err = t.row(sqlEndedBefore, []any{instance, before}, &one); err != nil || !found {
		return false, err
	}
	result.InstancesProcessed++
	keep, ended := pruneArgs(o)
	var executions []int64
	if err := t.rows(sqlPrune, []any{instance, keep, ended}, column(&executions)); err != nil {
		return false, err
	}
	for _, id := range executions {
		n, err := t.exec(sqlPruneHistory, instance, id)
		if err != nil {
			return false, err
		}
		result.EventsDeleted += uint64(n)
	}
	result.ExecutionsDeleted += uint64(len(executions))
	return true, nil
}

func pruneArgs(o core.PruneOptions) (keep int64, ended any) {
	if o.KeepLast != nil {
		keep = int64(*o.KeepLast)
	}
	return keep, signedPtr(o.CompletedBeforeMs)
}
