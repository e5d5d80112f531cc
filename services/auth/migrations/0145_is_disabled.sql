-- Whether an administrator has disabled one of these: `key:<id>`, `client:<id>` or `grant:<id>`. Said once, here.

CREATE FUNCTION auth.is_disabled(VARIADIC subjects text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM auth.disabled_credentials AS d WHERE d.subject = ANY (subjects));
