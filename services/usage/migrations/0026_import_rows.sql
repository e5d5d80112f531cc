-- A batch of rows of release 1.0 waits for its sums in a table of its own transaction: COPY does not work where row
-- security is on, and rollups want to be counted of sets. Made and dropped in one transaction it is never seen by
-- another one, keeps nobody's backup waiting, and is not written to the log. The service may not run DDL.

-- Makes usage.import_rows: as usage.usage, of the source that `tag` names where nothing else is said.
CREATE FUNCTION usage.stage_import(tag text) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $stage_import$
BEGIN
    CREATE UNLOGGED TABLE usage.import_rows (LIKE usage.usage INCLUDING DEFAULTS);
    EXECUTE format(
        'ALTER TABLE usage.import_rows ALTER source SET DEFAULT ''imported'', ALTER price_version SET DEFAULT %L', tag);
    GRANT SELECT, INSERT ON usage.import_rows TO razvilka_usage;
END
$stage_import$;

CREATE FUNCTION usage.unstage_import() RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $unstage_import$
    DROP TABLE usage.import_rows;
$unstage_import$;

REVOKE ALL ON FUNCTION usage.stage_import(text), usage.unstage_import() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage.stage_import(text), usage.unstage_import() TO razvilka_usage;
