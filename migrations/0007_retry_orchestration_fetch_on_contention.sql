-- A fetch that loses its candidate to another process looks for the next one,
-- instead of reporting that there is no work.

-- Claims the instance whose oldest visible message is due first, with all of
-- its visible messages and its history.
-- The range admits executions pinned to a version inside it, and unpinned ones.
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
    out_attempt_count integer
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_until bigint := p_now_ms + p_lock_timeout_ms;
    v_instance text;
    v_first jsonb;
BEGIN
    -- Losing a candidate to another process is not the same as having no
    -- work: only an empty search ends the call.
    LOOP
        -- Chosen without a lock.
        SELECT q.instance_id INTO v_instance
          FROM orchestrator_queue q
          LEFT JOIN instances i ON i.instance_id = q.instance_id
          LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
         WHERE q.visible_at <= v_now
           AND NOT EXISTS (SELECT 1
                             FROM instance_locks l
                            WHERE l.instance_id = q.instance_id AND l.locked_until > p_now_ms)
           AND (p_min_version_packed IS NULL
                OR e.duroxide_version_major IS NULL
                OR e.duroxide_version_major * 1000000 + e.duroxide_version_minor * 1000 + e.duroxide_version_patch
                   BETWEEN p_min_version_packed AND p_max_version_packed)
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
           LEFT JOIN instances i ON i.instance_id = q.instance_id
           LEFT JOIN executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
          WHERE q.instance_id = v_instance
            AND q.visible_at <= v_now
            AND NOT EXISTS (SELECT 1
                              FROM instance_locks l
                             WHERE l.instance_id = q.instance_id AND l.locked_until > p_now_ms)
            AND (p_min_version_packed IS NULL
                 OR e.duroxide_version_major IS NULL
                 OR e.duroxide_version_major * 1000000 + e.duroxide_version_minor * 1000 + e.duroxide_version_patch
                    BETWEEN p_min_version_packed AND p_max_version_packed)
          LIMIT 1
            FOR UPDATE OF q SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;

        out_lock_token := 'lock_' || gen_random_uuid();
        INSERT INTO instance_locks AS l (instance_id, lock_token, locked_until, locked_at)
        VALUES (v_instance, out_lock_token, v_until, p_now_ms)
        ON CONFLICT (instance_id) DO UPDATE
           SET lock_token = EXCLUDED.lock_token, locked_until = EXCLUDED.locked_until,
               locked_at = EXCLUDED.locked_at
         WHERE l.locked_until <= p_now_ms;
        EXIT WHEN FOUND;
    END LOOP;

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
