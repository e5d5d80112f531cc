-- Grants that are over are looked for again and again, and deleted, the longest over first.
CREATE INDEX oauth_grants_over_idx ON auth.oauth_grants (least(revoked_at, expires_at))
    WHERE kind IN ('authorization_code', 'device_code');
