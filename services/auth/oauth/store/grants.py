"""Table `oauth_grants`: found, listed, ended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from servicekit.postgres import database_errors, in_pieces, sql
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant, GrantKind, PartyGone
from services.auth.oauth.store.clients import CLIENT_COLUMNS, client_from_row
from services.auth.oauth.store.grant_rows import GRANT_COLUMNS, allowance_columns, grant_from_row
from services.auth.oauth.store.parties import existing_parties, is_barred
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.domain.scope import Scope
from services.auth.shared.store.named_user import reading_rows_of
from services.auth.shared.store.unit_of_work import Connection, Pool

FIND_GRANT: Final = sql(
    """
SELECT {grant}
FROM auth.oauth_grants AS g
WHERE id = $1
""",
    grant=GRANT_COLUMNS,
)

# What a user let in: not what a client does in its own name. How many that may be, AUTH_MOST_GRANTS says.
LIST_GRANTS: Final = sql(
    """
SELECT {grant}
FROM auth.oauth_grants AS g
WHERE g.user_id = $1 AND g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > $2)
  AND g.kind <> 'client_credentials'
ORDER BY created_at DESC, id DESC
""",
    grant=GRANT_COLUMNS,
)

COUNT_LIVE_GRANTS: Final = """
SELECT count(*)
FROM auth.oauth_grants
WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) AND kind <> 'client_credentials'
"""

CLIENTS_OF_GRANTS: Final = sql(
    """
SELECT {client}
FROM auth.oauth_clients AS c
WHERE id = ANY($1::text[])
""",
    client=CLIENT_COLUMNS,
)

FIND_CONSENT: Final = sql(
    """
SELECT {grant}
FROM auth.oauth_grants AS g
WHERE user_id = $1 AND client_id = $2 AND kind = 'authorization_code' AND scopes @> $3::text[]
  AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $4)
ORDER BY created_at DESC, id DESC
LIMIT 1
""",
    grant=GRANT_COLUMNS,
)

IDS_OF_CONSENT: Final = """
SELECT g.id
FROM auth.oauth_grants AS g
JOIN auth.oauth_grants AS named ON named.consent_id = g.consent_id
WHERE named.id = $1 AND named.user_id = $2 AND g.user_id = $2
"""

UPSERT_MACHINE_GRANT: Final = sql(
    """
INSERT INTO auth.oauth_grants AS g
    (id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
     authenticated_at, created_at, last_used_at, expires_at, ip_allow_list)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, $10, $10, $11, $12)
ON CONFLICT (client_id, user_id, kind) WHERE kind IN ('client_credentials', 'token_exchange') AND revoked_at IS NULL
DO UPDATE SET last_used_at = excluded.last_used_at, scopes = excluded.scopes
RETURNING {grant}
""",
    grant=GRANT_COLUMNS,
)

LAST_ENDED: Final = """
SELECT max(revoked_at)
FROM auth.oauth_grants
WHERE user_id = $1 AND kind = $2
"""

IS_REVOKED: Final = """
SELECT EXISTS (SELECT FROM auth.revocations WHERE kind = $1 AND subject_id = $2 AND until > $3)
"""

# With its tokens, of which one that was used for long has hundreds. Not what an administrator disabled: what it bars is
# looked up by its row.
FORGET_GRANTS: Final = """
DELETE FROM auth.oauth_grants
WHERE id IN (
    SELECT id
    FROM auth.oauth_grants AS g
    WHERE kind IN ('authorization_code', 'device_code') AND least(revoked_at, expires_at) < $1
        AND NOT EXISTS (SELECT FROM auth.disabled_credentials AS d WHERE d.subject = 'grant:' || g.id)
    ORDER BY least(revoked_at, expires_at)
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""
FORGOTTEN_AT_ONCE: Final = 100


async def upsert_machine_grant(connection: Connection, grant: Grant) -> Grant:
    """Return the one grant of this kind, client and user, made now if there is none.

    Raises:
        PartyGone: the client or the user does not exist any more, or the grant is disabled.
    """
    columns = allowance_columns(grant.allowance)
    row = (grant.id, grant.kind, grant.client_id, grant.user_id, grant.consent_id, *columns, grant.created_at)
    bounds = (grant.expires_at, list(grant.ip_allow_list))
    if await is_barred(connection, grant.client_id, grant.user_id, (grant.kind,)):
        raise PartyGone
    with existing_parties():
        stored = await connection.fetchrow(UPSERT_MACHINE_GRANT, *row, *bounds)
    assert stored is not None
    if stored["is_disabled"]:
        raise PartyGone
    return grant_from_row(stored)


async def ids_of_consent(connection: Connection, user_id: str, grant_id: str) -> list[str]:
    """Return the grants that a user allowed with this one: itself, and what came of it without asking."""
    return [row["id"] for row in await connection.fetch(IDS_OF_CONSENT, grant_id, user_id)]


async def is_token_ended(connection: Connection, jti: str, at: datetime) -> bool:
    """Tell whether this access token was ended by itself, as this transaction sees it."""
    return bool(await connection.fetchval(IS_REVOKED, RevokedKind.TOKEN, jti, at))


class GrantStore:
    """Grants."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, grant_id: str) -> Grant | None:
        """Return a grant, whatever its state; None also when its client or user is gone."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_GRANT, grant_id)
        return None if row is None else grant_from_row(row)

    async def list_live(self, user_id: str, now: datetime) -> list[tuple[Grant, Client]]:
        """Return what a user let in, newest first."""
        async with reading_rows_of(self._pool, user_id) as connection:
            grants = [grant_from_row(row) for row in await connection.fetch(LIST_GRANTS, user_id, now)]
        # Somebody else's applications, mostly.
        with database_errors():
            rows = await self._pool.fetch(CLIENTS_OF_GRANTS, [grant.client_id for grant in grants])
        clients = {row["id"]: client_from_row(row) for row in rows}
        return [(grant, clients[grant.client_id]) for grant in grants if grant.client_id in clients]

    async def count_live(self, user_id: str, now: datetime) -> int:
        """Return how many authorizations a user has given that still count."""
        with database_errors():
            count: int = await self._pool.fetchval(COUNT_LIVE_GRANTS, user_id, now)
        return count

    async def find_consent(self, user_id: str, client_id: str, scopes: frozenset[Scope], now: datetime) -> Grant | None:
        """Return a live grant by which the user allowed the client at least these scopes."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_CONSENT, user_id, client_id, sorted(scopes), now)
        return None if row is None else grant_from_row(row)

    async def last_ended(self, user_id: str, kind: GrantKind) -> datetime | None:
        """Return when a grant of this kind was last ended."""
        with database_errors():
            ended: datetime | None = await self._pool.fetchval(LAST_ENDED, user_id, kind)
        return ended

    async def is_token_revoked(self, jti: str, now: datetime) -> bool:
        """Tell whether this access token was ended by itself."""
        with database_errors():
            return bool(await self._pool.fetchval(IS_REVOKED, RevokedKind.TOKEN, jti, now))

    async def forget(self, before: datetime) -> None:
        """Delete grants that were over before this time, with their tokens."""
        with database_errors():
            await in_pieces(self._pool, FORGET_GRANTS, before, most=FORGOTTEN_AT_ONCE)
