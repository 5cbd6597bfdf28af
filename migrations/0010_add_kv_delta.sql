-- Changes of key-value pairs wait in kv_delta until their execution ends. Written
-- straight to the store, a replayed read would see its own later write.

-- A NULL value marks a key that is cleared.
CREATE TABLE IF NOT EXISTS kv_delta (
    instance_id        text NOT NULL,
    key                text NOT NULL,
    value              text,
    last_updated_at_ms bigint NOT NULL,
    PRIMARY KEY (instance_id, key)
);

-- An overload without the cancelled activities, of some old schemas.
DROP FUNCTION IF EXISTS ack_orchestration_item(text, bigint, bigint, jsonb, jsonb, jsonb, jsonb);
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
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_instance text;
    v_name text := p_metadata ->> 'orchestration_name';
    v_version text := p_metadata ->> 'orchestration_version';
    v_parent text := p_metadata ->> 'parent_instance_id';
    v_status text := p_metadata ->> 'status';
    v_pin jsonb := p_metadata -> 'pinned_duroxide_version';
    v_mutations jsonb := p_metadata -> 'kv_mutations';
    v_item jsonb;
    v_kind text;
    v_body jsonb;
    v_fire_at_ms bigint;
BEGIN
    SELECT l.instance_id INTO v_instance
      FROM instance_locks l
     WHERE l.lock_token = p_lock_token AND l.locked_until > p_now_ms;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token';
    END IF;

    IF v_name IS NOT NULL AND v_version IS NOT NULL THEN
        INSERT INTO instances (instance_id, orchestration_name, orchestration_version, current_execution_id,
                               created_at, updated_at, parent_instance_id)
        VALUES (v_instance, v_name, v_version, p_execution_id, v_now, v_now, v_parent)
        ON CONFLICT (instance_id) DO NOTHING;
        -- A parent is set once; a later turn cannot change it.
        UPDATE instances t
           SET orchestration_name = v_name, orchestration_version = v_version, updated_at = v_now,
               parent_instance_id = coalesce(t.parent_instance_id, v_parent)
         WHERE t.instance_id = v_instance;
    END IF;

    INSERT INTO executions (instance_id, execution_id, status, started_at)
    VALUES (v_instance, p_execution_id, 'Running', v_now)
    ON CONFLICT (instance_id, execution_id) DO NOTHING;
    UPDATE instances t
       SET current_execution_id = greatest(t.current_execution_id, p_execution_id), updated_at = v_now
     WHERE t.instance_id = v_instance;

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
    -- execution still sees the values that it started with.
    IF v_mutations IS NOT NULL AND jsonb_array_length(v_mutations) > 0 THEN
        FOR v_item IN SELECT e.value FROM jsonb_array_elements(v_mutations) e LOOP
            CASE v_item ->> 'action'
            WHEN 'set' THEN
                INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms)
                VALUES (v_instance, v_item ->> 'key', v_item ->> 'value',
                        coalesce((v_item ->> 'last_updated_at_ms')::bigint, p_now_ms))
                ON CONFLICT (instance_id, key) DO UPDATE
                   SET value = EXCLUDED.value, last_updated_at_ms = EXCLUDED.last_updated_at_ms;
            WHEN 'clear_key' THEN
                INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms)
                VALUES (v_instance, v_item ->> 'key', NULL, p_now_ms)
                ON CONFLICT (instance_id, key) DO UPDATE
                   SET value = NULL, last_updated_at_ms = EXCLUDED.last_updated_at_ms;
            WHEN 'clear_all' THEN
                UPDATE kv_delta d
                   SET value = NULL, last_updated_at_ms = p_now_ms
                 WHERE d.instance_id = v_instance;
                INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms)
                SELECT s.instance_id, s.key, NULL, p_now_ms
                  FROM kv_store s
                 WHERE s.instance_id = v_instance
                ON CONFLICT (instance_id, key) DO NOTHING;
            ELSE
                NULL;
            END CASE;
        END LOOP;
    END IF;

    -- The execution ends: its staged values become the store.
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

    IF p_worker_items IS NOT NULL AND jsonb_array_length(p_worker_items) > 0 THEN
        FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_worker_items) e LOOP
            INSERT INTO worker_queue (work_item, visible_at, created_at, session_id, tag)
            VALUES (v_item::text, v_now, v_now, v_item -> 'ActivityExecute' ->> 'session_id',
                    v_item -> 'ActivityExecute' ->> 'tag');
        END LOOP;
    END IF;

    IF p_orchestrator_items IS NOT NULL AND jsonb_array_length(p_orchestrator_items) > 0 THEN
        FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_orchestrator_items) e LOOP
            -- The kind of an item is its one top-level key. An item of no
            -- known kind goes to the instance that is being acknowledged.
            SELECT k.key, k.value INTO v_kind, v_body
              FROM jsonb_each(CASE WHEN jsonb_typeof(v_item) = 'object' THEN v_item ELSE '{}' END) k
             WHERE k.key IN ('StartOrchestration', 'ContinueAsNew', 'TimerFired', 'ActivityCompleted',
                             'ActivityFailed', 'ExternalRaised', 'CancelInstance', 'QueueMessage',
                             'SubOrchCompleted', 'SubOrchFailed')
             LIMIT 1;
            v_fire_at_ms := CASE WHEN v_kind = 'TimerFired' THEN (v_body ->> 'fire_at_ms')::bigint END;
            INSERT INTO orchestrator_queue (instance_id, work_item, visible_at, created_at)
            VALUES (CASE
                        WHEN v_kind IS NULL THEN v_instance
                        WHEN v_kind IN ('SubOrchCompleted', 'SubOrchFailed') THEN v_body ->> 'parent_instance'
                        ELSE v_body ->> 'instance'
                    END,
                    v_item::text,
                    CASE WHEN v_fire_at_ms > 0 THEN to_timestamp(v_fire_at_ms / 1000.0) ELSE v_now END,
                    v_now);
        END LOOP;
    END IF;

    -- After the worker items, so that an activity scheduled and cancelled in
    -- one turn never runs. A row that a worker holds goes too: its next
    -- renewal or acknowledgement fails, which is how the worker learns of it.
    IF p_cancelled_activities IS NOT NULL AND jsonb_array_length(p_cancelled_activities) > 0 THEN
        FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_cancelled_activities) e LOOP
            DELETE FROM worker_queue w
             WHERE w.work_item::jsonb -> 'ActivityExecute' ->> 'instance' = v_instance
               AND (w.work_item::jsonb -> 'ActivityExecute' ->> 'execution_id')::bigint
                   = (v_item ->> 'execution_id')::bigint
               AND (w.work_item::jsonb -> 'ActivityExecute' ->> 'id')::bigint
                   = (v_item ->> 'activity_id')::bigint;
        END LOOP;
    END IF;

    -- Only the messages of this claim; what arrived since stays queued.
    DELETE FROM orchestrator_queue q WHERE q.lock_token = p_lock_token;
    DELETE FROM instance_locks l WHERE l.lock_token = p_lock_token;
