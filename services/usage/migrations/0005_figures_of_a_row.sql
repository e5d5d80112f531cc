-- What statistics, patterns and advice need of a row: the caller's tags (in `metadata`, there from the beginning), its
-- wait, whether another model answered, what caches spared, a keyed digest of the prompt, and what it asked for.
-- No CHECK stands with a column, since it would read the whole table; those below hold for rows from now on.

ALTER TABLE usage.usage
    ADD COLUMN queue_ms integer NOT NULL DEFAULT 0,
    ADD COLUMN fallbacks integer NOT NULL DEFAULT 0,
    ADD COLUMN saved_micro_rub bigint NOT NULL DEFAULT 0,
    ADD COLUMN prompt_digest bytea NOT NULL DEFAULT '',
    ADD COLUMN traits integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT usage_figures_check CHECK (queue_ms >= 0 AND fallbacks >= 0 AND saved_micro_rub >= 0) NOT VALID,
    ADD CONSTRAINT usage_prompt_digest_check CHECK (length(prompt_digest) <= 16) NOT VALID;

COMMENT ON COLUMN usage.usage.metadata IS 'tags of the caller: names and values, both texts';
COMMENT ON COLUMN usage.usage.queue_ms IS 'waited for room in a budget or for a slot of a provider';
COMMENT ON COLUMN usage.usage.fallbacks IS '1: another model answered than the first that was tried';
COMMENT ON COLUMN usage.usage.saved_micro_rub IS 'what it would have cost more without any cache, micro-roubles';
COMMENT ON COLUMN usage.usage.prompt_digest IS 'the same for the same prompt of the same user; empty: none was made';
COMMENT ON COLUMN usage.usage.traits IS 'bits: 1 tools, 2 temperature 0, 4 images, 8 answer by a schema';

ALTER TABLE usage.rollup_day
    ADD COLUMN fallbacks bigint NOT NULL DEFAULT 0,
    ADD COLUMN saved_micro_rub bigint NOT NULL DEFAULT 0,
    ADD COLUMN errors bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_ms bigint NOT NULL DEFAULT 0,
    ADD COLUMN tokens_streamed bigint NOT NULL DEFAULT 0;
ALTER TABLE usage.rollup_hour_platform
    ADD COLUMN fallbacks bigint NOT NULL DEFAULT 0,
    ADD COLUMN saved_micro_rub bigint NOT NULL DEFAULT 0,
    ADD COLUMN errors bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_ms bigint NOT NULL DEFAULT 0,
    ADD COLUMN tokens_streamed bigint NOT NULL DEFAULT 0;
ALTER TABLE usage.rollup_hour_user
    ADD COLUMN fallbacks bigint NOT NULL DEFAULT 0,
    ADD COLUMN saved_micro_rub bigint NOT NULL DEFAULT 0,
    ADD COLUMN errors bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_ms bigint NOT NULL DEFAULT 0,
    ADD COLUMN tokens_streamed bigint NOT NULL DEFAULT 0;

-- Of the rows that are there. Fallbacks and savings begin with this version. Writers wait meanwhile, because the table
-- is altered: gateways keep their records in the journal.
UPDATE usage.rollup_day AS stored
SET errors = rows.errors, output_ms = rows.output_ms, tokens_streamed = rows.tokens_streamed
FROM (
    SELECT
        user_id, (created_at AT TIME ZONE 'UTC')::date AS day, key_id, grant_id, provider, model, status,
        count(*) FILTER (WHERE status = 'failed') AS errors,
        coalesce(sum(greatest(latency_ms - first_token_ms, 0))
            FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0) AS output_ms,
        coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
            FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0) AS tokens_streamed
    FROM usage.usage
    GROUP BY 1, 2, 3, 4, 5, 6, 7
) AS rows
WHERE (stored.user_id, stored.day, stored.key_id, stored.grant_id, stored.provider, stored.model, stored.status)
    = (rows.user_id, rows.day, rows.key_id, rows.grant_id, rows.provider, rows.model, rows.status);

UPDATE usage.rollup_hour_platform AS stored
SET errors = rows.errors, output_ms = rows.output_ms, tokens_streamed = rows.tokens_streamed
FROM (
    SELECT
        date_trunc('hour', created_at, 'UTC') AS hour, provider, model, status,
        count(*) FILTER (WHERE status = 'failed') AS errors,
        coalesce(sum(greatest(latency_ms - first_token_ms, 0))
            FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0) AS output_ms,
        coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
            FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0) AS tokens_streamed
    FROM usage.usage
    GROUP BY 1, 2, 3, 4
) AS rows
WHERE (stored.hour, stored.provider, stored.model, stored.status)
    = (rows.hour, rows.provider, rows.model, rows.status);

UPDATE usage.rollup_hour_user AS stored
SET errors = rows.errors, output_ms = rows.output_ms, tokens_streamed = rows.tokens_streamed
FROM (
    SELECT
        user_id, date_trunc('hour', created_at, 'UTC') AS hour,
        count(*) FILTER (WHERE status = 'failed') AS errors,
        coalesce(sum(greatest(latency_ms - first_token_ms, 0))
            FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0) AS output_ms,
        coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
            FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0) AS tokens_streamed
    FROM usage.usage
    GROUP BY 1, 2
) AS rows
WHERE (stored.user_id, stored.hour) = (rows.user_id, rows.hour);
