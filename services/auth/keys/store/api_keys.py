"""Table `api_keys`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

from servicekit.errors import ErrorReason, NotFound
from servicekit.postgres import database_errors
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_hash import KeyHash
from services.auth.keys.domain.page import Cursor
from services.auth.keys.store.key_rows import HeldKey, held_key_from_row, key_from_row
from services.auth.shared.store.named_user import reading_rows_of
from services.auth.shared.store.unit_of_work import Connection, Pool

INSERT_KEY: Final = """
INSERT INTO auth.api_keys
    (id, lineage_id, user_id, key_hash, hash_kind, pepper_id, name, prefix, last_four, scopes, models, ip_allow_list,
     budget_micro_rub, budget_period, created_at, expires_at, makers, cache_ttl_s)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""

LIST_KEYS: Final = """
SELECT id, lineage_id, user_id, name, prefix, last_four, scopes, models, ip_allow_list, budget_micro_rub, budget_period,
       created_at, expires_at, last_used_at, revoked_at, makers, cache_ttl_s,
       auth.is_disabled('key:' || id) AS is_disabled
FROM auth.api_keys
WHERE user_id = $1
ORDER BY created_at DESC, id DESC
LIMIT $2
"""

LIST_KEYS_AFTER: Final = """
SELECT id, lineage_id, user_id, name, prefix, last_four, scopes, models, ip_allow_list, budget_micro_rub, budget_period,
       created_at, expires_at, last_used_at, revoked_at, makers, cache_ttl_s,
       auth.is_disabled('key:' || id) AS is_disabled
FROM auth.api_keys
WHERE user_id = $1 AND (created_at, id) < ($3, $4)
ORDER BY created_at DESC, id DESC
LIMIT $2
"""

# One query whatever becomes of the key, so that unknown and revoked keys take the same time.
FIND_KEY: Final = """
SELECT k.id, k.lineage_id, k.user_id, k.key_hash, k.hash_kind, k.pepper_id, k.name, k.prefix, k.last_four, k.scopes,
       k.models, k.ip_allow_list, k.budget_micro_rub, k.budget_period, k.created_at, k.expires_at, k.last_used_at,
       k.revoked_at, k.makers, k.cache_ttl_s, u.tier, u.is_admin, u.time_zone,
       auth.is_disabled('key:' || k.id) AS is_disabled,
       EXISTS (SELECT FROM auth.imported_rows AS i WHERE i.kind = 'key' AND i.id = k.lineage_id) AS is_imported
FROM auth.api_keys AS k
JOIN auth.users AS u ON u.id = k.user_id AND u.disabled_at IS NULL AND u.deleted_at IS NULL
WHERE k.key_hash = ANY($1::text[])
"""

FIND_KEY_BY_ID: Final = """
SELECT k.id, k.lineage_id, k.user_id, k.key_hash, k.hash_kind, k.pepper_id, k.name, k.prefix, k.last_four, k.scopes,
       k.models, k.ip_allow_list, k.budget_micro_rub, k.budget_period, k.created_at, k.expires_at, k.last_used_at,
       k.revoked_at, k.makers, k.cache_ttl_s, u.tier, u.is_admin, u.time_zone,
       auth.is_disabled('key:' || k.id) AS is_disabled,
       EXISTS (SELECT FROM auth.imported_rows AS i WHERE i.kind = 'key' AND i.id = k.lineage_id) AS is_imported
FROM auth.api_keys AS k
JOIN auth.users AS u ON u.id = k.user_id AND u.disabled_at IS NULL AND u.deleted_at IS NULL
WHERE k.id = $1 AND k.user_id = $2
"""

COUNT_LIVE_KEYS: Final = """
SELECT count(*)
FROM auth.api_keys
WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
"""

REVOKE_KEY: Final = """
UPDATE auth.api_keys
SET revoked_at = $3
WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL
"""

# Returns the row as it was: the successor inherits its own end, not the overlap's. LEAST passes over NULL.
SHORTEN_KEY: Final = """
WITH old AS (
    SELECT id, lineage_id, user_id, name, prefix, last_four, scopes, models, ip_allow_list, budget_micro_rub,
           budget_period, created_at, expires_at, last_used_at, revoked_at, makers, cache_ttl_s, false AS is_disabled
    FROM auth.api_keys
    WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
      AND NOT auth.is_disabled('key:' || id)
    FOR NO KEY UPDATE
)
UPDATE auth.api_keys AS k
SET expires_at = LEAST(k.expires_at, $4)
FROM old
WHERE k.id = old.id
RETURNING old.*
"""

# Held until it is changed: of two who change it, the second sees what the first made of it.
HOLD_KEY: Final = """
SELECT id, lineage_id, user_id, name, prefix, last_four, scopes, models, ip_allow_list, budget_micro_rub, budget_period,
       created_at, expires_at, last_used_at, revoked_at, makers, cache_ttl_s,
       auth.is_disabled('key:' || id) AS is_disabled
FROM auth.api_keys
WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
FOR NO KEY UPDATE
"""

UPDATE_KEY: Final = """
UPDATE auth.api_keys
SET name = $2, scopes = $3, models = $4, ip_allow_list = $5, expires_at = $6, cache_ttl_s = $7
WHERE id = $1
"""

FIND_REVOKED_AT: Final = """
SELECT revoked_at
FROM auth.api_keys
WHERE id = $1 AND user_id = $2
"""

