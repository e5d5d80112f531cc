"""Table `notification_events`: inserted together with the deliveries of each event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from servicekit.postgres import in_pieces
from services.usage.notifications.domain.event import NO_RULE, Happening
from services.usage.notifications.domain.kinds import TOLD_AS, EventKind
from services.usage.notifications.domain.rule import Rule
from services.usage.notifications.store.rules import rule_from_row
from services.usage.notifications.store.sessions import Sessions
from services.usage.store.connection import Connection

# Two replicas that see the same thing come one after the other: the second one sees the event of the first.
LOCK_RULES: Final = """
SELECT id, user_id, kind, subject, thresholds, channel_ids, cooldown_s, enabled, created_at, maker
FROM usage.notification_rules
WHERE user_id = $1 AND kind = $2 AND enabled AND subject IN ('', $3)
ORDER BY id
FOR UPDATE
"""
LOCK_RULE: Final = """
SELECT id
FROM usage.notification_rules
WHERE id = $1 AND enabled
FOR UPDATE
"""
IN_PAUSE: Final = """
SELECT EXISTS (
    SELECT
    FROM usage.notification_events
    WHERE rule_id = $1 AND subject = $2 AND occurred_at > $3
)
"""
INSERT_EVENT: Final = """
INSERT INTO usage.notification_events (id, user_id, rule_id, kind, subject, dedupe_key, facts, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (user_id, rule_id, dedupe_key) DO NOTHING
"""
# What happens while an account is shut is told nobody, as by a channel that is switched off.
INSERT_DELIVERIES: Final = """
INSERT INTO usage.notification_deliveries (id, event_id, channel_id, user_id, next_attempt_at, created_at)
SELECT gen_random_uuid(), $1, channel.id, $2, $4, $4
FROM usage.notification_channels AS channel
WHERE channel.user_id = $2 AND channel.id = ANY($3::uuid[]) AND channel.disabled = ''
    AND NOT EXISTS (SELECT FROM usage.shut_accounts AS shut WHERE shut.user_id = channel.user_id)
"""
OTHER_CHANNELS: Final = """
SELECT id
FROM usage.notification_channels
WHERE user_id = $1 AND id <> $2 AND disabled = ''
"""
HAS_TOLD: Final = """
SELECT dedupe_key
FROM usage.notification_events
WHERE user_id = $1 AND rule_id = $2 AND dedupe_key = ANY($3::text[])
"""
# Between two texts: by any other way to ask how one begins, all that the rules ever told is looked through.
TOLD_LIKE: Final = """
SELECT rule_id, dedupe_key
FROM usage.notification_events
WHERE user_id = $1 AND rule_id = ANY($2::uuid[]) AND kind = $3 AND dedupe_key COLLATE "C" BETWEEN $4 AND $5
"""
LAST_CHARACTER: Final = "\U0010ffff"
FORGET_EVENTS: Final = """
DELETE FROM usage.notification_events
WHERE id IN (
    SELECT id
    FROM usage.notification_events
    WHERE occurred_at <= $1
    LIMIT $2
)
"""


class EventStore:
    """Events; a rule reports each of them once."""

    def __init__(self, sessions: Sessions, new_id: Callable[[], UUID]) -> None:
        self._sessions = sessions
        self._new_id = new_id

    async def add(self, happening: Happening, now: datetime) -> int:
        """Store an event for each rule that is about it, with its deliveries; return how many there were."""
        async with self._sessions.of(happening.user_id) as connection:
            kind = TOLD_AS.get(happening.kind, happening.kind)
            rows = await connection.fetch(LOCK_RULES, happening.user_id, kind, happening.subject)
            rules = [rule_from_row(row) for row in rows]
            return sum([await self._tell(connection, happening, rule, now) for rule in rules])

    async def add_by_rule(self, happening: Happening, rule: Rule, now: datetime) -> bool:
        """Store an event that only one rule tells of; return whether it was new."""
        async with self._sessions.of(happening.user_id) as connection:
            if await connection.fetchval(LOCK_RULE, rule.id) is None:
                return False
            return await self._tell(connection, happening, rule, now)

    async def add_to(self, channel_id: UUID, happening: Happening, now: datetime) -> bool:
        """Store an event that goes to one channel, whatever the rules say; return whether it was new."""
        async with self._sessions.of(happening.user_id) as connection:
            return await self._store(connection, happening, NO_RULE, [channel_id], now)

    async def add_beside(self, channel_id: UUID, happening: Happening, now: datetime) -> None:
        """Store an event that goes to all channels of its user but one."""
        async with self._sessions.of(happening.user_id) as connection:
            others = await connection.fetch(OTHER_CHANNELS, happening.user_id, channel_id)
            await self._store(connection, happening, NO_RULE, [row["id"] for row in others], now)

    async def told(self, user_id: str, rule_id: UUID, keys: Sequence[str]) -> set[str]:
        """Return of which keys a rule has told."""
        async with self._sessions.of(user_id) as connection:
            rows = await connection.fetch(HAS_TOLD, user_id, rule_id, keys)
        return {row["dedupe_key"] for row in rows}

    async def told_like(
        self, user_id: str, rule_ids: Sequence[UUID], kind: EventKind, start: str
    ) -> Mapping[UUID, list[str]]:
        """Return what follows in the keys that begin so and that each rule has told; a rule without any is left out."""
        async with self._sessions.of(user_id) as connection:
            rows = await connection.fetch(TOLD_LIKE, user_id, rule_ids, kind, start, start + LAST_CHARACTER)
        found: defaultdict[UUID, list[str]] = defaultdict(list)
        for row in rows:
            found[row["rule_id"]].append(row["dedupe_key"].removeprefix(start))
        return found

    async def forget_before(self, moment: datetime) -> None:
        """Delete events with their deliveries."""
        async with self._sessions.for_upkeep() as connection:
            await in_pieces(connection, FORGET_EVENTS, moment)

    async def _tell(self, connection: Connection, happening: Happening, rule: Rule, now: datetime) -> bool:
        if not happening.ignores_pause and rule.says.cooldown_s:
            since = now - timedelta(seconds=rule.says.cooldown_s)
            if await connection.fetchval(IN_PAUSE, rule.id, happening.subject, since):
                return False
        return await self._store(connection, happening, rule.id, rule.says.channel_ids, now)

    async def _store(
        self, connection: Connection, happening: Happening, rule_id: UUID, channel_ids: Sequence[UUID], now: datetime
    ) -> bool:
        event_id, user_id, facts = self._new_id(), happening.user_id, msgspec.json.encode(happening.facts).decode()
        row = (event_id, user_id, rule_id, happening.kind, happening.subject, happening.dedupe_key, facts, now)
        if await connection.execute(INSERT_EVENT, *row) != "INSERT 0 1":
            return False
        await connection.execute(INSERT_DELIVERIES, event_id, user_id, channel_ids, now)
        return True
