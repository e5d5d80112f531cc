-- Whether answers to a key are cached where its requests do not say.

ALTER TABLE auth.api_keys
    ADD COLUMN cache_ttl_s integer,
    ADD CONSTRAINT api_keys_cache_ttl_s_check CHECK (cache_ttl_s BETWEEN 0 AND 2678400) NOT VALID;

COMMENT ON COLUMN auth.api_keys.cache_ttl_s IS 'seconds an answer serves; 0: as long as the gateway has it; null: not cached';
