-- The live keys of an account, and those of one line: who rotates keys has ever more that are over.
CREATE INDEX api_keys_live_idx ON auth.api_keys (user_id, lineage_id) WHERE revoked_at IS NULL;
