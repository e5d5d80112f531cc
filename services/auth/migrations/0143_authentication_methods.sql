-- Step-up (RFC 9470): by which proofs (RFC 8176) the user was known who let an application in.
ALTER TABLE auth.oauth_codes ADD COLUMN amr text[] NOT NULL DEFAULT '{}';
ALTER TABLE auth.oauth_grants ADD COLUMN amr text[] NOT NULL DEFAULT '{}';
