"""Table `oauth_codes`: a code is used once, in one statement, and its row stays as a tombstone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.failpoints import failpoint
from services.auth.oauth.domain.code import AuthorizationCode
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.store.grant_rows import allowance_columns, allowance_from_row, end_grants, insert_grant
from services.auth.oauth.store.refresh_tokens import NewRefresh, insert_refresh
from services.auth.shared.domain.audit import AuditEvent
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.store.audit_log import append_event
from services.auth.shared.store.transactions import Connection, Pool, in_transaction

INSERT_CODE: Final = """
INSERT INTO auth.oauth_codes
    (code_hash, client_id, user_id, grant_id, consent_id, redirect_uri, code_challenge, scopes, models,
     budget_micro_rub, budget_period, nonce, session_id, authenticated_at, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

# One statement decides between any number of redemptions: the row's lock lets one through, and the others, which
# waited for it, find it used.
USE_CODE: Final = """
UPDATE auth.oauth_codes
SET used_at = $3
WHERE code_hash = $1 AND client_id = $2 AND used_at IS NULL
RETURNING client_id, user_id, grant_id, consent_id, redirect_uri, code_challenge, scopes, models, budget_micro_rub,
          budget_period, nonce, session_id, authenticated_at, created_at, expires_at
"""

FIND_USED_CODE: Final = """
SELECT grant_id, user_id
FROM auth.oauth_codes
WHERE code_hash = $1 AND client_id = $2 AND used_at IS NOT NULL
"""

FORGET_CODES: Final = """
DELETE FROM auth.oauth_codes AS c
WHERE c.expires_at < $1
  AND NOT EXISTS (SELECT FROM auth.oauth_grants AS g WHERE g.id = c.grant_id AND g.revoked_at IS NULL)
"""

# Two statements' worth of locks in the order in which a deletion takes them: applications and users first.
HOLD_PARTIES: Final = """
SELECT c.id
FROM auth.oauth_codes AS k
JOIN auth.oauth_clients AS c ON c.id = k.client_id
JOIN auth.users AS u ON u.id = k.user_id
WHERE k.code_hash = $1
FOR KEY SHARE OF c, u
"""


@dataclass(frozen=True, slots=True)
class Redemption:
    """An attempt to redeem a code.

    Args:
        code_hash: of what was presented.
        client_id: who presents it.
        at: when.
        check: refuses a code that does not fit; then the code stays as it was.
        make_grant: what the code becomes.
        refresh: the first refresh token; None when the client gets none.
        event_of: what the audit log says of the success.
    """

    code_hash: bytes
    client_id: str
    at: datetime
    check: Callable[[AuthorizationCode], None]
    make_grant: Callable[[AuthorizationCode], Grant]
    refresh: NewRefresh | None
    event_of: Callable[[Grant], AuditEvent]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The first use of a code."""

    grant: Grant
    nonce: str | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """Another use of a used code: what it ended."""

    revocations: list[Revocation]


class CodeStore:
    """Authorization codes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(self, code_hash: bytes, code: AuthorizationCode, event: AuditEvent) -> bool:
        """Store a new code; tell whether its client and user still exist."""

        async def work(connection: Connection) -> None:
            await connection.execute(
                INSERT_CODE,
                *(code_hash, code.client_id, code.user_id, code.grant_id, code.consent_id, code.redirect_uri),
                *(code.code_challenge, *allowance_columns(code.allowance), code.nonce, code.session_id),
                *(code.authenticated_at, code.created_at, code.expires_at),
            )
            await append_event(connection, event)

        try:
            await in_transaction(self._pool, work)
        except asyncpg.ForeignKeyViolationError:
            return False
        return True

    async def redeem(
        self, redemption: Redemption, replay_event: Callable[[str], AuditEvent], until: datetime
    ) -> Redeemed | Replayed | None:
        """Use a code: the use, the grant and the first refresh token become durable together, or not at all.

        None: this client has no such code. A replay ends the grant, if the client is the one that had the code:
        otherwise a leaked code could be used to log its owner out.

        Raises:
            OAuthRefusal: what `check` raised.
        """

        async def work(connection: Connection) -> Redeemed | Replayed | None:
            await connection.execute(HOLD_PARTIES, redemption.code_hash)
            row = await connection.fetchrow(USE_CODE, redemption.code_hash, redemption.client_id, redemption.at)
            if row is None:
                return await self._replayed(connection, redemption, replay_event, until)
            code = code_from_row(row)
            redemption.check(code)
            grant = redemption.make_grant(code)
            await insert_grant(connection, grant)
            if redemption.refresh is not None:
                await insert_refresh(connection, grant, redemption.refresh)
            await append_event(connection, redemption.event_of(grant))
            failpoint("auth.code_redeemed_before_commit")
            return Redeemed(grant, code.nonce)

        outcome = await in_transaction(self._pool, work)
        failpoint("auth.code_redeemed")
        return outcome

    async def _replayed(
        self,
        connection: Connection,
        redemption: Redemption,
        event_of: Callable[[str], AuditEvent],
        until: datetime,
    ) -> Replayed | None:
        used = await connection.fetchrow(FIND_USED_CODE, redemption.code_hash, redemption.client_id)
        if used is None:
            return None
        revocations = await end_grants(connection, [used["grant_id"]], redemption.at, until)
        await append_event(connection, event_of(used["grant_id"]))
        return Replayed(revocations)

    async def forget(self, before: datetime) -> None:
        """Delete codes that expired long ago and whose grant is over: their replay has nothing left to end."""

        async def work(connection: Connection) -> None:
            await connection.execute(FORGET_CODES, before)

        await in_transaction(self._pool, work)


def code_from_row(row: asyncpg.Record) -> AuthorizationCode:
    """Return the code that a row holds."""
    return AuthorizationCode(
        client_id=row["client_id"],
        user_id=row["user_id"],
        grant_id=row["grant_id"],
        consent_id=row["consent_id"],
        redirect_uri=row["redirect_uri"],
        code_challenge=row["code_challenge"],
        allowance=allowance_from_row(row),
        nonce=row["nonce"],
        session_id=row["session_id"],
        authenticated_at=row["authenticated_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
