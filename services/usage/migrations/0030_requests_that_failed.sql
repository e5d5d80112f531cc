-- The log of requests that did not end well, of one user and of everybody: one request in some dozens, which would else be
-- looked for among all others. Writers wait while the rows are read once.
CREATE INDEX usage_user_id_failed ON usage.usage (user_id, created_at, id)
    WHERE status <> 'completed' OR error_code <> '';
CREATE INDEX usage_failed ON usage.usage (created_at, id)
    WHERE status <> 'completed' OR error_code <> '';
