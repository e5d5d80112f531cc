-- A month of release 1.0 that 1.1 has no partition of is built apart, one table for each source: without indexes while
-- rows come in, since a random key costs the server ten times what the row does. At the end it gets its indexes, its
-- rows are summed, and it becomes the partition: one transaction, before which nobody sees a row of it. The service may
-- not run DDL: these functions act in the owner's name, for imports only.

CREATE FUNCTION usage.name_month_apart(tag text, month date) RETURNS text
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $name_month_apart$
    SELECT format(
        'import_%s_%s_%s',
        left(md5(tag), 16), lpad(date_part('year', month)::text, 4, '0'), lpad(date_part('month', month)::text, 2, '0'))
$name_month_apart$;

-- The months of a source that wait to become partitions.
CREATE FUNCTION usage.months_apart(tag text) RETURNS SETOF date
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $months_apart$
    SELECT to_date(right(relname, 7), 'YYYY_MM')
    FROM pg_class
    WHERE relnamespace = 'usage'::regnamespace
        AND relkind = 'r'
        AND starts_with(relname, 'import_' || left(md5(tag), 16) || '_')
    ORDER BY 1
$months_apart$;

-- Makes the table of a month and returns its name; null: the month has a partition, is archived, or is none that
-- nobody writes to: its rows go the way of all others.
CREATE FUNCTION usage.build_month_apart(tag text, month date) RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $build_month_apart$
DECLARE
    name text := usage.name_month_apart(tag, month);
    next_month date := (month + interval '1 month')::date;
BEGIN
    IF month <> date_trunc('month', month::timestamp)::date
        OR month < date '2015-01-01'
        OR next_month::timestamp AT TIME ZONE 'UTC' > now()
    THEN
        RETURN NULL;
    END IF;
    -- Those who make such tables wait for one another; batches do not wait for them.
    LOCK TABLE usage.imports IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('usage.' || name) IS NOT NULL THEN
        RETURN name;
    END IF;
    IF to_regclass('usage.usage_' || to_char(month, 'YYYY_MM')) IS NOT NULL
        OR EXISTS (SELECT FROM usage.archived_months AS known WHERE known.month = build_month_apart.month)
    THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE usage.%I (LIKE usage.usage INCLUDING ALL EXCLUDING INDEXES)', name);
    -- Of what is in the range ATTACH need not read the rows to know it. Autovacuum would read them before that, for nothing.
    EXECUTE format(
        'ALTER TABLE usage.%I ALTER source SET DEFAULT ''imported'', ALTER price_version SET DEFAULT %L, '
        'ADD CONSTRAINT import_month CHECK (created_at >= %L AND created_at < %L), SET (autovacuum_enabled = false)',
        name, tag, month::timestamp AT TIME ZONE 'UTC', next_month::timestamp AT TIME ZONE 'UTC');
    EXECUTE format('REVOKE ALL ON usage.%I FROM razvilka_usage', name);
    EXECUTE format('GRANT SELECT, INSERT ON usage.%I TO razvilka_usage', name);
    RETURN name;
END
$build_month_apart$;

-- Gives the table of a month all indexes that usage.usage has; false: it is not there any more. Whoever reads or
-- writes it waits from here on, and a second one who indexes.
CREATE FUNCTION usage.index_month_apart(tag text, month date) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $index_month_apart$
DECLARE
    name text := usage.name_month_apart(tag, month);
    definition text;
BEGIN
    BEGIN
        -- What the primary key needs, before any work is done that waiting in vain would lose.
        EXECUTE format('LOCK TABLE usage.%I IN ACCESS EXCLUSIVE MODE', name);
    EXCEPTION WHEN undefined_table THEN
        RETURN false;
    END;
    FOR definition IN
        SELECT CASE WHEN k.oid IS NULL
            THEN regexp_replace(
                pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .* ON ONLY usage\.usage ',
                format('CREATE \1INDEX ON usage.%I ', name))
            ELSE format('ALTER TABLE usage.%I ADD %s', name, pg_get_constraintdef(k.oid)) END
        FROM pg_index AS i
        LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
        WHERE i.indrelid = 'usage.usage'::regclass
        ORDER BY i.indexrelid
    LOOP
        EXECUTE definition;
    END LOOP;
    RETURN true;
