package sqliteprovider

import (
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetInstanceTree       = "get_instance_tree"
	opDeleteInstancesAtomic = "delete_instances_atomic"
	opDeleteInstance        = "delete_instance"
	opDeleteInstanceBulk    = "delete_instance_bulk"

	// UNION drops what was found before, so that a ring of parents ends.
	sqlGetInstanceTree = `
WITH RECURSIVE tree (id) AS (
  SELECT ?1
  UNION
  SELECT c.instance_id FROM tree t JOIN instances c ON c.parent_instance_id = t.id)
SELECT id FROM tree`

	sqlIsRunning = `
SELECT 1
  FROM instances i
  JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.instance_id = ? AND e.status = 'Running'`

	sqlDeleteExecutions = `DELETE FROM executions WHERE instance_id = ?`
	sqlDeleteHistory    = `DELETE FROM history WHERE instance_id = ?`
	sqlDeleteMessages   = `DELETE FROM orchestrator_queue WHERE instance_id = ?`
	sqlDeleteActivities = `DELETE FROM worker_queue WHERE instance_id = ?`
	sqlDeleteStore      = `DELETE FROM kv_store WHERE instance_id = ?`
	sqlDeleteInstance   = `DELETE FROM instances WHERE instance_id = ?`

	// The bulk deletion looks for roots first, and in the transaction whether
	// one is still to be deleted: it may have gone on, and the id may stand for
	// another instance.
	sqlFinished = `
  FROM instances i
  JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.parent_instance_id IS NULL
   AND e.status IN ('Completed', 'Failed', 'ContinuedAsNew')
   AND (?1 IS NULL OR e.completed_at < ?1)`
	sqlFinishedRoots  = `SELECT i.instance_id` + sqlFinished + ` ORDER BY i.seq LIMIT ?2`
	sqlIsFinishedRoot = `SELECT 1` + sqlFinished + ` AND i.instance_id = ?2`

	// bulkBatch is how many instances a bulk operation takes in a transaction:
	// each flushes to the disk, and none should keep others waiting for long.
	bulkBatch = 50
)

// GetInstanceTree implements [core.AdminDeleter].
func (p *Provider) GetInstanceTree(ctx context.Context, a core.GetInstanceTreeParams) (*core.InstanceTree, error) {
	ids, err := list[string](ctx, p, opGetInstanceTree, sqlGetInstanceTree, a.Instance)
	if err != nil {
		return nil, err
	}
	return &core.InstanceTree{RootID: a.Instance, AllIDs: ids}, nil
}

// DeleteInstancesAtomic implements [core.AdminDeleter]. Unknown ids count for
// nothing.
func (p *Provider) DeleteInstancesAtomic(ctx context.Context, a core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
	result := &core.DeleteInstanceResult{}
	if len(a.Instances) == 0 {
		return nilOnError(result, p.checkOpen(ctx, opDeleteInstancesAtomic))
	}
	err := p.write(ctx, opDeleteInstancesAtomic, func(t *tx) error {
		return deleteInstances(t, a.Instances, a.Force, result)
	})
	return nilOnError(result, err)
}

// DeleteInstance implements [core.AdminDeleter].
func (p *Provider) DeleteInstance(ctx context.Context, a core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
	result := &core.DeleteInstanceResult{}
	err := p.write(ctx, opDeleteInstance, func(t *tx) error {
		var parent *string
		found, err := t.row(sqlGetParentID, []any{a.Instance}, &parent)
		switch {
		case err != nil:
			return err
		case !found:
			return notFound("Instance %s", a.Instance)
		case parent != nil:
			return fmt.Errorf("%s, a child of %s: %w", a.Instance, *parent, core.ErrSubOrchestration)
		}
		return deleteTree(t, a.Instance, a.Force, result)
	})
	return nilOnError(result, err)
}

