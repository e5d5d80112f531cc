-- DPoP (RFC 9449): what is bound to a key, by the key's thumbprint (RFC 7638).

-- The key that an authorization request named: only its holder redeems the code.
ALTER TABLE auth.oauth_codes ADD COLUMN dpop_jkt text CHECK (length(dpop_jkt) = 43);
-- The key that refresh tokens of a public client are bound to; a confidential one authenticates in place of that.
ALTER TABLE auth.oauth_grants ADD COLUMN dpop_jkt text CHECK (length(dpop_jkt) = 43);
-- An application that gets no token without a proof.
ALTER TABLE auth.oauth_clients ADD COLUMN dpop_bound boolean NOT NULL DEFAULT false;
