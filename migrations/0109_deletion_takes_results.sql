-- A deletion takes along the results of activities that are being recorded while it
-- runs.
-- min_client: 0011

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
    v_activities bigint;
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

    -- Activities first: this waits for a result that is just being recorded, and
    -- then the next statement sees its message. One that was left behind would go
    -- to the next instance that takes the id.
    v_activities := dxgo_delete_activities(p_instance_ids, NULL);
    DELETE FROM orchestrator_queue q WHERE q.instance_id = ANY (p_instance_ids);
    GET DIAGNOSTICS queue_messages_deleted = ROW_COUNT;
    queue_messages_deleted := queue_messages_deleted + v_activities;
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
    RETURN NEXT;
END
$$;
