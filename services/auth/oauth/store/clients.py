"""Table `oauth_clients`."""

from __future__ import annotations

from typing import Final

import asyncpg

from servicekit.errors import Conflict, ErrorReason, NotFound
from servicekit.postgres import database_errors
from services.auth.oauth.domain.client import AuthMethod, Client, GrantType
from services.auth.shared.domain.scope import known_scopes
from services.auth.shared.store.unit_of_work import Connection, Pool

INSERT_CLIENT: Final = """
INSERT INTO auth.oauth_clients
    (id, owner_user_id, name, secret_hash, auth_methods, redirect_uris, scopes, grant_types, client_uri, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

FIND_CLIENT: Final = """
SELECT id, owner_user_id, name, secret_hash, auth_methods, redirect_uris, scopes, grant_types, client_uri, created_at
FROM auth.oauth_clients
WHERE id = $1
"""

LIST_CLIENTS: Final = """
SELECT id, owner_user_id, name, secret_hash, auth_methods, redirect_uris, scopes, grant_types, client_uri, created_at
FROM auth.oauth_clients
WHERE $1::text IS NULL OR owner_user_id = $1
ORDER BY created_at DESC, id DESC
LIMIT 1000
"""

DELETE_CLIENT: Final = """
DELETE FROM auth.oauth_clients
WHERE id = $1 AND ($2::text IS NULL OR owner_user_id = $2)
"""


async def insert_client(connection: Connection, client: Client) -> None:
    """Store a new application.

    Raises:
        Conflict: the id is taken.
        NotFound: there is no such owner.
    """
    row = (
        *(client.id, client.owner_user_id, client.name, client.secret_hash, list(client.auth_methods)),
        *(list(client.redirect_uris), sorted(client.scopes), sorted(client.grant_types)),
        *(client.client_uri, client.created_at),
    )
    try:
        await connection.execute(INSERT_CLIENT, *row)
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(ErrorReason.CONFLICT, "This client id is taken.", param="client_id") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="owner_user_id") from exc


async def delete_client(connection: Connection, client_id: str, owner_user_id: str | None) -> bool:
    """Delete an application with its grants; tell whether the owner (None: an administrator) had it."""
    return bool(await connection.execute(DELETE_CLIENT, client_id, owner_user_id) == "DELETE 1")


class ClientStore:
    """Applications."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, client_id: str) -> Client | None:
        """Return the application; the id must be one that could be ours."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_CLIENT, client_id)
        return None if row is None else client_from_row(row)

    async def list_of(self, owner_user_id: str | None) -> list[Client]:
        """Return a user's applications, newest first; None: everybody's."""
        with database_errors():
            return [client_from_row(row) for row in await self._pool.fetch(LIST_CLIENTS, owner_user_id)]


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
    )
