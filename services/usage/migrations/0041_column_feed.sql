-- What a column store has still to be told: the ids of rows that were written, noted by the transaction that wrote them.
-- As long as nobody wants it the triggers are off and cost nothing.

-- One row a statement that wrote requests. It is deleted when the column store has the rows.
CREATE TABLE usage.column_feed (
    batch bigint GENERATED ALWAYS AS IDENTITY,
    ids uuid[] NOT NULL,
    moments timestamptz[] NOT NULL,
    -- Of rows that were deleted, since they can say it no more; null: they were inserted or changed.
    users text[],
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch)
);
COMMENT ON COLUMN usage.column_feed.moments IS 'created_at of each id: both find the row in its partition';

-- One row: how far the column store is.
CREATE TABLE usage.column_feed_state (
    only_row boolean NOT NULL DEFAULT true CHECK (only_row),
    is_on boolean NOT NULL DEFAULT false,
    -- Rows of the column store with a higher number are not answered from yet.
    feed bigint NOT NULL DEFAULT 0,
    -- The first month that is still to be copied; null: none was copied yet.
    next_month date,
    -- Since when it has everything; null: PostgreSQL answers.
    filled_at timestamptz,
    PRIMARY KEY (only_row)
);
INSERT INTO usage.column_feed_state DEFAULT VALUES;

-- Each try at feeding has a number of its own, also one that failed: what is newer wins in the column store.
CREATE SEQUENCE usage.column_feed_number;

CREATE FUNCTION usage.note_for_columns() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $note_for_columns$
BEGIN
    INSERT INTO usage.column_feed (ids, moments)
    SELECT array_agg(id), array_agg(created_at) FROM changed HAVING count(*) > 0;
    RETURN NULL;
END
$note_for_columns$;

CREATE FUNCTION usage.note_gone_for_columns() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $note_gone_for_columns$
BEGIN
    INSERT INTO usage.column_feed (ids, moments, users)
    SELECT array_agg(id), array_agg(created_at), array_agg(user_id) FROM gone HAVING count(*) > 0;
    RETURN NULL;
END
$note_gone_for_columns$;

CREATE TRIGGER columns_inserted AFTER INSERT ON usage.usage
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION usage.note_for_columns();
CREATE TRIGGER columns_updated AFTER UPDATE ON usage.usage
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION usage.note_for_columns();
CREATE TRIGGER columns_deleted AFTER DELETE ON usage.usage
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION usage.note_gone_for_columns();
ALTER TABLE usage.usage
    DISABLE TRIGGER columns_inserted, DISABLE TRIGGER columns_updated, DISABLE TRIGGER columns_deleted;

-- Begins to note what is written. ALTER TABLE waits for every transaction that is writing and holds up the next ones:
-- whatever is not noted is committed, and is there for whoever copies the rows afterwards. Nothing counts as copied.
CREATE FUNCTION usage.begin_column_feed() RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $begin_column_feed$
BEGIN
    ALTER TABLE usage.usage
        ENABLE TRIGGER columns_inserted, ENABLE TRIGGER columns_updated, ENABLE TRIGGER columns_deleted;
    UPDATE usage.column_feed_state SET is_on = true, next_month = NULL, filled_at = NULL WHERE NOT is_on;
END
$begin_column_feed$;

-- Ends it; what was noted is forgotten, and so is what the column store has.
CREATE FUNCTION usage.end_column_feed() RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $end_column_feed$
BEGIN
    ALTER TABLE usage.usage
        DISABLE TRIGGER columns_inserted, DISABLE TRIGGER columns_updated, DISABLE TRIGGER columns_deleted;
    UPDATE usage.column_feed_state SET is_on = false, next_month = NULL, filled_at = NULL;
    DELETE FROM usage.column_feed;
END
$end_column_feed$;

REVOKE ALL ON FUNCTION usage.note_for_columns(), usage.note_gone_for_columns(), usage.begin_column_feed(),
    usage.end_column_feed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage.begin_column_feed(), usage.end_column_feed() TO razvilka_usage;
-- Only the triggers note; only the functions switch.
REVOKE INSERT, UPDATE ON usage.column_feed FROM razvilka_usage;
REVOKE INSERT, DELETE ON usage.column_feed_state FROM razvilka_usage;
GRANT USAGE ON SEQUENCE usage.column_feed_number TO razvilka_usage;
