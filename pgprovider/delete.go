package pgprovider

import (
	"context"
	"errors"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetInstanceTree       = "get_instance_tree"
	opDeleteInstancesAtomic = "delete_instances_atomic"
	opDeleteInstance        = "delete_instance"
	opDeleteInstanceBulk    = "delete_instance_bulk"

	// UNION drops what was found before, so that a ring of parents ends.
	sqlGetInstanceTree query = `
WITH RECURSIVE tree (id) AS (
  SELECT $1::text
  UNION
  SELECT c.instance_id FROM tree t JOIN @.instances c ON c.parent_instance_id = t.id)
SELECT id FROM tree`

	sqlDeleteInstancesAtomic query = `
SELECT instances_deleted, executions_deleted, events_deleted, queue_messages_deleted
  FROM @.delete_instances_atomic($1::text[], $2::boolean)`

	// sqlDeleteTree finds the tree and deletes it in one statement, which leaves
	// a new child hardly any time to come between.
	sqlDeleteTree query = `
WITH RECURSIVE tree (id) AS (
  SELECT $1::text
  UNION
  SELECT c.instance_id FROM tree t JOIN @.instances c ON c.parent_instance_id = t.id)
SELECT instances_deleted, executions_deleted, events_deleted, queue_messages_deleted
  FROM @.delete_instances_atomic((SELECT array_agg(id) FROM tree), $2::boolean)`

	sqlFinishedRoots query = `
SELECT i.instance_id
  FROM @.instances i
  JOIN @.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.parent_instance_id IS NULL
   AND e.status IN ('Completed', 'Failed', 'ContinuedAsNew')
   AND ($1::text[] IS NULL OR i.instance_id = ANY ($1::text[]))
   AND ($2::bigint IS NULL OR e.completed_at < to_timestamp($2::bigint / 1000.0))
 LIMIT $3::bigint`

	// sqlDeleteRoots deletes roots with their trees, of those that are finished
	// still: one that continued as new may have gone on since it was found, and
	// an id may stand for another instance.
	sqlDeleteRoots query = `
WITH RECURSIVE tree (id) AS (
  SELECT i.instance_id
    FROM @.instances i
    JOIN @.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
   WHERE i.instance_id = ANY ($1::text[])
     AND i.parent_instance_id IS NULL
     AND e.status IN ('Completed', 'Failed', 'ContinuedAsNew')
     AND ($2::bigint IS NULL OR e.completed_at < to_timestamp($2::bigint / 1000.0))
  UNION
  SELECT c.instance_id FROM tree t JOIN @.instances c ON c.parent_instance_id = t.id)
SELECT instances_deleted, executions_deleted, events_deleted, queue_messages_deleted
  FROM @.delete_instances_atomic((SELECT array_agg(id) FROM tree), true)`
)

// GetInstanceTree implements [core.AdminDeleter].
func (p *Provider) GetInstanceTree(ctx context.Context, params core.GetInstanceTreeParams) (*core.InstanceTree, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opGetInstanceTree, err)
	}
	ids, err := p.listIDs(ctx, opGetInstanceTree, sqlGetInstanceTree, params.Instance)
	if err != nil {
		return nil, err
	}
	return &core.InstanceTree{RootID: params.Instance, AllIDs: ids}, nil
}

// DeleteInstancesAtomic implements [core.AdminDeleter]. Unknown ids count for
// nothing.
func (p *Provider) DeleteInstancesAtomic(ctx context.Context, params core.DeleteInstancesAtomicParams) (*core.DeleteInstanceResult, error) {
	if err := checkList("Instances", params.Instances); err != nil {
		return nil, classify(ctx, opDeleteInstancesAtomic, err)
	}
	result := &core.DeleteInstanceResult{}
	if len(params.Instances) == 0 {
		return nilOnError(result, p.checkOpen(opDeleteInstancesAtomic))
	}
	c := call{op: opDeleteInstancesAtomic, query: sqlDeleteInstancesAtomic, args: []any{params.Instances, params.Force}}
	return nilOnError(result, p.delete(ctx, c, isDeadlock, result))
}

// DeleteInstance implements [core.AdminDeleter].
func (p *Provider) DeleteInstance(ctx context.Context, params core.DeleteInstanceParams) (*core.DeleteInstanceResult, error) {
	parent, err := p.getParentID(ctx, opDeleteInstance, params.Instance)
	switch {
	case err != nil:
		return nil, err
	case parent != nil:
		return nil, classify(ctx, opDeleteInstance,
			fmt.Errorf("%s, a child of %s: %w", params.Instance, *parent, core.ErrSubOrchestration))
	}
	result := &core.DeleteInstanceResult{}
	c := call{op: opDeleteInstance, query: sqlDeleteTree, args: []any{params.Instance, params.Force}}
	return nilOnError(result, p.delete(ctx, c, isTreeRace, result))
}

// DeleteInstanceBulk implements [core.AdminDeleter]. It works in batches, each a
// transaction, so that an error can come after some roots are gone: the result
// beside it counts those.
func (p *Provider) DeleteInstanceBulk(ctx context.Context, params core.DeleteInstanceBulkParams) (*core.DeleteInstanceResult, error) {
	result := &core.DeleteInstanceResult{}
	f, err := newFilter(params.Filter)
	if err != nil {
		return result, classify(ctx, opDeleteInstanceBulk, err)
	}
	if f.nothing {
		return result, p.checkOpen(opDeleteInstanceBulk)
	}
	roots, err := p.listIDs(ctx, opDeleteInstanceBulk, sqlFinishedRoots, f.ids, f.before, f.limit)
	if err != nil {
		return result, err
	}
	return result, inBatches(roots, func(batch []string) error {
		c := call{op: opDeleteInstanceBulk, query: sqlDeleteRoots, args: []any{batch, f.before}}
		return p.delete(ctx, c, isTreeRace, result)
	})
}

// delete runs a deletion and adds up what it removed.
func (p *Provider) delete(ctx context.Context, c call, again func(error) bool, result *core.DeleteInstanceResult) error {
	var instances, executions, events, messages int64
	c.read = exactlyOne(&instances, &executions, &events, &messages)
	err := p.retry(ctx, c.op, deadlockRetries, again, func() error { return p.run(ctx, c) })
	if err != nil {
		return err
	}
	result.InstancesDeleted += uint64(instances)
	result.ExecutionsDeleted += uint64(executions)
	result.EventsDeleted += uint64(events)
	result.QueueMessagesDeleted += uint64(messages)
	return nil
}

// isTreeRace reports whether the deletion of a whole tree may succeed when it is
// tried again. An orphan can only be a child that began after the tree was
// looked at.
func isTreeRace(err error) bool {
	return isDeadlock(err) || errors.Is(err, core.ErrOrphan)
}
