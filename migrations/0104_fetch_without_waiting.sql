-- Fetches that never wait for each other, always get on, and are not stopped by a
-- row that they cannot read.
-- The settings of the functions are for their plans, which a session keeps: planned
-- once, not at each call, and by an index also if the table was empty then.
-- min_client: 0011

-- The messages of a batch, or NULL if one of them is not JSON that jsonb can hold.
-- Neither this block nor the next one writes: their subtransactions get no ids.
CREATE OR REPLACE FUNCTION dxgo_messages(p_items text[]) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(i.item::jsonb ORDER BY i.n), '[]')
              FROM unnest(p_items) WITH ORDINALITY i (item, n));
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
END
$$;

-- The events of an execution, or of all executions; or NULL likewise.
CREATE OR REPLACE FUNCTION dxgo_events(p_instance_id text, p_execution_id bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
BEGIN
    IF p_execution_id IS NULL THEN
        RETURN (SELECT coalesce(jsonb_agg(h.event_data::jsonb ORDER BY h.execution_id, h.event_id), '[]')
                  FROM history h
                 WHERE h.instance_id = p_instance_id);
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(h.event_data::jsonb ORDER BY h.event_id), '[]')
              FROM history h
             WHERE h.instance_id = p_instance_id AND h.execution_id = p_execution_id);
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
END
$$;

-- Claims the instance whose oldest visible message is due first, with all of
-- its visible messages, its history and its key-value pairs.
-- The range admits executions pinned to a version inside it, and unpinned ones.
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
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off SET cursor_tuple_fraction = 0 AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_until bigint;
    v_lost text[] := '{}'; -- instances that others have
    v_ids bigint[];
    v_items text[];
    v_first jsonb;
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
    SELECT array_agg(c.work_item ORDER BY c.id), max(c.attempt_count) INTO v_items, out_attempt_count FROM claimed c;
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
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_time bigint;
    v_id bigint;
    v_expired bigint;
    v_taken bigint[] := '{}'; -- expired claims that others take at this moment
    v_takes_sessions boolean := p_owner_id IS NOT NULL AND p_session_lock_timeout_ms IS NOT NULL;
    v_session text;
    v_lost text[] := '{}'; -- sessions that others took since the search
BEGIN
    IF p_tag_mode = 'none' THEN
        RETURN;
    END IF;

    LOOP
        -- Claims that ran out are few, and an index finds those that can have. A
        -- sum for the order, so that the rows are not searched by the primary key.
        SELECT w.id INTO v_expired
          FROM worker_queue w
         WHERE CASE WHEN w.lock_token IS NOT NULL THEN coalesce(w.dxgo_claimed_until, 0) END <= p_now_ms
           AND w.locked_until <= p_now_ms
           AND w.id <> ALL (v_taken)
           AND w.visible_at <= v_now
           AND CASE p_tag_mode
                   WHEN 'tags' THEN w.tag = ANY (p_tag_filter)
                   WHEN 'default_and' THEN w.tag IS NULL OR w.tag = ANY (p_tag_filter)
                   WHEN 'any' THEN true
                   ELSE w.tag IS NULL
               END
           AND (w.session_id IS NULL
                OR (v_takes_sessions
                    AND w.session_id <> ALL (v_lost)
                    AND NOT EXISTS (SELECT 1
                                      FROM sessions s
                                     WHERE s.session_id = w.session_id
                                       AND s.locked_until > p_now_ms
                                       AND s.worker_id <> p_owner_id)))
         ORDER BY w.id + 0
         LIMIT 1;

        -- What nobody has claimed. Ordered by token and id, which is the order of
        -- an index: rows that are claimed are not even passed by.
        SELECT w.id, w.session_id INTO v_id, v_session
          FROM worker_queue w
         WHERE w.lock_token IS NULL
           AND (v_expired IS NULL OR w.id < v_expired)
           AND w.visible_at <= v_now
           AND CASE p_tag_mode
                   WHEN 'tags' THEN w.tag = ANY (p_tag_filter)
                   WHEN 'default_and' THEN w.tag IS NULL OR w.tag = ANY (p_tag_filter)
                   WHEN 'any' THEN true
                   ELSE w.tag IS NULL
               END
           AND (w.session_id IS NULL
                OR (v_takes_sessions
                    AND w.session_id <> ALL (v_lost)
                    AND NOT EXISTS (SELECT 1
                                      FROM sessions s
                                     WHERE s.session_id = w.session_id
                                       AND s.locked_until > p_now_ms
                                       AND s.worker_id <> p_owner_id)))
         ORDER BY w.lock_token, w.id
         LIMIT 1
           FOR UPDATE OF w SKIP LOCKED;
        IF NOT FOUND THEN
            IF v_expired IS NULL THEN
                RETURN;
            END IF;
            SELECT w.id, w.session_id INTO v_id, v_session
              FROM worker_queue w
             WHERE w.id = v_expired AND w.lock_token IS NOT NULL AND w.locked_until <= p_now_ms
               FOR UPDATE OF w SKIP LOCKED;
            IF NOT FOUND THEN
                v_taken := v_taken || v_expired;
                CONTINUE;
            END IF;
        END IF;

        EXIT WHEN v_session IS NULL OR NOT v_takes_sessions;
        v_time := dxgo_clock(p_now_ms);
        IF cardinality(v_lost) = 0 THEN
            INSERT INTO sessions AS s (session_id, worker_id, locked_until, last_activity_at)
            VALUES (v_session, p_owner_id, v_time + p_session_lock_timeout_ms, p_now_ms)
            ON CONFLICT (session_id) DO UPDATE
               SET worker_id = EXCLUDED.worker_id, locked_until = EXCLUDED.locked_until,
                   last_activity_at = EXCLUDED.last_activity_at
             WHERE s.locked_until <= p_now_ms OR s.worker_id = p_owner_id;
            EXIT WHEN FOUND;
        ELSE
            -- The row of a lost session stays locked until the call ends, so
            -- from here on no other session is waited for.
            PERFORM 1
               FROM sessions s
              WHERE s.session_id = v_session AND (s.locked_until <= p_now_ms OR s.worker_id = p_owner_id)
                FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                UPDATE sessions s
                   SET worker_id = p_owner_id, locked_until = v_time + p_session_lock_timeout_ms,
                       last_activity_at = p_now_ms
                 WHERE s.session_id = v_session;
                EXIT;
            END IF;
            INSERT INTO sessions (session_id, worker_id, locked_until, last_activity_at)
            VALUES (v_session, p_owner_id, v_time + p_session_lock_timeout_ms, p_now_ms)
            ON CONFLICT (session_id) DO NOTHING;
            EXIT WHEN FOUND;
        END IF;
        v_lost := v_lost || v_session;
    END LOOP;

    v_time := dxgo_clock(p_now_ms);
    out_lock_token := 'lock_' || gen_random_uuid();
    UPDATE worker_queue w
       SET lock_token = out_lock_token, locked_until = v_time + p_lock_timeout_ms,
           dxgo_claimed_until = v_time + p_lock_timeout_ms, attempt_count = w.attempt_count + 1
     WHERE w.id = v_id
    RETURNING w.work_item, w.attempt_count INTO out_work_item, out_attempt_count;
    RETURN NEXT;
END
$$;

-- Its body stays as it is, but it must not be planned for an empty queue either.
ALTER FUNCTION ack_worker(text, text, text, bigint) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION ack_worker(text, text, text, bigint) SET enable_seqscan = off;
ALTER FUNCTION ack_worker(text, text, text, bigint) SET jit = off;
