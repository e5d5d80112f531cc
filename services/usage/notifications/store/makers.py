"""Channels and rules by the credential that made them: paused while it is disabled, deleted with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.usage.notifications.store.channels import DELETE_CHANNEL, LEAVE_RULES, LOCK_USER
from services.usage.notifications.store.sessions import Sessions

LIST_MAKERS: Final = """
SELECT maker
FROM usage.notification_channels
WHERE user_id = ANY($1::text[]) AND maker <> ''
UNION
SELECT maker
FROM usage.notification_rules
WHERE user_id = ANY($1::text[]) AND maker <> ''
UNION
SELECT maker
FROM usage.report_schedules
WHERE user_id = ANY($1::text[]) AND maker <> ''
ORDER BY maker
"""
# Nothing is written where nothing changes: it is asked again and again.
HOLD_BACK: Final = """
UPDATE usage.notification_channels
SET held = maker = ANY($2::text[])
WHERE maker = ANY($1::text[]) AND maker <> '' AND held <> (maker = ANY($2::text[]))
"""
FIND_USERS: Final = """
SELECT user_id
FROM usage.notification_channels
WHERE maker = ANY($1::text[]) AND maker <> '' AND coalesce(maker_since, created_at) < $2
UNION
SELECT user_id
FROM usage.notification_rules
WHERE maker = ANY($1::text[]) AND maker <> '' AND created_at < $2
ORDER BY user_id
"""
# Whoever tells of an event holds the rules, in this order, and then the channels.
HOLD_RULES_OF: Final = """
SELECT id
FROM usage.notification_rules
WHERE user_id = $1
ORDER BY id
FOR UPDATE
"""
END_RULES: Final = """
DELETE FROM usage.notification_rules
WHERE user_id = $1 AND maker = ANY($2::text[]) AND maker <> '' AND created_at < $3
RETURNING id, maker
"""
HOLD_CHANNELS_OF: Final = """
SELECT id, maker
FROM usage.notification_channels
WHERE user_id = $1 AND maker = ANY($2::text[]) AND maker <> '' AND coalesce(maker_since, created_at) < $3
ORDER BY id
FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What was deleted, and the maker it was deleted with."""

    id: UUID
    maker: str


class MakerStore:
    """Channels and rules by their makers."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def of(self, user_ids: Sequence[str]) -> list[str]:
        """Return the makers of what these users have."""
        async with self._sessions.of_everybody() as connection:
            return [row["maker"] for row in await connection.fetch(LIST_MAKERS, user_ids)]

    async def hold_back(self, makers: Sequence[str], disabled: Sequence[str]) -> None:
        """Have nothing go by the channels of those makers that are disabled, and by the others' again."""
        async with self._sessions.of_everybody() as connection:
            await connection.execute(HOLD_BACK, makers, disabled)

    async def find_users(self, makers: Sequence[str], before: datetime) -> list[str]:
        """Return who has channels or rules that these made before a moment."""
        async with self._sessions.of_everybody() as connection:
            return [row["user_id"] for row in await connection.fetch(FIND_USERS, makers, before)]

    async def end(self, user_id: str, makers: Sequence[str], before: datetime) -> tuple[list[Ended], list[Ended]]:
        """Forget the channels and the rules that these made for a user before a moment; return both.

        Rules of others go on without the channels.
        """
        async with self._sessions.of(user_id) as connection:
            # A rule that is changed at this moment does not name the channels afterwards.
            await connection.execute(LOCK_USER, user_id)
            await connection.fetch(HOLD_RULES_OF, user_id)
            rules = await connection.fetch(END_RULES, user_id, makers, before)
            channels = await connection.fetch(HOLD_CHANNELS_OF, user_id, makers, before)
            for row in channels:
                await connection.execute(LEAVE_RULES, row["id"], user_id)
                await connection.execute(DELETE_CHANNEL, row["id"], user_id)
        return [Ended(*row) for row in channels], [Ended(*row) for row in rules]
