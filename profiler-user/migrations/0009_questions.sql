-- A line is larger than a page: who fits a question is found in this index alone, and only what is told is read.
ALTER TABLE events ADD COLUMN techniques TEXT -- JSON array of ATT&CK ids; absent where there are none
    AS (CASE WHEN json_valid(line) THEN json_extract(line, '$."threat.technique.id"') END) VIRTUAL;

DROP INDEX events_by_last;
CREATE INDEX events_by_last ON events (last, kind, severity, action, time, container, fingerprint, techniques);

-- Of an index in no order each event writes a page of its own, which costs more than the event. One such index is enough: which
-- containers did it is in drifts; its events are found by the index above.
DROP INDEX events_by_fingerprint;
CREATE INDEX events_repeated ON events (fingerprint, seq) WHERE action <> 'created';

-- What goes on although it began before a time.
CREATE INDEX repeats_by_last ON events (last, id) WHERE action <> 'created';

DROP INDEX drifts_by_fingerprint;
CREATE INDEX drifts_by_fingerprint ON drifts (fingerprint, first);

CREATE INDEX evidence_by_id ON evidence (id);

-- One row per fingerprint over all containers: what drift.seen says is asked for with each first occurrence.
CREATE TABLE fingerprints (
    fingerprint TEXT    PRIMARY KEY NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    containers  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO fingerprints (fingerprint, first, last, count, containers)
SELECT fingerprint, MIN(first), MAX(last), SUM(count), COUNT(*) FROM drifts GROUP BY fingerprint;

CREATE TRIGGER fingerprints_come AFTER INSERT ON drifts
BEGIN
    INSERT INTO fingerprints (fingerprint, first, last, count, containers)
    VALUES (NEW.fingerprint, NEW.first, NEW.last, NEW.count, 1)
    ON CONFLICT (fingerprint) DO UPDATE SET first = MIN(first, excluded.first), last = MAX(last, excluded.last),
        count = count + excluded.count, containers = containers + 1;
END;

CREATE TRIGGER fingerprints_come_again AFTER UPDATE ON drifts
BEGIN
    UPDATE fingerprints SET count = count + NEW.count - OLD.count, last = MAX(last, NEW.last)
    WHERE fingerprint = NEW.fingerprint;
END;

CREATE TRIGGER fingerprints_go AFTER DELETE ON drifts
BEGIN
    DELETE FROM fingerprints WHERE fingerprint = OLD.fingerprint AND containers = 1;
    UPDATE fingerprints SET count = count - OLD.count, containers = containers - 1,
        first = (SELECT MIN(first) FROM drifts WHERE fingerprint = OLD.fingerprint)
    WHERE fingerprint = OLD.fingerprint;
END;
