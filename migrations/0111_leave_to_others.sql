-- A process that has no code for something gives it back, and then leaves it to
-- others for a while. Woken at the same time as they, it would have it again.
-- min_client: 0011

-- Claims the instance whose oldest visible message is due first, with all of its
-- visible messages, and counts the attempt.
-- The range admits executions pinned to a version inside it, and unpinned ones.
-- p_away are instances that the caller leaves to others for now; NULL is none.
CREATE OR REPLACE FUNCTION dxgo_claim_instance_except(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_min_version_packed bigint,
    p_max_version_packed bigint,
    p_away text[]
) RETURNS TABLE (out_instance_id text, out_lock_token text, out_items text[], out_attempt_count integer)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off SET cursor_tuple_fraction = 0 AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_until bigint;
    v_lost text[] := coalesce(p_away, '{}'); -- instances that others have, or that are left to them
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
        -- The start of the next execution is visible by the clock of whoever ended
        -- the last one. If this one is behind, the messages would come without it,
        -- could only be given back for a while, and be overtaken by later ones. One
        -- that is hidden on purpose was made before it is visible.
        v_ids := ARRAY(SELECT q.id
                         FROM orchestrator_queue q
                        WHERE q.instance_id = out_instance_id
                          AND (q.visible_at + interval '0' <= v_now
                               OR q.visible_at = q.created_at AND q.work_item LIKE '{"ContinueAsNew":%')
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

-- The same for clients that leave nothing to others.
CREATE OR REPLACE FUNCTION dxgo_claim_instance(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_min_version_packed bigint,
    p_max_version_packed bigint
) RETURNS TABLE (out_instance_id text, out_lock_token text, out_items text[], out_attempt_count integer)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT *
      FROM dxgo_claim_instance_except(p_now_ms, p_lock_timeout_ms, p_min_version_packed, p_max_version_packed, NULL);
END
$$;

-- Claims an instance like fetch_orchestration_item, for a client that may have its
-- code suspended since the turn whose token it gets. Rows come as they are stored,
-- for the client to decode. The history is NULL if its last event is above the limit;
-- without an instance, the events of all executions come, whatever the limit, and
-- name, execution and turn are NULL.
-- p_away is that of dxgo_claim_instance_except.
CREATE OR REPLACE FUNCTION dxgo_fetch_turn_except(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_min_version_packed bigint,
    p_max_version_packed bigint,
    p_history_limit bigint,
    p_away text[]
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
      FROM dxgo_claim_instance_except(p_now_ms, p_lock_timeout_ms, p_min_version_packed, p_max_version_packed,
                               p_away) c;
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

-- The same for clients that leave nothing to others.
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
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY
    SELECT *
      FROM dxgo_fetch_turn_except(p_now_ms, p_lock_timeout_ms, p_min_version_packed, p_max_version_packed, p_history_limit, NULL);
END
$$;

-- Claims the oldest visible activity. One that is bound to a session goes only
-- to the worker that owns the session or can take it over.
-- A mode that is not known behaves like default_only.
-- p_away are the ids of rows that the caller leaves to others for now; NULL is none.
CREATE OR REPLACE FUNCTION dxgo_fetch_work_item_except(
    p_now_ms bigint,
    p_lock_timeout_ms bigint,
    p_owner_id text,
    p_session_lock_timeout_ms bigint,
    p_tag_filter text[],
    p_tag_mode text,
    p_away bigint[]
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
    v_away bigint[] := coalesce(p_away, '{}');
    v_taken bigint[] := v_away; -- expired claims that are left, or that others take at this moment
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
           AND w.id <> ALL (v_away)
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

-- The same for a client of the shared schema.
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
BEGIN
    RETURN QUERY
    SELECT *
      FROM dxgo_fetch_work_item_except(p_now_ms, p_lock_timeout_ms, p_owner_id, p_session_lock_timeout_ms, p_tag_filter,
                                p_tag_mode, NULL);
END
$$;
