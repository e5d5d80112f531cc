"""Table `oauth_grants`: found, listed, ended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from servicekit.failpoints import failpoint
from servicekit.postgres import database_errors
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant, GrantKind
from services.auth.oauth.store.clients import client_from_row
from services.auth.oauth.store.grant_rows import allowance_columns, end_grants, grant_from_row, insert_grant
from services.auth.oauth.store.refresh_tokens import NewRefresh, insert_refresh
from services.auth.shared.domain.audit import AuditEvent
from services.auth.shared.domain.revocation import Revocation, RevokedKind
from services.auth.shared.domain.scope import Scope
from services.auth.shared.store.audit_log import append_event
from services.auth.shared.store.revocations import insert_revocation
from services.auth.shared.store.transactions import Connection, Pool, in_transaction

FIND_GRANT: Final = """
SELECT id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
       authenticated_at, created_at, expires_at, last_used_at, revoked_at
FROM auth.oauth_grants
WHERE id = $1
"""

# What a user let in: not what a client does in its own name.
LIST_GRANTS: Final = """
SELECT id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
       authenticated_at, created_at, expires_at, last_used_at, revoked_at
FROM auth.oauth_grants
WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) AND kind <> 'client_credentials'
ORDER BY created_at DESC, id DESC
LIMIT 1000
"""

CLIENTS_OF_GRANTS: Final = """
SELECT id, owner_user_id, name, secret_hash, auth_methods, redirect_uris, scopes, grant_types, client_uri, created_at
FROM auth.oauth_clients
WHERE id = ANY($1::text[])
"""

FIND_CONSENT: Final = """
SELECT id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
       authenticated_at, created_at, expires_at, last_used_at, revoked_at
FROM auth.oauth_grants
WHERE user_id = $1 AND client_id = $2 AND kind = 'authorization_code' AND scopes @> $3::text[]
  AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $4)
ORDER BY created_at DESC, id DESC
LIMIT 1
"""

IDS_OF_CONSENT: Final = """
SELECT g.id
FROM auth.oauth_grants AS g
JOIN auth.oauth_grants AS named ON named.consent_id = g.consent_id
WHERE named.id = $1 AND named.user_id = $2 AND g.user_id = $2
"""

STAND: Final = """
INSERT INTO auth.oauth_grants
    (id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
     authenticated_at, created_at, expires_at, last_used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, $10, NULL, $10)
ON CONFLICT (client_id, user_id, kind) WHERE kind IN ('client_credentials', 'token_exchange') AND revoked_at IS NULL
DO UPDATE SET last_used_at = excluded.last_used_at, scopes = excluded.scopes
RETURNING id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
          authenticated_at, created_at, expires_at, last_used_at, revoked_at
"""

LAST_ENDED: Final = """
SELECT max(revoked_at)
FROM auth.oauth_grants
WHERE user_id = $1 AND kind = $2
"""

IS_REVOKED: Final = """
SELECT EXISTS (SELECT FROM auth.revocations WHERE kind = $1 AND subject_id = $2 AND until > $3)
"""

FORGET_GRANTS: Final = """
DELETE FROM auth.oauth_grants
WHERE kind IN ('authorization_code', 'device_code') AND (revoked_at < $1 OR expires_at < $1)
"""


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
        with database_errors():
            grants = [grant_from_row(row) for row in await self._pool.fetch(LIST_GRANTS, user_id, now)]
            rows = await self._pool.fetch(CLIENTS_OF_GRANTS, [grant.client_id for grant in grants])
        clients = {row["id"]: client_from_row(row) for row in rows}
        return [(grant, clients[grant.client_id]) for grant in grants if grant.client_id in clients]

    async def find_consent(self, user_id: str, client_id: str, scopes: frozenset[Scope], now: datetime) -> Grant | None:
        """Return a live grant by which the user allowed the client at least these scopes."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_CONSENT, user_id, client_id, sorted(scopes), now)
        return None if row is None else grant_from_row(row)

    async def insert(self, grant: Grant, refresh: NewRefresh | None, event: AuditEvent) -> bool:
        """Store a grant with its first refresh token; tell whether it is new and its client and user exist."""

        async def work(connection: Connection) -> None:
            await insert_grant(connection, grant)
            if refresh is not None:
                await insert_refresh(connection, grant, refresh)
            await append_event(connection, event)

        try:
            await in_transaction(self._pool, work)
        except (asyncpg.ForeignKeyViolationError, asyncpg.UniqueViolationError):
            return False
        failpoint("auth.device_redeemed")
        return True

    async def stand(self, grant: Grant, event: AuditEvent) -> Grant | None:
        """Return the one standing grant of this kind, client and user, made now if there is none.

        None: the client or the user is gone.
        """
        columns = allowance_columns(grant.allowance)
        row = (grant.id, grant.kind, grant.client_id, grant.user_id, grant.consent_id, *columns, grant.created_at)

        async def work(connection: Connection) -> Grant:
            standing = await connection.fetchrow(STAND, *row)
            assert standing is not None
            await append_event(connection, event)
            return grant_from_row(standing)

        try:
            return await in_transaction(self._pool, work)
        except asyncpg.ForeignKeyViolationError:
            return None

    async def last_ended(self, user_id: str, kind: GrantKind) -> datetime | None:
        """Return when a grant of this kind was last ended."""
        with database_errors():
            ended: datetime | None = await self._pool.fetchval(LAST_ENDED, user_id, kind)
        return ended

    async def end_one(self, grant_id: str, event: AuditEvent, until: datetime) -> list[Revocation]:
        """End one grant with all its tokens; nothing when it is over already."""

        async def work(connection: Connection) -> list[Revocation]:
            revocations = await end_grants(connection, [grant_id], event.at, until)
            if revocations:
                await append_event(connection, event)
            return revocations

        return await in_transaction(self._pool, work)

    async def end_consent(
        self, user_id: str, grant_id: str, event: AuditEvent, until: datetime
    ) -> list[Revocation] | None:
        """End what a user allowed with this grant, and what came of it without asking; None: no such grant."""

        async def work(connection: Connection) -> list[Revocation] | None:
            found = [row["id"] for row in await connection.fetch(IDS_OF_CONSENT, grant_id, user_id)]
            revocations = await end_grants(connection, found, event.at, until)
            if revocations:
                await append_event(connection, event)
            return revocations if found else None

        return await in_transaction(self._pool, work)

    async def end_token(self, jti: str, event: AuditEvent, until: datetime) -> Revocation | None:
        """End one access token; None when it is ended already."""

        async def work(connection: Connection) -> Revocation | None:
            if await connection.fetchval(IS_REVOKED, RevokedKind.TOKEN, jti, event.at):
                return None
            revocation = await insert_revocation(connection, RevokedKind.TOKEN, jti, event.at, until)
            await append_event(connection, event)
            return revocation

        return await in_transaction(self._pool, work)

    async def is_token_revoked(self, jti: str, now: datetime) -> bool:
        """Tell whether this access token was ended by itself."""
        with database_errors():
            return bool(await self._pool.fetchval(IS_REVOKED, RevokedKind.TOKEN, jti, now))

    async def forget(self, before: datetime) -> None:
        """Delete grants that were over before this time, with their tokens."""
        with database_errors():
            await self._pool.execute(FORGET_GRANTS, before)
