-- Months whose rows are in files: their sums stay. A month leaves only while its rows are still those that the file was
-- proven to hold, and no row of it is taken any more: whether it is there already could not be told.

CREATE TABLE usage.archived_months (
    month date NOT NULL,
    rows bigint NOT NULL,
    cost_micro_rub bigint NOT NULL,
    file text NOT NULL,
    sha256 text NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (month)
);
REVOKE INSERT, UPDATE, DELETE ON usage.archived_months FROM razvilka_usage;

-- Rows, micro-roubles, tokens, and a digest over each id with its cost in the ids' order.
CREATE FUNCTION usage.prove_month(
    month date, OUT rows bigint, OUT cost_micro_rub bigint, OUT tokens bigint, OUT digest text
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $prove_month$
    SELECT
        count(*), coalesce(sum(cost) * 1000000, 0)::bigint, coalesce(sum(tokens_input + tokens_output), 0)::bigint,
        md5(coalesce(
            string_agg(id::text || ':' || (cost * 1000000)::bigint, ',' ORDER BY id), ''
        ))
    FROM usage.usage
    WHERE created_at >= $1::timestamp AT TIME ZONE 'UTC'
        AND created_at < ($1 + interval '1 month') AT TIME ZONE 'UTC'
$prove_month$;

CREATE FUNCTION usage.archive_month(
    month date, rows bigint, cost_micro_rub bigint, tokens bigint, digest text, file text, sha256 text
) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $archive_month$
DECLARE
    name text := 'usage_' || to_char(month, 'YYYY_MM');
BEGIN
    IF month <> date_trunc('month', month::timestamp)::date OR month > now() - interval '3 months' THEN
        RAISE EXCEPTION 'the month % is not one that may leave', month USING ERRCODE = 'check_violation';
    END IF;
    -- The order in which ensure_month takes them, too.
    LOCK TABLE usage.usage IN ACCESS EXCLUSIVE MODE;
    IF (SELECT (p.rows, p.cost_micro_rub, p.tokens, p.digest) FROM usage.prove_month(month) AS p)
        IS DISTINCT FROM ($2, $3, $4, $5)
    THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE usage.usage DETACH PARTITION usage.%I', name);
    EXECUTE format('DROP TABLE usage.%I', name);
    INSERT INTO usage.archived_months (month, rows, cost_micro_rub, file, sha256) VALUES ($1, $2, $3, $6, $7);
    RETURN true;
END
$archive_month$;
REVOKE ALL ON FUNCTION usage.archive_month(date, bigint, bigint, bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage.archive_month(date, bigint, bigint, bigint, text, text, text) TO razvilka_usage;

-- A row of an archived month has no partition and would go to the default one.
CREATE FUNCTION usage.refuse_archived() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $refuse_archived$
BEGIN
    IF EXISTS (
        SELECT FROM usage.archived_months WHERE month = date_trunc('month', NEW.created_at AT TIME ZONE 'UTC')::date
    ) THEN
        RAISE EXCEPTION 'the month of % is archived', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$refuse_archived$;
CREATE TRIGGER refuse_archived BEFORE INSERT ON usage.usage_default
    FOR EACH ROW EXECUTE FUNCTION usage.refuse_archived();

-- For the owner: forgets that a month is archived and makes its partition again, empty; its rows can be copied in.
CREATE FUNCTION usage.reopen_month(month date) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $reopen_month$
BEGIN
    DELETE FROM usage.archived_months AS known WHERE known.month = reopen_month.month;
    RETURN usage.ensure_month(month);
END
$reopen_month$;
REVOKE ALL ON FUNCTION usage.reopen_month(date) FROM PUBLIC;

-- As before, and no partition for a month that is archived.
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
    IF first_day < date '2015-01-01' OR lower_bound > now() + interval '3 months'
        OR EXISTS (SELECT FROM usage.archived_months AS known WHERE known.month = first_day)
    THEN
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