END
$index_month_apart$;

-- Makes the table of a month its partition; where there is one by now, its rows go there. Tells which it was.
CREATE FUNCTION usage.attach_month_apart(tag text, month date) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $attach_month_apart$
DECLARE
    apart text := usage.name_month_apart(tag, month);
    name text := 'usage_' || to_char(month, 'YYYY_MM');
    lower_bound timestamptz := month::timestamp AT TIME ZONE 'UTC';
    upper_bound timestamptz := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass('usage.' || name) IS NULL THEN
        -- As ensure_month does, and for the same reason.
        LOCK TABLE usage.usage IN SHARE UPDATE EXCLUSIVE MODE;
    END IF;
    IF to_regclass('usage.' || name) IS NOT NULL
        OR EXISTS (SELECT FROM usage.archived_months AS known WHERE known.month = attach_month_apart.month)
    THEN
        EXECUTE format('INSERT INTO usage.usage SELECT * FROM usage.%I', apart);
        EXECUTE format('DROP TABLE usage.%I', apart);
        RETURN false;
    END IF;
    EXECUTE format(
        'ALTER TABLE usage.%I ALTER source SET DEFAULT ''provider'', ALTER price_version SET DEFAULT '''', '
        'RESET (autovacuum_enabled)', apart);
    EXECUTE format('REVOKE ALL ON usage.%I FROM razvilka_usage', apart);
    EXECUTE format('ALTER TABLE usage.%I RENAME TO %I', apart, name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM usage.usage_default WHERE created_at >= %L AND created_at < %L RETURNING *) '
        'INSERT INTO usage.%I SELECT * FROM moved', lower_bound, upper_bound, name);
    EXECUTE format(
        'ALTER TABLE usage.usage ATTACH PARTITION usage.%I FOR VALUES FROM (%L) TO (%L)',
        name, lower_bound, upper_bound);
    EXECUTE format('ALTER TABLE usage.%I DROP CONSTRAINT import_month', name);
    RETURN true;
END
$attach_month_apart$;

-- Drops what a source has built apart; returns how many rows that were.
CREATE FUNCTION usage.drop_months_apart(tag text) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $drop_months_apart$
DECLARE
    month date;
    of_month bigint;
    total bigint := 0;
BEGIN
    FOR month IN SELECT usage.months_apart(tag) LOOP
        EXECUTE format('LOCK TABLE usage.%I IN ACCESS EXCLUSIVE MODE', usage.name_month_apart(tag, month));
        EXECUTE format('SELECT count(*) FROM usage.%I', usage.name_month_apart(tag, month)) INTO of_month;
        EXECUTE format('DROP TABLE usage.%I', usage.name_month_apart(tag, month));
        total := total + of_month;
    END LOOP;
    RETURN total;
END
$drop_months_apart$;

-- Which of the users have rows that wait in a table of another source.
CREATE FUNCTION usage.users_of_others_apart(tag text, users text[]) RETURNS SETOF text
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $users_of_others_apart$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT relname
        FROM pg_class
        WHERE relnamespace = 'usage'::regnamespace
            AND relkind = 'r'
            AND relname ~ '^import_[0-9a-f]{16}_[0-9]{4}_[0-9]{2}$'
            AND NOT starts_with(relname, 'import_' || left(md5(tag), 16) || '_')
    LOOP
        RETURN QUERY EXECUTE format('SELECT DISTINCT user_id FROM usage.%I WHERE user_id = ANY ($1)', name) USING users;
    END LOOP;
END
$users_of_others_apart$;

REVOKE ALL ON FUNCTION usage.build_month_apart(text, date), usage.index_month_apart(text, date),
    usage.attach_month_apart(text, date), usage.drop_months_apart(text),
    usage.users_of_others_apart(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage.build_month_apart(text, date), usage.index_month_apart(text, date),
    usage.attach_month_apart(text, date), usage.drop_months_apart(text),
    usage.users_of_others_apart(text, text[]) TO razvilka_usage;
