-- OAuth: applications, what users granted them, codes, refresh tokens, and the keys that sign tokens.

CREATE TABLE auth.oauth_clients (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    -- Who manages it and pays for tokens it gets in its own name; NULL: an administrator, or it registered itself.
    owner_user_id text REFERENCES auth.users (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- SHA-256 of a random secret of 256 bits; NULL: a public client.
    secret_hash bytea CHECK (length(secret_hash) = 32),
    -- How it may authenticate; the first is the one it registered.
    auth_methods text[] NOT NULL CHECK (cardinality(auth_methods) > 0),
    redirect_uris text[] NOT NULL,
    scopes text[] NOT NULL,
    grant_types text[] NOT NULL,
    client_uri text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    CHECK ((secret_hash IS NULL) = (auth_methods = '{none}'))
);
-- List a user's applications, newest first; also the cascade of users.
CREATE INDEX oauth_clients_owner_idx ON auth.oauth_clients (owner_user_id, created_at DESC);

-- Who trades in tokens of release 1.0 without having registered anything.
INSERT INTO auth.oauth_clients (id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ('razvilka-exchange', 'Release 1.0', '{none}', '{}',
        '{models:read,completions:write,embeddings:write,usage:read}',
        '{urn:ietf:params:oauth:grant-type:token-exchange}', '2026-01-01T00:00:00Z');

-- One authorization: everything that came from one code, one device, or one client's standing in its own name.
-- It is the family of refresh tokens; every access token names it; when it ends, all of them end.
CREATE TABLE auth.oauth_grants (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('authorization_code', 'device_code', 'client_credentials', 'token_exchange')),
    client_id text NOT NULL REFERENCES auth.oauth_clients (id) ON DELETE CASCADE,
    -- Who is acted for, and who pays.
    user_id text NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    -- The grant at which the user was asked; its own id unless this one was given without asking again.
    -- The budget is counted there, so that a new authorization does not fill it up.
    consent_id text NOT NULL,
    scopes text[] NOT NULL,
    -- Empty does not restrict.
    models text[] NOT NULL DEFAULT '{}',
    budget_micro_rub bigint CHECK (budget_micro_rub > 0),
    budget_period text CHECK (budget_period IN ('day', 'month', 'total')),
    -- Public id of the login session in which it was given.
    session_id text,
    authenticated_at timestamptz,
    created_at timestamptz NOT NULL,
    -- The absolute end of its refresh tokens; NULL: none.
    expires_at timestamptz,
    last_used_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CHECK ((budget_micro_rub IS NULL) = (budget_period IS NULL))
) WITH (fillfactor = 80);
-- List a user's applications; end all grants of a user; was this client let in before? Also the cascade of users.
CREATE INDEX oauth_grants_user_idx ON auth.oauth_grants (user_id, created_at DESC);
-- The cascade of clients.
CREATE INDEX oauth_grants_client_idx ON auth.oauth_grants (client_id);
-- End what one login session gave.
CREATE INDEX oauth_grants_session_idx ON auth.oauth_grants (session_id) WHERE session_id IS NOT NULL;
-- End what one consent allowed.
CREATE INDEX oauth_grants_consent_idx ON auth.oauth_grants (consent_id);
-- A client in its own name, and a user of release 1.0, has one grant that stands.
CREATE UNIQUE INDEX oauth_grants_standing_key ON auth.oauth_grants (client_id, user_id, kind)
WHERE kind IN ('client_credentials', 'token_exchange') AND revoked_at IS NULL;

CREATE TABLE auth.oauth_codes (
    code_hash bytea PRIMARY KEY CHECK (length(code_hash) = 32),
    client_id text NOT NULL REFERENCES auth.oauth_clients (id) ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    -- The grant that this code becomes. Unique here and there: a second wall against a second grant.
    grant_id text NOT NULL UNIQUE,
    consent_id text NOT NULL,
    redirect_uri text NOT NULL,
    code_challenge text NOT NULL,
    scopes text[] NOT NULL,
    models text[] NOT NULL,
    budget_micro_rub bigint,
    budget_period text,
    nonce text,
    session_id text,
    authenticated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Set once; the row stays, so that a second use is known for what it is.
    used_at timestamptz
);
-- The cascades of clients and users; what a login session gave and nobody redeemed; forget what is long over.
CREATE INDEX oauth_codes_client_idx ON auth.oauth_codes (client_id);
CREATE INDEX oauth_codes_user_idx ON auth.oauth_codes (user_id);
CREATE INDEX oauth_codes_session_idx ON auth.oauth_codes (session_id) WHERE session_id IS NOT NULL AND used_at IS NULL;
CREATE INDEX oauth_codes_expires_idx ON auth.oauth_codes (expires_at);

CREATE TABLE auth.oauth_refresh_tokens (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    grant_id text NOT NULL REFERENCES auth.oauth_grants (id) ON DELETE CASCADE,
    client_id text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Set once, when it was traded for its successor; the row stays to tell reuse from a token that never was.
    used_at timestamptz
);
-- The cascade of grants; forget what is long over.
CREATE INDEX oauth_refresh_tokens_grant_idx ON auth.oauth_refresh_tokens (grant_id);
CREATE INDEX oauth_refresh_tokens_expires_idx ON auth.oauth_refresh_tokens (expires_at);

CREATE TABLE auth.oauth_signing_keys (
    kid text PRIMARY KEY CHECK (length(kid) BETWEEN 1 AND 64),
    -- The public key as a JWK.
    public_jwk text NOT NULL,
    -- nonce (12 bytes), then AES-256-GCM of the private key in DER; the kid is bound to it.
    sealed bytea NOT NULL CHECK (length(sealed) > 28),
    created_at timestamptz NOT NULL,
    -- Published from created_at on; signs from here on, until a later key does.
    signs_from timestamptz NOT NULL CHECK (signs_from >= created_at)
);

-- One access token ended: is this one among them?
CREATE INDEX revocations_subject_idx ON auth.revocations (kind, subject_id);
