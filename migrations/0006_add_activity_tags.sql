-- Activities carry a tag, and a worker says which tags it takes.

ALTER TABLE worker_queue ADD COLUMN IF NOT EXISTS tag text;
CREATE INDEX IF NOT EXISTS idx_worker_queue_tag ON worker_queue (tag);

-- More arguments; one overload only of each.
DROP FUNCTION IF EXISTS enqueue_worker_work(text, bigint, text);
DROP FUNCTION IF EXISTS fetch_work_item(bigint, bigint, text, bigint);

CREATE OR REPLACE FUNCTION enqueue_worker_work(
    p_work_item text,
    p_now_ms bigint,
    p_session_id text DEFAULT NULL,
    p_tag text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
BEGIN
    INSERT INTO worker_queue (work_item, visible_at, created_at, session_id, tag)
    VALUES (p_work_item, v_now, v_now, p_session_id, p_tag);
END
$$;

-- Claims the oldest visible activity. One that is bound to a session goes only
-- to the worker that owns the session or can take it over.
-- A mode that is not known behaves like default_only.
CREATE OR REPLACE FUNCTION fetch_work_item(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_owner_id text DEFAULT NULL,
    p_session_lock_timeout_ms bigint DEFAULT NULL,
    p_tag_filter text[] DEFAULT NULL,
    p_tag_mode text DEFAULT 'default_only'
) RETURNS TABLE (
    out_work_item text,
    out_lock_token text,
    out_attempt_count integer
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_id bigint;
    v_takes_sessions boolean := p_owner_id IS NOT NULL AND p_session_lock_timeout_ms IS NOT NULL;
    v_session text;
BEGIN
    IF p_tag_mode = 'none' THEN
        RETURN;
    END IF;

    SELECT w.id, w.session_id INTO v_id, v_session
      FROM worker_queue w
     WHERE w.visible_at <= v_now
       AND (w.lock_token IS NULL OR w.locked_until <= p_now_ms)
       AND CASE p_tag_mode
               WHEN 'tags' THEN w.tag = ANY (p_tag_filter)
               WHEN 'default_and' THEN w.tag IS NULL OR w.tag = ANY (p_tag_filter)
               WHEN 'any' THEN true
               ELSE w.tag IS NULL
           END
       AND (w.session_id IS NULL
            OR (v_takes_sessions
                AND NOT EXISTS (SELECT 1
                                  FROM sessions s
                                 WHERE s.session_id = w.session_id
                                   AND s.locked_until > p_now_ms
                                   AND s.worker_id <> p_owner_id)))
     ORDER BY w.id
     LIMIT 1
       FOR UPDATE OF w SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    out_lock_token := 'lock_' || gen_random_uuid();
    UPDATE worker_queue w
       SET lock_token = out_lock_token, locked_until = p_now_ms + p_lock_timeout_ms,
           attempt_count = w.attempt_count + 1
     WHERE w.id = v_id
    RETURNING w.work_item, w.attempt_count INTO out_work_item, out_attempt_count;

    IF v_session IS NOT NULL AND v_takes_sessions THEN
        INSERT INTO sessions AS s (session_id, worker_id, locked_until, last_activity_at)
        VALUES (v_session, p_owner_id, p_now_ms + p_session_lock_timeout_ms, p_now_ms)
        ON CONFLICT (session_id) DO UPDATE
           SET worker_id = EXCLUDED.worker_id, locked_until = EXCLUDED.locked_until,
               last_activity_at = EXCLUDED.last_activity_at
         WHERE s.locked_until <= p_now_ms OR s.worker_id = p_owner_id;
        -- Another worker took the session since the search: the item goes
        -- back as it was.
        IF NOT FOUND THEN
            UPDATE worker_queue w
               SET lock_token = NULL, locked_until = NULL, attempt_count = w.attempt_count - 1
             WHERE w.id = v_id;
            RETURN;
        END IF;
    END IF;
    RETURN NEXT;
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
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_instance text;
    v_name text := p_metadata ->> 'orchestration_name';
    v_version text := p_metadata ->> 'orchestration_version';
    v_parent text := p_metadata ->> 'parent_instance_id';
    v_status text := p_metadata ->> 'status';
    v_pin jsonb := p_metadata -> 'pinned_duroxide_version';
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

-- Removes all that the migrations made, this function included; for tests.
CREATE OR REPLACE FUNCTION cleanup_schema() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
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
    DROP FUNCTION IF EXISTS notify_orch_work();
    DROP FUNCTION IF EXISTS notify_worker_work();
    DROP FUNCTION IF EXISTS cleanup_schema();
END
$$;
