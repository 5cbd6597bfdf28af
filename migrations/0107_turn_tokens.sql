-- The last turn of each instance, so that a runtime that kept the code suspended
-- after it need not read the history again.
-- min_client: 0011

-- The lock token of the turn that was recorded last. It is new with each turn, and
-- NULL for an instance that was deleted and started anew, whose ids repeat.
ALTER TABLE instances ADD COLUMN IF NOT EXISTS dxgo_turn text;

-- Claims the instance whose oldest visible message is due first, with all of its
-- visible messages, and counts the attempt.
-- The range admits executions pinned to a version inside it, and unpinned ones.
CREATE OR REPLACE FUNCTION dxgo_claim_instance(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_min_version_packed bigint,
    p_max_version_packed bigint
) RETURNS TABLE (out_instance_id text, out_lock_token text, out_items text[], out_attempt_count integer)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off SET cursor_tuple_fraction = 0 AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_until bigint;
    v_lost text[] := '{}'; -- instances that others have
    v_ids bigint[];
    -- Read one by one, so the fraction: the plan is the one that gives the first
    -- row soonest.
    v_candidates CURSOR FOR
        SELECT q.instance_id
          FROM orchestrator_queue q
         WHERE q.visible_at <= v_now
           AND NOT EXISTS (SELECT 1
                             FROM instance_locks l
                            WHERE l.instance_id = q.instance_id AND l.locked_until > p_now_ms)
           AND (p_min_version_packed IS NULL
                OR NOT EXISTS (
                    SELECT 1
                      FROM instances i
                      JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
                     WHERE i.instance_id = q.instance_id
                       AND e.duroxide_version_major IS NOT NULL
                       AND (e.duroxide_version_major::bigint * 1000000 + e.duroxide_version_minor::bigint * 1000
                                + e.duroxide_version_patch
                            BETWEEN p_min_version_packed AND p_max_version_packed) IS NOT TRUE))
         ORDER BY q.visible_at, q.id;
BEGIN
    -- Each candidate is looked at once, so that the search ends. It is lost to
    -- whoever holds its advisory lock: another fetch that is about to claim it,
    -- or a deletion. Nothing here waits while it holds the locks of the lost.
    OPEN v_candidates;
    LOOP
        FETCH v_candidates INTO out_instance_id;
        IF NOT FOUND THEN
            CLOSE v_candidates;
            RETURN;
        END IF;
        CONTINUE WHEN out_instance_id = ANY (v_lost);
        v_lost := v_lost || out_instance_id; -- until it is won
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(dxgo_instance_key(out_instance_id));

        -- Under the lock, so by statements of their own: whoever had it before
        -- may have claimed the instance since the search began. The sum keeps
        -- the second one off the index on the time, which holds the messages of
        -- all instances.
        CONTINUE WHEN EXISTS (SELECT 1
                                FROM instance_locks l
                               WHERE l.instance_id = out_instance_id AND l.locked_until > p_now_ms);
        v_ids := ARRAY(SELECT q.id
                         FROM orchestrator_queue q
                        WHERE q.instance_id = out_instance_id
                          AND q.visible_at + interval '0' <= v_now
                          AND (q.lock_token IS NULL OR q.locked_until <= p_now_ms)
                          FOR UPDATE SKIP LOCKED);
        CONTINUE WHEN cardinality(v_ids) = 0;

        out_lock_token := 'lock_' || gen_random_uuid();
        v_until := dxgo_clock(p_now_ms) + p_lock_timeout_ms;
        INSERT INTO instance_locks AS l (instance_id, lock_token, locked_until, locked_at)
        VALUES (out_instance_id, out_lock_token, v_until, p_now_ms)
        ON CONFLICT (instance_id) DO UPDATE
           SET lock_token = EXCLUDED.lock_token, locked_until = EXCLUDED.locked_until,
               locked_at = EXCLUDED.locked_at
         WHERE l.locked_until <= p_now_ms;
        EXIT WHEN FOUND;
    END LOOP;
    CLOSE v_candidates;

    WITH claimed AS (
        UPDATE orchestrator_queue q
           SET lock_token = out_lock_token, locked_until = v_until, attempt_count = q.attempt_count + 1
         WHERE q.id = ANY (v_ids)
        RETURNING q.id, q.work_item, q.attempt_count)
    SELECT array_agg(c.work_item ORDER BY c.id), max(c.attempt_count) INTO out_items, out_attempt_count FROM claimed c;
    RETURN NEXT;
