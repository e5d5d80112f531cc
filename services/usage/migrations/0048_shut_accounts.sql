-- Accounts that an administrator shut, as the gateways tell: nothing of theirs is sent or made, and links to their reports
-- open nothing, until one is told of as open again. Told again and again; who is not here is open.

CREATE TABLE usage.shut_accounts (
    user_id text PRIMARY KEY CHECK (length(user_id) BETWEEN 1 AND 256),
    told_at timestamptz NOT NULL
);
COMMENT ON COLUMN usage.shut_accounts.told_at IS 'when the first round told of it';

ALTER TABLE usage.shut_accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON usage.shut_accounts USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
