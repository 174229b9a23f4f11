-- Where a container's image came from, as it was known at its start: a JSON object with the keys of events.
ALTER TABLE containers ADD COLUMN provenance TEXT;