// DeleteInstanceBulk implements [core.AdminDeleter]. It works in batches, each a
// transaction, so that an error can come after some roots are gone: the result
// beside it counts those. The oldest roots go first, or the first of
// InstanceIDs.
func (p *Provider) DeleteInstanceBulk(ctx context.Context, a core.DeleteInstanceBulkParams) (*core.DeleteInstanceResult, error) {
	result := &core.DeleteInstanceResult{}
	before, limit := signedPtr(a.Filter.CompletedBeforeMs), bulkLimit(a.Filter)
	roots, err := p.selected(ctx, opDeleteInstanceBulk, a.Filter, sqlFinishedRoots, before, limit)
	if err != nil {
		return result, err
	}
	var taken int64
	return result, inBatches(roots, func(batch []string) error {
		done := *result
		n := taken
		err := p.write(ctx, opDeleteInstanceBulk, func(t *tx) error {
			for _, root := range batch {
				if n == limit {
					return nil
				}
				var one int
				finished, err := t.row(sqlIsFinishedRoot, []any{before, root}, &one)
				if err != nil {
					return err
				}
				if !finished {
					continue
				}
				n++
				if err := deleteTree(t, root, true, &done); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			*result, taken = done, n
		}
		return err
	})
}

// selected returns the ids that a filter lists, each once, or else those that a
// query finds.
func (p *Provider) selected(ctx context.Context, op string, f core.InstanceFilter, query string, args ...any) ([]string, error) {
	if f.InstanceIDs == nil {
		return list[string](ctx, p, op, query, args...)
	}
	if err := p.checkOpen(ctx, op); err != nil {
		return nil, err
	}
	return distinct(f.InstanceIDs), nil
}

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

func bulkLimit(f core.InstanceFilter) int64 {
	if f.Limit == nil {
		return core.DefaultBulkLimit
	}
	return int64(*f.Limit)
}

// inBatches calls f with some ids at a time until it fails.
func inBatches(ids []string, f func(batch []string) error) error {
	for batch := range slices.Chunk(ids, bulkBatch) {
		if err := f(batch); err != nil {
			return err
		}
	}
	return nil
}

func nilOnError[T any](result *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return result, nil
}

// deleteTree deletes an instance with all that descends from it.
func deleteTree(t *tx, root string, force bool, result *core.DeleteInstanceResult) error {
	var ids []string
	if err := t.rows(sqlGetInstanceTree, []any{root}, column(&ids)); err != nil {
		return err
	}
	return deleteInstances(t, ids, force, result)
}

// deleteInstances deletes exactly these instances and adds up what it removed.
func deleteInstances(t *tx, ids []string, force bool, result *core.DeleteInstanceResult) error {
	listed := make(map[string]bool, len(ids))
	for _, id := range ids {
		listed[id] = true
		var one int
		running, err := t.row(sqlIsRunning, []any{id}, &one)
		if err != nil {
			return err
		}
		if running && !force {
			return fmt.Errorf("%s: %w", id, core.ErrStillRunning)
		}
	}
	for id := range listed {
		var children []string
		if err := t.rows(sqlListChildren, []any{id}, column(&children)); err != nil {
			return err
		}
		for _, child := range children {
			if !listed[child] {
				return fmt.Errorf("%s, a child of %s: %w", child, id, core.ErrOrphan)
			}
		}
	}
	var ignored uint64
	for id := range listed {
		for _, d := range []struct {
			query string
			count *uint64
		}{
			{sqlDeleteHistory, &result.EventsDeleted},
			{sqlDeleteExecutions, &result.ExecutionsDeleted},
			{sqlDeleteMessages, &result.QueueMessagesDeleted},
			{sqlDeleteActivities, &result.QueueMessagesDeleted},
			{sqlUnlockInstance, &ignored},
			{sqlDeleteStore, &ignored},
			{sqlDeleteDelta, &ignored},
			{sqlDeleteInstance, &result.InstancesDeleted},
		} {
			n, err := t.exec(d.query, id)
			if err != nil {
				return err
			}
			*d.count += uint64(n)
		}
	}
	return nil
}
