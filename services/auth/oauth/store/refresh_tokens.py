"""Table `oauth_refresh_tokens`: each token is exchanged for its successor once, in one statement."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from servicekit.postgres import database_errors, in_pieces, sql
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.store.grant_rows import GRANT_COLUMNS, grant_from_row
from services.auth.shared.store.unit_of_work import Connection, Pool

INSERT_REFRESH: Final = """
INSERT INTO auth.oauth_refresh_tokens (token_hash, grant_id, client_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5)
"""

# The grant is locked before the token: everything that ends a grant locks it first as well.
HOLD_GRANT_OF_REFRESH: Final = sql(
    """
SELECT {grant}
FROM auth.oauth_refresh_tokens AS t
JOIN auth.oauth_grants AS g ON g.id = t.grant_id
WHERE t.token_hash = $1 AND t.client_id = $2
FOR NO KEY UPDATE OF g
""",
    grant=GRANT_COLUMNS,
)

USE_REFRESH: Final = """
UPDATE auth.oauth_refresh_tokens
SET used_at = $2, successor_salt = $3
WHERE token_hash = $1 AND used_at IS NULL
RETURNING expires_at
"""

SALT_OF_USED: Final = """
SELECT successor_salt
FROM auth.oauth_refresh_tokens
WHERE token_hash = $1 AND used_at > $2
"""

IS_UNUSED: Final = """
SELECT EXISTS (SELECT FROM auth.oauth_refresh_tokens WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2)
"""

CLEAR_SALTS: Final = """
UPDATE auth.oauth_refresh_tokens
SET successor_salt = NULL
WHERE token_hash IN (
    SELECT token_hash
    FROM auth.oauth_refresh_tokens
    WHERE successor_salt IS NOT NULL AND used_at < $1
    ORDER BY used_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""

TOUCH_GRANT: Final = """
UPDATE auth.oauth_grants
SET last_used_at = $2, dpop_jkt = $3
WHERE id = $1
"""

FIND_REFRESH: Final = sql(
    """
SELECT t.client_id AS holder_id, t.used_at, t.expires_at AS token_expires_at, t.created_at AS token_created_at,
       {grant}
FROM auth.oauth_refresh_tokens AS t
JOIN auth.oauth_grants AS g ON g.id = t.grant_id
WHERE t.token_hash = $1
""",
    grant=GRANT_COLUMNS,
)

FORGET_REFRESH: Final = """
DELETE FROM auth.oauth_refresh_tokens
WHERE token_hash IN (
    SELECT token_hash
    FROM auth.oauth_refresh_tokens
    WHERE expires_at < $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class NewRefresh:
    """A refresh token to be stored: its hash, and how long it may stay unused."""

    token_hash: bytes
    idle: timedelta


async def insert_refresh(connection: Connection, grant: Grant, refresh: NewRefresh) -> None:
    """Store a refresh token of the grant; it never outlives the grant."""
    idle_end = grant.last_used_at + refresh.idle
    expires_at = idle_end if grant.expires_at is None else min(idle_end, grant.expires_at)
    await connection.execute(
        INSERT_REFRESH, refresh.token_hash, grant.id, grant.client_id, grant.last_used_at, expires_at
    )


async def hold_grant_of_refresh(connection: Connection, token_hash: bytes, client_id: str) -> Grant | None:
    """Return the grant of a client's refresh token; nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(HOLD_GRANT_OF_REFRESH, token_hash, client_id)
    return None if row is None else grant_from_row(row)


async def use_refresh(connection: Connection, token_hash: bytes, at: datetime, salt: bytes) -> datetime | None:
    """Use a refresh token up; return when its time is over, None when it was used before.

    `salt` is that of its successor, which can be told again for a while.
    """
    expires_at: datetime | None = await connection.fetchval(USE_REFRESH, token_hash, at, salt)
    return expires_at


async def salt_of_used(connection: Connection, token_hash: bytes, since: datetime) -> bytes | None:
    """Return the successor's salt of a refresh token that was used after this time."""
    salt: bytes | None = await connection.fetchval(SALT_OF_USED, token_hash, since)
    return salt


async def is_unused(connection: Connection, token_hash: bytes, at: datetime) -> bool:
    """Tell whether this refresh token has not been used and can still be."""
    return bool(await connection.fetchval(IS_UNUSED, token_hash, at))


async def touch_grant(connection: Connection, grant: Grant, at: datetime) -> Grant:
    """Note that the grant is used, and the key it is bound to; return it as it is now."""
    await connection.execute(TOUCH_GRANT, grant.id, at, grant.dpop_jkt)
    return dataclasses.replace(grant, last_used_at=at)


@dataclass(frozen=True, slots=True)
class StoredRefresh:
    """A stored refresh token."""

    client_id: str
    is_used: bool
    created_at: datetime
    expires_at: datetime
    grant: Grant

    def is_live(self, now: datetime) -> bool:
        """Tell whether it can be traded."""
        return not self.is_used and now < self.expires_at and self.grant.is_live(now)


class RefreshStore:
    """Refresh tokens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, token_hash: bytes) -> StoredRefresh | None:
        """Return a refresh token, whatever its state."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_REFRESH, token_hash)
        if row is None:
            return None
        return StoredRefresh(
            client_id=row["holder_id"],
            is_used=row["used_at"] is not None,
            created_at=row["token_created_at"],
            expires_at=row["token_expires_at"],
            grant=grant_from_row(row),
        )

    async def clear_salts(self, before: datetime) -> None:
        """Forget how to tell the successors of tokens that were used before this time."""
        with database_errors():
            await in_pieces(self._pool, CLEAR_SALTS, before)

    async def forget(self, before: datetime) -> None:
        """Delete tokens that nobody could use any more since long ago."""
        with database_errors():
            await in_pieces(self._pool, FORGET_REFRESH, before)
