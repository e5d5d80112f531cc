"""Table `invitations`: imported accounts whose owners were asked to set a password."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.accounts.domain.invitation import Invitation, InvitationState
from services.auth.accounts.domain.mail import MailKind, NewMail
from services.auth.shared.store.unit_of_work import Pool

# `.invalid` receives no mail (RFC 2606): the address of accounts that came without one of their own.
LIST_INVITATIONS: Final = """
SELECT u.id, u.email, i.email AS written_to, i.queued_at,
    CASE
        WHEN u.disabled_at IS NOT NULL OR u.deleted_at IS NOT NULL THEN 'shut'
        WHEN u.password_hash IS NOT NULL
            OR EXISTS (SELECT FROM auth.external_identities AS e WHERE e.user_id = u.id) THEN 'claimed'
        WHEN lower(i.email) <> lower(u.email) AND lower(u.email) NOT LIKE '%.invalid' THEN 'open'
        WHEN i.outcome IS NOT NULL THEN i.outcome
        WHEN EXISTS (SELECT FROM auth.mails AS m WHERE m.id = i.mail_id AND m.sent_at IS NULL) THEN 'waiting'
        WHEN i.user_id IS NOT NULL THEN 'sent'
        WHEN lower(u.email) LIKE '%.invalid' THEN 'no_address'
        ELSE 'open'
    END AS state
FROM auth.imported_rows AS r
JOIN auth.users AS u ON u.id = r.id
LEFT JOIN auth.invitations AS i ON i.user_id = u.id
WHERE r.source_id = $1 AND r.kind = 'user'
ORDER BY u.created_at, u.id
"""

HAS_SOURCE: Final = """
SELECT EXISTS (SELECT FROM auth.imports WHERE source_id = $1)
"""

# Two that invite at once take turns: the second sees what the first did.
ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('razvilka.auth.invitations', 0))"

# An invitation that never went out is made anew, but for one that the mail server refused; so is one to an address that
# is no longer the account's.
QUEUE_INVITATIONS: Final = """
WITH invited AS (
    SELECT u.id, u.email, coalesce($3, u.language) AS language
    FROM auth.users AS u
    JOIN auth.imported_rows AS r ON r.kind = 'user' AND r.id = u.id
    WHERE r.source_id = $1 AND u.id = ANY($2::text[])
        AND u.password_hash IS NULL AND u.disabled_at IS NULL AND u.deleted_at IS NULL
        AND lower(u.email) NOT LIKE '%.invalid'
        AND NOT EXISTS (SELECT FROM auth.external_identities AS e WHERE e.user_id = u.id)
        AND NOT EXISTS (
            SELECT FROM auth.invitations AS i
            WHERE i.user_id = u.id AND lower(i.email) = lower(u.email) AND (i.outcome IS NULL OR i.outcome = 'refused')
        )
), mailed AS (
    INSERT INTO auth.mails (kind, email, language, user_id, created_at, expires_at, next_attempt_at)
    SELECT $4, email, language, id, $5, $6, $5
    FROM invited
    RETURNING id, user_id, email
)
INSERT INTO auth.invitations (user_id, email, mail_id, queued_at)
SELECT user_id, email, id, $5
FROM mailed
ON CONFLICT (user_id) DO UPDATE
SET email = excluded.email, mail_id = excluded.mail_id, queued_at = excluded.queued_at, outcome = NULL
RETURNING user_id
"""


class InvitationStore:
    """Invitations of accounts imported from one source."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def has_source(self, source_id: str) -> bool:
        """Tell whether anything was ever brought from there."""
        with database_errors():
            return bool(await self._pool.fetchval(HAS_SOURCE, source_id))

    async def list_of(self, source_id: str) -> list[Invitation]:
        """Return where each account stands, the oldest first."""
        with database_errors():
            rows = await self._pool.fetch(LIST_INVITATIONS, source_id)
        return [_from_row(row) for row in rows]

    async def queue(self, source_id: str, user_ids: Sequence[str], language: str | None, at: datetime) -> list[str]:
        """Have mails sent to those who still have to get one; return their ids. All of it or nothing."""
        expires_at = at + NewMail(MailKind.CLAIM, "", "").life
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(ONE_AT_A_TIME)
                rows = await connection.fetch(
                    QUEUE_INVITATIONS, source_id, user_ids, language, MailKind.CLAIM, at, expires_at
                )
        return [row["user_id"] for row in rows]


def _from_row(row: asyncpg.Record) -> Invitation:
    return Invitation(
        row["id"], row["email"], InvitationState(row["state"]), row["written_to"] or "", queued_at=row["queued_at"]
    )
