-- One router writes what all of them saw, with more of it, and what it was before.

ALTER TABLE router.provider_status
    ADD COLUMN reason text NOT NULL DEFAULT '',
    -- When the status began; NULL in rows of the release before.
    ADD COLUMN since timestamptz,
    -- Milliseconds; `latency` is that of half of the answers.
    ADD COLUMN latency_p95 integer NOT NULL DEFAULT 0 CHECK (latency_p95 >= 0),
    ADD COLUMN first_content_p50 integer NOT NULL DEFAULT 0 CHECK (first_content_p50 >= 0),
    ADD COLUMN first_content_p95 integer NOT NULL DEFAULT 0 CHECK (first_content_p95 >= 0),
    ADD COLUMN calls integer NOT NULL DEFAULT 0 CHECK (calls >= 0);

-- One row for each time a status began; kept for ROUTER_STATUS_HISTORY_DAYS.
CREATE TABLE router.provider_status_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    error_rate double precision NOT NULL,
    began_at timestamptz NOT NULL
);

-- GET /v1/admin/providers/history, and what is too old.
CREATE INDEX provider_status_history_began_at_idx ON router.provider_status_history (began_at);

-- Who writes: one row, taken over when its time is up.
CREATE TABLE router.status_writer (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    replica text NOT NULL,
    until timestamptz NOT NULL
);
