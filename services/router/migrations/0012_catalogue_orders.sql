-- Administrators change the catalogue by RPC: what they ordered stays, and only further orders change it.

-- One row for each order about a model's override.
CREATE TABLE router.override_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id text NOT NULL CHECK (length(model_id) BETWEEN 1 AND 128),
    -- NULL: the override was taken back.
    patch jsonb CHECK (jsonb_typeof(patch) = 'object'),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);

-- From when on a channel stands for which model, beside what the catalogue files say; read whole, every few seconds.
CREATE TABLE router.channel_moves (
    channel text NOT NULL CHECK (length(channel) BETWEEN 1 AND 128),
    since timestamptz NOT NULL,
    model text NOT NULL CHECK (length(model) BETWEEN 1 AND 128),
    moved_by text NOT NULL,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (channel, since)
);

CREATE FUNCTION router.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'router.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- The second wall, for the owner of the schema; the service's role has no right to begin with.
CREATE TRIGGER override_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON router.override_history
    FOR EACH STATEMENT EXECUTE FUNCTION router.refuse_rewriting();
CREATE TRIGGER channel_moves_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON router.channel_moves
    FOR EACH STATEMENT EXECUTE FUNCTION router.refuse_rewriting();
-- Prices are dated: what was charged by one is looked up for years.
CREATE TRIGGER price_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON router.price_history
    FOR EACH STATEMENT EXECUTE FUNCTION router.refuse_rewriting();
REVOKE UPDATE, DELETE, TRUNCATE ON router.override_history, router.channel_moves, router.price_history
    FROM razvilka_router;
