-- Files of callers, and batches of requests. What is in them is sealed by the service; the database reads none of it.

CREATE TABLE router.files (
    id text PRIMARY KEY,
    owner text NOT NULL CHECK (owner <> ''),
    -- The grant of the application that put it here; '': the owner's own keys.
    application text NOT NULL,
    filename text NOT NULL,
    -- '' while it is being uploaded.
    purpose text NOT NULL CHECK (purpose IN ('', 'batch', 'batch_output')),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    parts integer NOT NULL CHECK (parts >= 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
-- A page of an owner's files; what an owner's files weigh.
CREATE INDEX files_of_owner ON router.files (owner, application, created_at, id);
-- What is to be deleted.
CREATE INDEX files_expired ON router.files (expires_at);

CREATE TABLE router.file_parts (
    file_id text NOT NULL REFERENCES router.files (id) ON DELETE CASCADE,
    number integer NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (file_id, number)
);

CREATE TABLE router.batches (
    id text PRIMARY KEY,
    owner text NOT NULL CHECK (owner <> ''),
    application text NOT NULL,
    key_id text NOT NULL,
    endpoint text NOT NULL,
    input_file_id text NOT NULL,
    status text NOT NULL CHECK (status IN (
        'validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled'
    )),
    output_file_id text NOT NULL DEFAULT '',
    error_file_id text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- "in_progress_at" -> seconds of Unix time.
    moments jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(moments) = 'object'),
    metadata jsonb NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    errors jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(errors) = 'array'),
    -- Of an ended batch, whose lines are gone; while it runs they are counted.
    total integer NOT NULL DEFAULT 0,
    completed integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    -- Who looks through its file, and until when that is believed.
    worker text NOT NULL DEFAULT '',
    claimed_until timestamptz
);
-- A page of an owner's batches.
CREATE INDEX batches_of_owner ON router.batches (owner, application, created_at, id);
-- What is still to be worked on.
CREATE INDEX batches_open ON router.batches (status)
    WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling');
-- What is to be deleted.
CREATE INDEX batches_created ON router.batches (created_at);

CREATE TABLE router.batch_lines (
    batch_id text NOT NULL REFERENCES router.batches (id) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 1),
    custom_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'completed', 'failed')),
    attempt integer NOT NULL DEFAULT 0,
    -- Waiting: not before that moment. Running: the worker is believed until then.
    until timestamptz NOT NULL,
    worker text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    http_status integer NOT NULL DEFAULT 0,
    -- The body of the request; when it is answered, that of the answer.
    sealed bytea NOT NULL,
    PRIMARY KEY (batch_id, number)
);
-- Lines to be claimed, and whether any are left.
CREATE INDEX batch_lines_open ON router.batch_lines (batch_id, number) WHERE state IN ('waiting', 'running');
-- What a worker renews.
CREATE INDEX batch_lines_of_worker ON router.batch_lines (worker) WHERE state = 'running';

-- A call that a provider takes now and answers later: under which name it does. Whoever asks for the same line again
-- waits for that, instead of asking, and paying, anew.
CREATE TABLE router.deferred_calls (
    id text PRIMARY KEY,
    operation text NOT NULL,
    created_at timestamptz NOT NULL
);
-- What is to be deleted.
CREATE INDEX deferred_calls_created ON router.deferred_calls (created_at);
