-- The end of the chain: what the next event says of the one before, and what tells that the newest was not taken away.
CREATE TABLE head (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    seq     INTEGER NOT NULL,  -- of the newest event; 0 before the first
    hash    TEXT,              -- sha256:… of its line
    removed INTEGER NOT NULL   -- rows that retention took, in all
) STRICT;

-- Each range of rows that retention took, so that the chain holds across it. Events of the kind driftline.chain
-- carry a hash over the rows of theirs.
CREATE TABLE checkpoints (
    record INTEGER NOT NULL,   -- event.seq of the event that tells of it
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    before TEXT,               -- hash of the row before the first; absent where the first was event 1
    after  TEXT    NOT NULL,   -- hash of the last
    PRIMARY KEY (record, first)
) STRICT, WITHOUT ROWID;

-- Retention's own: whether it is at work, and what time it believes it is.
CREATE TABLE retention (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    working INTEGER NOT NULL,
    clock   INTEGER
) STRICT;

INSERT INTO retention (one, working) VALUES (1, 0);

-- What was there at what time, by retention's clock: age is how long a row has been here, whatever time it tells.
CREATE TABLE marks (
    seq INTEGER PRIMARY KEY,   -- the newest event by then
    at  INTEGER NOT NULL
) STRICT;

-- One row per container and fingerprint: the first and the last occurrence, and how many there were, also when the
-- rows of its repeats are gone.
CREATE TABLE drifts (
    container   TEXT    NOT NULL,  -- empty where there is none
    fingerprint TEXT    NOT NULL,
    id          TEXT    NOT NULL,  -- of the newest event
    counted     INTEGER NOT NULL,  -- what that one counts
    count       INTEGER NOT NULL,  -- in all
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    first_seq   INTEGER NOT NULL,  -- the first occurrence: it stays until it is too old
    last_seq    INTEGER NOT NULL,
    repeats     INTEGER NOT NULL,  -- rows of repeats that are there
    PRIMARY KEY (container, fingerprint)
) STRICT, WITHOUT ROWID;

INSERT INTO drifts (container, fingerprint, id, counted, count, first, last, first_seq, last_seq, repeats)
SELECT container, fingerprint, id, counted, SUM(counted), MIN(first), MAX(last), MIN(first_seq), MAX(last_seq), SUM(repeats)
FROM (
    SELECT COALESCE(container, '') AS container, fingerprint, id, MAX(json_extract(line, '$."drift.count"')) AS counted,
        MIN(time) AS first, MAX(last) AS last, MIN(seq) AS first_seq, MAX(seq) AS last_seq, SUM(action <> 'created') AS repeats
    FROM events GROUP BY 1, 2, 3
) GROUP BY container, fingerprint;

CREATE INDEX drifts_with_many_repeats ON drifts (repeats) WHERE repeats >= 1000;
CREATE INDEX drifts_by_last_seq ON drifts (last_seq);

-- Events that say `created` of what the same container had done before.
CREATE TABLE again (
    severity INTEGER NOT NULL,  -- 0 info to 4 critical
    seq      INTEGER NOT NULL,
    PRIMARY KEY (severity, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_of_repeats ON events (seq) WHERE action <> 'created';

CREATE TRIGGER events_are_appended BEFORE INSERT ON events
WHEN NEW.seq <= COALESCE((SELECT seq FROM head), 0)
BEGIN SELECT RAISE(ABORT, 'events are only ever appended'); END;

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
WHEN NOT (SELECT working FROM retention)
BEGIN SELECT RAISE(ABORT, 'events are removed by retention alone'); END;

CREATE TRIGGER checkpoints_are_not_changed BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;

CREATE TRIGGER checkpoints_are_not_removed BEFORE DELETE ON checkpoints
WHEN NOT (SELECT working FROM retention)
BEGIN SELECT RAISE(ABORT, 'checkpoints are removed by retention alone'); END;
