-- A rotated key goes on with the budget of the key it follows: both are counted under the first key of the line.

ALTER TABLE auth.api_keys ADD COLUMN lineage_id text CHECK (length(lineage_id) BETWEEN 1 AND 128);
UPDATE auth.api_keys SET lineage_id = id;
ALTER TABLE auth.api_keys ALTER COLUMN lineage_id SET NOT NULL;
-- Rows that are copied from release 1.0, or inserted by the version before this one, name no line: each begins its own.
CREATE FUNCTION auth.begin_key_lineage() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.lineage_id := coalesce(NEW.lineage_id, NEW.id);
    RETURN NEW;
END
$$;
CREATE TRIGGER api_keys_lineage BEFORE INSERT ON auth.api_keys
    FOR EACH ROW EXECUTE FUNCTION auth.begin_key_lineage();
