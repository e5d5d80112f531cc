-- What was foretold of each day before it began, and what the day has cost: how far forecasts can be believed, and what
-- their bands learn from. One row a user and day, for those who have asked in the last weeks.

CREATE TABLE usage.forecasts (
    user_id text NOT NULL,
    day date NOT NULL,
    zone text NOT NULL,
    method text NOT NULL,
    p10_micro_rub bigint NOT NULL CHECK (p10_micro_rub >= 0),
    p50_micro_rub bigint NOT NULL CHECK (p50_micro_rub >= p10_micro_rub),
    p90_micro_rub bigint NOT NULL CHECK (p90_micro_rub >= p50_micro_rub),
    asked boolean NOT NULL,
    actual_micro_rub bigint,
    -- A user's forecasts, in order.
    PRIMARY KEY (user_id, day)
);
-- The job: days that are over and not compared yet.
CREATE INDEX forecasts_open ON usage.forecasts (day) WHERE actual_micro_rub IS NULL;
-- The job: who has asked lately; how many bands held; what is too old.
CREATE INDEX forecasts_day ON usage.forecasts (day);

COMMENT ON COLUMN usage.forecasts.day IS 'a day of the zone';
COMMENT ON COLUMN usage.forecasts.asked IS 'the user asked on that day; false: kept so that the next answer has an accuracy';
COMMENT ON COLUMN usage.forecasts.actual_micro_rub IS 'null: the day is not over, or not compared yet';

ALTER TABLE usage.forecasts ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON usage.forecasts USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
