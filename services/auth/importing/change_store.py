"""SQL that applies later changes of the source: what it said last, what is stored, and what is written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from services.auth.importing.field_merge import Told
from services.auth.shared.store.unit_of_work import Connection

READ_TOLD: Final = "SELECT id, told::text FROM auth.imported_rows WHERE source_id = $1 AND kind = $2"
HOLD_TOLD: Final = """
SELECT id, told::text FROM auth.imported_rows
WHERE source_id = $1 AND kind = $2 AND id = ANY($3::text[])
ORDER BY id
FOR UPDATE
"""
KEEP_TOLD: Final = """
UPDATE auth.imported_rows AS r SET told = given.told::jsonb
FROM unnest($3::text[], $4::text[]) AS given (id, told)
WHERE r.source_id = $1 AND r.kind = $2 AND r.id = given.id
"""

# What is over here stays over.
HOLD_ACCOUNTS: Final = """
SELECT id, email, tier, false AS is_rehashed FROM auth.users
WHERE id = ANY($1::text[]) AND deleted_at IS NULL
ORDER BY id
FOR NO KEY UPDATE
"""
HOLD_KEYS: Final = """
SELECT id, name, key_hash, expires_at, hash_kind <> 'sha256' AS is_rehashed FROM auth.api_keys
WHERE id = ANY($1::text[]) AND revoked_at IS NULL
ORDER BY id
FOR NO KEY UPDATE
"""
HOLD: Final = {"user": HOLD_ACCOUNTS, "key": HOLD_KEYS}

WRITE: Final = {
    # Nobody has shown yet that mail to the new address arrives.
    ("user", "email"): "UPDATE auth.users SET email = $2, email_verified_at = NULL WHERE id = $1",
    ("user", "tier"): "UPDATE auth.users SET tier = $2 WHERE id = $1",
    ("key", "name"): "UPDATE auth.api_keys SET name = $2 WHERE id = $1",
    ("key", "expires_at"): "UPDATE auth.api_keys SET expires_at = $2 WHERE id = $1",
    ("key", "key_hash"): """
        UPDATE auth.api_keys SET key_hash = $2, hash_kind = 'sha256', pepper_id = '', prefix = '', last_four = ''
        WHERE id = $1
    """,
}
# A row that auth is writing at this moment is skipped: it gets a later time from there.
TOUCH_KEYS: Final = """
WITH used AS (
    SELECT k.id, u.at
    FROM unnest($1::text[], $2::timestamptz[]) AS u (id, at) JOIN auth.api_keys AS k ON k.id = u.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < u.at
    FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE auth.api_keys AS k SET last_used_at = used.at FROM used WHERE k.id = used.id
"""

TOUCH_ACCOUNTS: Final = """
UPDATE auth.users AS u SET updated_at = changed.at
FROM unnest($1::text[], $2::timestamptz[]) AS changed (id, at)
WHERE u.id = changed.id AND u.updated_at < changed.at
"""

SHUT_ACCOUNT: Final = """
UPDATE auth.users SET disabled_at = $2, updated_at = $2
WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL AND password_hash IS NULL
RETURNING id
"""
OPEN_ACCOUNT: Final = "UPDATE auth.users SET disabled_at = NULL, updated_at = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Stored:
    """The stored row; `is_rehashed`: its hash was made in another way than the source's."""

    fields: Mapping[str, Any]
    is_rehashed: bool


async def read_told(connection: Connection, source_id: str, kind: str) -> dict[str, Told]:
    """Return what a source last said of its rows, by id."""
    return _told(await connection.fetch(READ_TOLD, source_id, kind))


async def hold_told(connection: Connection, source_id: str, kind: str, ids: Collection[str]) -> dict[str, Told]:
    """Return what a source last said of rows; nobody else follows them until the transaction ends."""
    return _told(await connection.fetch(HOLD_TOLD, source_id, kind, list(ids)))


async def keep_told(connection: Connection, source_id: str, kind: str, told: Mapping[str, Told]) -> None:
    """Keep what a source said."""
    await connection.execute(KEEP_TOLD, source_id, kind, list(told), [json.dumps(each) for each in told.values()])


async def stored(connection: Connection, kind: str, ids: Collection[str]) -> dict[str, Stored]:
    """Return what is stored of rows that are not over, and keep them so until the transaction ends."""
    rows = [dict(row) for row in await connection.fetch(HOLD[kind], list(ids))]
    return {row.pop("id"): Stored(row, row.pop("is_rehashed")) for row in rows}


async def write(connection: Connection, kind: str, id: str, field: str, value: Any) -> bool:
    """Write a field; False: another row has the value, and none may have it twice."""
    try:
        async with connection.transaction():
            await connection.execute(WRITE[kind, field], id, value)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def touch_keys(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Note when keys were used, where that is later than what is known."""
    await connection.execute(TOUCH_KEYS, list(used), list(used.values()))


async def touch_accounts(connection: Connection, changed: Mapping[str, datetime]) -> None:
    """Note when accounts were changed, where that is later than what is known."""
    await connection.execute(TOUCH_ACCOUNTS, list(changed), list(changed.values()))


async def shut_account(connection: Connection, id: str, at: datetime) -> bool:
    """Disable an account; False: it is already, or its owner has set a password here."""
    return await connection.fetchval(SHUT_ACCOUNT, id, at) is not None


async def open_account(connection: Connection, id: str, at: datetime) -> None:
    """Enable an account."""
    await connection.execute(OPEN_ACCOUNT, id, at)


def _told(rows: Collection[asyncpg.Record]) -> dict[str, Told]:
    return {row["id"]: json.loads(row["told"] or "{}") for row in rows}
