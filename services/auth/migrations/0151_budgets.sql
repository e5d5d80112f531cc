-- Caps that owners and administrators set: budgets of money, quotas of requests and tokens; and organizations, whose
-- budgets cap their members together.

CREATE TABLE auth.organizations (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Whose days, weeks and months its budgets have.
    time_zone text NOT NULL CHECK (length(time_zone) BETWEEN 1 AND 64),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);

-- Kept when a member leaves: what was spent while they belonged to it goes on counting.
CREATE TABLE auth.organization_members (
    organization_id text NOT NULL REFERENCES auth.organizations (id),
    user_id text NOT NULL REFERENCES auth.users (id),
    joined_at timestamptz NOT NULL,
    left_at timestamptz CHECK (left_at >= joined_at),
    PRIMARY KEY (organization_id, user_id, joined_at)
);
-- A user belongs to one at most; also: whose budgets cap a caller.
CREATE UNIQUE INDEX organization_members_user_id_key ON auth.organization_members (user_id) WHERE left_at IS NULL;

CREATE TABLE auth.budgets (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    -- Whose account it caps; NULL: an organization.
    user_id text REFERENCES auth.users (id),
    -- 'user:<id>', 'key:<first key of its line>', 'grant:<consent>' or 'organization:<id>'.
    subject text NOT NULL CHECK (length(subject) BETWEEN 3 AND 160),
    measure text NOT NULL CHECK (measure IN ('cost', 'requests', 'tokens')),
    period text NOT NULL CHECK (period IN ('minute', 'day', 'week', 'month', 'total')),
    -- Which models a quota is for, as 'yandexgpt*'.
    models text NOT NULL DEFAULT '*' CHECK (length(models) BETWEEN 1 AND 128),
    -- Micro-roubles, requests or tokens.
    amount bigint NOT NULL CHECK (amount > 0),
    mode text NOT NULL CHECK (mode IN ('hard', 'soft', 'shadow')),
    -- An administrator set it: its owner cannot change it.
    by_admin boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((measure = 'cost') = (period <> 'minute') OR (measure <> 'cost' AND period = 'day')),
    CHECK (measure <> 'cost' OR models = '*'),
    CHECK ((user_id IS NULL) = (subject LIKE 'organization:%'))
);
-- What caps a caller, and what an owner set.
CREATE INDEX budgets_user_id_idx ON auth.budgets (user_id, created_at, id);
CREATE INDEX budgets_subject_idx ON auth.budgets (subject);

-- The wall of 0146: in a transaction that names a user, that user's rows only. What caps an organization is everybody's
-- to whom it applies, and only administrators write it.
ALTER TABLE auth.budgets ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON auth.budgets USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
ALTER TABLE auth.organization_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON auth.organization_members USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
