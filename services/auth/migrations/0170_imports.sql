-- What was brought from another installation, and from which: so that it is brought once and can be taken back.

CREATE TABLE auth.imports (
    source_id text PRIMARY KEY CHECK (length(source_id) BETWEEN 1 AND 128),
    began_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE auth.imported_rows (
    source_id text NOT NULL REFERENCES auth.imports (source_id),
    kind text NOT NULL CHECK (kind IN ('user', 'key')),
    id text NOT NULL,
    -- As it was in the source: an id that no caller can send got another one here.
    source_row text NOT NULL,
    PRIMARY KEY (kind, id)
);
-- Take back, or count, what one source brought.
CREATE INDEX imported_rows_source_idx ON auth.imported_rows (source_id, kind);
