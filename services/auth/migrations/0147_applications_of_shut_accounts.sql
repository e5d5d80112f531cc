-- The applications of an account that is shut are off with it; those of accounts shut before are now.

INSERT INTO auth.disabled_credentials (subject, because, disabled_at)
SELECT 'client:' || c.id, 'user:' || u.id, u.disabled_at
FROM auth.oauth_clients AS c
JOIN auth.users AS u ON u.id = c.owner_user_id
WHERE u.disabled_at IS NOT NULL
ON CONFLICT (subject, because) DO NOTHING;
