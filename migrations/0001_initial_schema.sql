-- Instances with their history, the two queues that drive them, and the
-- functions through which every provider works: one call, one transaction.
-- All names are unqualified: run with search_path set to the schema, then pg_temp.
-- Times of leases are milliseconds since the epoch, from the caller's clock.

CREATE TABLE IF NOT EXISTS _duroxide_migrations (
    version    bigint PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS instances (
    instance_id           text PRIMARY KEY,
    orchestration_name    text NOT NULL,
    orchestration_version text,
    current_execution_id  bigint NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS executions (
    instance_id  text NOT NULL,
    execution_id bigint NOT NULL,
    status       text NOT NULL DEFAULT 'Running',
    output       text,
    started_at   timestamptz NOT NULL,
    completed_at timestamptz,
    PRIMARY KEY (instance_id, execution_id)
);

CREATE TABLE IF NOT EXISTS history (
    instance_id  text NOT NULL,
    execution_id bigint NOT NULL,
    event_id     bigint NOT NULL,
    event_type   text NOT NULL,
    event_data   text NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (instance_id, execution_id, event_id)
);

CREATE TABLE IF NOT EXISTS orchestrator_queue (
    id            bigserial PRIMARY KEY,
    instance_id   text NOT NULL,
    work_item     text NOT NULL,
    visible_at    timestamptz NOT NULL,
    lock_token    text,
    locked_until  bigint,
    created_at    timestamptz NOT NULL,
    attempt_count integer NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS worker_queue (
    id            bigserial PRIMARY KEY,
    work_item     text NOT NULL,
    visible_at    timestamptz NOT NULL,
    lock_token    text,
    locked_until  bigint,
    created_at    timestamptz NOT NULL,
    attempt_count integer NOT NULL DEFAULT 0
);

-- A row for each instance that a process works on, or died working on.
CREATE TABLE IF NOT EXISTS instance_locks (
    instance_id  text PRIMARY KEY,
    lock_token   text NOT NULL,
    locked_until bigint NOT NULL,
    locked_at    bigint NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_orch_visible ON orchestrator_queue (visible_at, lock_token);
CREATE INDEX IF NOT EXISTS idx_orch_instance ON orchestrator_queue (instance_id);
CREATE INDEX IF NOT EXISTS idx_orch_lock ON orchestrator_queue (lock_token);
CREATE INDEX IF NOT EXISTS idx_worker_visible ON worker_queue (visible_at, lock_token);
CREATE INDEX IF NOT EXISTS idx_worker_available ON worker_queue (lock_token, id);
CREATE INDEX IF NOT EXISTS idx_instance_locks_locked_until ON instance_locks (locked_until);
CREATE INDEX IF NOT EXISTS idx_history_lookup ON history (instance_id, execution_id, event_id);

-- Wakes the processes that listen, with the time at which the row is due. The
-- channel carries the schema's own name, so that one listener can tell schemas
-- apart.
CREATE OR REPLACE FUNCTION notify_orch_work() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_orch_work',
                      (extract(epoch FROM NEW.visible_at) * 1000)::bigint::text);
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION notify_worker_work() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_worker_work',
                      (extract(epoch FROM NEW.visible_at) * 1000)::bigint::text);
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER trg_notify_orch_work
    AFTER INSERT ON orchestrator_queue
    FOR EACH ROW EXECUTE FUNCTION notify_orch_work();
CREATE OR REPLACE TRIGGER trg_notify_worker_work
    AFTER INSERT ON worker_queue
    FOR EACH ROW EXECUTE FUNCTION notify_worker_work();

-- Later versions gave these three another result or more defaults, which
-- CREATE OR REPLACE cannot take back when this file runs over such a schema.
DROP FUNCTION IF EXISTS get_instance_info(text);
DROP FUNCTION IF EXISTS ack_worker(text, text, text, bigint);
DROP FUNCTION IF EXISTS renew_work_item_lock(text, bigint, bigint);

-- The last three arguments are ignored: a message never creates an instance,
-- only the acknowledgement of a turn does.
CREATE OR REPLACE FUNCTION enqueue_orchestrator_work(
    p_instance_id text,
    p_work_item text,
    p_visible_at timestamptz,
    p_now_ms bigint,
    p_orchestration_name text DEFAULT NULL,
    p_orchestration_version text DEFAULT NULL,
    p_execution_id bigint DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO orchestrator_queue (instance_id, work_item, visible_at, created_at)
    VALUES (p_instance_id, p_work_item, p_visible_at, to_timestamp(p_now_ms / 1000.0));
END
$$;

-- Claims the instance whose oldest visible message is due first, with all of
-- its visible messages and its history.
CREATE OR REPLACE FUNCTION fetch_orchestration_item(
    p_now_ms bigint,
    p_lock_timeout_ms bigint
) RETURNS TABLE (
    out_instance_id text,
    out_orchestration_name text,
    out_orchestration_version text,
    out_execution_id bigint,
    out_history jsonb,
    out_messages jsonb,
    out_lock_token text,
    out_attempt_count integer
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_until bigint := p_now_ms + p_lock_timeout_ms;
    v_instance text;
    v_first jsonb;
BEGIN
    -- Chosen without a lock.
    SELECT q.instance_id INTO v_instance
      FROM orchestrator_queue q
     WHERE q.visible_at <= v_now
       AND NOT EXISTS (SELECT 1
                         FROM instance_locks l
                        WHERE l.instance_id = q.instance_id AND l.locked_until > p_now_ms)
     ORDER BY q.visible_at, q.id
     LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    -- One claimer per instance at a time: upserts of instance_locks by
    -- several at once can deadlock inside its index.
    PERFORM pg_advisory_xact_lock(hashtext(v_instance)::bigint);

    -- The wait may have made the choice stale, so it is checked again.
    PERFORM 1
       FROM orchestrator_queue q
      WHERE q.instance_id = v_instance
        AND q.visible_at <= v_now
        AND NOT EXISTS (SELECT 1
                          FROM instance_locks l
                         WHERE l.instance_id = q.instance_id AND l.locked_until > p_now_ms)
      LIMIT 1
        FOR UPDATE OF q SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    out_lock_token := 'lock_' || gen_random_uuid();
    INSERT INTO instance_locks AS l (instance_id, lock_token, locked_until, locked_at)
    VALUES (v_instance, out_lock_token, v_until, p_now_ms)
    ON CONFLICT (instance_id) DO UPDATE
       SET lock_token = EXCLUDED.lock_token, locked_until = EXCLUDED.locked_until,
           locked_at = EXCLUDED.locked_at
     WHERE l.locked_until <= p_now_ms;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    UPDATE orchestrator_queue q
       SET lock_token = out_lock_token, locked_until = v_until, attempt_count = q.attempt_count + 1
     WHERE q.instance_id = v_instance
       AND q.visible_at <= v_now
       AND (q.lock_token IS NULL OR q.locked_until <= p_now_ms);
    SELECT coalesce(jsonb_agg(q.work_item::jsonb ORDER BY q.id), '[]'), coalesce(max(q.attempt_count), 1)
      INTO out_messages, out_attempt_count
      FROM orchestrator_queue q
     WHERE q.lock_token = out_lock_token;

    out_instance_id := v_instance;
    SELECT i.orchestration_name, coalesce(i.orchestration_version, 'unknown'), i.current_execution_id
      INTO out_orchestration_name, out_orchestration_version, out_execution_id
      FROM instances i
     WHERE i.instance_id = v_instance;
    IF FOUND THEN
        SELECT coalesce(jsonb_agg(h.event_data::jsonb ORDER BY h.event_id), '[]') INTO out_history
          FROM history h
         WHERE h.instance_id = v_instance AND h.execution_id = out_execution_id;
    ELSE
        -- No turn was ever recorded: the identity comes from what there is.
        SELECT coalesce(jsonb_agg(h.event_data::jsonb ORDER BY h.execution_id, h.event_id), '[]') INTO out_history
          FROM history h
         WHERE h.instance_id = v_instance;
        out_execution_id := 1;
        IF out_history -> 0 ? 'OrchestrationStarted' THEN
            v_first := out_history -> 0 -> 'OrchestrationStarted';
            out_orchestration_name := v_first ->> 'name';
            out_orchestration_version := v_first ->> 'version';
        ELSIF out_messages -> 0 ? 'StartOrchestration' THEN
            v_first := out_messages -> 0 -> 'StartOrchestration';
            out_orchestration_name := v_first ->> 'orchestration';
            out_orchestration_version := coalesce(v_first ->> 'version', 'unknown');
            out_execution_id := coalesce((v_first ->> 'execution_id')::bigint, 1);
        ELSIF out_messages -> 0 ? 'ContinueAsNew' THEN
            v_first := out_messages -> 0 -> 'ContinueAsNew';
            out_orchestration_name := v_first ->> 'orchestration';
            out_orchestration_version := coalesce(v_first ->> 'version', 'unknown');
        ELSE
            out_orchestration_name := 'Unknown';
            out_orchestration_version := 'unknown';
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
    v_status text := p_metadata ->> 'status';
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
                               created_at, updated_at)
        VALUES (v_instance, v_name, v_version, p_execution_id, v_now, v_now)
        ON CONFLICT (instance_id) DO NOTHING;
        UPDATE instances t
           SET orchestration_name = v_name, orchestration_version = v_version, updated_at = v_now
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

    IF p_worker_items IS NOT NULL AND jsonb_array_length(p_worker_items) > 0 THEN
        FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_worker_items) e LOOP
            INSERT INTO worker_queue (work_item, visible_at, created_at)
            VALUES (v_item::text, v_now, v_now);
        END LOOP;
    END IF;

    IF p_orchestrator_items IS NOT NULL AND jsonb_array_length(p_orchestrator_items) > 0 THEN
        FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_orchestrator_items) e LOOP
            -- The kind of an item is its one top-level key. An item of no
            -- known kind goes to the instance that is being acknowledged.
            SELECT k.key, k.value INTO v_kind, v_body
              FROM jsonb_each(CASE WHEN jsonb_typeof(v_item) = 'object' THEN v_item ELSE '{}' END) k
             WHERE k.key IN ('StartOrchestration', 'ContinueAsNew', 'TimerFired', 'ActivityCompleted',
                             'ActivityFailed', 'ExternalRaised', 'CancelInstance',
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

-- Gives a claimed instance back with its messages, even after the lease ran
-- out, as long as nobody else claimed it. Returns the instance.
CREATE OR REPLACE FUNCTION abandon_orchestration_item(
    p_lock_token text,
    p_now_ms bigint,
    p_delay_ms bigint DEFAULT NULL,
    p_ignore_attempt boolean DEFAULT false
) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_instance text;
BEGIN
    SELECT l.instance_id INTO v_instance FROM instance_locks l WHERE l.lock_token = p_lock_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token';
    END IF;

    UPDATE orchestrator_queue q
       SET lock_token = NULL, locked_until = NULL,
           visible_at = CASE WHEN p_delay_ms > 0 THEN to_timestamp((p_now_ms + p_delay_ms) / 1000.0)
                             ELSE q.visible_at END,
           attempt_count = CASE WHEN p_ignore_attempt THEN greatest(q.attempt_count - 1, 0) ELSE q.attempt_count END
     WHERE q.lock_token = p_lock_token;
    DELETE FROM instance_locks l WHERE l.lock_token = p_lock_token;
    RETURN v_instance;
END
$$;

CREATE OR REPLACE FUNCTION renew_orchestration_item_lock(
    p_lock_token text,
    p_now_ms bigint,
    p_extend_ms bigint
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE instance_locks l
       SET locked_until = greatest(l.locked_until, p_now_ms) + p_extend_ms
     WHERE l.lock_token = p_lock_token AND l.locked_until > p_now_ms;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lock token invalid, expired, or already released';
    END IF;

    UPDATE orchestrator_queue q
       SET locked_until = greatest(q.locked_until, p_now_ms) + p_extend_ms
     WHERE q.lock_token = p_lock_token;
END
$$;

CREATE OR REPLACE FUNCTION enqueue_worker_work(
    p_work_item text,
    p_now_ms bigint
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
BEGIN
    INSERT INTO worker_queue (work_item, visible_at, created_at)
    VALUES (p_work_item, v_now, v_now);
END
$$;

-- Claims the oldest visible activity, and tells whether the execution that
-- scheduled it still runs, so that a worker need not start what nobody awaits.
CREATE OR REPLACE FUNCTION fetch_work_item(
    p_now_ms bigint,
    p_lock_timeout_ms bigint
) RETURNS TABLE (
    out_work_item text,
    out_lock_token text,
    out_attempt_count integer,
    out_execution_status text
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_id bigint;
    v_activity jsonb;
BEGIN
    SELECT w.id INTO v_id
      FROM worker_queue w
     WHERE w.visible_at <= v_now
       AND (w.lock_token IS NULL OR w.locked_until <= p_now_ms)
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

    v_activity := out_work_item::jsonb -> 'ActivityExecute';
    SELECT e.status INTO out_execution_status
      FROM instances i
      JOIN executions e ON e.instance_id = i.instance_id
     WHERE i.instance_id = v_activity ->> 'instance'
       AND e.execution_id = (v_activity ->> 'execution_id')::bigint;
    RETURN NEXT;
END
$$;

-- Removes a finished activity and hands its completion, if there is one, to
-- the orchestration in the same transaction.
CREATE OR REPLACE FUNCTION ack_worker(
    p_lock_token text,
    p_instance_id text,
    p_completion_json text,
    p_now_ms bigint
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
BEGIN
    DELETE FROM worker_queue w WHERE w.lock_token = p_lock_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Worker queue item not found or already processed';
    END IF;

    IF p_completion_json IS NOT NULL THEN
        IF p_instance_id IS NULL THEN
            RAISE EXCEPTION 'instance_id required when completion_json is provided';
        END IF;
        INSERT INTO orchestrator_queue (instance_id, work_item, visible_at, created_at)
        VALUES (p_instance_id, p_completion_json, v_now, v_now);
    END IF;
END
$$;

-- Lets a worker keep a long activity while its execution runs, and tells the
-- status of that execution, so that the worker can stop when nobody awaits it.
CREATE OR REPLACE FUNCTION renew_work_item_lock(
    p_lock_token text,
    p_now_ms bigint,
    p_extend_ms bigint
) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_id bigint;
    v_activity jsonb;
    v_status text;
BEGIN
    SELECT w.id, w.work_item::jsonb -> 'ActivityExecute' INTO v_id, v_activity
      FROM worker_queue w
     WHERE w.lock_token = p_lock_token AND w.locked_until > p_now_ms
       FOR UPDATE OF w;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lock token invalid, expired, or already acked';
    END IF;

    SELECT e.status INTO v_status
      FROM instances i
      JOIN executions e ON e.instance_id = i.instance_id
     WHERE i.instance_id = v_activity ->> 'instance'
       AND e.execution_id = (v_activity ->> 'execution_id')::bigint;
    IF v_status = 'Running' THEN
        UPDATE worker_queue w
           SET locked_until = greatest(w.locked_until, p_now_ms) + p_extend_ms
         WHERE w.id = v_id;
    END IF;
    RETURN v_status;
END
$$;

-- Gives an activity back, even after the lease ran out, as long as nobody else
-- claimed it.
CREATE OR REPLACE FUNCTION abandon_work_item(
    p_lock_token text,
    p_now_ms bigint,
    p_delay_ms bigint DEFAULT NULL,
    p_ignore_attempt boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE worker_queue w
       SET lock_token = NULL, locked_until = NULL,
           visible_at = to_timestamp((p_now_ms + greatest(p_delay_ms, 0)) / 1000.0),
           attempt_count = CASE WHEN p_ignore_attempt THEN greatest(w.attempt_count - 1, 0) ELSE w.attempt_count END
     WHERE w.lock_token = p_lock_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token or already acked';
    END IF;
END
$$;

-- The history of the latest execution.
CREATE OR REPLACE FUNCTION fetch_history(p_instance_id text) RETURNS TABLE(out_event_data text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT h.event_data
      FROM history h
     WHERE h.instance_id = p_instance_id
       AND h.execution_id = coalesce((SELECT max(e.execution_id)
                                        FROM executions e
                                       WHERE e.instance_id = p_instance_id), 1)
     ORDER BY h.event_id;
END
$$;

CREATE OR REPLACE FUNCTION fetch_history_with_execution(
    p_instance_id text,
    p_execution_id bigint
) RETURNS TABLE(out_event_data text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT h.event_data
      FROM history h
     WHERE h.instance_id = p_instance_id AND h.execution_id = p_execution_id
     ORDER BY h.event_id;
END
$$;

-- Appending an event twice is harmless here, unlike in an acknowledgement.
CREATE OR REPLACE FUNCTION append_history(
    p_instance_id text,
    p_execution_id bigint,
    p_events jsonb,
    p_now_ms bigint
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF p_events IS NULL OR jsonb_array_length(p_events) = 0 THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT 1
                 FROM jsonb_array_elements(p_events) e
                WHERE coalesce((e.value ->> 'event_id')::bigint, 0) <= 0) THEN
        RAISE EXCEPTION 'Invalid event_id in append_history';
    END IF;

    INSERT INTO history (instance_id, execution_id, event_id, event_type, event_data, created_at)
    SELECT p_instance_id, p_execution_id, (e.value ->> 'event_id')::bigint, e.value ->> 'event_type',
           e.value ->> 'event_data', to_timestamp(p_now_ms / 1000.0)
      FROM jsonb_array_elements(p_events) e
    ON CONFLICT (instance_id, execution_id, event_id) DO NOTHING;
END
$$;

CREATE OR REPLACE FUNCTION list_instances() RETURNS TABLE(instance_id text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT i.instance_id FROM instances i ORDER BY i.created_at DESC;
END
$$;

CREATE OR REPLACE FUNCTION list_instances_by_status(p_status text) RETURNS TABLE(instance_id text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT i.instance_id
      FROM instances i
      JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
     WHERE e.status = p_status
     ORDER BY i.created_at DESC;
END
$$;

CREATE OR REPLACE FUNCTION list_executions(p_instance_id text) RETURNS TABLE(execution_id bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT e.execution_id FROM executions e WHERE e.instance_id = p_instance_id ORDER BY e.execution_id;
END
$$;

CREATE OR REPLACE FUNCTION latest_execution_id(p_instance_id text) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT i.current_execution_id FROM instances i WHERE i.instance_id = p_instance_id);
END
$$;

CREATE OR REPLACE FUNCTION get_instance_info(p_instance_id text) RETURNS TABLE (
    instance_id text,
    orchestration_name text,
    orchestration_version text,
    current_execution_id bigint,
    created_at timestamptz,
    updated_at timestamptz,
    status text,
    output text
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT i.instance_id, i.orchestration_name, coalesce(i.orchestration_version, 'unknown'),
           i.current_execution_id, i.created_at, i.updated_at, e.status, e.output
      FROM instances i
      LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
     WHERE i.instance_id = p_instance_id;
END
$$;

CREATE OR REPLACE FUNCTION get_execution_info(
    p_instance_id text,
    p_execution_id bigint
) RETURNS TABLE (
    execution_id bigint,
    status text,
    output text,
    started_at timestamptz,
    completed_at timestamptz,
    event_count bigint
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT e.execution_id, e.status, e.output, e.started_at, e.completed_at,
           (SELECT count(*)
              FROM history h
             WHERE h.instance_id = e.instance_id AND h.execution_id = e.execution_id)
      FROM executions e
     WHERE e.instance_id = p_instance_id AND e.execution_id = p_execution_id;
END
$$;

-- An instance counts under the status of its current execution.
CREATE OR REPLACE FUNCTION get_system_metrics() RETURNS TABLE (
    total_instances bigint,
    total_executions bigint,
    running_instances bigint,
    completed_instances bigint,
    failed_instances bigint,
    total_events bigint
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT (SELECT count(*) FROM instances),
           (SELECT count(*) FROM executions),
           count(*) FILTER (WHERE e.status = 'Running'),
           count(*) FILTER (WHERE e.status = 'Completed'),
           count(*) FILTER (WHERE e.status = 'Failed'),
           (SELECT count(*) FROM history)
      FROM instances i
      JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id;
END
$$;

CREATE OR REPLACE FUNCTION get_queue_depths(p_now_ms bigint) RETURNS TABLE (
    orchestrator_queue bigint,
    worker_queue bigint
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
BEGIN
    RETURN QUERY
    SELECT (SELECT count(*)
              FROM orchestrator_queue q
             WHERE q.visible_at <= v_now AND (q.lock_token IS NULL OR q.locked_until <= p_now_ms)),
           (SELECT count(*)
              FROM worker_queue w
             WHERE w.visible_at <= v_now AND (w.lock_token IS NULL OR w.locked_until <= p_now_ms));
END
$$;

-- Removes all that the migrations made, this function included; for tests.
-- The pinned search_path makes every name below one of this schema, whatever
-- the caller's own path says, so that no other schema loses its triggers.
CREATE OR REPLACE FUNCTION cleanup_schema() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
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
    DROP FUNCTION IF EXISTS fetch_orchestration_item(bigint, bigint);
    DROP FUNCTION IF EXISTS ack_orchestration_item(text, bigint, bigint, jsonb, jsonb, jsonb, jsonb, jsonb);
    DROP FUNCTION IF EXISTS abandon_orchestration_item(text, bigint, bigint, boolean);
    DROP FUNCTION IF EXISTS renew_orchestration_item_lock(text, bigint, bigint);
    DROP FUNCTION IF EXISTS enqueue_worker_work(text, bigint);
    DROP FUNCTION IF EXISTS fetch_work_item(bigint, bigint);
    DROP FUNCTION IF EXISTS ack_worker(text, text, text, bigint);
    DROP FUNCTION IF EXISTS abandon_work_item(text, bigint, bigint, boolean);
    DROP FUNCTION IF EXISTS renew_work_item_lock(text, bigint, bigint);
    DROP FUNCTION IF EXISTS fetch_history(text);
    DROP FUNCTION IF EXISTS fetch_history_with_execution(text, bigint);
    DROP FUNCTION IF EXISTS append_history(text, bigint, jsonb, bigint);
    DROP FUNCTION IF EXISTS notify_orch_work();
    DROP FUNCTION IF EXISTS notify_worker_work();
    DROP FUNCTION IF EXISTS cleanup_schema();
END
$$;
