"""Table `mailed_tokens`: single-use tokens that expire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors, in_pieces
from services.auth.accounts.domain.mail import TOKEN_LIFE, Mail, MailedToken, TokenPurpose
from services.auth.shared.store.unit_of_work import Connection, Pool

# Sending a mail again makes its earlier token worthless; one that was used is not made fresh. A mail that was taken
# back while it was being written gets none: it is held until its token is there for whoever takes both back.
PUT_TOKEN: Final = """
WITH held AS (
    SELECT id
    FROM auth.mails
    WHERE id = $2
    FOR KEY SHARE
)
INSERT INTO auth.mailed_tokens
    (token_hash, mail_id, purpose, email, user_id, language, name, password_hash, created_at, expires_at)
SELECT $1, id, $3, $4, $5, $6, $7, $8, $9, $10
FROM held
ON CONFLICT (mail_id) DO UPDATE
SET token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE mailed_tokens.used_at IS NULL
"""

FIND_TOKEN: Final = """
SELECT purpose, email, language, user_id, name, password_hash
FROM auth.mailed_tokens
WHERE token_hash = $1 AND purpose = ANY($2::text[]) AND used_at IS NULL AND expires_at > $3
"""

# One statement finds and uses it: of any number of uses at once one succeeds.
USE_TOKEN: Final = """
UPDATE auth.mailed_tokens
SET used_at = $3
WHERE token_hash = $1 AND purpose = ANY($2::text[]) AND used_at IS NULL AND expires_at > $3
RETURNING purpose, email, language, user_id, name, password_hash
"""

# What waits to be sent would get a token afterwards, and again with each attempt. Before the tokens, so that none is
# made meanwhile.
TAKE_MAILS_BACK: Final = """
DELETE FROM auth.mails
WHERE user_id = $1 AND kind = 'email_change' AND sent_at IS NULL
"""

END_TOKENS_OF_USER: Final = """
DELETE FROM auth.mailed_tokens
WHERE user_id = $1 AND used_at IS NULL
"""

END_REGISTRATIONS: Final = """
DELETE FROM auth.mailed_tokens
WHERE lower(email) = lower($1) AND purpose = 'register' AND used_at IS NULL
"""

FORGET_TOKENS: Final = """
DELETE FROM auth.mailed_tokens
WHERE token_hash IN (
    SELECT token_hash
    FROM auth.mailed_tokens
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


class MailedTokenStore:
    """Tokens in mails."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, digest: bytes, purpose: TokenPurpose, mail: Mail, user_id: str | None, now: datetime) -> bool:
        """Store a mail's token; False: the mail was taken back, or its token was used already."""
        about = mail.content
        expires_at = now + TOKEN_LIFE[purpose]
        row = (digest, mail.id, purpose, about.email, user_id, about.language, about.name, about.password_hash)
        with database_errors():
            return bool(await self._pool.execute(PUT_TOKEN, *row, now, expires_at) == "INSERT 0 1")

    async def find(self, digest: bytes, purposes: Sequence[TokenPurpose], now: datetime) -> MailedToken | None:
        """Return what a token that can still be used says."""
        with database_errors():
            return _from_row(await self._pool.fetchrow(FIND_TOKEN, digest, purposes, now))

    async def forget_over(self, now: datetime) -> None:
        """Delete tokens whose time is over."""
        with database_errors():
            await in_pieces(self._pool, FORGET_TOKENS, now)


async def use_token(
    connection: Connection, digest: bytes, purposes: Sequence[TokenPurpose], now: datetime
) -> MailedToken | None:
    """Use a token up; None when it cannot be used."""
    return _from_row(await connection.fetchrow(USE_TOKEN, digest, purposes, now))


async def end_tokens_of_user(connection: Connection, user_id: str) -> None:
    """Make the links that a person still has in the mail box, or on their way there, worthless."""
    await connection.execute(TAKE_MAILS_BACK, user_id)
    await connection.execute(END_TOKENS_OF_USER, user_id)


async def end_registrations(connection: Connection, email: str) -> None:
    """Make what others began with this address worthless: it has an account now."""
    await connection.execute(END_REGISTRATIONS, email)


def _from_row(row: asyncpg.Record | None) -> MailedToken | None:
    if row is None:
        return None
    return MailedToken(
        TokenPurpose(row["purpose"]), row["email"], row["language"], row["user_id"], row["name"], row["password_hash"]
    )
