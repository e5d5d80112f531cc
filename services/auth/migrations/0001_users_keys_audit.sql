-- Users, their API keys, what was revoked, and the audit log.
-- The columns of release 1.0 keep their names; what is new has a default, so that 1.0 rows can be copied as they are.

CREATE TABLE auth.users (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    tier text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'pro', 'enterprise')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- One account per address, however it is capitalised; also: find an account by its address.
CREATE UNIQUE INDEX users_email_key ON auth.users (lower(email));

CREATE TABLE auth.api_keys (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    user_id text NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    -- 64 hexadecimal digits of hash_kind; the secret itself is stored nowhere.
    key_hash text NOT NULL CHECK (key_hash ~ '^[0-9a-f]{64}$'),
    -- sha256: release 1.0, becomes hmac-sha256 when the key is used for the first time.
    hash_kind text NOT NULL DEFAULT 'sha256' CHECK (hash_kind IN ('sha256', 'hmac-sha256')),
    -- Fingerprint of the pepper of an HMAC; empty for sha256.
    pepper_id text NOT NULL DEFAULT '',
    name text NOT NULL DEFAULT '',
    prefix text NOT NULL DEFAULT '',
    last_four text NOT NULL DEFAULT '',
    scopes text[] NOT NULL DEFAULT '{models:read,completions:write,embeddings:write,usage:read}',
    -- Empty lists do not restrict.
    models text[] NOT NULL DEFAULT '{}',
    ip_allow_list text[] NOT NULL DEFAULT '{}',
    budget_micro_rub bigint CHECK (budget_micro_rub > 0),
    budget_period text CHECK (budget_period IN ('day', 'month', 'total')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CHECK ((budget_micro_rub IS NULL) = (budget_period IS NULL)),
    CHECK ((hash_kind = 'sha256') = (pepper_id = ''))
-- Room on each page for new versions of its rows: last_used_at changes often and is in no index (HOT updates).
) WITH (fillfactor = 80);
-- Verify a key.
CREATE UNIQUE INDEX api_keys_key_hash_key ON auth.api_keys (key_hash);
-- List a user's keys, newest first, page by page.
CREATE INDEX api_keys_user_id_created_at_idx ON auth.api_keys (user_id, created_at DESC, id DESC);

-- Credentials that ended before their time: written in the transaction that ends them, then told to the gateways.
CREATE TABLE auth.revocations (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,32}$'),
    subject_id text NOT NULL,
    revoked_at timestamptz NOT NULL,
    -- When nothing that it ends can be believed valid any more, by any cache or token: then it may be forgotten.
    until timestamptz NOT NULL CHECK (until >= revoked_at),
    published_at timestamptz
);
-- What the gateways have not been told.
CREATE INDEX revocations_unpublished_idx ON auth.revocations (number) WHERE published_at IS NULL;
-- What they must be told again when Redis has lost its data; what may be forgotten.
CREATE INDEX revocations_until_idx ON auth.revocations (until);

-- Append-only. Each row is sealed with the hash of the row before it, see services/auth/domain/audit.py.
CREATE TABLE auth.audit_log (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    -- json, not jsonb: the hash is over the text exactly as it was written.
    details json NOT NULL,
    -- Two rows cannot follow the same one: the chain cannot fork, whatever the isolation level of the writers.
    previous_hash bytea NOT NULL UNIQUE CHECK (length(previous_hash) = 32),
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32)
);
-- What happened to one subject, newest first.
CREATE INDEX audit_log_subject_seq_idx ON auth.audit_log (subject, seq DESC);

CREATE FUNCTION auth.audit_part(part text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN octet_length(convert_to(part, 'UTF8')) || ':' || part;

-- Whatever the writer says about number and hashes, the table decides.
CREATE FUNCTION auth.seal_audit_row() RETURNS trigger
LANGUAGE plpgsql
SET search_path = auth, pg_temp
AS $$
DECLARE
    head record;
BEGIN
    -- Writers queue here until the one before has committed; so an audit row is written last in its transaction.
    PERFORM pg_advisory_xact_lock(hashtextextended('razvilka.auth.audit_log', 0));
    SELECT seq, hash INTO head FROM auth.audit_log ORDER BY seq DESC LIMIT 1;
    NEW.seq := coalesce(head.seq, 0) + 1;
    NEW.previous_hash := coalesce(head.hash, decode(repeat('00', 32), 'hex'));
    NEW.hash := sha256(convert_to(
        auth.audit_part(encode(NEW.previous_hash, 'hex'))
        || auth.audit_part(NEW.seq::text)
        || auth.audit_part(to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || auth.audit_part(NEW.actor)
        || auth.audit_part(NEW.action)
        || auth.audit_part(NEW.subject)
        || auth.audit_part(NEW.details::text), 'UTF8'));
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_log_seal BEFORE INSERT ON auth.audit_log
    FOR EACH ROW EXECUTE FUNCTION auth.seal_audit_row();

CREATE FUNCTION auth.refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'auth.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- The second wall, for the owner of the schema; the service's role has no right to begin with.
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auth.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION auth.refuse_audit_change();
REVOKE UPDATE, DELETE, TRUNCATE ON auth.audit_log FROM razvilka_auth;
