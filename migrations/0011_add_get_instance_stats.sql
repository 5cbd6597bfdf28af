-- Sizes of one instance: history, carried-over messages, key-value pairs.

-- An unknown instance is a row of zeros with out_found false.
CREATE OR REPLACE FUNCTION get_instance_stats(p_instance text) RETURNS TABLE (
    out_found boolean,
    out_history_event_count bigint,
    out_history_size_bytes bigint,
    out_queue_pending_count bigint,
    out_kv_user_key_count bigint,
    out_kv_total_value_bytes bigint
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_execution bigint;
    v_carried jsonb;
BEGIN
    out_history_event_count := 0;
    out_history_size_bytes := 0;
    out_queue_pending_count := 0;
    out_kv_user_key_count := 0;
    out_kv_total_value_bytes := 0;
    SELECT i.current_execution_id INTO v_execution FROM instances i WHERE i.instance_id = p_instance;
    out_found := FOUND;
    IF NOT out_found THEN
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT count(*), coalesce(sum(octet_length(h.event_data)), 0)
      INTO out_history_event_count, out_history_size_bytes
      FROM history h
     WHERE h.instance_id = p_instance AND h.execution_id = v_execution;
    SELECT h.event_data::jsonb -> 'carry_forward_events' INTO v_carried
      FROM history h
     WHERE h.instance_id = p_instance AND h.execution_id = v_execution AND h.event_id = 1;
    IF jsonb_typeof(v_carried) = 'array' THEN
        out_queue_pending_count := jsonb_array_length(v_carried);
    END IF;

    -- A key cleared in the delta and still in the store counts: the store is
    -- what the running execution started with.
    SELECT count(*) INTO out_kv_user_key_count
      FROM (SELECT s.key FROM kv_store s WHERE s.instance_id = p_instance
            UNION
            SELECT d.key FROM kv_delta d WHERE d.instance_id = p_instance AND d.value IS NOT NULL) k;
    SELECT coalesce(sum(octet_length(v.value)), 0) INTO out_kv_total_value_bytes
      FROM (SELECT s.value FROM kv_store s WHERE s.instance_id = p_instance
            UNION ALL
            SELECT d.value FROM kv_delta d WHERE d.instance_id = p_instance) v;
    RETURN NEXT;
END
$$;

-- Removes all that the migrations made, this function included; for tests.
CREATE OR REPLACE FUNCTION cleanup_schema() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
