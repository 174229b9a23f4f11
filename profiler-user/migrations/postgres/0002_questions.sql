-- JSON array of ATT&CK ids; absent where there are none. The index holds the parts of each: T1059 finds T1059.004. By its text,
-- in which quotes of values are escaped: not every line that an agent can write is JSON to PostgreSQL (\u0000).
ALTER TABLE events ADD COLUMN techniques TEXT COLLATE "C"
    GENERATED ALWAYS AS (substring(line from '"threat\.technique\.id":(\[[^]]*\])')) STORED;

CREATE INDEX events_by_technique ON events USING gin (regexp_split_to_array(techniques, '[^A-Za-z0-9]+'));
CREATE INDEX events_by_severity ON events (severity, last);
CREATE INDEX drifts_by_fingerprint ON drifts (fingerprint, first);

-- What goes on although it began before a time.
CREATE INDEX repeats_by_last ON events (last, id) WHERE action <> 'created';

-- An agent forgets what was too long ago, and counts from one again: `gone` is what it had counted before, `begun` the first time
-- of what it counts now.
ALTER TABLE drifts ADD COLUMN gone BIGINT NOT NULL DEFAULT 0, ADD COLUMN begun BIGINT;

-- What began later than somebody asks for is passed over without a look at its row.
DROP INDEX events_by_last;
CREATE INDEX events_by_last ON events (last, seq, time);
