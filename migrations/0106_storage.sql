-- Tables whose rows live for moments: room on the page for the next version of a
-- row, so that claims and renewals stay on it, and vacuum before dead rows pile up
-- at the head of the indexes. Truncation is off because it locks out everybody,
-- and a queue would grow again at once.
-- min_client: 0011

ALTER TABLE orchestrator_queue SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE worker_queue SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE instance_locks SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 500,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE sessions SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 500,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
