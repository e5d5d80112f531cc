-- What was found in a user's usage: patterns of a day, incidents, recommendations and what became of them.

-- Who is to be analysed, and what the last analysis found. Locked by the instance that analyses the user.
CREATE TABLE usage.insight_users (
    user_id text PRIMARY KEY,
    active_day date NOT NULL,
    analysed_day date NOT NULL DEFAULT '1970-01-01',
    analysed_at timestamptz,
    findings jsonb NOT NULL DEFAULT '[]'
);
COMMENT ON COLUMN usage.insight_users.active_day IS 'UTC, of the newest request when it was last looked';
COMMENT ON COLUMN usage.insight_users.analysed_day IS 'UTC day on which it was analysed last';

-- Days, or hours, that cost more than they should; days that follow one another are one incident.
CREATE TABLE usage.incidents (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    grain text NOT NULL CHECK (grain IN ('day', 'hour')),
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    expected_micro_rub bigint NOT NULL,
    actual_micro_rub bigint NOT NULL,
    cause_dimension text NOT NULL,
    cause_value text NOT NULL,
    cause_expected_micro_rub bigint NOT NULL,
    cause_actual_micro_rub bigint NOT NULL,
    feedback text NOT NULL DEFAULT '' CHECK (feedback IN ('', 'expected', 'unexpected')),
    feedback_at timestamptz,
    found_at timestamptz NOT NULL,
    CHECK (begins_at < ends_at),
    -- Found by two instances, or again, it is one; a user's incidents, the newest first.
    UNIQUE (user_id, grain, begins_at)
);
COMMENT ON COLUMN usage.incidents.ends_at IS 'itself excluded';

CREATE TABLE usage.recommendations (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    texts jsonb NOT NULL,
    evidence jsonb NOT NULL,
    query jsonb NOT NULL,
    saving_min_micro_rub bigint NOT NULL,
    saving_max_micro_rub bigint NOT NULL,
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'accepted', 'dismissed', 'done')),
    reason text NOT NULL DEFAULT '',
    decided_at timestamptz,
    realised_micro_rub bigint,
    realised_at timestamptz,
    CHECK (saving_min_micro_rub <= saving_max_micro_rub),
    -- A user's advice; the same advice again is the same row.
    UNIQUE (user_id, kind, subject)
);
COMMENT ON COLUMN usage.recommendations.saving_min_micro_rub IS 'a month';
COMMENT ON COLUMN usage.recommendations.realised_micro_rub IS 'a month; null: not measured yet. Negative: it became dearer';

ALTER TABLE usage.insight_users ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.incidents ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.recommendations ENABLE ROW LEVEL SECURITY;

CREATE POLICY of_the_named_user ON usage.insight_users USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.incidents USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.recommendations USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
