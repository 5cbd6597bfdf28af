-- The tables of a provider. Times are epoch milliseconds. Nothing refers to
-- anything by a foreign key: messages, events and executions exist without an
-- instance, and so do children without their parent.

-- seq is the order of creation.
CREATE TABLE instances (
  seq INTEGER PRIMARY KEY,
  instance_id TEXT NOT NULL UNIQUE,
  orchestration_name TEXT NOT NULL,
  orchestration_version TEXT NOT NULL,
  current_execution_id INTEGER NOT NULL,
  parent_instance_id TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  custom_status_version INTEGER NOT NULL DEFAULT 0,
  custom_status TEXT
) STRICT;

CREATE INDEX instances_parent ON instances (parent_instance_id)
  WHERE parent_instance_id IS NOT NULL;

-- pinned_version is major * 1000000 + minor * 1000 + patch, NULL for any.
CREATE TABLE executions (
  instance_id TEXT NOT NULL,
  execution_id INTEGER NOT NULL,
  status TEXT NOT NULL,
  pinned_version INTEGER,
  started_at INTEGER NOT NULL,
  completed_at INTEGER,
  output TEXT,
  UNIQUE (instance_id, execution_id)
) STRICT;

CREATE TABLE history (
  instance_id TEXT NOT NULL,
  execution_id INTEGER NOT NULL,
  event_id INTEGER NOT NULL CHECK (event_id > 0),
  created_at INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  event_data TEXT NOT NULL,
  PRIMARY KEY (instance_id, execution_id, event_id)
) STRICT, WITHOUT ROWID;

-- A message is locked while the lock of its instance lives and has the token
-- of the message.
CREATE TABLE orchestrator_queue (
  id INTEGER PRIMARY KEY,
  instance_id TEXT NOT NULL,
  visible_at INTEGER NOT NULL,
  lock_token TEXT,
  attempt_count INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
  created_at INTEGER NOT NULL,
  work_item TEXT NOT NULL
) STRICT;

CREATE INDEX orchestrator_queue_due ON orchestrator_queue (visible_at);
CREATE INDEX orchestrator_queue_instance ON orchestrator_queue (instance_id);

CREATE TABLE instance_locks (
  instance_id TEXT NOT NULL PRIMARY KEY,
  lock_token TEXT NOT NULL UNIQUE,
  locked_until INTEGER NOT NULL,
  locked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE worker_queue (
  id INTEGER PRIMARY KEY,
  instance_id TEXT NOT NULL,
  execution_id INTEGER NOT NULL,
  activity_id INTEGER NOT NULL,
  session_id TEXT,
  tag TEXT,
  visible_at INTEGER NOT NULL,
  lock_token TEXT,
  locked_until INTEGER,
  attempt_count INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
  created_at INTEGER NOT NULL,
  work_item TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX worker_queue_lock ON worker_queue (lock_token)
  WHERE lock_token IS NOT NULL;
CREATE INDEX worker_queue_identity ON worker_queue (instance_id, execution_id, activity_id);
CREATE INDEX worker_queue_session ON worker_queue (session_id)
  WHERE session_id IS NOT NULL;
-- Within a tag the rows are in the order of their ids.
CREATE INDEX worker_queue_tag ON worker_queue (tag);
CREATE INDEX worker_queue_due ON worker_queue (visible_at);

CREATE TABLE sessions (
  session_id TEXT NOT NULL PRIMARY KEY,
  worker_id TEXT NOT NULL,
  locked_until INTEGER NOT NULL,
  last_activity_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the finished executions of an instance left.
CREATE TABLE kv_store (
  instance_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  last_updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (instance_id, key)
) STRICT, WITHOUT ROWID;

-- What the current execution changed since. NULL is a tombstone.
CREATE TABLE kv_delta (
  instance_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT,
  last_updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (instance_id, key)
) STRICT, WITHOUT ROWID;
