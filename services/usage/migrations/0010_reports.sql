-- Reports: ordered once or by schedule, made by whichever instance claims them, kept in pieces until they expire.

CREATE TABLE usage.reports (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    ordered jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
    rows_total bigint NOT NULL DEFAULT 0 CHECK (rows_total >= 0),
    rows_done bigint NOT NULL DEFAULT 0 CHECK (rows_done >= 0),
    error text NOT NULL DEFAULT '',
    size_bytes bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    sha256 bytea NOT NULL DEFAULT '',
    link_key bytea NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    schedule_id uuid,
    snapshot_at timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz NOT NULL,
    period_since timestamptz NOT NULL,
    told boolean NOT NULL,
    -- A schedule makes one report a period, whoever is first; reports that were ordered have no schedule.
    UNIQUE (schedule_id, period_since)
);
COMMENT ON COLUMN usage.reports.link_key IS 'signs links to this report only: they end with it';
COMMENT ON COLUMN usage.reports.told IS 'its owner knows that it is ready, or waited for it';
COMMENT ON COLUMN usage.reports.attempt IS 'who has a stale one has lost the lease, and its pieces count no more';

-- ListReports: of one user, newest first.
CREATE INDEX reports_user_id_created_at ON usage.reports (user_id, created_at);
-- Claiming the next one: few are unfinished at any time.
CREATE INDEX reports_unfinished ON usage.reports (created_at) WHERE status IN ('queued', 'running');
-- Telling owners.
CREATE INDEX reports_untold ON usage.reports (finished_at) WHERE status = 'done' AND NOT told;
-- Deleting what has expired.
CREATE INDEX reports_expires_at ON usage.reports (expires_at);

CREATE TABLE usage.report_pieces (
    report_id uuid NOT NULL REFERENCES usage.reports (id) ON DELETE CASCADE,
    attempt integer NOT NULL,
    number integer NOT NULL,
    user_id text NOT NULL,
    content bytea NOT NULL,
    -- Reading a report from its beginning.
    PRIMARY KEY (report_id, attempt, number)
);
-- Most formats are compressed already, and reading a piece should cost nothing else.
ALTER TABLE usage.report_pieces ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE usage.report_schedules (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    every text NOT NULL CHECK (every IN ('day', 'week', 'month')),
    at time NOT NULL,
    wishes jsonb NOT NULL,
    when_empty text NOT NULL CHECK (when_empty IN ('skip', 'report')),
    next_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN usage.report_schedules.at IS 'of the clock in the zone of the wishes';

-- ListSchedules: of one user.
CREATE INDEX report_schedules_user_id ON usage.report_schedules (user_id, created_at);
-- What is due.
CREATE INDEX report_schedules_next_at ON usage.report_schedules (next_at);

ALTER TABLE usage.reports ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.report_pieces ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.report_schedules ENABLE ROW LEVEL SECURITY;

CREATE POLICY of_the_named_user ON usage.reports USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.report_pieces USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.report_schedules USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
