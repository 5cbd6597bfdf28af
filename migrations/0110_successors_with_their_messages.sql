-- A message that comes while an execution continues as new is claimed together with
-- the start of the next one, whatever the clocks say.
-- min_client: 0011

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
