-- First occurrences that one event tells of together: each is kept here as it would have been told alone. Rows are appended,
-- never updated, and each line carries the hash of the one before; the events of groups carry where that chain stands.
CREATE TABLE evidence (
    number      INTEGER PRIMARY KEY,   -- from 1, without gaps
    seq         INTEGER NOT NULL,      -- the newest event when it came: it goes when that one goes
    id          TEXT    NOT NULL,      -- its own event.id
    of          TEXT    NOT NULL,      -- event.id of the group
    line        TEXT    NOT NULL
) STRICT;

CREATE INDEX evidence_by_group ON evidence (of, number);

-- The end of that chain.
CREATE TABLE evidence_head (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    hash   TEXT                        -- sha256:… of the newest line
) STRICT;

INSERT INTO evidence_head (one, number) VALUES (1, 0);

CREATE TRIGGER evidence_is_appended BEFORE INSERT ON evidence
WHEN NEW.number <= (SELECT number FROM evidence_head)
BEGIN SELECT RAISE(ABORT, 'evidence is only ever appended'); END;

CREATE TRIGGER evidence_is_not_changed BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;

CREATE TRIGGER evidence_is_not_removed BEFORE DELETE ON evidence
WHEN NOT (SELECT working FROM retention)
BEGIN SELECT RAISE(ABORT, 'evidence is removed by retention alone'); END;
