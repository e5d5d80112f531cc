-- What an administrator changes about the catalogue files, and what the routers saw of the providers.

-- One row for each model that differs from its catalogue file; read whole, every few seconds.
CREATE TABLE router.model_overrides (
    model_id text PRIMARY KEY CHECK (length(model_id) BETWEEN 1 AND 128),
    -- Only the fields that differ: {"enabled": false}, {"fallbacks": ["gigachat-pro"]}.
    patch jsonb NOT NULL CHECK (jsonb_typeof(patch) = 'object'),
    updated_by text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL
);

-- Prices that are not in the catalogue files yet, in roubles per 1,000 tokens; read whole, every few seconds.
CREATE TABLE router.price_history (
    model_id text NOT NULL CHECK (length(model_id) BETWEEN 1 AND 128),
    valid_from timestamptz NOT NULL,
    input numeric(10, 6) NOT NULL CHECK (input >= 0),
    output numeric(10, 6) NOT NULL CHECK (output >= 0),
    cached numeric(10, 6) CHECK (cached >= 0),
    source text NOT NULL DEFAULT '',
    updated_by text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (model_id, valid_from)
);

-- Written by every router every few seconds; the newest observation stays.
CREATE TABLE router.provider_status (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL CHECK (status IN ('operational', 'degraded', 'down', 'unknown')),
    latency integer NOT NULL DEFAULT 0 CHECK (latency >= 0),
    error_rate double precision NOT NULL DEFAULT 0 CHECK (error_rate BETWEEN 0 AND 1),
    updated_at timestamptz NOT NULL,
    -- The upsert's key.
    UNIQUE (provider, model)
);