END
$$;

-- Claims an instance, with its history and its key-value pairs, for a client of the
-- shared schema.
-- What cannot be read is quarantined: the claim is made and counted, but in place
-- of the history comes an event that no client can decode, so that clients report
-- the history as broken, and give up on this instance after their attempts.
CREATE OR REPLACE FUNCTION fetch_orchestration_item(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_min_version_packed bigint DEFAULT NULL,
    p_max_version_packed bigint DEFAULT NULL
) RETURNS TABLE (
    out_instance_id text,
    out_orchestration_name text,
    out_orchestration_version text,
    out_execution_id bigint,
    out_history jsonb,
    out_messages jsonb,
    out_lock_token text,
    out_attempt_count integer,
    out_kv_snapshot jsonb
)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_items text[];
    v_first jsonb;
BEGIN
    SELECT c.out_instance_id, c.out_lock_token, c.out_items, c.out_attempt_count
      INTO out_instance_id, out_lock_token, v_items, out_attempt_count
      FROM dxgo_claim_instance(p_now_ms, p_lock_timeout_ms, p_min_version_packed, p_max_version_packed) c;
    IF out_instance_id IS NULL THEN
        RETURN;
    END IF;
    out_messages := dxgo_messages(v_items);

    SELECT i.orchestration_name, coalesce(i.orchestration_version, 'unknown'), i.current_execution_id
      INTO out_orchestration_name, out_orchestration_version, out_execution_id
      FROM instances i
     WHERE i.instance_id = out_instance_id;
    IF FOUND THEN
        out_history := dxgo_events(out_instance_id, out_execution_id);
    ELSE
        -- No turn was ever recorded: the identity comes from what there is.
        out_history := dxgo_events(out_instance_id, NULL);
        v_first := coalesce(out_messages -> 0, dxgo_to_jsonb_without_nul(v_items[1]));
        out_orchestration_version := 'unknown';
        out_execution_id := 1;
        IF out_history -> 0 ? 'OrchestrationStarted' THEN
            v_first := out_history -> 0 -> 'OrchestrationStarted';
            out_orchestration_name := v_first ->> 'name';
            out_orchestration_version := v_first ->> 'version';
        ELSIF v_first ? 'StartOrchestration' THEN
            v_first := v_first -> 'StartOrchestration';
            out_orchestration_name := v_first ->> 'orchestration';
            out_orchestration_version := coalesce(v_first ->> 'version', 'unknown');
            out_execution_id := coalesce(dxgo_to_id(v_first ->> 'execution_id'), 1);
        ELSIF v_first ? 'ContinueAsNew' THEN
            v_first := v_first -> 'ContinueAsNew';
            out_orchestration_name := v_first ->> 'orchestration';
            out_orchestration_version := coalesce(v_first ->> 'version', 'unknown');
        ELSE
            out_orchestration_name := 'Unknown';
        END IF;
    END IF;

    IF out_messages IS NULL OR out_history IS NULL THEN
        out_history := jsonb_build_array(jsonb_build_object(
            'type', 'dxgo_unreadable',
            'error', CASE WHEN out_messages IS NULL THEN 'a stored message is not valid for jsonb'
                          ELSE 'a stored event is not valid for jsonb' END));
        -- No client acts on messages beside a broken history. A stand-in of a
        -- harmless kind keeps the batch decodable, and not empty: a batch of
        -- nothing, or of queue messages only, for an unknown instance is dropped.
        out_messages := coalesce(out_messages, (
            SELECT jsonb_agg(coalesce(dxgo_to_jsonb(i.item), jsonb_build_object('ExternalRaised', jsonb_build_object(
                                 'instance', out_instance_id, 'name', 'dxgo_unreadable', 'data', 'null')))
                             ORDER BY i.n)
              FROM unnest(v_items) WITH ORDINALITY i (item, n)));
    END IF;

    SELECT coalesce(jsonb_object_agg(s.key, jsonb_build_object('value', s.value,
                                                               'last_updated_at_ms', s.last_updated_at_ms)), '{}')
      INTO out_kv_snapshot
      FROM kv_store s
     WHERE s.instance_id = out_instance_id;
    RETURN NEXT;
