-- Usage rows, their rollups, and the function that makes a month's partition.

-- One row per request. created_at is the time inside the UUIDv7 request id, never now(): the same id always
-- lands in the same partition, so that the primary key makes an id unique over the whole table.
CREATE TABLE usage.usage (
    id uuid NOT NULL,
    user_id text NOT NULL,
    key_id text NOT NULL DEFAULT '',
    grant_id text NOT NULL DEFAULT '',
    client_id text NOT NULL DEFAULT '',
    provider text NOT NULL,
    model text NOT NULL,
    requested_model text NOT NULL DEFAULT '',
    resolved_model text NOT NULL DEFAULT '',
    endpoint text NOT NULL DEFAULT '',
    tokens_input integer NOT NULL CHECK (tokens_input >= 0),
    tokens_output integer NOT NULL CHECK (tokens_output >= 0),
    tokens_cached integer NOT NULL DEFAULT 0 CHECK (tokens_cached >= 0),
    tokens_reasoning integer NOT NULL DEFAULT 0 CHECK (tokens_reasoning >= 0),
    cost numeric(10, 6) NOT NULL CHECK (cost >= 0),
    price_version text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'completed' CHECK (status IN ('completed', 'interrupted', 'failed')),
    source text NOT NULL DEFAULT 'provider' CHECK (source IN ('provider', 'estimated', 'reaped')),
    finish_reason text NOT NULL DEFAULT '',
    error_code text NOT NULL DEFAULT '',
    stream boolean NOT NULL DEFAULT false,
    http_status integer NOT NULL DEFAULT 0,
    latency_ms integer NOT NULL DEFAULT 0 CHECK (latency_ms >= 0),
    first_token_ms integer NOT NULL DEFAULT 0 CHECK (first_token_ms >= 0),
    trace_id text NOT NULL DEFAULT '',
    attempts jsonb NOT NULL DEFAULT '[]',
    metadata jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz,
    created_at timestamptz NOT NULL,
    -- GetRequest, and the authority on "stored once".
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);

COMMENT ON COLUMN usage.usage.cost IS 'roubles; 1e-6 of one is the unit in code';
COMMENT ON COLUMN usage.usage.created_at IS 'the time inside the UUIDv7 id';
COMMENT ON COLUMN usage.usage.first_token_ms IS '0: no token was sent';

-- GetSpend: the part of a day that the daily rollup cannot answer; a user's newest requests.
CREATE INDEX usage_user_id_created_at ON usage.usage (user_id, created_at);
-- CheckInvariants: the rows of the last days. 40 kB a month instead of a btree's 20 MB per million rows.
CREATE INDEX usage_created_at ON usage.usage USING brin (created_at);

-- Rows of a month without a partition. A metric counts them: above 0 somebody must look.
CREATE TABLE usage.usage_default PARTITION OF usage.usage DEFAULT;

-- Rollups: upserted in the transaction that inserts the rows they sum. Money is in micro-roubles: a sum outgrows
-- numeric(10,6), and bigint adds fastest. fillfactor leaves room for HOT updates of the rows of today.
CREATE TABLE usage.rollup_day (
    user_id text NOT NULL,
    day date NOT NULL,
    key_id text NOT NULL,
    grant_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    requests bigint NOT NULL,
    tokens_input bigint NOT NULL,
    tokens_output bigint NOT NULL,
    tokens_cached bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_micro_rub bigint NOT NULL,
    -- GetSpend and a user's reports: one user, a span of days.
    PRIMARY KEY (user_id, day, key_id, grant_id, provider, model, status)
) WITH (fillfactor = 70);
-- CheckInvariants and the biggest users of a span: all users, a span of days; rows arrive in day order.
CREATE INDEX rollup_day_day ON usage.rollup_day USING brin (day) WITH (pages_per_range = 16);

CREATE TABLE usage.rollup_hour_platform (
    hour timestamptz NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    requests bigint NOT NULL,
    tokens_input bigint NOT NULL,
    tokens_output bigint NOT NULL,
    tokens_cached bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_micro_rub bigint NOT NULL,
    -- The platform's graphs and CheckInvariants: everything of a span of hours.
    PRIMARY KEY (hour, provider, model, status)
) WITH (fillfactor = 50);

CREATE TABLE usage.rollup_hour_user (
    user_id text NOT NULL,
    hour timestamptz NOT NULL,
    requests bigint NOT NULL,
    tokens_input bigint NOT NULL,
    tokens_output bigint NOT NULL,
    tokens_cached bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_micro_rub bigint NOT NULL,
    -- Peak hours and days of another time zone: one user, a span of hours.
    PRIMARY KEY (user_id, hour)
) WITH (fillfactor = 70);
-- CheckInvariants: all users, a span of hours.
CREATE INDEX rollup_hour_user_hour ON usage.rollup_hour_user USING brin (hour) WITH (pages_per_range = 16);

CREATE TABLE usage.rollup_hour_latency (
    hour timestamptz NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    metric text NOT NULL CHECK (metric IN ('latency', 'first_token')),
    bucket smallint NOT NULL,
    requests bigint NOT NULL,
    -- Percentiles by model and CheckInvariants: a span of hours.
    PRIMARY KEY (hour, provider, model, metric, bucket)
) WITH (fillfactor = 50);
COMMENT ON COLUMN usage.rollup_hour_latency.bucket IS 'ceil(log(ms) / log(1.08)); 0 is up to 1 ms';

-- Makes the partition of the month that begins at `month` and tells whether there is one now. The service may not
-- run DDL: this function does it in the owner's name, for months from 2023 until three months from now only.
-- Rows of that month that wait in the default partition move over. ATTACH, because CREATE ... PARTITION OF would
-- lock out every reader and writer of the whole table.
CREATE FUNCTION usage.ensure_month(month date) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $ensure_month$
DECLARE
    first_day date := date_trunc('month', month::timestamp)::date;
    next_month date := (first_day + interval '1 month')::date;
    name text := 'usage_' || to_char(first_day, 'YYYY_MM');
    lower_bound timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    upper_bound timestamptz := next_month::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass('usage.' || name) IS NOT NULL THEN
        RETURN true;
    END IF;
    IF first_day < date '2023-01-01' OR lower_bound > now() + interval '3 months' THEN
        RETURN false;
    END IF;
    -- ATTACH takes this lock anyway. An advisory one would not do: waiting for it does not refresh what this session
    -- remembers of the catalogue, and the second of two callers would not see the first one's table.
    LOCK TABLE usage.usage IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('usage.' || name) IS NOT NULL THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TABLE usage.%I (LIKE usage.usage INCLUDING ALL)', name);
    EXECUTE format('REVOKE ALL ON usage.%I FROM razvilka_usage', name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM usage.usage_default WHERE created_at >= %L AND created_at < %L RETURNING *) '
        'INSERT INTO usage.%I SELECT * FROM moved', lower_bound, upper_bound, name);
    EXECUTE format(
        'ALTER TABLE usage.usage ATTACH PARTITION usage.%I FOR VALUES FROM (%L) TO (%L)',
        name, lower_bound, upper_bound);
    RETURN true;
END
$ensure_month$;

REVOKE ALL ON FUNCTION usage.ensure_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage.ensure_month(date) TO razvilka_usage;

-- What is billed is never deleted by the service; through the partition itself it may only look.
REVOKE DELETE ON usage.usage, usage.rollup_day, usage.rollup_hour_platform, usage.rollup_hour_user,
    usage.rollup_hour_latency FROM razvilka_usage;
REVOKE INSERT, UPDATE, DELETE ON usage.usage_default FROM razvilka_usage;
