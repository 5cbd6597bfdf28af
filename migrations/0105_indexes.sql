-- Indexes that serve the order and the conditions of the queries, and none that no
-- query uses. An index that mentions a column makes every update of it dearer:
-- claims of messages and renewals change no indexed column.
-- min_client: 0011
-- transaction: none

-- Candidates come by time and id.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_orch_due ON orchestrator_queue (visible_at, id);
-- Tokens are looked up here; the messages of a claim are found by its instance.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dxgo_instance_locks_token ON instance_locks (lock_token);
-- Claims by the earliest time at which they can run out, see dxgo_claimed_until.
-- One expression, so that only the query that means this index can use it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_worker_claims
    ON worker_queue ((CASE WHEN lock_token IS NOT NULL THEN coalesce(dxgo_claimed_until, 0) END))
    WHERE CASE WHEN lock_token IS NOT NULL THEN coalesce(dxgo_claimed_until, 0) END IS NOT NULL;
-- For the look-ahead: what nobody has claimed, by time.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_worker_due ON worker_queue (visible_at) WHERE lock_token IS NULL;
-- Rows of one activity or one instance; rows without identity too.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_worker_activity
    ON worker_queue (dxgo_instance_id, dxgo_execution_id, dxgo_activity_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_worker_session ON worker_queue (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_worker_tag ON worker_queue (tag) WHERE tag IS NOT NULL;
-- For operators: by status, by end, by age.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_executions_status ON executions (status, completed_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dxgo_instances_created ON instances (created_at);

DROP INDEX CONCURRENTLY IF EXISTS idx_orch_visible;
DROP INDEX CONCURRENTLY IF EXISTS idx_orch_lock;
DROP INDEX CONCURRENTLY IF EXISTS idx_instance_locks_locked_until;
DROP INDEX CONCURRENTLY IF EXISTS idx_worker_visible;
DROP INDEX CONCURRENTLY IF EXISTS idx_worker_queue_session_id;
DROP INDEX CONCURRENTLY IF EXISTS idx_worker_queue_tag;
-- The primary key has the same columns.
DROP INDEX CONCURRENTLY IF EXISTS idx_history_lookup;
DROP INDEX CONCURRENTLY IF EXISTS idx_kv_store_execution;
