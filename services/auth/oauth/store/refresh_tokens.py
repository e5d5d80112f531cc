"""Table `oauth_refresh_tokens`: each is traded once, in one statement, for its successor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from servicekit.failpoints import failpoint
from servicekit.postgres import database_errors
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.store.grant_rows import end_grants, grant_from_row
from services.auth.shared.domain.audit import AuditEvent
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.store.audit_log import append_event
from services.auth.shared.store.transactions import Connection, Pool, in_transaction

INSERT_REFRESH: Final = """
INSERT INTO auth.oauth_refresh_tokens (token_hash, grant_id, client_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5)
"""

# The grant is locked before the token: everything that ends a grant locks it first as well.
HOLD_GRANT_OF_REFRESH: Final = """
SELECT g.id, g.kind, g.client_id, g.user_id, g.consent_id, g.scopes, g.models, g.budget_micro_rub, g.budget_period,
       g.session_id, g.authenticated_at, g.created_at, g.expires_at, g.last_used_at, g.revoked_at
FROM auth.oauth_refresh_tokens AS t
JOIN auth.oauth_grants AS g ON g.id = t.grant_id
WHERE t.token_hash = $1 AND t.client_id = $2
FOR NO KEY UPDATE OF g
"""

USE_REFRESH: Final = """
UPDATE auth.oauth_refresh_tokens
SET used_at = $2
WHERE token_hash = $1 AND used_at IS NULL
RETURNING expires_at
"""

TOUCH_GRANT: Final = """
UPDATE auth.oauth_grants
SET last_used_at = $2
WHERE id = $1
"""

FIND_REFRESH: Final = """
SELECT t.client_id AS holder_id, t.used_at, t.expires_at AS token_expires_at, t.created_at AS token_created_at,
       g.id, g.kind, g.client_id, g.user_id, g.consent_id, g.scopes, g.models, g.budget_micro_rub, g.budget_period,
       g.session_id, g.authenticated_at, g.created_at, g.expires_at, g.last_used_at, g.revoked_at
FROM auth.oauth_refresh_tokens AS t
JOIN auth.oauth_grants AS g ON g.id = t.grant_id
WHERE t.token_hash = $1
"""

FORGET_REFRESH: Final = """
DELETE FROM auth.oauth_refresh_tokens
WHERE expires_at < $1
"""


@dataclass(frozen=True, slots=True)
class NewRefresh:
    """A refresh token to be stored: its hash, and how long it may lie unused."""

    token_hash: bytes
    idle: timedelta


async def insert_refresh(connection: Connection, grant: Grant, refresh: NewRefresh) -> None:
    """Store a refresh token of the grant; it never outlives the grant."""
    idle_end = grant.last_used_at + refresh.idle
    expires_at = idle_end if grant.expires_at is None else min(idle_end, grant.expires_at)
    await connection.execute(
        INSERT_REFRESH, refresh.token_hash, grant.id, grant.client_id, grant.last_used_at, expires_at
    )


@dataclass(frozen=True, slots=True)
class Rotation:
    """An attempt to trade a refresh token.

    Args:
        token_hash: of what was presented.
        client_id: who presents it.
        at: when.
        check: refuses a grant or a scope; then the token stays as it was.
        successor: what takes its place.
        event_of: what the audit log says of the success.
    """

    token_hash: bytes
    client_id: str
    at: datetime
    check: Callable[[Grant], object]
    successor: NewRefresh
    event_of: Callable[[Grant], AuditEvent]


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token was traded."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Reused:
    """The token had been traded before: the grant is over."""

    grant: Grant
    revocations: list[Revocation]


@dataclass(frozen=True, slots=True)
class StoredRefresh:
    """A refresh token as it is known."""

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

    async def rotate(
        self, rotation: Rotation, reuse_event: Callable[[Grant], AuditEvent], until: datetime
    ) -> Rotated | Reused | None:
        """Trade a token for its successor; None: this client has no such token, or it lay unused for too long.

        Raises:
            OAuthRefusal: what `check` raised.
        """

        async def work(connection: Connection) -> Rotated | Reused | None:
            row = await connection.fetchrow(HOLD_GRANT_OF_REFRESH, rotation.token_hash, rotation.client_id)
            if row is None:
                return None
            grant = grant_from_row(row)
            used = await connection.fetchrow(USE_REFRESH, rotation.token_hash, rotation.at)
            if used is None:
                revocations = await end_grants(connection, [grant.id], rotation.at, until)
                await append_event(connection, reuse_event(grant))
                return Reused(grant, revocations)
            if used["expires_at"] <= rotation.at:
                return None
            rotation.check(grant)
            await connection.execute(TOUCH_GRANT, grant.id, rotation.at)
            grant = _used(grant, rotation.at)
            await insert_refresh(connection, grant, rotation.successor)
            await append_event(connection, rotation.event_of(grant))
            failpoint("auth.refresh_rotated_before_commit")
            return Rotated(grant)

        outcome = await in_transaction(self._pool, work)
        failpoint("auth.refresh_rotated")
        return outcome

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

    async def forget(self, before: datetime) -> None:
        """Delete tokens that nobody could use any more since long ago."""
        with database_errors():
            await self._pool.execute(FORGET_REFRESH, before)


def _used(grant: Grant, at: datetime) -> Grant:
    return dataclasses.replace(grant, last_used_at=at)
