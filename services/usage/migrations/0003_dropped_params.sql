-- What a request asked for and did not get: few people read the header that says so.

ALTER TABLE usage.usage ADD COLUMN dropped_params text NOT NULL DEFAULT '';

COMMENT ON COLUMN usage.usage.dropped_params IS 'names joined by commas, mostly empty; `temperature=1` is what it became';
