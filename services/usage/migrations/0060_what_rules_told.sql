-- What rules told of one budget in one period: what they told once is named by texts that begin alike. In the order of
-- bytes, whatever order texts have in this database.
CREATE INDEX notification_events_told ON usage.notification_events (user_id, rule_id, dedupe_key COLLATE "C");
