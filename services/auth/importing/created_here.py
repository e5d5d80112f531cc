"""Accounts and keys created, and imported keys revoked, since an import began: what a return to the source needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.postgres import database_errors
from services.auth.shared.store.unit_of_work import Pool

BEGAN_AT: Final = "SELECT began_at FROM auth.imports WHERE source_id = $1"
ACCOUNTS: Final = """
SELECT u.id, u.email, u.created_at, u.updated_at FROM auth.users AS u
WHERE u.created_at >= $1 AND u.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM auth.imported_rows AS r WHERE r.kind = 'user' AND r.id = u.id)
ORDER BY u.created_at, u.id
"""
KEYS: Final = """
SELECT k.id FROM auth.api_keys AS k
WHERE k.created_at >= $1 AND k.revoked_at IS NULL
    AND NOT EXISTS (SELECT FROM auth.imported_rows AS r WHERE r.kind = 'key' AND r.id = k.id)
ORDER BY k.created_at, k.id
"""
ENDED: Final = """
SELECT r.source_row, k.revoked_at FROM auth.api_keys AS k
JOIN auth.imported_rows AS r ON r.kind = 'key' AND r.id = k.id
WHERE r.source_id = $1 AND k.revoked_at IS NOT NULL
ORDER BY r.source_row
"""


@dataclass(frozen=True, slots=True)
class CreatedAccount:
    """An account that was not imported."""

    id: str
    email: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CreatedHere:
    """What this installation has and the source of the import has not.

    Attributes:
        since: when the import began.
        keys: ids of keys created here; the source cannot verify them, because it hashes secrets differently.
        ended: rows of imported keys that were revoked here, and when.
    """

    since: datetime
    accounts: Sequence[CreatedAccount]
    keys: Sequence[str]
    ended: Sequence[tuple[str, datetime]]


async def find_created_here(pool: Pool, source_id: str) -> CreatedHere | None:
    """Return what was created since the import of a source began; None if it was never imported.

    Raises:
        Unavailable: the database cannot be used now.
    """
    with database_errors():
        async with pool.acquire() as connection:
            since = await connection.fetchval(BEGAN_AT, source_id)
            if since is None:
                return None
            accounts = [CreatedAccount(*row) for row in await connection.fetch(ACCOUNTS, since)]
            keys = [row["id"] for row in await connection.fetch(KEYS, since)]
            ended = [(row["source_row"], row["revoked_at"]) for row in await connection.fetch(ENDED, source_id)]
    return CreatedHere(since, accounts, keys, ended)
