-- Which model is meant by a name: pins and defaults of a user's keys, and what clients of other providers write.

CREATE TABLE auth.model_names (
    user_id text NOT NULL REFERENCES auth.users (id),
    -- The first key of a line of rotations; '' for all that the user has.
    lineage_id text NOT NULL DEFAULT '',
    -- {"gpt-4o": "yandexgpt:latest"}; "*" is whatever is asked for, "default" where nothing is.
    names jsonb NOT NULL CHECK (jsonb_typeof(names) = 'object'),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, lineage_id)
);
-- The wall of 0146: in a transaction that names a user, that user's rows only.
ALTER TABLE auth.model_names ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON auth.model_names USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