REHASH_KEY: Final = """
UPDATE auth.api_keys
SET key_hash = $3, hash_kind = $4, pepper_id = $5, prefix = $6, last_four = $7
WHERE id = $1 AND key_hash = $2
"""

# A row that another replica is writing at this moment is skipped: it gets the same second from there, and two
# replicas that write the same keys in different orders cannot block each other.
TOUCH_KEYS: Final = """
WITH used AS (
    SELECT k.id, u.at
    FROM unnest($1::text[], $2::timestamptz[]) AS u (id, at)
    JOIN auth.api_keys AS k ON k.id = u.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < u.at
    FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE auth.api_keys AS k
SET last_used_at = used.at
FROM used
WHERE k.id = used.id
"""

COUNT_BY_PEPPER: Final = """
SELECT pepper_id, count(*) AS keys
FROM auth.api_keys
WHERE revoked_at IS NULL
GROUP BY pepper_id
"""


async def insert_key(connection: Connection, key: ApiKey, stored: KeyHash) -> None:
    """Store a new key.

    Raises:
        NotFound: there is no such user.
    """
    try:
        await connection.execute(INSERT_KEY, *_values(key, stored))
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id") from exc


async def count_live_keys(connection: Connection, user_id: str, at: datetime) -> int:
    """Return how many keys of a user work."""
    count: int = await connection.fetchval(COUNT_LIVE_KEYS, user_id, at)
    return count


async def shorten_key(
    connection: Connection, user_id: str, key_id: str, *, at: datetime, ends_at: datetime
) -> ApiKey | None:
    """Have a live key end at `ends_at`, unless it would earlier; return it as it was. None: the user has none such."""
    row = await connection.fetchrow(SHORTEN_KEY, key_id, user_id, at, ends_at)
    return None if row is None else key_from_row(row)


async def hold_key(connection: Connection, user_id: str, key_id: str, at: datetime) -> ApiKey | None:
    """Return a live key that nobody else changes until the commit; None: the user has none such."""
    row = await connection.fetchrow(HOLD_KEY, key_id, user_id, at)
    return None if row is None else key_from_row(row)


async def update_key(connection: Connection, key: ApiKey) -> None:
    """Store what a key may do."""
    lists = (sorted(key.scopes), list(key.models), list(key.ip_allow_list))
    await connection.execute(UPDATE_KEY, key.id, key.name, *lists, key.expires_at, key.cache_ttl_s)


async def revoke_key(connection: Connection, user_id: str, key_id: str, at: datetime) -> bool:
    """End a user's key; tell whether there was one that was not ended."""
    return bool(await connection.execute(REVOKE_KEY, key_id, user_id, at) == "UPDATE 1")


async def find_revoked_at(connection: Connection, user_id: str, key_id: str) -> datetime | None:
    """Return since when a user's key is revoked; None also when there is no such key."""
    revoked_at: datetime | None = await connection.fetchval(FIND_REVOKED_AT, key_id, user_id)
    return revoked_at


async def rehash_key(connection: Connection, held: HeldKey, new: KeyHash, shown: tuple[str, str]) -> bool:
    """Store the key under a new hash; tell whether it was still to be done."""
    row = (held.key.id, held.stored.digest, new.digest, new.kind, new.pepper_id, *shown)
    return bool(await connection.execute(REHASH_KEY, *row) == "UPDATE 1")


class KeyStore:
    """API keys."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list_page(self, user_id: str, after: Cursor | None, limit: int) -> list[ApiKey]:
        """Return up to `limit` keys of a user, newest first, from behind the cursor on."""
        async with reading_rows_of(self._pool, user_id) as connection:
            if after is None:
                rows = await connection.fetch(LIST_KEYS, user_id, limit)
            else:
                rows = await connection.fetch(LIST_KEYS_AFTER, user_id, limit, after.created_at, after.id)
        return [key_from_row(row) for row in rows]

    async def find(self, digests: Sequence[str]) -> HeldKey | None:
        """Return the key that is stored under one of the digests, whatever its state."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_KEY, digests)
        return None if row is None else held_key_from_row(row)

    async def find_by_id(self, user_id: str, key_id: str) -> HeldKey | None:
        """Return a user's key, whatever its state."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_KEY_BY_ID, key_id, user_id)
        return None if row is None else held_key_from_row(row)

    async def touch(self, used_at: Mapping[str, datetime]) -> None:
        """Note when keys were last used; an older time than the stored one changes nothing."""
        with database_errors():
            await self._pool.execute(TOUCH_KEYS, list(used_at), list(used_at.values()))

    async def count_by_pepper(self) -> dict[str, int]:
        """Return how many keys that are not revoked are stored under each pepper; "" is release 1.0's hash."""
        with database_errors():
            rows = await self._pool.fetch(COUNT_BY_PEPPER)
        return {row["pepper_id"]: row["keys"] for row in rows}


def _values(key: ApiKey, stored: KeyHash) -> tuple[Any, ...]:
    row = (key.id, key.lineage_id, key.user_id, stored.digest, stored.kind, stored.pepper_id)
    shown = (key.name, key.prefix, key.last_four)
    lists = (sorted(key.scopes), list(key.models), list(key.ip_allow_list))
    budget = (key.budget.limit_micro_rub, key.budget.period) if key.budget else (None, None)
    return (*row, *shown, *lists, *budget, key.created_at, key.expires_at, list(key.makers), key.cache_ttl_s)