END
$$;

-- Claims an instance like fetch_orchestration_item, for a client that may have its
-- code suspended since the turn whose token it gets. Rows come as they are stored,
-- for the client to decode. The history is NULL if its last event is above the limit;
-- without an instance, the events of all executions come, whatever the limit, and
-- name, execution and turn are NULL.
CREATE OR REPLACE FUNCTION dxgo_fetch_turn(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_min_version_packed bigint,
    p_max_version_packed bigint,
    p_history_limit bigint
) RETURNS TABLE (
    out_instance_id text,
    out_orchestration_name text,
    out_orchestration_version text,
    out_execution_id bigint,
    out_turn text,
    out_last_event_id bigint,
    out_history text[],
    out_messages text[],
    out_lock_token text,
    out_attempt_count integer,
    out_kv_snapshot jsonb
)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
BEGIN
    SELECT c.out_instance_id, c.out_lock_token, c.out_items, c.out_attempt_count
      INTO out_instance_id, out_lock_token, out_messages, out_attempt_count
      FROM dxgo_claim_instance(p_now_ms, p_lock_timeout_ms, p_min_version_packed, p_max_version_packed) c;
    IF out_instance_id IS NULL THEN
        RETURN;
    END IF;

    SELECT i.orchestration_name, i.orchestration_version, i.current_execution_id, i.dxgo_turn
      INTO out_orchestration_name, out_orchestration_version, out_execution_id, out_turn
      FROM instances i
     WHERE i.instance_id = out_instance_id;
    IF FOUND THEN
        SELECT coalesce(max(h.event_id), 0) INTO out_last_event_id
          FROM history h
         WHERE h.instance_id = out_instance_id AND h.execution_id = out_execution_id;
        IF out_last_event_id <= p_history_limit OR p_history_limit IS NULL THEN
            out_history := ARRAY(SELECT h.event_data
                                   FROM history h
                                  WHERE h.instance_id = out_instance_id AND h.execution_id = out_execution_id
                                  ORDER BY h.event_id);
        END IF;
    ELSE
        out_last_event_id := 0;
        out_history := ARRAY(SELECT h.event_data
                               FROM history h
                              WHERE h.instance_id = out_instance_id
                              ORDER BY h.execution_id, h.event_id);
    END IF;

    SELECT coalesce(jsonb_object_agg(s.key, jsonb_build_object('value', s.value,
                                                               'last_updated_at_ms', s.last_updated_at_ms)), '{}')
      INTO out_kv_snapshot
      FROM kv_store s
     WHERE s.instance_id = out_instance_id;
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
                                    created_at, updated_at, parent_instance_id, dxgo_turn)
        VALUES (v_instance, v_name, v_version, p_execution_id, v_now, v_now, v_parent, p_lock_token)
        ON CONFLICT (instance_id) DO UPDATE
           SET orchestration_name = EXCLUDED.orchestration_name,
               orchestration_version = EXCLUDED.orchestration_version,
               current_execution_id = greatest(t.current_execution_id, EXCLUDED.current_execution_id),
               updated_at = EXCLUDED.updated_at,
               parent_instance_id = coalesce(t.parent_instance_id, EXCLUDED.parent_instance_id),
               dxgo_turn = EXCLUDED.dxgo_turn;
    ELSE
        UPDATE instances t
           SET current_execution_id = greatest(t.current_execution_id, p_execution_id), updated_at = v_now,
               dxgo_turn = p_lock_token
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
