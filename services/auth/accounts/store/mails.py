"""Table `mails`: mails to be sent, and those kept in the local outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from servicekit.mail.smtp import WrittenMail
from servicekit.postgres import MOST_DELETED, database_errors
from services.auth.accounts.domain.mail import Mail, MailKind, NewMail, NotSent
from services.auth.shared.store.unit_of_work import Connection, Pool

INSERT_MAIL: Final = """
INSERT INTO auth.mails (kind, email, language, user_id, name, password_hash, created_at, expires_at, next_attempt_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7)
"""


async def insert_mail(connection: Connection, mail: NewMail, at: datetime) -> None:
    """Note in this transaction that a mail is to be sent."""
    row = (mail.kind, mail.email, mail.language, mail.user_id, mail.name, mail.password_hash)
    await connection.execute(INSERT_MAIL, *row, at, at + mail.life)


# Two replicas never send one mail at the same time; one that dies leaves it to be sent again after $2.
CLAIM_MAILS: Final = """
UPDATE auth.mails
SET attempts = attempts + 1, next_attempt_at = $2
WHERE id IN (
    SELECT id
    FROM auth.mails
    WHERE sent_at IS NULL AND next_attempt_at <= $1 AND expires_at > $1
    ORDER BY next_attempt_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, email, language, user_id, name, password_hash, attempts, created_at
"""

POSTPONE_MAIL: Final = """
UPDATE auth.mails
SET next_attempt_at = $2
WHERE id = $1
"""

DROP_MAIL: Final = """
DELETE FROM auth.mails
WHERE id = $1
"""

GIVE_UP_MAIL: Final = """
WITH noted AS (
    UPDATE auth.invitations
    SET outcome = $2
    WHERE mail_id = $1
)
DELETE FROM auth.mails
WHERE id = $1
"""

KEEP_MAIL: Final = """
UPDATE auth.mails
SET sent_at = $2, subject = $3, text = $4, password_hash = NULL, name = ''
WHERE id = $1
"""

LIST_OUTBOX: Final = """
SELECT email, subject, text, sent_at
FROM auth.mails
WHERE sent_at IS NOT NULL
ORDER BY sent_at DESC, id DESC
LIMIT $1
"""

FORGET_MAILS: Final = """
WITH gone AS (
    DELETE FROM auth.mails
    WHERE id IN (
        SELECT id
        FROM auth.mails
        WHERE expires_at <= $1
        ORDER BY expires_at
        LIMIT $3
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, sent_at
), noted AS (
    UPDATE auth.invitations AS i
    SET outcome = $2
    FROM gone
    WHERE i.mail_id = gone.id AND gone.sent_at IS NULL
)
SELECT sent_at
FROM gone
"""


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail in the local outbox."""

    written: WrittenMail
    sent_at: datetime


class MailStore:
    """Queued mails."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, now: datetime, *, limit: int, for_s: float) -> list[Mail]:
        """Return mails to be sent now; nobody else gets them for `for_s` seconds."""
        with database_errors():
            rows = await self._pool.fetch(CLAIM_MAILS, now, now + timedelta(seconds=for_s), limit)
        return [_from_row(row) for row in rows]

    async def postpone(self, mail_id: int, until: datetime) -> None:
        """Note when to try again."""
        with database_errors():
            await self._pool.execute(POSTPONE_MAIL, mail_id, until)

    async def drop(self, mail_id: int) -> None:
        """Forget a mail that was sent."""
        with database_errors():
            await self._pool.execute(DROP_MAIL, mail_id)

    async def give_up(self, mail_id: int, why: NotSent) -> None:
        """Forget a mail that will never be sent; an invitation says why."""
        with database_errors():
            await self._pool.execute(GIVE_UP_MAIL, mail_id, why)

    async def keep(self, mail_id: int, written: WrittenMail, now: datetime) -> None:
        """Put a written mail into the local outbox."""
        with database_errors():
            await self._pool.execute(KEEP_MAIL, mail_id, now, written.subject, written.text)

    async def list_outbox(self, limit: int) -> list[KeptMail]:
        """Return the newest mails of the local outbox."""
        with database_errors():
            rows = await self._pool.fetch(LIST_OUTBOX, limit)
        return [KeptMail(WrittenMail(row["email"], row["subject"], row["text"]), row["sent_at"]) for row in rows]

    async def forget_over(self, now: datetime) -> int:
        """Delete mails whose time is over; return how many of them could not be sent."""
        not_sent, gone = 0, MOST_DELETED
        with database_errors():
            while gone == MOST_DELETED:
                rows = await self._pool.fetch(FORGET_MAILS, now, NotSent.GIVEN_UP, MOST_DELETED)
                gone = len(rows)
                not_sent += sum(row["sent_at"] is None for row in rows)
        return not_sent


def _from_row(row: asyncpg.Record) -> Mail:
    content = NewMail(
        MailKind(row["kind"]), row["email"], row["language"], row["user_id"], row["name"], row["password_hash"]
    )
    return Mail(row["id"], content, row["attempts"], row["created_at"])
