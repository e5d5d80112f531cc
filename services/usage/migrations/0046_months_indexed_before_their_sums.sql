-- A month that is built apart gets its indexes in a transaction before the one that sums and attaches it: all rows of a
-- move are stored, checked and indexed first, and sums are made behind. So what has indexes already is left as it is.

-- Gives a table of a month the indexes of usage.usage that it has not: all of them, or the partial ones only.
CREATE FUNCTION usage.give_indexes_apart(name text, only_partial boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $give_indexes_apart$
DECLARE
    definition text;
BEGIN
    FOR definition IN
        SELECT CASE WHEN k.oid IS NULL
            THEN regexp_replace(
                pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .* ON ONLY usage\.usage ',
                format('CREATE \1INDEX ON usage.%I ', name))
            ELSE format('ALTER TABLE usage.%I ADD %s', name, pg_get_constraintdef(k.oid)) END
        FROM pg_index AS i
        LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
        WHERE i.indrelid = 'usage.usage'::regclass
            AND (i.indpred IS NOT NULL OR NOT only_partial)
            AND NOT EXISTS (
                SELECT
                FROM pg_index AS own
                WHERE own.indrelid = to_regclass(format('usage.%I', name))
                    AND own.indisunique = i.indisunique
                    AND substring(pg_get_indexdef(own.indexrelid) FROM ' USING .*$')
                        = substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*$'))
        ORDER BY i.indexrelid
    LOOP
        EXECUTE definition;
    END LOOP;
END
$give_indexes_apart$;
REVOKE ALL ON FUNCTION usage.give_indexes_apart(text, boolean) FROM PUBLIC;

-- As before, but that partial indexes are there from the beginning: hardly a row of release 1.0 is in one, and to see
-- that COPY asks the row that it holds, where each index made later reads the whole table.
CREATE OR REPLACE FUNCTION usage.build_month_apart(tag text, month date) RETURNS text
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
    PERFORM usage.give_indexes_apart(name, true);
    RETURN name;
END
$build_month_apart$;

-- Gives the table of a month all indexes that usage.usage has and it has not; false: it is not there any more. Whoever
-- reads or writes it waits from here on, and a second one who indexes. No workers: a month's sort fits into memory, they
-- share theirs in files, and the other cores store the next batch or index another month.
CREATE OR REPLACE FUNCTION usage.index_month_apart(tag text, month date) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
SET max_parallel_maintenance_workers = 0
AS $index_month_apart$
DECLARE
    name text := usage.name_month_apart(tag, month);
BEGIN
    BEGIN
        -- What the primary key needs, before any work is done that waiting in vain would lose.
        EXECUTE format('LOCK TABLE usage.%I IN ACCESS EXCLUSIVE MODE', name);
    EXCEPTION WHEN undefined_table THEN
        RETURN false;
    END;
    PERFORM usage.give_indexes_apart(name, false);
    RETURN true;
END
$index_month_apart$;
