-- What happened, and what became of telling it. An event is written once; its deliveries change until they end.

CREATE TABLE usage.notification_events (
    id uuid PRIMARY KEY,
    user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 256),
    -- The rule that tells of it; an event outlives its rule. Zero: it needed none.
    rule_id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL DEFAULT '',
    dedupe_key text NOT NULL,
    facts jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- What a rule has told once it does not tell again.
    UNIQUE (user_id, rule_id, dedupe_key)
);
-- The pause of a rule: its last event about a subject.
CREATE INDEX notification_events_rule_id_subject ON usage.notification_events (rule_id, subject, occurred_at);
-- What is old enough to be forgotten.
CREATE INDEX notification_events_occurred_at ON usage.notification_events USING brin (occurred_at);
REVOKE UPDATE ON usage.notification_events FROM razvilka_usage;

CREATE TABLE usage.notification_deliveries (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES usage.notification_events (id) ON DELETE CASCADE,
    channel_id uuid NOT NULL REFERENCES usage.notification_channels (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_attempt_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (event_id, channel_id)
);
COMMENT ON COLUMN usage.notification_deliveries.attempts IS 'of all times; tries: since it was last sent on its way';
-- The next one of a channel.
CREATE INDEX notification_deliveries_due ON usage.notification_deliveries (channel_id, next_attempt_at)
    WHERE state = 'pending';
-- A channel's history, the newest first.
CREATE INDEX notification_deliveries_history ON usage.notification_deliveries (channel_id, created_at DESC, id DESC);

CREATE TABLE usage.notification_attempts (
    delivery_id uuid NOT NULL REFERENCES usage.notification_deliveries (id) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    user_id text NOT NULL,
    at timestamptz NOT NULL,
    status integer NOT NULL,
    problem text NOT NULL,
    duration_ms integer NOT NULL,
    PRIMARY KEY (delivery_id, number)
);
REVOKE UPDATE ON usage.notification_attempts FROM razvilka_usage;

-- What other services know of those who have rules: told again and again by the gateway.
CREATE TABLE usage.notification_people (
    user_id text PRIMARY KEY CHECK (length(user_id) BETWEEN 1 AND 256),
    sealed_email bytea,
    language text NOT NULL CHECK (language IN ('ru', 'en')),
    time_zone text NOT NULL,
    told_at timestamptz NOT NULL
);

-- Mails where there is no mail server, for a day.
CREATE TABLE usage.notification_outbox (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    email text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    sent_at timestamptz NOT NULL
);
-- The newest ones, and those that are old enough to be forgotten.
CREATE INDEX notification_outbox_sent_at ON usage.notification_outbox (sent_at);

ALTER TABLE usage.notification_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.notification_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.notification_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.notification_people ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.notification_outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON usage.notification_events USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.notification_deliveries USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.notification_attempts USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.notification_people USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.notification_outbox USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
