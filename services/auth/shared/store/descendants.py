"""Ends what a credential has made when that credential ends: generation by generation, in the same transaction.

A generation is locked by ending it before its own children are looked for, and whoever makes something holds the maker
(store/makers.py): so nothing that is made at the same moment escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from services.auth.shared.domain.revocation import RevokedKind

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

END_KEYS: Final = """
UPDATE auth.api_keys
SET revoked_at = $2
WHERE id IN (SELECT auth.keys_made_by($1::text[])) AND revoked_at IS NULL
RETURNING id
"""

# Locked, not deleted yet: deleting takes the grants along, whose children must be found first.
HOLD_CLIENTS: Final = """
SELECT id
FROM auth.oauth_clients
WHERE id IN (SELECT auth.clients_made_by($1::text[]))
ORDER BY id
FOR UPDATE
"""

END_GRANTS_OF_CLIENTS: Final = """
UPDATE auth.oauth_grants
SET revoked_at = $2
WHERE client_id = ANY($1::text[]) AND revoked_at IS NULL
RETURNING id
"""

DELETE_CLIENTS: Final = """
DELETE FROM auth.oauth_clients
WHERE id = ANY($1::text[])
"""

ADOPT_KEYS: Final = """
UPDATE auth.api_keys
SET makers = array_replace(makers, $1, $2)
WHERE id IN (SELECT auth.keys_made_by(ARRAY[$1::text]))
"""

ADOPT_CLIENTS: Final = """
UPDATE auth.oauth_clients
SET makers = array_replace(makers, $1, $2)
WHERE id IN (SELECT auth.clients_made_by(ARRAY[$1::text]))
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """Something that ended with its maker."""

    kind: RevokedKind
    id: str

    @property
    def subject(self) -> str:
        """Return its name among makers."""
        return f"{self.kind}:{self.id}"


async def end_descendants(
    connection: PoolConnectionProxy[asyncpg.Record], kind: RevokedKind, subject_id: str, at: datetime
) -> list[Ended]:
    """End all that this credential made, and what that made, and so on; return it, parents first."""
    generation, ended = [Ended(kind, subject_id)], list[Ended]()
    while generation:
        # An application with two makers is found with each of them.
        generation = [each for each in await _end_children(connection, generation, at) if each not in ended]
        ended += generation
    clients = [each.id for each in ended if each.kind is RevokedKind.CLIENT]
    await connection.execute(DELETE_CLIENTS, clients)
    return ended


async def adopt(connection: PoolConnectionProxy[asyncpg.Record], old: str, successor: str) -> None:
    """Have what one credential made end with another from now on: the one that took its place."""
    await connection.execute(ADOPT_KEYS, old, successor)
    await connection.execute(ADOPT_CLIENTS, old, successor)


async def _end_children(
    connection: PoolConnectionProxy[asyncpg.Record], parents: Sequence[Ended], at: datetime
) -> list[Ended]:
    subjects = [each.subject for each in parents]
    clients = [each.id for each in parents if each.kind is RevokedKind.CLIENT]
    keys = await connection.fetch(END_KEYS, subjects, at)
    made = await connection.fetch(HOLD_CLIENTS, subjects)
    grants = await connection.fetch(END_GRANTS_OF_CLIENTS, clients, at) if clients else []
    found = ((RevokedKind.KEY, keys), (RevokedKind.CLIENT, made), (RevokedKind.GRANT, grants))
    return [Ended(kind, row["id"]) for kind, rows in found for row in rows]
