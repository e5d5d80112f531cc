-- The secret that an application had before its present one: it works beside it until programs have changed over.
ALTER TABLE auth.oauth_clients ADD COLUMN previous_secret_hash bytea;
ALTER TABLE auth.oauth_clients ADD COLUMN previous_secret_until timestamptz;
