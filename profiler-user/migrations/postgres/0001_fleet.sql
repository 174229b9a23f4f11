-- The histories of many nodes. Times are nanoseconds since 1970-01-01 UTC. What a node has at home in its own history is here
-- under its name; a row that comes again is the same row. Texts are compared by their bytes, as SQLite does.

-- A node whose directory was lost begins another history: it stands beside the first, under a name of its own.
CREATE TABLE histories (
    agent  TEXT   COLLATE "C" PRIMARY KEY,  -- what the other tables call it
    node   TEXT   COLLATE "C" NOT NULL,     -- the node's name
    number BIGINT NOT NULL,                 -- from 1, of those of this node
    began  TEXT   NOT NULL,                 -- event.id of its first event when it was begun here
    bytes  BIGINT NOT NULL DEFAULT 0,       -- of the lines that are here of it
    -- when something was last added to it, by this database's clock
    told   BIGINT NOT NULL DEFAULT (EXTRACT(EPOCH FROM now()) * 1000000000)::bigint,
    UNIQUE (node, number)
);

CREATE TABLE events (
    agent       TEXT   COLLATE "C" NOT NULL,  -- whose chain it is
    seq         BIGINT NOT NULL,
    line        TEXT   NOT NULL,
    id          TEXT   COLLATE "C" NOT NULL,
    action      TEXT   COLLATE "C" NOT NULL,
    kind        TEXT   COLLATE "C" NOT NULL,
    severity    TEXT   COLLATE "C" NOT NULL,
    fingerprint TEXT   COLLATE "C" NOT NULL,
    container   TEXT   COLLATE "C",
    namespace   TEXT   COLLATE "C",
    time        BIGINT NOT NULL,
    last        BIGINT NOT NULL,
    PRIMARY KEY (agent, seq)
);

CREATE INDEX events_by_last ON events (last, seq);
CREATE INDEX events_by_id ON events (id, seq);
CREATE INDEX events_by_fingerprint ON events (fingerprint, last);
CREATE INDEX events_by_container ON events (container, last);
CREATE INDEX events_by_kind ON events (kind, last);

CREATE TABLE evidence (
    agent  TEXT   COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    seq    BIGINT NOT NULL,
    id     TEXT   COLLATE "C" NOT NULL,
    "of"   TEXT   COLLATE "C" NOT NULL,
    line   TEXT   NOT NULL,
    PRIMARY KEY (agent, number)
);

CREATE INDEX evidence_by_group ON evidence ("of", number);
CREATE INDEX evidence_by_id ON evidence (id);

CREATE TABLE drifts (
    agent       TEXT   COLLATE "C" NOT NULL,
    container   TEXT   COLLATE "C" NOT NULL,
    fingerprint TEXT   COLLATE "C" NOT NULL,
    id          TEXT   COLLATE "C" NOT NULL,
    count       BIGINT NOT NULL,
    first       BIGINT NOT NULL,
    last        BIGINT NOT NULL,
    last_seq    BIGINT NOT NULL,
    PRIMARY KEY (container, fingerprint, agent)
);

CREATE INDEX drifts_by_last_seq ON drifts (agent, last_seq);

CREATE TABLE containers (
    agent              TEXT   COLLATE "C" NOT NULL,
    id                 TEXT   COLLATE "C" NOT NULL,
    source             TEXT   NOT NULL,
    role               TEXT   NOT NULL,
    runtime            TEXT,
    name               TEXT   COLLATE "C",
    attempt            BIGINT NOT NULL,
    pod_uid            TEXT   COLLATE "C",
    pod_name           TEXT   COLLATE "C",
    namespace          TEXT   COLLATE "C",
    labels             TEXT,
    pod_ip             TEXT   COLLATE "C",
    workload           TEXT   COLLATE "C",
    image_id           TEXT   COLLATE "C",
    image_reference    TEXT   COLLATE "C",
    image_name         TEXT   COLLATE "C",
    image_tags         TEXT,
    image_digests      TEXT,
    image_architecture TEXT,
    pid                BIGINT,
    log_path           TEXT,
    cgroup             TEXT,
    node               TEXT   COLLATE "C",
    first_seen         BIGINT NOT NULL,
    created            BIGINT,
    started            BIGINT,
    ended              BIGINT,
    exit_code          BIGINT,
    reason             TEXT,
    restarts           BIGINT NOT NULL,
    capture            TEXT   NOT NULL,
    tier               TEXT,
    baseline_id        TEXT,
    baseline_status    TEXT,
    provenance         TEXT,
    PRIMARY KEY (id, agent)
);

CREATE INDEX containers_by_first_seen ON containers (first_seen);
CREATE INDEX containers_by_pod ON containers (namespace, pod_name);
CREATE INDEX containers_by_image ON containers (image_id);

CREATE TABLE losses (
    agent     TEXT   COLLATE "C" NOT NULL,
    container TEXT   COLLATE "C" NOT NULL,
    kind      TEXT   COLLATE "C" NOT NULL,
    lost      BIGINT NOT NULL,
    PRIMARY KEY (container, kind, agent)
);

CREATE TABLE gaps (
    agent     TEXT   COLLATE "C" NOT NULL,
    gap       BIGINT NOT NULL,
    container TEXT   COLLATE "C",
    begun     BIGINT NOT NULL,
    ended     BIGINT NOT NULL,
    why       TEXT   NOT NULL,
    PRIMARY KEY (agent, gap)
);

CREATE INDEX gaps_by_container ON gaps (container);

-- What was there at what time, by the node's retention: age is how long a row has been there, whatever time it tells.
CREATE TABLE marks (
    agent TEXT   COLLATE "C" NOT NULL,
    seq   BIGINT NOT NULL,  -- the newest event by then
    at    BIGINT NOT NULL,
    PRIMARY KEY (agent, seq)
);
