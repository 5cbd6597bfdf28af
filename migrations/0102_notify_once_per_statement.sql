-- Notifications: one per statement and due time instead of one per row, and also
-- when claimed work is given back. A look-ahead for what nobody will notify of.
-- Channels and payloads stay as they were, so that every listener understands them.
-- min_client: 0011

-- Tells the listeners of a queue when work is due. The pinned path makes the
-- current schema the one of this function.
CREATE OR REPLACE FUNCTION dxgo_notify(
    p_queue text, -- orch or worker
    p_due timestamptz
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_notify(current_schema() || '_' || p_queue || '_work', (extract(epoch FROM p_due) * 1000)::bigint::text);
END
$$;

-- The trigger of both queues; its argument is orch or worker. Rows that are born
-- claimed are nobody else's concern. A single statement that inserts more due
-- times than the limit tells the nearest ones; the look-ahead finds the others.
CREATE OR REPLACE FUNCTION dxgo_notify_inserted() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_' || TG_ARGV[0] || '_work', d.due_ms::text)
       FROM (SELECT DISTINCT (extract(epoch FROM i.visible_at) * 1000)::bigint AS due_ms
               FROM inserted i
              WHERE i.lock_token IS NULL
              ORDER BY 1
              LIMIT 1000) d;
    RETURN NULL;
END
$$;

-- The triggers keep their names, so that a client that makes its own again
-- replaces these and does not notify twice. They have a function of their own,
-- because the one for rows would fail in a trigger for statements if a client
-- put its own body back.
CREATE OR REPLACE TRIGGER trg_notify_orch_work
    AFTER INSERT ON orchestrator_queue REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION dxgo_notify_inserted('orch');
CREATE OR REPLACE TRIGGER trg_notify_worker_work
    AFTER INSERT ON worker_queue REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION dxgo_notify_inserted('worker');

-- Gives an activity back, even after the lease ran out, as long as nobody else
-- claimed it.
CREATE OR REPLACE FUNCTION abandon_work_item(
    p_lock_token text,
    p_now_ms bigint,
    p_delay_ms bigint DEFAULT NULL,
    p_ignore_attempt boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_due timestamptz := to_timestamp((p_now_ms + greatest(p_delay_ms, 0)) / 1000.0);
BEGIN
    UPDATE worker_queue w
       SET lock_token = NULL, locked_until = NULL, visible_at = v_due,
           attempt_count = CASE WHEN p_ignore_attempt THEN greatest(w.attempt_count - 1, 0) ELSE w.attempt_count END
     WHERE w.lock_token = p_lock_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Invalid lock token or already acked';
    END IF;
    PERFORM dxgo_notify('worker', v_due);
END
$$;

-- When there will be work of which no notification tells: rows that become
-- visible, and claims whose owner lets them run out. The conditions compare the
-- columns themselves, so that the indexes on visible_at serve them, and equal
-- times come once. Of what is due already (kind ready) one row is enough.
-- Each of the lists by queue and kind ends after p_limit times, in their order.
CREATE OR REPLACE FUNCTION dxgo_due_times(
    p_now_ms bigint,
    p_until_ms bigint,
    p_limit integer DEFAULT 1000
) RETURNS TABLE (
    out_queue text, -- orch or worker
    out_kind text,  -- ready, visible, lease or session
    out_due_ms bigint
)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_until timestamptz := to_timestamp(p_until_ms / 1000.0);
BEGIN
    out_queue := 'orch';
    out_kind := 'ready';
    FOR out_due_ms IN
        SELECT ceil(extract(epoch FROM q.visible_at) * 1000)
          FROM orchestrator_queue q
         WHERE q.visible_at <= v_now AND q.lock_token IS NULL
         ORDER BY q.visible_at
         LIMIT 1
    LOOP
        RETURN NEXT;
    END LOOP;
    out_kind := 'visible';
    FOR out_due_ms IN
        SELECT ceil(extract(epoch FROM q.visible_at) * 1000)
          FROM orchestrator_queue q
         WHERE q.visible_at > v_now AND q.visible_at <= v_until AND q.lock_token IS NULL
         GROUP BY q.visible_at
         ORDER BY q.visible_at
         LIMIT p_limit
    LOOP
        RETURN NEXT;
    END LOOP;
    -- One row for each claimed instance: few, and no index follows the renewals.
    out_kind := 'lease';
    FOR out_due_ms IN
        SELECT DISTINCT greatest(l.locked_until, p_now_ms)
          FROM instance_locks l
         WHERE l.locked_until <= p_until_ms
         ORDER BY 1
         LIMIT p_limit
    LOOP
        RETURN NEXT;
    END LOOP;

    out_queue := 'worker';
    out_kind := 'ready';
    FOR out_due_ms IN
        SELECT ceil(extract(epoch FROM w.visible_at) * 1000)
          FROM worker_queue w
         WHERE w.visible_at <= v_now AND w.lock_token IS NULL
         ORDER BY w.visible_at
         LIMIT 1
    LOOP
        RETURN NEXT;
    END LOOP;
    out_kind := 'visible';
    FOR out_due_ms IN
        SELECT ceil(extract(epoch FROM w.visible_at) * 1000)
          FROM worker_queue w
         WHERE w.visible_at > v_now AND w.visible_at <= v_until AND w.lock_token IS NULL
         GROUP BY w.visible_at
         ORDER BY w.visible_at
         LIMIT p_limit
    LOOP
        RETURN NEXT;
    END LOOP;
    out_kind := 'lease';
    FOR out_due_ms IN
        SELECT DISTINCT greatest(w.locked_until, p_now_ms)
          FROM worker_queue w
         WHERE CASE WHEN w.lock_token IS NOT NULL THEN coalesce(w.dxgo_claimed_until, 0) END <= p_until_ms
           AND w.locked_until <= p_until_ms
         ORDER BY 1
         LIMIT p_limit
    LOOP
        RETURN NEXT;
    END LOOP;
    -- With its session an activity becomes free for other owners.
    out_kind := 'session';
    FOR out_due_ms IN
        SELECT DISTINCT s.locked_until
          FROM sessions s
         WHERE s.locked_until > p_now_ms AND s.locked_until <= p_until_ms
         ORDER BY 1
         LIMIT p_limit
    LOOP
        RETURN NEXT;
    END LOOP;
END
$$;