END
$$;

-- The value as the running execution left it. Always one row.
CREATE OR REPLACE FUNCTION get_kv_value(
    p_instance text,
    p_key text
) RETURNS TABLE (
    out_value text,
    out_found boolean
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    SELECT d.value, d.value IS NOT NULL INTO out_value, out_found
      FROM kv_delta d
     WHERE d.instance_id = p_instance AND d.key = p_key;
    IF NOT FOUND THEN
        SELECT s.value INTO out_value
          FROM kv_store s
         WHERE s.instance_id = p_instance AND s.key = p_key;
        out_found := FOUND;
    END IF;
    RETURN NEXT;
END
$$;

CREATE OR REPLACE FUNCTION get_kv_all_values(p_instance text) RETURNS TABLE (
    out_key text,
    out_value text
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT d.key, d.value
      FROM kv_delta d
     WHERE d.instance_id = p_instance AND d.value IS NOT NULL
    UNION ALL
    SELECT s.key, s.value
      FROM kv_store s
     WHERE s.instance_id = p_instance
       AND NOT EXISTS (SELECT 1 FROM kv_delta d WHERE d.instance_id = p_instance AND d.key = s.key);
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
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_id text;
    v_worker_rows bigint;
BEGIN
    instances_deleted := 0;
    executions_deleted := 0;
    events_deleted := 0;
    queue_messages_deleted := 0;
    IF coalesce(cardinality(p_instance_ids), 0) = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;

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

    PERFORM 1 FROM instances i WHERE i.instance_id = ANY (p_instance_ids) FOR UPDATE;
    SELECT i.instance_id INTO v_id
      FROM instances i
     WHERE i.parent_instance_id = ANY (p_instance_ids) AND i.instance_id <> ALL (p_instance_ids)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Orphan detected: instance % has parent in delete list but is not included', v_id;
    END IF;

    DELETE FROM history h WHERE h.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS events_deleted = ROW_COUNT;
    DELETE FROM executions e WHERE e.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS executions_deleted = ROW_COUNT;
    DELETE FROM orchestrator_queue q WHERE q.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS queue_messages_deleted = ROW_COUNT;
    DELETE FROM worker_queue w
     WHERE w.work_item::jsonb -> 'ActivityExecute' ->> 'instance' = ANY (p_instance_ids);
    GET DIAGNOSTICS v_worker_rows = ROW_COUNT;
    queue_messages_deleted := queue_messages_deleted + v_worker_rows;
    -- Without its lock a turn still in progress can no longer be acknowledged,
    -- and so cannot bring the instance back.
    DELETE FROM instance_locks l WHERE l.instance_id = ANY (p_instance_ids);
    DELETE FROM kv_delta d WHERE d.instance_id = ANY (p_instance_ids);
    DELETE FROM kv_store s WHERE s.instance_id = ANY (p_instance_ids);
    DELETE FROM instances i WHERE i.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS instances_deleted = ROW_COUNT;
    RETURN NEXT;
END
$$;

-- Removes all that the migrations made, this function included; for tests.
CREATE OR REPLACE FUNCTION cleanup_schema() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DROP TABLE IF EXISTS kv_delta CASCADE;
    DROP TABLE IF EXISTS kv_store CASCADE;
    DROP TABLE IF EXISTS sessions CASCADE;
    DROP TABLE IF EXISTS instance_locks CASCADE;
    DROP TABLE IF EXISTS worker_queue CASCADE;
    DROP TABLE IF EXISTS orchestrator_queue CASCADE;
    DROP TABLE IF EXISTS history CASCADE;
    DROP TABLE IF EXISTS executions CASCADE;
    DROP TABLE IF EXISTS instances CASCADE;
    DROP TABLE IF EXISTS _duroxide_migrations CASCADE;

    DROP FUNCTION IF EXISTS list_instances();
    DROP FUNCTION IF EXISTS list_executions(text);
    DROP FUNCTION IF EXISTS latest_execution_id(text);
    DROP FUNCTION IF EXISTS list_instances_by_status(text);
    DROP FUNCTION IF EXISTS get_instance_info(text);
    DROP FUNCTION IF EXISTS get_execution_info(text, bigint);
    DROP FUNCTION IF EXISTS get_system_metrics();
    DROP FUNCTION IF EXISTS get_queue_depths(bigint);
    DROP FUNCTION IF EXISTS enqueue_orchestrator_work(text, text, timestamptz, bigint, text, text, bigint);
    DROP FUNCTION IF EXISTS fetch_orchestration_item(bigint, bigint, bigint, bigint);
    DROP FUNCTION IF EXISTS ack_orchestration_item(text, bigint, bigint, jsonb, jsonb, jsonb, jsonb, jsonb);
    DROP FUNCTION IF EXISTS abandon_orchestration_item(text, bigint, bigint, boolean);
    DROP FUNCTION IF EXISTS renew_orchestration_item_lock(text, bigint, bigint);
    DROP FUNCTION IF EXISTS enqueue_worker_work(text, bigint, text);
    DROP FUNCTION IF EXISTS enqueue_worker_work(text, bigint, text, text);
    DROP FUNCTION IF EXISTS fetch_work_item(bigint, bigint, text, bigint);
    DROP FUNCTION IF EXISTS fetch_work_item(bigint, bigint, text, bigint, text[], text);
    DROP FUNCTION IF EXISTS ack_worker(text, text, text, bigint);
    DROP FUNCTION IF EXISTS abandon_work_item(text, bigint, bigint, boolean);
    DROP FUNCTION IF EXISTS renew_work_item_lock(text, bigint, bigint);
    DROP FUNCTION IF EXISTS fetch_history(text);
    DROP FUNCTION IF EXISTS fetch_history_with_execution(text, bigint);
    DROP FUNCTION IF EXISTS append_history(text, bigint, jsonb, bigint);
    DROP FUNCTION IF EXISTS list_children(text);
    DROP FUNCTION IF EXISTS get_parent_id(text);
    DROP FUNCTION IF EXISTS delete_instances_atomic(text[], boolean);
    DROP FUNCTION IF EXISTS prune_executions(text, integer, bigint);
    DROP FUNCTION IF EXISTS renew_session_lock(text[], bigint, bigint, bigint);
    DROP FUNCTION IF EXISTS cleanup_orphaned_sessions(bigint);
    DROP FUNCTION IF EXISTS get_custom_status(text, bigint);
    DROP FUNCTION IF EXISTS get_kv_value(text, text);
    DROP FUNCTION IF EXISTS get_kv_all_values(text);
    DROP FUNCTION IF EXISTS notify_orch_work();
    DROP FUNCTION IF EXISTS notify_worker_work();
    DROP FUNCTION IF EXISTS cleanup_schema();
END
$$;
