-- The command line: people let it in by a code (RFC 8628), so it needs no registration at any gateway. It gets no scope
-- `admin`: whoever tricks an administrator into entering a code must not get that.
INSERT INTO auth.oauth_clients (id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ('razvilka-cli', 'Razvilka CLI', '{none}', '{}',
        '{models:read,completions:write,embeddings:write,usage:read,notifications:write,keys:read,keys:write,profile:read,profile:write,clients:write,openid,profile,email}',
        '{urn:ietf:params:oauth:grant-type:device_code,refresh_token}', '2026-01-01T00:00:00Z')
ON CONFLICT (id) DO NOTHING;
