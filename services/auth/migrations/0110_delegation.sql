-- Delegation: what made a credential ends it, and bounds it.

ALTER TABLE auth.api_keys
    -- The credentials that made it, `key:<id>` or `grant:<id>`; when one of them ends, it ends. Empty: a person did.
    ADD COLUMN makers text[] NOT NULL DEFAULT '{}';
-- End what a credential made.
CREATE INDEX api_keys_makers_idx ON auth.api_keys USING gin (makers);

ALTER TABLE auth.oauth_clients
    ADD COLUMN makers text[] NOT NULL DEFAULT '{}',
    -- Bounds of what it does in its own name: those of its maker. Empty does not restrict.
    ADD COLUMN models text[] NOT NULL DEFAULT '{}',
    ADD COLUMN ip_allow_list text[] NOT NULL DEFAULT '{}',
    -- When its maker's time is over; NULL: never.
    ADD COLUMN expires_at timestamptz;
CREATE INDEX oauth_clients_makers_idx ON auth.oauth_clients USING gin (makers);

ALTER TABLE auth.oauth_grants
    ADD COLUMN ip_allow_list text[] NOT NULL DEFAULT '{}';
