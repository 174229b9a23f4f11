-- The history of one node. Times are nanoseconds since 1970-01-01 UTC.

-- One row for every event, as it went out. Rows are appended, never updated; `line` is the event, and what is
-- beside it is copied from there to be searched for.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,   -- event.seq: from 1, without gaps
    line        TEXT    NOT NULL,      -- the JSON object; event.prev_hash is the SHA-256 of the row before
    id          TEXT    NOT NULL,      -- event.id: the same for all events of one drift
    action      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    container   TEXT,
    namespace   TEXT,
    time        INTEGER NOT NULL,      -- of the first occurrence
    last        INTEGER NOT NULL       -- of the newest occurrence
) STRICT;

CREATE INDEX events_by_last ON events (last);
CREATE INDEX events_by_id ON events (id, seq);
CREATE INDEX events_by_fingerprint ON events (fingerprint, last);
CREATE INDEX events_by_container ON events (container, last) WHERE container IS NOT NULL;

-- The ledger: one row for every container that ever ran here.
CREATE TABLE containers (
    id                 TEXT    PRIMARY KEY NOT NULL,
    source             TEXT    NOT NULL,  -- who says so: runtime, path
    role               TEXT    NOT NULL,  -- container, sandbox
    runtime            TEXT,
    name               TEXT,
    attempt            INTEGER NOT NULL,
    pod_uid            TEXT,
    pod_name           TEXT,
    namespace          TEXT,
    labels             TEXT,              -- JSON object
    pod_ip             TEXT,
    workload           TEXT,
    image_id           TEXT,
    image_reference    TEXT,
    image_name         TEXT,
    image_tags         TEXT,              -- JSON array
    image_digests      TEXT,              -- JSON array
    image_architecture TEXT,
    pid                INTEGER,
    log_path           TEXT,
    cgroup             TEXT,
    node               TEXT,
    first_seen         INTEGER NOT NULL,
    created            INTEGER,
    started            INTEGER,
    ended              INTEGER,
    exit_code          INTEGER,
    reason             TEXT,              -- the runtime's word for the end: OOMKilled
    restarts           INTEGER NOT NULL DEFAULT 0, -- how often it was started again under the same id
    capture            TEXT    NOT NULL,  -- from_start, partial, gaps, listed
    lost               INTEGER NOT NULL,  -- events that the sensor could not deliver
    tier               TEXT,
    baseline_id        TEXT,
    baseline_status    TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX containers_by_first_seen ON containers (first_seen);
CREATE INDEX containers_by_pod ON containers (namespace, pod_name);
CREATE INDEX containers_by_image ON containers (image_id);
CREATE INDEX containers_running ON containers (first_seen) WHERE ended IS NULL;

-- When nobody watched: one container, or, where it is absent, the node.
CREATE TABLE gaps (
    gap       INTEGER PRIMARY KEY,
    container TEXT,
    begun     INTEGER NOT NULL,
    ended     INTEGER NOT NULL,
    why       TEXT    NOT NULL
) STRICT;

CREATE INDEX gaps_by_container ON gaps (container);

-- Up to which event each sink has delivered.
CREATE TABLE cursors (
    sink TEXT    PRIMARY KEY NOT NULL,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When an agent was last alive here: one row.
CREATE TABLE heartbeat (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;
