-- A second wall behind the owner in each WHERE: a transaction that names a user in razvilka.user sees and changes that
-- user's rows only. One that names nobody sees all: a credential is looked up before anybody knows whose it is, and what
-- ends with its maker may be somebody else's. So the release before this one goes on working, too.

ALTER TABLE auth.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.oauth_clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.oauth_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.oauth_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.external_identities ENABLE ROW LEVEL SECURITY;

-- In a sub-select the setting is read once a statement, not once a row.
CREATE POLICY of_the_named_user ON auth.api_keys USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
CREATE POLICY of_the_named_user ON auth.oauth_clients USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', owner_user_id)
);
CREATE POLICY of_the_named_user ON auth.oauth_grants USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
CREATE POLICY of_the_named_user ON auth.oauth_codes USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
CREATE POLICY of_the_named_user ON auth.recovery_codes USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
CREATE POLICY of_the_named_user ON auth.external_identities USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);

-- Behind a policy PostgreSQL uses an index only for operators that are proven not to leak what they compare; those of
-- arrays are not. What makers made is therefore found by the owner of the tables, for whom there is no wall: ids only.
CREATE FUNCTION auth.keys_made_by(subjects text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
AS $keys_made_by$
    SELECT k.id FROM auth.api_keys AS k WHERE k.makers && subjects
$keys_made_by$;

CREATE FUNCTION auth.clients_made_by(subjects text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
AS $clients_made_by$
    SELECT c.id FROM auth.oauth_clients AS c WHERE c.makers && subjects
$clients_made_by$;

REVOKE ALL ON FUNCTION auth.keys_made_by(text[]), auth.clients_made_by(text[]) FROM PUBLIC;
