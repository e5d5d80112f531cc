"""Tables `notification_people` and `notification_outbox`: how to reach users, and mails of the local outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from servicekit.mail.smtp import WrittenMail
from servicekit.postgres import in_pieces
from servicekit.trust.sealing import Sealer
from services.usage.notifications.domain.person import Person
from services.usage.notifications.store.sessions import Sessions

PUT_PERSON: Final = """
INSERT INTO usage.notification_people (user_id, sealed_email, language, time_zone, told_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id) DO UPDATE
SET sealed_email = excluded.sealed_email, language = excluded.language, time_zone = excluded.time_zone,
    told_at = excluded.told_at
"""
FIND_PERSON: Final = """
SELECT sealed_email, language, time_zone
FROM usage.notification_people
WHERE user_id = $1
"""
FORGET_CHANNELS: Final = "DELETE FROM usage.notification_channels WHERE user_id = $1"
FORGET_RULES: Final = "DELETE FROM usage.notification_rules WHERE user_id = $1"
FORGET_EVENTS: Final = """
DELETE FROM usage.notification_events
WHERE id IN (
    SELECT id
    FROM usage.notification_events
    WHERE user_id = $1
    LIMIT $2
)
"""
FORGET_PERSON: Final = "DELETE FROM usage.notification_people WHERE user_id = $1"
FORGET_MAILS_OF: Final = """
DELETE FROM usage.notification_outbox
WHERE id IN (
    SELECT id
    FROM usage.notification_outbox
    WHERE user_id = $1
    LIMIT $2
)
"""
KEEP_MAIL: Final = """
INSERT INTO usage.notification_outbox (id, user_id, email, subject, text, sent_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING
"""
LIST_MAILS: Final = """
SELECT email, subject, text, sent_at
FROM usage.notification_outbox
ORDER BY sent_at DESC, id
LIMIT $1
"""
FORGET_MAILS: Final = """
DELETE FROM usage.notification_outbox
WHERE id IN (
    SELECT id
    FROM usage.notification_outbox
    WHERE sent_at <= $1
    ORDER BY sent_at
    LIMIT $2
)
"""


class PeopleStore:
    """People; their addresses are encrypted."""

    def __init__(self, sessions: Sessions, sealer: Sealer) -> None:
        self._sessions = sessions
        self._sealer = sealer

    async def put(self, people: Sequence[Person], now: datetime) -> None:
        """Store what is known of people now."""
        rows = [
            (person.user_id, self._sealed(person), person.language, person.time_zone, now)
            for person in sorted(people, key=lambda person: person.user_id)
        ]
        async with self._sessions.of_everybody() as connection:
            await connection.executemany(PUT_PERSON, rows)

    async def find(self, user_id: str) -> Person:
        """Return what is known of somebody; nothing yet: no address, and the texts are Russian."""
        async with self._sessions.of(user_id) as connection:
            row = await connection.fetchrow(FIND_PERSON, user_id)
        if row is None:
            return Person(user_id, "")
        sealed = row["sealed_email"]
        email = self._sealer.open(sealed, _owner(user_id)).decode() if sealed else ""
        return Person(user_id, email, row["language"], row["time_zone"])

    async def forget(self, user_ids: Sequence[str]) -> None:
        """Forget everything of people whose accounts are gone.

        What raises events goes first, rules before channels, as whoever tells of an event holds them; by whom all of it
        is found, if this is cut off, goes last.
        """
        for user_id in user_ids:
            async with self._sessions.of(user_id) as connection:
                await connection.execute(FORGET_RULES, user_id)
                await connection.execute(FORGET_CHANNELS, user_id)
            async with self._sessions.for_upkeep() as connection:
                await in_pieces(connection, FORGET_EVENTS, user_id)
                await in_pieces(connection, FORGET_MAILS_OF, user_id)
            async with self._sessions.of(user_id) as connection:
                await connection.execute(FORGET_PERSON, user_id)

    def _sealed(self, person: Person) -> bytes | None:
        return self._sealer.seal(person.email.encode(), _owner(person.user_id)) if person.email else None


class Outbox:
    """Stores mails where people without a mail server can read them."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def keep(self, id: UUID, user_id: str, written: WrittenMail, now: datetime) -> None:
        """Keep a mail."""
        async with self._sessions.of(user_id) as connection:
            await connection.execute(KEEP_MAIL, id, user_id, written.email, written.subject, written.text, now)

    async def newest(self, limit: int) -> list[tuple[WrittenMail, datetime]]:
        """Return the newest mails and when they were sent."""
        async with self._sessions.of_everybody() as connection:
            rows = await connection.fetch(LIST_MAILS, limit)
        return [(WrittenMail(row["email"], row["subject"], row["text"]), row["sent_at"]) for row in rows]

    async def forget_before(self, moment: datetime) -> None:
        """Delete old mails."""
        async with self._sessions.for_upkeep() as connection:
            await in_pieces(connection, FORGET_MAILS, moment)


def _owner(user_id: str) -> str:
    return f"notification address {user_id}"
