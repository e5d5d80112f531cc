-- Which answers came from the cache: they have a price of their own, mostly none.

ALTER TABLE usage.usage ADD COLUMN cache_status text NOT NULL DEFAULT '';

COMMENT ON COLUMN usage.usage.cache_status IS '`hit` or `miss` where the caller asked for the cache, else empty';
