"""Table `oauth_clients`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from servicekit.errors import Conflict, ErrorReason, NotFound
from servicekit.postgres import database_errors, in_pieces, sql
from services.auth.oauth.domain.client import AuthMethod, Client, GrantType
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.domain.scope import known_scopes
from services.auth.shared.store.named_user import EVERYBODY, reading_rows_of
from services.auth.shared.store.unit_of_work import Connection, Pool, UnitOfWork

INSERT_CLIENT: Final = """
INSERT INTO auth.oauth_clients
    (id, owner_user_id, name, secret_hash, auth_methods, redirect_uris, scopes, grant_types, client_uri, created_at,
     makers, models, ip_allow_list, expires_at, dpop_bound, requires_pushed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

# What `client_from_row` reads, of oauth_clients under the name c.
CLIENT_COLUMNS: Final = """
    c.id, c.owner_user_id, c.name, c.secret_hash, c.auth_methods, c.redirect_uris, c.scopes, c.grant_types,
    c.client_uri, c.created_at, c.makers, c.models, c.ip_allow_list, c.expires_at, c.dpop_bound, c.requires_pushed,
    c.previous_secret_hash, c.previous_secret_until,
    auth.is_disabled('client:' || c.id) AS is_disabled
"""

FIND_CLIENT: Final = sql(
    """
SELECT {client}
FROM auth.oauth_clients AS c
WHERE id = $1
""",
    client=CLIENT_COLUMNS,
)

# How many an account may have, AUTH_MOST_CLIENTS says; those that are over are more and more.
LIST_CLIENTS: Final = sql(
    """
SELECT {client}
FROM auth.oauth_clients AS c
WHERE ($1::text IS NULL OR owner_user_id = $1) AND (expires_at IS NULL OR expires_at > $2)
ORDER BY created_at DESC, id DESC
""",
    client=CLIENT_COLUMNS,
)

COUNT_CLIENTS: Final = """
SELECT count(*)
FROM auth.oauth_clients
WHERE owner_user_id = $1 AND (expires_at IS NULL OR expires_at > $2)
"""

# Nobody is let in by way of it from here on.
HOLD_CLIENT: Final = """
SELECT id
FROM auth.oauth_clients
WHERE id = $1 AND ($2::text IS NULL OR owner_user_id = $2)
FOR UPDATE
"""

# Of its owner's, whoever disabled it. Held until it is changed.
HOLD_OWN_CLIENT: Final = sql(
    """
SELECT {client}
FROM auth.oauth_clients AS c
WHERE c.id = $1 AND c.owner_user_id = $2 AND (c.expires_at IS NULL OR c.expires_at > $3)
FOR UPDATE OF c
""",
    client=CLIENT_COLUMNS,
)

UPDATE_CLIENT: Final = """
UPDATE auth.oauth_clients
SET name = $2, redirect_uris = $3, scopes = $4, dpop_bound = $5, requires_pushed = $6
WHERE id = $1
"""

UPDATE_SECRET: Final = """
UPDATE auth.oauth_clients
SET secret_hash = $2, previous_secret_hash = $3, previous_secret_until = $4, makers = $5
WHERE id = $1
"""

DELETE_CLIENT: Final = """
DELETE FROM auth.oauth_clients
WHERE id = $1
"""

# With its grants, a few at once: some were let in by many. Not what an administrator disabled: what it bars is found
# by its row.
FORGET_CLIENTS: Final = """
DELETE FROM auth.oauth_clients
WHERE id IN (
    SELECT id
    FROM auth.oauth_clients AS c
    WHERE expires_at < $1
        AND NOT EXISTS (SELECT FROM auth.disabled_credentials AS d WHERE d.subject = 'client:' || c.id)
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""
FORGOTTEN_AT_ONCE: Final = 20


async def insert_client(connection: Connection, client: Client) -> None:
    """Store a new application.

    Raises:
        Conflict: the id is taken.
        NotFound: there is no such owner.
    """
    row = (
        *(client.id, client.owner_user_id, client.name, client.secret_hash, list(client.auth_methods)),
        *(list(client.redirect_uris), sorted(client.scopes), sorted(client.grant_types)),
        *(client.client_uri, client.created_at, list(client.makers), list(client.models)),
        *(list(client.ip_allow_list), client.expires_at, client.dpop_bound, client.requires_pushed),
    )
    try:
        await connection.execute(INSERT_CLIENT, *row)
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(ErrorReason.CONFLICT, "This client id is taken.", param="client_id") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="owner_user_id") from exc


async def count_clients(connection: Connection, owner_user_id: str, at: datetime) -> int:
    """Return how many applications a user has."""
    count: int = await connection.fetchval(COUNT_CLIENTS, owner_user_id, at)
    return count


async def end_client(unit: UnitOfWork, client_id: str, owner_user_id: str | None) -> bool:
    """End an application with its grants and what they made; tell whether the owner (None: an administrator) had it."""
    async with unit.rows_of(owner_user_id or EVERYBODY):
        held = await unit.connection.fetchval(HOLD_CLIENT, client_id, owner_user_id)
    if held is None:
        return False
    await unit.revoke(RevokedKind.CLIENT, client_id)
    await unit.connection.execute(DELETE_CLIENT, client_id)
    return True


async def hold_own_client(connection: Connection, owner_user_id: str, client_id: str, at: datetime) -> Client | None:
    """Return an owner's application that nobody else changes until the commit; None: they have none such."""
    row = await connection.fetchrow(HOLD_OWN_CLIENT, client_id, owner_user_id, at)
    return None if row is None else client_from_row(row)


async def update_client(connection: Connection, client: Client) -> None:
    """Store what an application is."""
    row = (client.name, list(client.redirect_uris), sorted(client.scopes), client.dpop_bound, client.requires_pushed)
    await connection.execute(UPDATE_CLIENT, client.id, *row)


async def update_secret(connection: Connection, client: Client) -> None:
    """Store its secret and the one before, and with whom it ends."""
    row = (client.secret_hash, client.previous_secret_hash, client.previous_secret_until, list(client.makers))
    await connection.execute(UPDATE_SECRET, client.id, *row)


class ClientStore:
    """Applications."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, client_id: str) -> Client | None:
        """Return the application; the id must be one that could be ours."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_CLIENT, client_id)
        return None if row is None else client_from_row(row)

    async def list_of(self, owner_user_id: str | None, now: datetime) -> list[Client]:
        """Return a user's applications that are not over, newest first; None: everybody's."""
        async with reading_rows_of(self._pool, owner_user_id or EVERYBODY) as connection:
            return [client_from_row(row) for row in await connection.fetch(LIST_CLIENTS, owner_user_id, now)]

    async def forget(self, before: datetime) -> None:
        """Delete applications whose time was over before this one."""
        with database_errors():
            await in_pieces(self._pool, FORGET_CLIENTS, before, most=FORGOTTEN_AT_ONCE)


def client_from_row(row: asyncpg.Record) -> Client:
    """Return the application that a row holds."""
    known = GrantType._value2member_map_
    return Client(
        id=row["id"],
        name=row["name"],
        owner_user_id=row["owner_user_id"],
        secret_hash=row["secret_hash"],
        auth_methods=tuple(AuthMethod(method) for method in row["auth_methods"]),
        redirect_uris=tuple(row["redirect_uris"]),
        scopes=known_scopes(row["scopes"]),
        grant_types=frozenset(GrantType(kind) for kind in row["grant_types"] if kind in known),
        client_uri=row["client_uri"],
        created_at=row["created_at"],
        makers=tuple(row["makers"]),
        models=tuple(row["models"]),
        ip_allow_list=tuple(row["ip_allow_list"]),
        expires_at=row["expires_at"],
        dpop_bound=row["dpop_bound"],
        requires_pushed=row["requires_pushed"],
        is_disabled=row["is_disabled"],
        previous_secret_hash=row["previous_secret_hash"],
        previous_secret_until=row["previous_secret_until"],
    )
