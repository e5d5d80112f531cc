"""Reads pages of accounts, and sets their tier."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.administration.domain.listed import ListedUser
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.unit_of_work import Connection, Pool

LIST_USERS: Final = """
SELECT u.id, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.name, u.tier, u.is_admin,
    u.disabled_at IS NOT NULL AS is_disabled, u.created_at, (
        SELECT count(*) FROM auth.api_keys AS k
        WHERE k.user_id = u.id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $4)
    ) AS live_keys
FROM auth.users AS u
WHERE u.deleted_at IS NULL
    AND ($1 = '' OR strpos(lower(u.email), lower($1)) > 0 OR u.id = $1)
    AND (u.created_at, u.id)
        < (CASE $2 WHEN '' THEN 'infinity' ELSE (SELECT l.created_at FROM auth.users AS l WHERE l.id = $2) END, $2)
ORDER BY u.created_at DESC, u.id DESC
LIMIT $3
"""
WAS_THERE: Final = "SELECT EXISTS (SELECT 1 FROM auth.users WHERE id = $1)"
# The tier before, for the audit log.
SET_TIER: Final = """
WITH before AS (SELECT id, tier FROM auth.users WHERE id = $1 AND deleted_at IS NULL FOR UPDATE)
UPDATE auth.users AS u SET tier = $2, updated_at = $3 FROM before WHERE u.id = before.id
RETURNING before.tier
"""


class PeopleStore:
    """Reads accounts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list_users(self, search: str, after_id: str, limit: int, now: datetime) -> list[ListedUser]:
        """Return up to `limit` accounts that the search fits, the newest first, from behind `after_id` on."""
        with database_errors():
            rows = await self._pool.fetch(LIST_USERS, search, after_id, limit, now)
        return [_listed(row) for row in rows]

    async def was_there(self, user_id: str) -> bool:
        """Tell whether there is such an account, or was one that is not forgotten yet."""
        with database_errors():
            return bool(await self._pool.fetchval(WAS_THERE, user_id))


def _listed(row: asyncpg.Record) -> ListedUser:
    return ListedUser(
        id=row["id"],
        email=row["email"],
        email_verified=row["email_verified"],
        name=row["name"],
        tier=Tier(row["tier"]),
        is_admin=row["is_admin"],
        is_disabled=row["is_disabled"],
        created_at=row["created_at"],
        live_keys=row["live_keys"],
    )


async def set_tier(connection: Connection, user_id: str, tier: Tier, at: datetime) -> Tier | None:
    """Give an account a tier; return the one that it had, None: there is no such account."""
    before = await connection.fetchval(SET_TIER, user_id, tier, at)
    return None if before is None else Tier(before)
