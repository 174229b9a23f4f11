-- JSON array of ATT&CK ids; absent where there are none. The index holds the parts of each: T1059 finds T1059.004.
ALTER TABLE events ADD COLUMN techniques TEXT COLLATE "C"
    GENERATED ALWAYS AS (line::json ->> 'threat.technique.id') STORED;

CREATE INDEX events_by_technique ON events USING gin (regexp_split_to_array(techniques, '[^A-Za-z0-9]+'));
CREATE INDEX events_by_severity ON events (severity, last);
CREATE INDEX drifts_by_fingerprint ON drifts (fingerprint, first);

-- What began later than somebody asks for is passed over without a look at its row.
DROP INDEX events_by_last;
CREATE INDEX events_by_last ON events (last, seq, time);
