-- Sums for what read too much at ten million rows: one user by model (without keys), everybody by key and application,
-- tags; and hours of a user by endpoint and error. Rows come in as one array of a composite type. Writers wait
-- meanwhile, and those of the version before fail until they are replaced: gateways keep their records in the journal.

CREATE TABLE usage.rollup_day_user_model (
    LIKE usage.rollup_day_platform,
    user_id text NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE usage.rollup_day_key (
    LIKE usage.rollup_day_user,
    key_id text NOT NULL,
    client_id text NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE usage.rollup_week_key (LIKE usage.rollup_day_key) WITH (fillfactor = 50);
ALTER TABLE usage.rollup_week_key RENAME COLUMN day TO week;
-- `tag` is `name=value` of the metadata; the row with '' has the requests that have any tag, each once.
CREATE TABLE usage.rollup_day_tag (
    LIKE usage.rollup_day_user,
    tag text NOT NULL
) WITH (fillfactor = 70);
-- How many tags a user's day tells apart. A day with too many is full: no more is added to its tags, and questions about
-- it are answered from rows. Callers choose tags, and may choose a new one for each request.
CREATE TABLE usage.rollup_tag_days (
    user_id text NOT NULL,
    day date NOT NULL,
    tags bigint NOT NULL,
    PRIMARY KEY (user_id, day)
) WITH (fillfactor = 70);

-- Of months whose rows are not there any more the sums of hours stay as they are.
DELETE FROM usage.rollup_hour_user
WHERE hour >= (SELECT date_trunc('month', min(created_at), 'UTC') FROM usage.usage);
ALTER TABLE usage.rollup_hour_user
    ADD COLUMN endpoint text NOT NULL DEFAULT '',
    ADD COLUMN error_code text NOT NULL DEFAULT '',
    DROP CONSTRAINT rollup_hour_user_pkey;
ALTER TABLE usage.rollup_hour_user ALTER COLUMN endpoint DROP DEFAULT, ALTER COLUMN error_code DROP DEFAULT;

INSERT INTO usage.rollup_hour_user (
    user_id, hour, provider, model, status, endpoint, error_code,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub, fallbacks,
    saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    user_id, date_trunc('hour', created_at, 'UTC'), provider, model, status, endpoint, error_code,
    count(*), sum(tokens_input), sum(tokens_output), sum(tokens_cached), sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint, sum(fallbacks), sum(saved_micro_rub), count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
GROUP BY 1, 2, 3, 4, 5, 6, 7;

INSERT INTO usage.rollup_day_user_model (
    user_id, day, provider, model, status, endpoint, error_code,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub, fallbacks,
    saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    user_id, day, provider, model, status, endpoint, error_code,
    sum(requests), sum(tokens_input), sum(tokens_output), sum(tokens_cached), sum(tokens_reasoning),
    sum(cost_micro_rub), sum(fallbacks), sum(saved_micro_rub), sum(errors), sum(output_ms), sum(tokens_streamed)
FROM usage.rollup_day
GROUP BY 1, 2, 3, 4, 5, 6, 7;

INSERT INTO usage.rollup_day_key (
    day, user_id, key_id, client_id,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub, fallbacks,
    saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    day, user_id, key_id, client_id,
    sum(requests), sum(tokens_input), sum(tokens_output), sum(tokens_cached), sum(tokens_reasoning),
    sum(cost_micro_rub), sum(fallbacks), sum(saved_micro_rub), sum(errors), sum(output_ms), sum(tokens_streamed)
FROM usage.rollup_day
GROUP BY 1, 2, 3, 4;

INSERT INTO usage.rollup_week_key (
    week, user_id, key_id, client_id,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub, fallbacks,
    saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    date_trunc('week', day::timestamp)::date, user_id, key_id, client_id,
    sum(requests), sum(tokens_input), sum(tokens_output), sum(tokens_cached), sum(tokens_reasoning),
    sum(cost_micro_rub), sum(fallbacks), sum(saved_micro_rub), sum(errors), sum(output_ms), sum(tokens_streamed)
FROM usage.rollup_day
GROUP BY 1, 2, 3, 4;

INSERT INTO usage.rollup_tag_days (user_id, day, tags)
SELECT
    user_id, (created_at AT TIME ZONE 'UTC')::date,
    count(DISTINCT name || '=' || value) + CASE WHEN bool_or(octet_length(name || '=' || value) > 512) THEN 1000 ELSE 0 END
FROM usage.usage
CROSS JOIN LATERAL jsonb_each_text(metadata) AS pair (name, value)
GROUP BY 1, 2;

INSERT INTO usage.rollup_day_tag (
    day, user_id, tag,
    requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub, fallbacks,
    saved_micro_rub, errors, output_ms, tokens_streamed
)
SELECT
    (created_at AT TIME ZONE 'UTC')::date, user_id, tag,
    count(*), sum(tokens_input), sum(tokens_output), sum(tokens_cached), sum(tokens_reasoning),
    (sum(cost) * 1000000)::bigint, sum(fallbacks), sum(saved_micro_rub), count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(greatest(latency_ms - first_token_ms, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0),
    coalesce(sum(greatest(tokens_output - tokens_reasoning, 0))
        FILTER (WHERE first_token_ms > 0 AND cache_status <> 'hit'), 0)
FROM usage.usage
CROSS JOIN LATERAL (
    SELECT '' AS tag
    UNION ALL
    SELECT name || '=' || value FROM jsonb_each_text(metadata) AS pair (name, value)
) AS tags
WHERE metadata <> '{}' AND octet_length(tag) <= 512
GROUP BY 1, 2, 3;

-- A user's statistics by model, endpoint, error: one user, a span of days, or of hours.
ALTER TABLE usage.rollup_day_user_model
    ADD PRIMARY KEY (user_id, day, provider, model, status, endpoint, error_code);
ALTER TABLE usage.rollup_hour_user ADD PRIMARY KEY (user_id, hour, provider, model, status, endpoint, error_code);
-- By key and application, by tag: one user, a span of days; everybody, by the BRIN, since rows arrive in day order.
ALTER TABLE usage.rollup_day_key ADD PRIMARY KEY (user_id, day, key_id, client_id);
ALTER TABLE usage.rollup_day_tag ADD PRIMARY KEY (user_id, day, tag);
CREATE INDEX rollup_day_key_day ON usage.rollup_day_key USING brin (day) WITH (pages_per_range = 16);
CREATE INDEX rollup_day_tag_day ON usage.rollup_day_tag USING brin (day) WITH (pages_per_range = 16);
-- Whether a question about tags touches a full day.
CREATE INDEX rollup_tag_days_full ON usage.rollup_tag_days (day) WHERE tags >= 1000;
-- CheckInvariants: all users, a span of days.
CREATE INDEX rollup_day_user_model_day ON usage.rollup_day_user_model USING brin (day) WITH (pages_per_range = 16);
-- Everybody by key and application: a span of weeks.
ALTER TABLE usage.rollup_week_key ADD PRIMARY KEY (week, user_id, key_id, client_id);
-- Which requests have tags, at the edges of days and of full days.
CREATE INDEX usage_tagged_created_at ON usage.usage (created_at) WHERE metadata <> '{}';

ALTER TABLE usage.rollup_day_user_model ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.rollup_day_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.rollup_week_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.rollup_day_tag ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.rollup_tag_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON usage.rollup_day_user_model USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.rollup_day_key USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.rollup_week_key USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.rollup_day_tag USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.rollup_tag_days USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
REVOKE DELETE ON usage.rollup_day_user_model, usage.rollup_day_key, usage.rollup_week_key, usage.rollup_day_tag,
    usage.rollup_tag_days FROM razvilka_usage;

-- What a batch is sent as: a value a record instead of an array a column, which costs the sender half as much. A column
-- more makes a new type, `record_2`: services of the version before go on sending this one.
CREATE TYPE usage.record_1 AS (
    request_id uuid,
    user_id text,
    key_id text,
    grant_id text,
    client_id text,
    provider text,
    model text,
    requested_model text,
    resolved_model text,
    endpoint text,
    cost_micro_rub bigint,
    tokens_input integer,
    tokens_output integer,
    tokens_cached integer,
    tokens_reasoning integer,
    price_version text,
    status text,
    source text,
    finish_reason text,
    error_code text,
    stream boolean,
    http_status integer,
    latency_ms integer,
    first_token_ms integer,
    trace_id text,
    started_at timestamptz,
    flags text,
    over_hold_micro_rub bigint,
    dropped_params text,
    cache_status text,
    queue_ms integer,
    fallbacks integer,
    saved_micro_rub bigint,
    prompt_digest bytea,
    traits integer,
    created_at timestamptz,
    attempts text,
    metadata text
);
GRANT USAGE ON TYPE usage.record_1 TO razvilka_usage;
