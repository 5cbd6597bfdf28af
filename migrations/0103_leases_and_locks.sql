-- Leases that start when the claim is made and do not creep, and one order of
-- locks for all that changes a claim: the instance by its key, its messages, its
-- lock, activities by id, sessions.
-- min_client: 0011

-- The time for a lease. The caller read its clock before it waited for a
-- connection and for locks, so the time that the statement took so far is added;
-- and a caller whose clock is behind would get a lease that has run out, so the
-- server's clock counts when it is later. This can only lengthen a lease.
CREATE OR REPLACE FUNCTION dxgo_clock(p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN greatest(p_now_ms + (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::bigint,
                    (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
END
$$;

-- The advisory lock of an instance. The schema is part of it, so that tenants with
-- equal ids do not wait for each other. It only makes the order: what decides is
-- the row of instance_locks, looked at again by a statement after the lock.
CREATE OR REPLACE FUNCTION dxgo_instance_key(p_instance_id text) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN hashtextextended(p_instance_id, hashtextextended(current_schema(), 0));
END
$$;

-- Records a whole turn or nothing of it, as long as its lease is live.
CREATE OR REPLACE FUNCTION ack_orchestration_item(
    p_lock_token text,
    p_now_ms bigint,
    p_execution_id bigint,
    p_history_delta jsonb,
    p_worker_items jsonb,
    p_orchestrator_items jsonb,
    p_metadata jsonb,
    p_cancelled_activities jsonb DEFAULT '[]'
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_instance text;
    v_name text := p_metadata ->> 'orchestration_name';
    v_version text := p_metadata ->> 'orchestration_version';
    v_parent text := p_metadata ->> 'parent_instance_id';
    v_status text := p_metadata ->> 'status';
    v_pin jsonb := p_metadata -> 'pinned_duroxide_version';
    v_mutations jsonb := p_metadata -> 'kv_mutations';
    v_cleared bigint;
BEGIN
    SELECT l.instance_id INTO v_instance
      FROM instance_locks l
     WHERE l.lock_token = p_lock_token AND l.locked_until > p_now_ms;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token';
    END IF;
    PERFORM pg_advisory_xact_lock(dxgo_instance_key(v_instance));

    -- Only the messages of this claim; what arrived since stays queued. The lock
    -- goes before anything is written: if somebody else claimed or deleted the
    -- instance meanwhile, it is not there, and from here on its row is ours.
    DELETE FROM orchestrator_queue q WHERE q.instance_id = v_instance AND q.lock_token = p_lock_token;
    DELETE FROM instance_locks l
     WHERE l.instance_id = v_instance AND l.lock_token = p_lock_token AND l.locked_until > p_now_ms;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token';
    END IF;

    IF v_name IS NOT NULL AND v_version IS NOT NULL THEN
        -- A parent is set once; a later turn cannot change it.
        INSERT INTO instances AS t (instance_id, orchestration_name, orchestration_version, current_execution_id,
                                    created_at, updated_at, parent_instance_id)
        VALUES (v_instance, v_name, v_version, p_execution_id, v_now, v_now, v_parent)
        ON CONFLICT (instance_id) DO UPDATE
           SET orchestration_name = EXCLUDED.orchestration_name,
               orchestration_version = EXCLUDED.orchestration_version,
               current_execution_id = greatest(t.current_execution_id, EXCLUDED.current_execution_id),
               updated_at = EXCLUDED.updated_at,
               parent_instance_id = coalesce(t.parent_instance_id, EXCLUDED.parent_instance_id);
    ELSE
        UPDATE instances t
           SET current_execution_id = greatest(t.current_execution_id, p_execution_id), updated_at = v_now
         WHERE t.instance_id = v_instance;
    END IF;
    INSERT INTO executions (instance_id, execution_id, status, started_at)
    VALUES (v_instance, p_execution_id, 'Running', v_now)
    ON CONFLICT (instance_id, execution_id) DO NOTHING;

    -- No ON CONFLICT: an event that is already there means two turns wrote
    -- the same history, and the whole acknowledgement must fail.
    IF p_history_delta IS NOT NULL AND jsonb_array_length(p_history_delta) > 0 THEN
        INSERT INTO history (instance_id, execution_id, event_id, event_type, event_data, created_at)
        SELECT v_instance, p_execution_id, (e.value ->> 'event_id')::bigint, e.value ->> 'event_type',
               e.value ->> 'event_data', v_now
          FROM jsonb_array_elements(p_history_delta) e;
    END IF;

    IF v_status IS NOT NULL THEN
        UPDATE executions t
           SET status = v_status, output = p_metadata ->> 'output',
               completed_at = CASE WHEN v_status IN ('Completed', 'Failed') THEN v_now END
         WHERE t.instance_id = v_instance AND t.execution_id = p_execution_id;
    END IF;

    IF jsonb_typeof(v_pin) = 'object' THEN
        UPDATE executions t
           SET duroxide_version_major = (v_pin ->> 'major')::integer,
               duroxide_version_minor = (v_pin ->> 'minor')::integer,
               duroxide_version_patch = (v_pin ->> 'patch')::integer
         WHERE t.instance_id = v_instance AND t.execution_id = p_execution_id;
    END IF;

    IF p_metadata ->> 'custom_status_action' = 'set' THEN
        UPDATE instances t
           SET custom_status = p_metadata ->> 'custom_status_value',
               custom_status_version = t.custom_status_version + 1
         WHERE t.instance_id = v_instance;
    ELSIF p_metadata ->> 'custom_status_action' = 'clear' THEN
        UPDATE instances t
           SET custom_status = NULL, custom_status_version = t.custom_status_version + 1
         WHERE t.instance_id = v_instance;
    END IF;

    -- Mutations are staged beside the store, so that a replay of this
    -- execution still sees the values that it started with. They have an order:
    -- the last clear_all marks every key that is known by then as cleared, and
    -- after it the last mutation of each key counts.
    IF v_mutations IS NOT NULL AND jsonb_array_length(v_mutations) > 0 THEN
        SELECT coalesce(max(m.n), 0) INTO v_cleared
          FROM jsonb_array_elements(v_mutations) WITH ORDINALITY m (value, n)
         WHERE m.value ->> 'action' = 'clear_all';
        IF v_cleared > 0 THEN
            INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms)
            SELECT v_instance, k.key, NULL, p_now_ms
              FROM (SELECT d.key FROM kv_delta d WHERE d.instance_id = v_instance
                    UNION
                    SELECT s.key FROM kv_store s WHERE s.instance_id = v_instance
                    UNION
                    SELECT m.value ->> 'key'
                      FROM jsonb_array_elements(v_mutations) WITH ORDINALITY m (value, n)
                     WHERE m.n < v_cleared AND m.value ->> 'action' IN ('set', 'clear_key')) k
            ON CONFLICT (instance_id, key) DO UPDATE
               SET value = NULL, last_updated_at_ms = EXCLUDED.last_updated_at_ms;
        END IF;
        INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms)
        SELECT DISTINCT ON (m.value ->> 'key')
               v_instance, m.value ->> 'key',
               CASE m.value ->> 'action' WHEN 'set' THEN m.value ->> 'value' END,
               CASE m.value ->> 'action' WHEN 'set' THEN coalesce((m.value ->> 'last_updated_at_ms')::bigint, p_now_ms)
                                         ELSE p_now_ms END
          FROM jsonb_array_elements(v_mutations) WITH ORDINALITY m (value, n)
         WHERE m.n > v_cleared AND m.value ->> 'action' IN ('set', 'clear_key')
         ORDER BY m.value ->> 'key', m.n DESC
        ON CONFLICT (instance_id, key) DO UPDATE
           SET value = EXCLUDED.value, last_updated_at_ms = EXCLUDED.last_updated_at_ms;
    END IF;

    IF v_status IN ('Completed', 'ContinuedAsNew', 'Failed') THEN
        INSERT INTO kv_store (instance_id, key, value, execution_id, last_updated_at_ms)
        SELECT d.instance_id, d.key, d.value, p_execution_id, d.last_updated_at_ms
          FROM kv_delta d
         WHERE d.instance_id = v_instance AND d.value IS NOT NULL
        ON CONFLICT (instance_id, key) DO UPDATE
           SET value = EXCLUDED.value, execution_id = EXCLUDED.execution_id,
               last_updated_at_ms = EXCLUDED.last_updated_at_ms;
        DELETE FROM kv_store s
         USING kv_delta d
         WHERE d.instance_id = v_instance AND d.value IS NULL
           AND s.instance_id = d.instance_id AND s.key = d.key;
        DELETE FROM kv_delta d WHERE d.instance_id = v_instance;
    END IF;

    -- Numbered in the order of the array.
    IF p_worker_items IS NOT NULL AND jsonb_array_length(p_worker_items) > 0 THEN
        INSERT INTO worker_queue (work_item, visible_at, created_at, session_id, tag,
                                  dxgo_instance_id, dxgo_execution_id, dxgo_activity_id)
        SELECT e.value::text, v_now, v_now, e.activity ->> 'session_id', e.activity ->> 'tag',
               e.activity ->> 'instance', dxgo_to_id(e.activity ->> 'execution_id'), dxgo_to_id(e.activity ->> 'id')
          FROM (SELECT i.value, i.value -> 'ActivityExecute' AS activity, i.n
                  FROM jsonb_array_elements(p_worker_items) WITH ORDINALITY i (value, n)) e
         ORDER BY e.n;
    END IF;

    -- The kind of an item is its one top-level key. An item of no known kind
    -- goes to the instance that is being acknowledged.
    IF p_orchestrator_items IS NOT NULL AND jsonb_array_length(p_orchestrator_items) > 0 THEN
        INSERT INTO orchestrator_queue (instance_id, work_item, visible_at, created_at)
        SELECT CASE
                   WHEN k.kind IS NULL THEN v_instance
                   WHEN k.kind IN ('SubOrchCompleted', 'SubOrchFailed') THEN k.body ->> 'parent_instance'
                   ELSE k.body ->> 'instance'
               END,
               i.value::text,
               CASE WHEN k.kind = 'TimerFired' AND (k.body ->> 'fire_at_ms')::bigint > 0
                    THEN to_timestamp((k.body ->> 'fire_at_ms')::bigint / 1000.0)
                    ELSE v_now END,
               v_now
          FROM jsonb_array_elements(p_orchestrator_items) WITH ORDINALITY i (value, n)
          LEFT JOIN LATERAL (
                SELECT o.key AS kind, o.value AS body
                  FROM jsonb_each(CASE WHEN jsonb_typeof(i.value) = 'object' THEN i.value ELSE '{}' END) o
                 WHERE o.key IN ('StartOrchestration', 'ContinueAsNew', 'TimerFired', 'ActivityCompleted',
                                 'ActivityFailed', 'ExternalRaised', 'CancelInstance', 'QueueMessage',
                                 'SubOrchCompleted', 'SubOrchFailed')
                 LIMIT 1) k ON true
         ORDER BY i.n;
    END IF;

    -- After the worker items, so that an activity scheduled and cancelled in
    -- one turn never runs. A row that a worker holds goes too: its next
    -- renewal or acknowledgement fails, which is how the worker learns of it.
    IF p_cancelled_activities IS NOT NULL AND jsonb_array_length(p_cancelled_activities) > 0 THEN
        PERFORM dxgo_delete_activities(ARRAY[v_instance], p_cancelled_activities);
    END IF;

    -- Whoever heard of the messages that came during the turn found the instance
    -- claimed. The sum keeps the search off the index on the time, which holds
    -- the messages of all instances.
    IF EXISTS (SELECT 1
                 FROM orchestrator_queue q
                WHERE q.instance_id = v_instance AND q.visible_at + interval '0' <= v_now) THEN
        PERFORM dxgo_notify('orch', v_now);
    END IF;
END
$$;

-- Gives a claimed instance back with its messages, even after the lease ran
-- out, as long as nobody else claimed it. Returns the instance.
CREATE OR REPLACE FUNCTION abandon_orchestration_item(
    p_lock_token text,
    p_now_ms bigint,
    p_delay_ms bigint DEFAULT NULL,
    p_ignore_attempt boolean DEFAULT false
) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_instance text;
    v_due timestamptz;
BEGIN
    SELECT l.instance_id INTO v_instance FROM instance_locks l WHERE l.lock_token = p_lock_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token';
    END IF;
    PERFORM pg_advisory_xact_lock(dxgo_instance_key(v_instance));

    UPDATE orchestrator_queue q
       SET lock_token = NULL, locked_until = NULL,
           visible_at = CASE WHEN p_delay_ms > 0 THEN to_timestamp((p_now_ms + p_delay_ms) / 1000.0)
                             ELSE q.visible_at END,
           attempt_count = CASE WHEN p_ignore_attempt THEN greatest(q.attempt_count - 1, 0) ELSE q.attempt_count END
     WHERE q.instance_id = v_instance AND q.lock_token = p_lock_token;
    DELETE FROM instance_locks l WHERE l.instance_id = v_instance AND l.lock_token = p_lock_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token';
    END IF;

    -- Its first message tells when somebody can have it. Materialized, because
    -- for a mere minimum the queue might be walked by time.
    WITH waiting AS MATERIALIZED (
        SELECT q.visible_at FROM orchestrator_queue q WHERE q.instance_id = v_instance)
    SELECT min(w.visible_at) INTO v_due FROM waiting w;
    IF v_due IS NOT NULL THEN
        PERFORM dxgo_notify('orch', v_due);
    END IF;
    RETURN v_instance;
END
$$;

-- Extends a lease from now, and never moves its end back. The time is read after
-- the wait: a lease that ran out meanwhile is lost.
CREATE OR REPLACE FUNCTION renew_orchestration_item_lock(
    p_lock_token text,
    p_now_ms bigint,
    p_extend_ms bigint
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_instance text;
    v_time bigint;
    v_until bigint;
BEGIN
    SELECT l.instance_id INTO v_instance
      FROM instance_locks l
     WHERE l.lock_token = p_lock_token AND l.locked_until > p_now_ms;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lock token invalid, expired, or already released';
    END IF;
    PERFORM pg_advisory_xact_lock(dxgo_instance_key(v_instance));

    v_time := dxgo_clock(p_now_ms);
    SELECT greatest(l.locked_until, v_time + p_extend_ms) INTO v_until
      FROM instance_locks l
     WHERE l.instance_id = v_instance AND l.lock_token = p_lock_token AND l.locked_until > v_time;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lock token invalid, expired, or already released';
    END IF;
    UPDATE orchestrator_queue q
       SET locked_until = v_until
     WHERE q.instance_id = v_instance AND q.lock_token = p_lock_token;
    UPDATE instance_locks l
       SET locked_until = v_until
     WHERE l.instance_id = v_instance AND l.lock_token = p_lock_token AND l.locked_until > v_time;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lock token invalid, expired, or already released';
    END IF;
END
$$;

-- Lets a worker keep a long activity. It fails once the row is gone, which is
-- how a worker learns that its activity was cancelled. Like the one above it
-- counts from now, and reads the time after the wait.
CREATE OR REPLACE FUNCTION renew_work_item_lock(
    p_lock_token text,
    p_now_ms bigint,
    p_extend_ms bigint
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_id bigint;
    v_until bigint;
    v_session text;
    v_time bigint;
BEGIN
    SELECT w.id, w.locked_until, w.session_id INTO v_id, v_until, v_session
      FROM worker_queue w
     WHERE w.lock_token = p_lock_token AND w.locked_until > p_now_ms
       FOR UPDATE;
    v_time := dxgo_clock(p_now_ms);
    IF v_id IS NULL OR v_until <= v_time THEN
        RAISE EXCEPTION 'Lock token invalid, expired, or already acked';
    END IF;
    UPDATE worker_queue w
       SET locked_until = greatest(v_until, v_time + p_extend_ms)
     WHERE w.id = v_id;

    IF v_session IS NOT NULL THEN
        UPDATE sessions s
           SET last_activity_at = p_now_ms
         WHERE s.session_id = v_session AND s.locked_until > p_now_ms;
    END IF;
END
$$;

-- Keeps the sessions of these owners, except those idle for too long, which
-- are left to run out. Returns how many were kept.
CREATE OR REPLACE FUNCTION renew_session_lock(
    p_owner_ids text[],
    p_now_ms bigint,
    p_extend_ms bigint,
    p_idle_timeout_ms bigint
) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_until bigint;
    v_renewed bigint;
BEGIN
    -- In one order, so that two renewals do not wait for each other.
    PERFORM 1
       FROM sessions s
      WHERE s.worker_id = ANY (p_owner_ids) AND s.locked_until > p_now_ms
      ORDER BY s.session_id
        FOR UPDATE;
    v_until := dxgo_clock(p_now_ms) + p_extend_ms;
    UPDATE sessions s
       SET locked_until = v_until
     WHERE s.worker_id = ANY (p_owner_ids)
       AND s.locked_until > p_now_ms
       AND s.last_activity_at > p_now_ms - p_idle_timeout_ms;
    GET DIAGNOSTICS v_renewed = ROW_COUNT;
    RETURN v_renewed;
END
$$;

-- Forgets sessions that ran out and have no activity waiting. Unlike elsewhere,
-- a lease that ends at this very millisecond has not run out. A session that
-- somebody works with at this moment is not forgotten.
CREATE OR REPLACE FUNCTION cleanup_orphaned_sessions(p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_deleted bigint;
BEGIN
    DELETE FROM sessions s
     WHERE s.session_id = ANY (ARRAY(SELECT o.session_id
                                       FROM sessions o
                                      WHERE o.locked_until < p_now_ms
                                        AND NOT EXISTS (SELECT 1 FROM worker_queue w WHERE w.session_id = o.session_id)
                                        FOR UPDATE OF o SKIP LOCKED));
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;

-- Deletes whole families: an instance cannot be deleted without its children.
CREATE OR REPLACE FUNCTION delete_instances_atomic(
    p_instance_ids text[],
    p_force boolean
) RETURNS TABLE (
    instances_deleted bigint,
    executions_deleted bigint,
    events_deleted bigint,
    queue_messages_deleted bigint
)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_id text;
BEGIN
    instances_deleted := 0;
    executions_deleted := 0;
    events_deleted := 0;
    queue_messages_deleted := 0;
    IF coalesce(cardinality(p_instance_ids), 0) = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- In the order of all others, and within it sorted, so that two deletions do
    -- not wait for each other. The table of locks is shared by the whole server:
    -- a huge list does without the keys, and the order of the rows has to do.
    IF cardinality(p_instance_ids) <= 1000 THEN
        PERFORM pg_advisory_xact_lock(k.key)
           FROM (SELECT DISTINCT dxgo_instance_key(u.id) AS key FROM unnest(p_instance_ids) u (id) ORDER BY 1) k;
    END IF;
    PERFORM 1 FROM orchestrator_queue q WHERE q.instance_id = ANY (p_instance_ids) ORDER BY q.id + 0 FOR UPDATE;
    PERFORM 1 FROM instance_locks l WHERE l.instance_id = ANY (p_instance_ids) ORDER BY l.instance_id FOR UPDATE;
    PERFORM 1 FROM instances i WHERE i.instance_id = ANY (p_instance_ids) ORDER BY i.instance_id FOR UPDATE;

    -- No turn can begin or end now, so that what is found here stays true.
    IF p_force IS NOT TRUE THEN
        SELECT i.instance_id INTO v_id
          FROM instances i
          JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
         WHERE i.instance_id = ANY (p_instance_ids) AND e.status = 'Running'
         LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'Instance % is Running. Use force=true to delete.', v_id;
        END IF;
    END IF;
    SELECT i.instance_id INTO v_id
      FROM instances i
     WHERE i.parent_instance_id = ANY (p_instance_ids) AND i.instance_id <> ALL (p_instance_ids)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Orphan detected: instance % has parent in delete list but is not included', v_id;
    END IF;

    DELETE FROM orchestrator_queue q WHERE q.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS queue_messages_deleted = ROW_COUNT;
    -- Without its lock a turn still in progress can no longer be acknowledged,
    -- and so cannot bring the instance back.
    DELETE FROM instance_locks l WHERE l.instance_id = ANY (p_instance_ids);
    DELETE FROM history h WHERE h.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS events_deleted = ROW_COUNT;
    DELETE FROM executions e WHERE e.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS executions_deleted = ROW_COUNT;
    DELETE FROM kv_delta d WHERE d.instance_id = ANY (p_instance_ids);
    DELETE FROM kv_store s WHERE s.instance_id = ANY (p_instance_ids);
    DELETE FROM instances i WHERE i.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS instances_deleted = ROW_COUNT;
    queue_messages_deleted := queue_messages_deleted + dxgo_delete_activities(p_instance_ids, NULL);
    RETURN NEXT;
END
$$;
