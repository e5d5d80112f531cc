-- Who wants to be told of what, and by which way.

CREATE TABLE usage.notification_channels (
    id uuid PRIMARY KEY,
    user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 256),
    kind text NOT NULL CHECK (kind IN ('email', 'webhook', 'telegram')),
    name text NOT NULL,
    sealed bytea NOT NULL,
    disabled text NOT NULL DEFAULT '' CHECK (disabled IN ('', 'owner', 'failing', 'gone', 'unsubscribed')),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failing_since timestamptz,
    rests_until timestamptz NOT NULL,
    leased_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN usage.notification_channels.sealed IS 'URL or chat, and the secrets of a webhook, under AES-256-GCM';
COMMENT ON COLUMN usage.notification_channels.failures IS 'attempts in a row that failed';
COMMENT ON COLUMN usage.notification_channels.leased_until IS 'one sender works on a channel: a slow receiver holds up its own only';
-- A user's channels, in the order in which they were made.
CREATE INDEX notification_channels_user_id_created_at ON usage.notification_channels (user_id, created_at, id);

CREATE TABLE usage.notification_rules (
    id uuid PRIMARY KEY,
    user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 256),
    kind text NOT NULL,
    subject text NOT NULL DEFAULT '',
    thresholds integer[] NOT NULL DEFAULT '{}',
    channel_ids uuid[] NOT NULL,
    cooldown_s integer NOT NULL DEFAULT 0 CHECK (cooldown_s >= 0),
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
-- A user's rules, and those of a kind.
CREATE INDEX notification_rules_user_id_created_at ON usage.notification_rules (user_id, created_at, id);

ALTER TABLE usage.notification_channels ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.notification_rules ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON usage.notification_channels USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.notification_rules USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
