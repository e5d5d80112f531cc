-- Racing refreshes: for some seconds after its use a refresh token still leads to its successor.

-- Random; with the token that was presented it gives the successor, without it nothing. Cleared when the grace is over.
ALTER TABLE auth.oauth_refresh_tokens ADD COLUMN successor_salt bytea CHECK (length(successor_salt) = 32);
-- Clear what is over.
CREATE INDEX oauth_refresh_tokens_salt_idx ON auth.oauth_refresh_tokens (used_at) WHERE successor_salt IS NOT NULL;
