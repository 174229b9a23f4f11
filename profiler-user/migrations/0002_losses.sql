-- Events that the sensor could not deliver, per container and kind. The container's row may come later.
CREATE TABLE losses (
    container TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    lost      INTEGER NOT NULL,  -- in all, so far
    PRIMARY KEY (container, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO losses (container, kind, lost) SELECT id, 'unknown', lost FROM containers WHERE lost > 0;
ALTER TABLE containers DROP COLUMN lost;
