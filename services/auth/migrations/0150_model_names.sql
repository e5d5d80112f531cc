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
