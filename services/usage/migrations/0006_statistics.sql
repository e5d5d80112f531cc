-- Rollups tell apart what statistics are grouped and filtered by: the OAuth client, the endpoint, the error's code. They
-- are counted anew from the rows; writers wait meanwhile, and those of the version before fail until they are replaced:
-- gateways keep their records in the journal.

TRUNCATE usage.rollup_day, usage.rollup_hour_platform;
ALTER TABLE usage.rollup_day
    ADD COLUMN client_id text NOT NULL,
    ADD COLUMN endpoint text NOT NULL,
    ADD COLUMN error_code text NOT NULL,
    DROP CONSTRAINT rollup_day_pkey;
ALTER TABLE usage.rollup_hour_platform
    ADD COLUMN endpoint text NOT NULL,
    ADD COLUMN error_code text NOT NULL,
    DROP CONSTRAINT rollup_hour_platform_pkey;

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

-- GetSpend, statistics of a user: one user, a span of days.
ALTER TABLE usage.rollup_day
    ADD PRIMARY KEY (user_id, day, key_id, grant_id, client_id, provider, model, status, endpoint, error_code);
-- Statistics of the platform, CheckInvariants: everything of a span of hours.
ALTER TABLE usage.rollup_hour_platform ADD PRIMARY KEY (hour, provider, model, status, endpoint, error_code);

-- The log of everybody's requests, newest first, and the rows at the edges of the platform's days. New rows are the
-- last of the index, where inserting is cheap.
CREATE INDEX usage_created_at_id ON usage.usage (created_at, id);
