-- What an administrator disabled, credential by credential. Not a revocation: it works again when this row goes.

CREATE TABLE auth.disabled_credentials (
    -- `key:<id>`, `client:<id>` or `grant:<id>`.
    subject text NOT NULL CHECK (subject ~ '^(key|client|grant):'),
    -- What was disabled: the credential itself, or the one that made it, directly or in between.
    because text NOT NULL,
    disabled_at timestamptz NOT NULL,
    -- Is this one disabled? It stays so until nothing is left because of which it is.
    PRIMARY KEY (subject, because)
);
-- Enable what was disabled because of this one.
CREATE INDEX disabled_credentials_because_idx ON auth.disabled_credentials (because);
