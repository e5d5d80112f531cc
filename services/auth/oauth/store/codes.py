"""Table `oauth_codes`: a code is used once, in one statement, and its row stays as a tombstone."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors, in_pieces
from services.auth.oauth.domain.code import AuthorizationCode
from services.auth.oauth.domain.grant import PartyGone
from services.auth.oauth.store.grant_rows import allowance_columns, allowance_from_row
from services.auth.oauth.store.parties import existing_parties, hold_epoch, is_barred
from services.auth.shared.store.unit_of_work import Connection, Pool

INSERT_CODE: Final = """
INSERT INTO auth.oauth_codes
    (code_hash, client_id, user_id, grant_id, consent_id, redirect_uri, code_challenge, scopes, models,
     budget_micro_rub, budget_period, nonce, session_id, authenticated_at, created_at, expires_at, dpop_jkt, amr)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""

# One statement decides between any number of redemptions: the row's lock lets one through, and the others, which
# waited for it, find it used.
USE_CODE: Final = """
UPDATE auth.oauth_codes
SET used_at = $3
WHERE code_hash = $1 AND client_id = $2 AND used_at IS NULL
RETURNING client_id, user_id, grant_id, consent_id, redirect_uri, code_challenge, scopes, models, budget_micro_rub,
          budget_period, nonce, session_id, authenticated_at, created_at, expires_at, dpop_jkt, amr
"""

FIND_USED_CODE: Final = """
SELECT grant_id
FROM auth.oauth_codes
WHERE code_hash = $1 AND client_id = $2 AND used_at IS NOT NULL
"""

FORGET_CODES: Final = """
DELETE FROM auth.oauth_codes
WHERE code_hash IN (
    SELECT code_hash
    FROM auth.oauth_codes AS c
    WHERE expires_at < $1
        AND NOT EXISTS (SELECT FROM auth.oauth_grants AS g WHERE g.id = c.grant_id AND g.revoked_at IS NULL)
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
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


async def insert_code(connection: Connection, code_hash: bytes, code: AuthorizationCode, *, epoch: int | None) -> None:
    """Store a new code, given in a session of this epoch.

    Raises:
        PartyGone: its client or user does not exist any more, another password was set, or an administrator stands
            between them.
    """
    if not await hold_epoch(connection, code.user_id, epoch):
        raise PartyGone
    if await is_barred(connection, code.client_id, code.user_id):
        raise PartyGone
    with existing_parties():
        await connection.execute(
            INSERT_CODE,
            *(code_hash, code.client_id, code.user_id, code.grant_id, code.consent_id, code.redirect_uri),
            *(code.code_challenge, *allowance_columns(code.allowance), code.nonce, code.session_id),
            *(code.authenticated_at, code.created_at, code.expires_at, code.dpop_jkt, list(code.methods)),
        )


async def use_code(connection: Connection, code_hash: bytes, client_id: str, at: datetime) -> AuthorizationCode | None:
    """Use a code up; None: this client has no such code, or it was used before."""
    await connection.execute(HOLD_PARTIES, code_hash)
    row = await connection.fetchrow(USE_CODE, code_hash, client_id, at)
    return None if row is None else code_from_row(row)


async def grant_of_used_code(connection: Connection, code_hash: bytes, client_id: str) -> str | None:
    """Return the id of the grant that this client got for a code it used before."""
    grant_id: str | None = await connection.fetchval(FIND_USED_CODE, code_hash, client_id)
    return grant_id


class CodeStore:
    """Authorization codes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def forget(self, before: datetime) -> None:
        """Delete codes that expired long ago and whose grant is over: their replay has nothing left to end."""
        with database_errors():
            await in_pieces(self._pool, FORGET_CODES, before)


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
        dpop_jkt=row["dpop_jkt"],
        methods=tuple(row["amr"]),
    )
