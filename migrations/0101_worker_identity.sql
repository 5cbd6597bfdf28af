-- Rows of the worker queue say to which activity they belong, so that cancelling
-- and deleting need not parse every row.
-- min_client: 0011

-- NULL where an older function wrote the row: then its JSON decides.
-- dxgo_claimed_until is the first deadline of the claim. Renewals move only
-- locked_until, which is in no index, and never back: a claim whose first
-- deadline is ahead cannot have run out.
ALTER TABLE worker_queue
    ADD COLUMN IF NOT EXISTS dxgo_instance_id text,
    ADD COLUMN IF NOT EXISTS dxgo_execution_id bigint,
    ADD COLUMN IF NOT EXISTS dxgo_activity_id bigint,
    ADD COLUMN IF NOT EXISTS dxgo_claimed_until bigint;

-- The value of a text, or NULL where jsonb cannot hold it: broken JSON, or a NUL
-- that JSON may carry and jsonb may not. The block writes nothing, so that its
-- subtransaction gets no id and costs no snapshot anything.
CREATE OR REPLACE FUNCTION dxgo_to_jsonb(p_text text) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN p_text::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
END
$$;

-- The same without the NULs: good enough to see whose a text is.
CREATE OR REPLACE FUNCTION dxgo_to_jsonb_without_nul(p_text text) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN coalesce(dxgo_to_jsonb(p_text), dxgo_to_jsonb(replace(p_text, '\u0000', '')));
END
$$;

-- An identifier, or NULL for what is none: no text may make a claim fail.
CREATE OR REPLACE FUNCTION dxgo_to_id(p_text text) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN CASE WHEN p_text ~ '^[0-9]{1,18}$' THEN p_text::bigint END;
END
$$;

CREATE OR REPLACE FUNCTION enqueue_worker_work(
    p_work_item text,
    p_now_ms bigint,
    p_session_id text DEFAULT NULL,
    p_tag text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
    v_activity jsonb := dxgo_to_jsonb_without_nul(p_work_item) -> 'ActivityExecute';
BEGIN
    INSERT INTO worker_queue (work_item, visible_at, created_at, session_id, tag,
                              dxgo_instance_id, dxgo_execution_id, dxgo_activity_id)
    VALUES (p_work_item, v_now, v_now, p_session_id, p_tag,
            v_activity ->> 'instance', dxgo_to_id(v_activity ->> 'execution_id'), dxgo_to_id(v_activity ->> 'id'));
END
$$;

-- Removes the rows of activities, claimed or not, and tells how many. With
-- p_activities, an array of {execution_id, activity_id}, only those of each
-- instance; with NULL, all of them. Rows are locked by id, as everywhere.
CREATE OR REPLACE FUNCTION dxgo_delete_activities(
    p_instance_ids text[],
    p_activities jsonb
) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_ids bigint[];
    v_deleted bigint;
BEGIN
    IF p_activities IS NULL THEN
        v_ids := ARRAY(SELECT w.id FROM worker_queue w WHERE w.dxgo_instance_id = ANY (p_instance_ids));
    ELSE
        v_ids := ARRAY(SELECT w.id
                         FROM jsonb_array_elements(p_activities) a
                        CROSS JOIN LATERAL (SELECT r.id
                                              FROM worker_queue r
                                             WHERE r.dxgo_instance_id = ANY (p_instance_ids)
                                               AND r.dxgo_execution_id = (a.value ->> 'execution_id')::bigint
                                               AND r.dxgo_activity_id = (a.value ->> 'activity_id')::bigint
                                            OFFSET 0) w); -- one search for each, never a join
    END IF;

    -- Rows from before the columns, and items that are no activities.
    IF EXISTS (SELECT 1 FROM worker_queue w WHERE w.dxgo_instance_id IS NULL) THEN
        v_ids := v_ids || ARRAY(
            SELECT w.id
              FROM (SELECT r.id, dxgo_to_jsonb_without_nul(r.work_item) -> 'ActivityExecute' AS activity
                      FROM worker_queue r
                     WHERE r.dxgo_instance_id IS NULL
                    OFFSET 0) w
             WHERE w.activity ->> 'instance' = ANY (p_instance_ids)
               AND (p_activities IS NULL
                    OR EXISTS (SELECT 1
                                 FROM jsonb_array_elements(p_activities) a
                                WHERE dxgo_to_id(w.activity ->> 'execution_id') = (a.value ->> 'execution_id')::bigint
                                  AND dxgo_to_id(w.activity ->> 'id') = (a.value ->> 'activity_id')::bigint)));
    END IF;

    IF cardinality(v_ids) = 0 THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM worker_queue w WHERE w.id = ANY (v_ids) ORDER BY w.id FOR UPDATE;
    DELETE FROM worker_queue w WHERE w.id = ANY (v_ids);
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;

-- Removes all that the migrations made, this function included; for tests. What
-- is named dxgo_ is found by its name, so that later files need not change this.
CREATE OR REPLACE FUNCTION cleanup_schema() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_name text;
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
    DROP TABLE IF EXISTS _duroxide_go_migrations CASCADE;
    FOR v_name IN
        SELECT c.oid::regclass::text
          FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'dxgo\_%'
    LOOP
        EXECUTE 'DROP TABLE ' || v_name || ' CASCADE';
    END LOOP;
    FOR v_name IN
        SELECT p.oid::regprocedure::text
          FROM pg_proc p
         WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'dxgo\_%'
    LOOP
        EXECUTE 'DROP FUNCTION ' || v_name;
    END LOOP;

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
    DROP FUNCTION IF EXISTS get_instance_stats(text);
    DROP FUNCTION IF EXISTS notify_orch_work();
    DROP FUNCTION IF EXISTS notify_worker_work();
    DROP FUNCTION IF EXISTS cleanup_schema();
END
$$;
