-- Rollups tell apart what statistics are grouped and filtered by: the OAuth client, the endpoint, the error's code; of a
-- user's hours, models too. Two new ones answer for everybody. All are counted anew from the rows; writers wait
-- meanwhile, and those of the version before fail until they are replaced: gateways keep their records in the journal.

TRUNCATE usage.rollup_day, usage.rollup_hour_platform, usage.rollup_hour_user;
ALTER TABLE usage.rollup_day
    ADD COLUMN client_id text NOT NULL,
    ADD COLUMN endpoint text NOT NULL,
    ADD COLUMN error_code text NOT NULL,
    DROP CONSTRAINT rollup_day_pkey;
ALTER TABLE usage.rollup_hour_user
    ADD COLUMN provider text NOT NULL,
    ADD COLUMN model text NOT NULL,
    ADD COLUMN status text NOT NULL,
    DROP CONSTRAINT rollup_hour_user_pkey;
ALTER TABLE usage.rollup_hour_platform
    ADD COLUMN endpoint text NOT NULL,
    ADD COLUMN error_code text NOT NULL,
    DROP CONSTRAINT rollup_hour_platform_pkey;

CREATE TABLE usage.rollup_day_platform (
    day date NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    endpoint text NOT NULL,
    error_code text NOT NULL,
    requests bigint NOT NULL,
    tokens_input bigint NOT NULL,
    tokens_output bigint NOT NULL,
    tokens_cached bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_micro_rub bigint NOT NULL,
    fallbacks bigint NOT NULL,
    saved_micro_rub bigint NOT NULL,
    errors bigint NOT NULL,
    output_ms bigint NOT NULL,
    tokens_streamed bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE usage.rollup_day_user (
    day date NOT NULL,
    user_id text NOT NULL,
    requests bigint NOT NULL,
    tokens_input bigint NOT NULL,
    tokens_output bigint NOT NULL,
    tokens_cached bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_micro_rub bigint NOT NULL,
    fallbacks bigint NOT NULL,
    saved_micro_rub bigint NOT NULL,
    errors bigint NOT NULL,
    output_ms bigint NOT NULL,
    tokens_streamed bigint NOT NULL
) WITH (fillfactor = 70);

INSERT INTO usage.rollup_day (
    user_id, day, key_id, grant_id, client_id, provider, model, status, endpoint, error_code,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub,
    fallbacks, saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    user_id, (created_at AT TIME ZONE 'UTC')::date, key_id, grant_id, client_id, provider, model, status, endpoint, error_code,
    count(*),
    sum(tokens_input),
    sum(tokens_output),
    sum(tokens_cached),
    sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint,
    sum(fallbacks),
    sum(saved_micro_rub),
    count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;

INSERT INTO usage.rollup_hour_user (
    user_id, hour, provider, model, status,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub,
    fallbacks, saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    user_id, date_trunc('hour', created_at, 'UTC'), provider, model, status,
    count(*),
    sum(tokens_input),
    sum(tokens_output),
    sum(tokens_cached),
    sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint,
    sum(fallbacks),
    sum(saved_micro_rub),
    count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO usage.rollup_hour_platform (
    hour, provider, model, status, endpoint, error_code,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub,
    fallbacks, saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    date_trunc('hour', created_at, 'UTC'), provider, model, status, endpoint, error_code,
    count(*),
    sum(tokens_input),
    sum(tokens_output),
    sum(tokens_cached),
    sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint,
    sum(fallbacks),
    sum(saved_micro_rub),
    count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO usage.rollup_day_platform (
    day, provider, model, status, endpoint, error_code,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub,
    fallbacks, saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    (created_at AT TIME ZONE 'UTC')::date, provider, model, status, endpoint, error_code,
    count(*),
    sum(tokens_input),
    sum(tokens_output),
    sum(tokens_cached),
    sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint,
    sum(fallbacks),
    sum(saved_micro_rub),
    count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO usage.rollup_day_user (
    day, user_id,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub,
    fallbacks, saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    (created_at AT TIME ZONE 'UTC')::date, user_id,
    count(*),
    sum(tokens_input),
    sum(tokens_output),
    sum(tokens_cached),
    sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint,
    sum(fallbacks),
    sum(saved_micro_rub),
    count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
GROUP BY 1, 2;

-- GetSpend, statistics of a user: one user, a span of days, or of hours.
ALTER TABLE usage.rollup_day
    ADD PRIMARY KEY (user_id, day, key_id, grant_id, client_id, provider, model, status, endpoint, error_code);
ALTER TABLE usage.rollup_hour_user ADD PRIMARY KEY (user_id, hour, provider, model, status);
-- Statistics of everybody, CheckInvariants: everything of a span of hours, or of days.
ALTER TABLE usage.rollup_hour_platform ADD PRIMARY KEY (hour, provider, model, status, endpoint, error_code);
ALTER TABLE usage.rollup_day_platform ADD PRIMARY KEY (day, provider, model, status, endpoint, error_code);
-- The biggest users of a span of days.
ALTER TABLE usage.rollup_day_user ADD PRIMARY KEY (day, user_id);

-- The log of everybody's requests, newest first, and the rows at the edges of days and hours. New rows are the last of
-- the index, where inserting is cheap.
CREATE INDEX usage_created_at_id ON usage.usage (created_at, id);

ALTER TABLE usage.rollup_day_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON usage.rollup_day_user USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
REVOKE DELETE ON usage.rollup_day_platform, usage.rollup_day_user FROM razvilka_usage;
