"""SQL that undoes an import: which imported rows are deleted, and which stay because something here needs them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from servicekit.postgres import sql
from services.auth.shared.store.unit_of_work import Connection

# What was created here and needs an account; NULL: nothing does.
ACCOUNT_NEEDED_BY: Final = """
CASE
    WHEN u.id = ANY($2::text[]) THEN 'requests'
    WHEN u.password_hash IS NOT NULL THEN 'password'
    WHEN EXISTS (SELECT FROM auth.api_keys AS k WHERE k.user_id = u.id) THEN 'keys'
    WHEN EXISTS (SELECT FROM auth.oauth_grants AS g WHERE g.user_id = u.id) THEN 'consents'
    WHEN EXISTS (SELECT FROM auth.oauth_clients AS c WHERE c.owner_user_id = u.id) THEN 'applications'
    WHEN EXISTS (SELECT FROM auth.external_identities AS e WHERE e.user_id = u.id) THEN 'logins by other services'
    WHEN EXISTS (SELECT FROM auth.model_names AS m WHERE m.user_id = u.id) THEN 'model names'
    WHEN EXISTS (SELECT FROM auth.budgets AS b WHERE b.user_id = u.id) THEN 'budgets'
    WHEN EXISTS (SELECT FROM auth.organization_members AS o WHERE o.user_id = u.id) THEN 'an organization'
END
"""
# Of all keys at once: asked of each of a large move, it would take longer than a statement may.
KEYS_NEEDED: Final = """
SELECT DISTINCT ON (id) id, needed_by
FROM (
    SELECT substr(maker, 5) AS id, 1 AS place, 'keys that it made' AS needed_by
    FROM auth.api_keys AS k CROSS JOIN unnest(k.makers) AS maker
    WHERE maker LIKE 'key:%'
    UNION ALL
    SELECT substr(maker, 5), 2, 'applications that it made'
    FROM auth.oauth_clients AS c CROSS JOIN unnest(c.makers) AS maker
    WHERE maker LIKE 'key:%'
    UNION ALL
    SELECT later.lineage_id, 3, 'the key that followed it'
    FROM auth.api_keys AS later
    WHERE later.lineage_id <> later.id
) AS found
ORDER BY id, place
"""
# Nobody has counted the rows of a fresh move: PostgreSQL would expect one, and look all of these through for each.
BEGIN_TAKING: Final = "SELECT set_config('enable_nestloop', 'off', true)"

TAKE_BACK_KEYS: Final = sql(
    """
WITH brought AS (
    SELECT r.id FROM auth.imported_rows AS r WHERE r.source_id = $1 AND r.kind = 'key'
), needed AS MATERIALIZED (
    {needed}
), gone AS (
    DELETE FROM auth.api_keys AS k USING brought AS b
    WHERE k.id = b.id AND NOT EXISTS (SELECT FROM needed AS n WHERE n.id = k.id)
    RETURNING k.id
)
DELETE FROM auth.imported_rows AS r USING gone WHERE r.kind = 'key' AND r.id = gone.id RETURNING r.id
""",
    needed=KEYS_NEEDED,
)
TAKE_BACK_ACCOUNTS: Final = sql(
    """
WITH gone AS (
    DELETE FROM auth.users AS u USING auth.imported_rows AS r
    WHERE r.source_id = $1 AND r.kind = 'user' AND u.id = r.id AND ({needed_by}) IS NULL
    RETURNING u.id
)
DELETE FROM auth.imported_rows AS r USING gone WHERE r.kind = 'user' AND r.id = gone.id RETURNING r.id
""",
    needed_by=ACCOUNT_NEEDED_BY,
)
LEFT_BEHIND: Final = sql(
    """
WITH needed AS MATERIALIZED (
    {keys_needed}
)
SELECT r.kind, r.id, {account_needed_by} AS needed_by
FROM auth.imported_rows AS r JOIN auth.users AS u ON u.id = r.id WHERE r.source_id = $1 AND r.kind = 'user'
UNION ALL
SELECT r.kind, r.id, n.needed_by
FROM auth.imported_rows AS r
JOIN auth.api_keys AS k ON k.id = r.id
LEFT JOIN needed AS n ON n.id = k.id
WHERE r.source_id = $1 AND r.kind = 'key'
ORDER BY 1, 2
""",
    account_needed_by=ACCOUNT_NEEDED_BY,
    keys_needed=KEYS_NEEDED,
)
FORGET_ROWS: Final = """
DELETE FROM auth.imported_rows AS r WHERE r.source_id = $1
    AND NOT EXISTS (SELECT FROM auth.users AS u WHERE r.kind = 'user' AND u.id = r.id)
    AND NOT EXISTS (SELECT FROM auth.api_keys AS k WHERE r.kind = 'key' AND k.id = r.id)
"""
BROUGHT_ACCOUNTS: Final = "SELECT id FROM auth.imported_rows WHERE source_id = $1 AND kind = 'user'"

# Switches of keys that are no more.
FORGET_SWITCHES: Final = "DELETE FROM auth.disabled_credentials WHERE subject = ANY($1::text[])"


async def take_back(
    connection: Connection, source_id: str, in_use: Collection[str]
) -> tuple[list[str], list[str], list[tuple[str, str, str]]]:
    """Delete the keys and accounts that a source brought and nothing of 1.1 needs.

    Args:
        in_use: accounts on which 1.1 has booked requests of its own.

    Returns:
        The ids of keys and of accounts that are gone; and of what stays kind, id, and what needs it.
    """
    await connection.execute(BEGIN_TAKING)
    keys = await connection.fetch(TAKE_BACK_KEYS, source_id)
    await connection.execute(FORGET_SWITCHES, [f"key:{row['id']}" for row in keys])
    accounts = await connection.fetch(TAKE_BACK_ACCOUNTS, source_id, list(in_use))
    # Deleted here meanwhile, by their owners: nobody brought them back.
    await connection.execute(FORGET_ROWS, source_id)
    staying = await connection.fetch(LEFT_BEHIND, source_id, list(in_use))
    return (
        [row["id"] for row in keys],
        [row["id"] for row in accounts],
        [(row["kind"], row["id"], row["needed_by"]) for row in staying],
    )


async def brought_accounts(connection: Connection, source_id: str) -> list[str]:
    """Return the ids of the accounts that a source brought."""
    return [row["id"] for row in await connection.fetch(BROUGHT_ACCOUNTS, source_id)]
