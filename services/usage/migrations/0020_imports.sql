-- What was brought over from release 1.0, how far a move has come, and which id became which.

-- NaN is not less than 0: one such row, and every sum is NaN. Release 1.0's doubles can hold it.
ALTER TABLE usage.usage
    ADD CONSTRAINT usage_cost_is_a_number CHECK (cost < 'NaN') NOT VALID,
    DROP CONSTRAINT usage_source_check,
    ADD CONSTRAINT usage_source_check
        CHECK (source IN ('provider', 'estimated', 'reaped', 'disputed', 'imported')) NOT VALID;

CREATE TABLE usage.imports (
    source_id text NOT NULL CHECK (length(source_id) BETWEEN 1 AND 128),
    -- The last row of the source that has a fate, whatever it is; and what the mover wants to know when it goes on.
    last_row bigint NOT NULL,
    state jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id)
);
CREATE TABLE usage.import_ids (
    source_id text NOT NULL,
    -- As text where it is one, else \x and hexadecimal digits.
    old_id text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (id)
);
-- Clients of 1.0 ask for a request by the id that they were told.
CREATE INDEX import_ids_old_id_idx ON usage.import_ids (old_id);

-- Deletes the imported rows of one source in a span and returns them, so that their sums can be taken off the rollups
-- in the same transaction. The service itself may delete nothing that was billed.
CREATE FUNCTION usage.take_back_imported(tag text, since timestamptz, until timestamptz) RETURNS SETOF usage.usage
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $take_back_imported$
    DELETE FROM usage.usage
    WHERE source = 'imported' AND price_version = $1 AND created_at >= $2 AND created_at < $3
    RETURNING *
$take_back_imported$;

-- As before, for months from 2015 on: release 1.0 is older than 2023.
CREATE OR REPLACE FUNCTION usage.ensure_month(month date) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $ensure_month$
DECLARE
    first_day date := date_trunc('month', month::timestamp)::date;
    next_month date := (first_day + interval '1 month')::date;
    name text := 'usage_' || to_char(first_day, 'YYYY_MM');
    lower_bound timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    upper_bound timestamptz := next_month::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass('usage.' || name) IS NOT NULL THEN
        RETURN true;
    END IF;
    IF first_day < date '2015-01-01' OR lower_bound > now() + interval '3 months' THEN
        RETURN false;
    END IF;
    -- ATTACH takes this lock anyway. An advisory one would not do: waiting for it does not refresh what this session
    -- remembers of the catalogue, and the second of two callers would not see the first one's table.
    LOCK TABLE usage.usage IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('usage.' || name) IS NOT NULL THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TABLE usage.%I (LIKE usage.usage INCLUDING ALL)', name);
    EXECUTE format('REVOKE ALL ON usage.%I FROM razvilka_usage', name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM usage.usage_default WHERE created_at >= %L AND created_at < %L RETURNING *) '
        'INSERT INTO usage.%I SELECT * FROM moved', lower_bound, upper_bound, name);
    EXECUTE format(
        'ALTER TABLE usage.usage ATTACH PARTITION usage.%I FOR VALUES FROM (%L) TO (%L)',
        name, lower_bound, upper_bound);
    RETURN true;
END
$ensure_month$;
