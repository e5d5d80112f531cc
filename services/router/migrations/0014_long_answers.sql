-- The beginnings of answers that one message of the wire does not hold; the end of each stands in its line.

ALTER TABLE router.batch_lines ADD COLUMN parts integer NOT NULL DEFAULT 0 CHECK (parts >= 0);

CREATE TABLE router.batch_answer_parts (
    batch_id text NOT NULL,
    number integer NOT NULL,
    -- From 0. What a worker left that vanished is replaced, or is behind what the line says it has.
    part integer NOT NULL CHECK (part >= 0),
    sealed bytea NOT NULL,
    PRIMARY KEY (batch_id, number, part),
    FOREIGN KEY (batch_id, number) REFERENCES router.batch_lines (batch_id, number) ON DELETE CASCADE
);
