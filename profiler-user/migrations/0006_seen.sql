-- What a new event says of its fingerprint's past: drift.seen.
CREATE INDEX drifts_by_fingerprint ON drifts (fingerprint);
