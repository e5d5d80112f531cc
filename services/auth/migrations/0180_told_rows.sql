-- What the other installation last said of each row, a digest a field: so that only what it changed since is written,
-- and what was changed here stays. NULL: brought before this was kept.

ALTER TABLE auth.imported_rows ADD COLUMN told jsonb;
