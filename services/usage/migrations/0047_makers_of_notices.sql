-- Which credential made a channel, a rule, a schedule: it ends with that one. Empty: a person at the console, and every
-- row of before, of which nobody knows.

ALTER TABLE usage.notification_channels
    ADD COLUMN maker text NOT NULL DEFAULT '' CHECK (length(maker) <= 256),
    -- Whoever gives a channel another address is its maker from then on; NULL: it is the one who made it.
    ADD COLUMN maker_since timestamptz,
    -- An administrator has disabled its maker, and may enable it again.
    ADD COLUMN held boolean NOT NULL DEFAULT false;
ALTER TABLE usage.notification_rules ADD COLUMN maker text NOT NULL DEFAULT '' CHECK (length(maker) <= 256);
ALTER TABLE usage.report_schedules ADD COLUMN maker text NOT NULL DEFAULT '' CHECK (length(maker) <= 256);
COMMENT ON COLUMN usage.notification_channels.maker IS 'key:<id> or grant:<id>';

-- What an ended credential made.
CREATE INDEX notification_channels_maker ON usage.notification_channels (maker) WHERE maker <> '';
CREATE INDEX notification_rules_maker ON usage.notification_rules (maker) WHERE maker <> '';
CREATE INDEX report_schedules_maker ON usage.report_schedules (maker) WHERE maker <> '';
