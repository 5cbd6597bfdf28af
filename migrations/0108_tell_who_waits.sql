-- Tells clients that wait for an instance when it has ended or changed its custom
-- status, so that they need not ask again and again.
-- min_client: 0011

-- Until when somebody waits, by the server's clock, in at most one row. A commit
-- that notifies waits for the others that do, so that nobody is told of anything
-- unless there is somebody to be told.
CREATE TABLE IF NOT EXISTS dxgo_waiting (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    until_ms bigint NOT NULL
);

-- Says that somebody waits for so long from now. It never makes the time of
-- others shorter.
CREATE OR REPLACE FUNCTION dxgo_wait(p_for_ms bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v_until bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint + p_for_ms;
BEGIN
    INSERT INTO dxgo_waiting AS w (until_ms) VALUES (v_until)
    ON CONFLICT (one) DO UPDATE SET until_ms = EXCLUDED.until_ms WHERE w.until_ms < EXCLUDED.until_ms;
END
$$;

-- The payload is the id of the instance, of a long one the beginning: payloads are
-- short, and it is only a hint.
CREATE OR REPLACE FUNCTION dxgo_notify_waiting() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM dxgo_waiting w
                WHERE w.until_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint) THEN
        PERFORM pg_notify(TG_TABLE_SCHEMA || '_dxgo_wait', left(NEW.instance_id, 200));
    END IF;
    RETURN NULL;
END
$$;

-- Triggers rather than lines in the acknowledgement, so that whoever records the
-- turn tells of it. One that continued as new has not ended.
CREATE OR REPLACE TRIGGER dxgo_notify_ended
    AFTER UPDATE OF status ON executions
    FOR EACH ROW WHEN (NEW.status IN ('Completed', 'Failed') AND OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION dxgo_notify_waiting();
CREATE OR REPLACE TRIGGER dxgo_notify_custom_status
    AFTER UPDATE OF custom_status_version ON instances
    FOR EACH ROW WHEN (OLD.custom_status_version IS DISTINCT FROM NEW.custom_status_version)
    EXECUTE FUNCTION dxgo_notify_waiting();
