-- Release 1.0 took any text for an id: one of three thousand characters does not fit into a btree's page.

DROP INDEX usage.import_ids_old_id_idx;
-- Clients of 1.0 ask for a request by the id that they were told.
CREATE INDEX import_ids_old_id_idx ON usage.import_ids USING hash (old_id);
