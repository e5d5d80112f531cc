"""Table `disabled_credentials`: keys, applications and grants that an administrator switched off, and what those made.

Whoever makes a credential locks the account first, and then sees whether the maker is disabled (store/makers.py): so
the accounts are locked here too, before what the credential made is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.auth.shared.store.unit_of_work import Connection

# Its account, if it has one, and whether it is over.
FIND_KEY_STATE: Final = """
SELECT user_id AS owner_id, revoked_at IS NOT NULL AS is_over
FROM auth.api_keys
WHERE id = $1
"""

FIND_CLIENT_STATE: Final = """
SELECT owner_user_id AS owner_id, false AS is_over
FROM auth.oauth_clients
WHERE id = $1
"""

FIND_GRANT_STATE: Final = """
SELECT user_id AS owner_id, revoked_at IS NOT NULL AS is_over
FROM auth.oauth_grants
WHERE id = $1
"""

STATES: Final = {"key": FIND_KEY_STATE, "client": FIND_CLIENT_STATE, "grant": FIND_GRANT_STATE}

# The owner, and everybody for whom the application acts: all whose credentials may be among its descendants.
HOLD_ACCOUNTS: Final = """
SELECT u.id
FROM auth.users AS u
WHERE u.id = $1 OR u.id IN (SELECT g.user_id FROM auth.oauth_grants AS g WHERE g.client_id = $2)
ORDER BY u.id
FOR NO KEY UPDATE
"""

# The grants of an application are walked through for what they made; they themselves are judged by the application.
DISABLE: Final = """
WITH RECURSIVE line (subject) AS (
    SELECT $1::text
    UNION
    SELECT made.subject
    FROM line
    CROSS JOIN LATERAL (
        SELECT 'key:' || k.id
        FROM auth.api_keys AS k
        WHERE k.id IN (SELECT auth.keys_made_by(ARRAY[line.subject])) AND k.revoked_at IS NULL
        UNION ALL
        SELECT 'client:' || c.id
        FROM auth.oauth_clients AS c
        WHERE c.id IN (SELECT auth.clients_made_by(ARRAY[line.subject]))
        UNION ALL
        SELECT 'grant:' || g.id
        FROM auth.oauth_grants AS g
        WHERE g.client_id = CASE WHEN line.subject LIKE 'client:%' THEN substr(line.subject, 8) END
          AND g.revoked_at IS NULL
    ) AS made (subject)
)
INSERT INTO auth.disabled_credentials (subject, because, disabled_at)
SELECT subject, $3, $2
FROM line
WHERE subject = $1 OR subject NOT LIKE 'grant:%'
ON CONFLICT (subject, because) DO NOTHING
RETURNING subject
"""

CLIENTS_OF_OWNER: Final = """
SELECT id
FROM auth.oauth_clients
WHERE owner_user_id = $1
ORDER BY id
"""

ENABLE: Final = """
DELETE FROM auth.disabled_credentials
WHERE because = $1
RETURNING subject
"""


@dataclass(frozen=True, slots=True)
class CredentialState:
    """Whose a credential is, empty for nobody's, and whether it is over for good."""

    owner_id: str
    is_over: bool


async def hold_credential(connection: Connection, kind: str, id: str) -> CredentialState | None:
    """Return the state of a key, client or grant; until the transaction ends it makes nothing. None: there is none."""
    row = await connection.fetchrow(STATES[kind], id)
    if row is None:
        return None
    await connection.fetch(HOLD_ACCOUNTS, row["owner_id"] or "", id if kind == "client" else "")
    return CredentialState(row["owner_id"] or "", row["is_over"])


async def disable(connection: Connection, subject: str, at: datetime, *, because: str = "") -> list[str]:
    """Disable a credential and all that it made; return what is disabled since now because of it, or of `because`."""
    return [row["subject"] for row in await connection.fetch(DISABLE, subject, at, because or subject)]


async def disable_applications_of(connection: Connection, user_id: str, at: datetime) -> list[str]:
    """Disable what a user's applications are and made, because of the user; return what is disabled since now."""
    changed = list[str]()
    for row in await connection.fetch(CLIENTS_OF_OWNER, user_id):
        await hold_credential(connection, "client", row["id"])
        changed += await disable(connection, f"client:{row['id']}", at, because=f"user:{user_id}")
    return changed


async def enable(connection: Connection, subject: str) -> list[str]:
    """Take back what was disabled because of this credential (or `user:<id>`); return it."""
    return [row["subject"] for row in await connection.fetch(ENABLE, subject)]
