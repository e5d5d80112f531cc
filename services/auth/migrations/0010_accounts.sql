-- Accounts: who a person is and how they prove it; external identities, mails and their tokens, login attempts.

ALTER TABLE auth.users
    ADD COLUMN name text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
    ADD COLUMN language text NOT NULL DEFAULT 'ru' CHECK (language IN ('ru', 'en')),
    ADD COLUMN time_zone text NOT NULL DEFAULT 'Europe/Moscow' CHECK (length(time_zone) BETWEEN 1 AND 64),
    ADD COLUMN is_admin boolean NOT NULL DEFAULT false,
    ADD COLUMN email_verified_at timestamptz,
    -- argon2id with its parameters; NULL: no password was ever set.
    ADD COLUMN password_hash text,
    ADD COLUMN password_changed_at timestamptz,
    -- Sessions remember the number they began under; raising it ends them, whatever becomes of Redis.
    ADD COLUMN session_epoch integer NOT NULL DEFAULT 0,
    -- AES-256-GCM of the shared secret, bound to the user's id; without totp_enabled_at it waits for its first code.
    ADD COLUMN totp_sealed bytea,
    ADD COLUMN totp_enabled_at timestamptz,
    -- The last time step whose code was accepted: a code counts once.
    ADD COLUMN totp_last_step bigint NOT NULL DEFAULT 0,
    ADD COLUMN disabled_at timestamptz,
    -- A tombstone: the id stays, for what was billed to it; everything personal is erased.
    ADD COLUMN deleted_at timestamptz,
    ADD CONSTRAINT users_totp_check CHECK (totp_enabled_at IS NULL OR totp_sealed IS NOT NULL);

CREATE TABLE auth.recovery_codes (
    user_id text NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    -- SHA-256 of 80 random bits.
    code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- Who a person is elsewhere. An identity is issuer and subject, never an address.
CREATE TABLE auth.external_identities (
    issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id text NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
-- List a person's identities; also the cascade of users.
CREATE INDEX external_identities_user_idx ON auth.external_identities (user_id);

-- Mails on their way. A row says what to write to whom; letter and token are made when it is sent, so that asking
-- costs the same for every address, and no usable link waits in the database.
CREATE TABLE auth.mails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,32}$'),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    language text NOT NULL CHECK (language IN ('ru', 'en')),
    -- Whose account it is about; NULL where only the address is known.
    user_id text REFERENCES auth.users (id) ON DELETE CASCADE,
    -- What a registration waits with until its address is verified.
    name text NOT NULL DEFAULT '',
    password_hash text,
    created_at timestamptz NOT NULL,
    -- When sending it makes no sense any more.
    expires_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    -- Kept after sending only by the local outbox, which has no other place.
    sent_at timestamptz,
    subject text,
    text text
);
-- What is to be sent now.
CREATE INDEX mails_due_idx ON auth.mails (next_attempt_at) WHERE sent_at IS NULL;
-- What may be forgotten.
CREATE INDEX mails_expires_idx ON auth.mails (expires_at);
-- The cascade of users.
CREATE INDEX mails_user_idx ON auth.mails (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE auth.mailed_tokens (
    -- SHA-256 of 256 random bits.
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    -- The mail it went out with: sending that again replaces it.
    mail_id bigint NOT NULL UNIQUE,
    purpose text NOT NULL CHECK (purpose IN ('register', 'email_change', 'reset')),
    email text NOT NULL,
    user_id text REFERENCES auth.users (id) ON DELETE CASCADE,
    language text NOT NULL,
    name text NOT NULL DEFAULT '',
    password_hash text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CHECK ((purpose = 'register') = (user_id IS NULL))
);
-- End a person's tokens; also the cascade of users.
CREATE INDEX mailed_tokens_user_idx ON auth.mailed_tokens (user_id) WHERE user_id IS NOT NULL;
-- End the other registrations of an address.
CREATE INDEX mailed_tokens_email_idx ON auth.mailed_tokens (lower(email));
-- What may be forgotten.
CREATE INDEX mailed_tokens_expires_idx ON auth.mailed_tokens (expires_at);

CREATE TABLE auth.login_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    -- NULL: nobody has the address that was given. The address itself is not kept.
    user_id text,
    outcome text NOT NULL CHECK (outcome ~ '^[a-z_]{1,32}$'),
    ip text NOT NULL,
    user_agent text NOT NULL,
    request_id text NOT NULL
);
-- A person's attempts, newest first.
CREATE INDEX login_attempts_user_idx ON auth.login_attempts (user_id, at DESC) WHERE user_id IS NOT NULL;
-- What may be forgotten.
CREATE INDEX login_attempts_at_idx ON auth.login_attempts (at);
