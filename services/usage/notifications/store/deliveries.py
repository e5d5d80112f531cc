"""Tables `notification_deliveries` and `notification_attempts`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from servicekit.errors import ErrorReason, NotFound
from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Attempt, Delivery, Due, Outcome, Problem, State
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import Disabled, EventKind
from services.usage.notifications.store.channels import CANCEL_PENDING
from services.usage.notifications.store.sessions import Sessions
from services.usage.store.connection import Connection

LIST_DUE: Final = """
SELECT delivery.id, delivery.tries, event.id AS event_id, event.user_id, event.kind, event.facts, event.occurred_at
FROM usage.notification_deliveries AS delivery
JOIN usage.notification_events AS event ON event.id = delivery.event_id
WHERE delivery.channel_id = $1 AND delivery.state = 'pending' AND delivery.next_attempt_at <= $2
    AND event.kind = ANY($4::text[])
ORDER BY delivery.next_attempt_at, delivery.created_at, delivery.id
LIMIT $3
"""
# What was cancelled while it was tried is not tried again.
NOTE_ATTEMPT: Final = """
WITH counted AS (
    UPDATE usage.notification_deliveries
    SET attempts = attempts + 1, tries = tries + 1, next_attempt_at = $3,
        state = CASE WHEN state = 'cancelled' AND $2 = 'pending' THEN state ELSE $2 END
    WHERE id = $1
    RETURNING id, user_id, attempts
)
INSERT INTO usage.notification_attempts (delivery_id, number, user_id, at, status, problem, duration_ms)
SELECT id, attempts, user_id, $4, $5, $6, $7
FROM counted
"""
CHANNEL_WORKS: Final = """
UPDATE usage.notification_channels
SET failures = 0, failing_since = NULL, rests_until = $2
WHERE id = $1
"""
CHANNEL_FAILS: Final = """
UPDATE usage.notification_channels
SET failures = failures + 1, failing_since = coalesce(failing_since, $2)
WHERE id = $1
RETURNING failures, failing_since
"""
CHANNEL_RESTS: Final = """
UPDATE usage.notification_channels
SET rests_until = $2
WHERE id = $1
"""
END_CHANNEL: Final = """
UPDATE usage.notification_channels
SET disabled = $2
WHERE id = $1 AND disabled = ''
"""
HISTORY: Final = """
SELECT delivery.id, delivery.channel_id, delivery.state, delivery.next_attempt_at, delivery.created_at,
       event.id AS event_id, event.user_id, event.kind, event.facts, event.occurred_at
FROM usage.notification_deliveries AS delivery
JOIN usage.notification_events AS event ON event.id = delivery.event_id
WHERE delivery.channel_id = $1 AND delivery.user_id = $2
    AND ($3::timestamptz IS NULL OR (delivery.created_at, delivery.id) < ($3, $4))
    AND event.kind = ANY($6::text[])
ORDER BY delivery.created_at DESC, delivery.id DESC
LIMIT $5
"""
ATTEMPTS: Final = """
SELECT delivery_id, number, at, status, problem, duration_ms
FROM usage.notification_attempts
WHERE delivery_id = ANY($1::uuid[])
ORDER BY delivery_id, number
"""
# It goes out again with the id it had: whoever has it already knows it by that.
SEND_AGAIN: Final = """
UPDATE usage.notification_deliveries
SET state = 'pending', tries = 0, next_attempt_at = $4
WHERE id = $1 AND channel_id = $2 AND user_id = $3
"""
COUNT_PENDING: Final = "SELECT count(*) FROM usage.notification_deliveries WHERE state = 'pending'"


class DeliveryStore:
    """Deliveries and their attempts."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def due(self, channel: Channel, now: datetime, limit: int) -> list[Due]:
        """Return what a channel has to send now, the longest due first; of what this version has words for."""
        async with self._sessions.of(channel.user_id) as connection:
            rows = await connection.fetch(LIST_DUE, channel.id, now, limit, list(EventKind))
        return [Due(row["id"], _event(row), row["tries"]) for row in rows]

    async def note(
        self, delivery_id: UUID, outcome: Outcome, *, at: datetime, duration_ms: int, next_at: datetime | None
    ) -> None:
        """Note an attempt and when the next one is; None: there is none."""
        state = State.DELIVERED if outcome.arrived else State.FAILED if next_at is None else State.PENDING
        async with self._sessions.of_everybody() as connection:
            row = (state, next_at or at, at, outcome.status, outcome.problem, duration_ms)
            await connection.execute(NOTE_ATTEMPT, delivery_id, *row)

    async def channel_works(self, channel: Channel, now: datetime) -> None:
        """Note that something arrived."""
        async with self._sessions.of(channel.user_id) as connection:
            await connection.execute(CHANNEL_WORKS, channel.id, now)

    async def channel_fails(self, channel: Channel, now: datetime) -> tuple[int, datetime]:
        """Note that something did not arrive; return for how many attempts and since when nothing has."""
        async with self._sessions.of(channel.user_id) as connection:
            row = await connection.fetchrow(CHANNEL_FAILS, channel.id, now)
        return (row["failures"], row["failing_since"]) if row else (1, now)

    async def rest(self, channel: Channel, until: datetime) -> None:
        """Leave a channel alone for a while."""
        async with self._sessions.of(channel.user_id) as connection:
            await connection.execute(CHANNEL_RESTS, channel.id, until)

    async def end(self, channel: Channel, reason: Disabled) -> bool:
        """Switch a channel off and cancel what waits for it; return whether it was on."""
        async with self._sessions.of(channel.user_id) as connection:
            ended = await connection.execute(END_CHANNEL, channel.id, reason) == "UPDATE 1"
            await connection.execute(CANCEL_PENDING, channel.id)
        return ended

    async def history(
        self, user_id: str, channel_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[Delivery]:
        """Return a channel's deliveries with their attempts, the newest first, older than a given one."""
        moment, id = after or (None, None)
        async with self._sessions.of(user_id) as connection:
            rows = await connection.fetch(HISTORY, channel_id, user_id, moment, id, limit, list(EventKind))
            attempts = await _attempts(connection, [row["id"] for row in rows])
        return [_delivery(row, attempts[row["id"]]) for row in rows]

    async def send_again(self, user_id: str, channel_id: UUID, delivery_id: UUID, now: datetime) -> None:
        """Send a delivery on its way again, whatever became of it.

        Raises:
            NotFound: there is none.
        """
        async with self._sessions.of(user_id) as connection:
            if await connection.execute(SEND_AGAIN, delivery_id, channel_id, user_id, now) != "UPDATE 1":
                raise NotFound(ErrorReason.NOT_FOUND, "There is no such delivery.", param="delivery_id")

    async def pending(self) -> int:
        """Return how many deliveries are on their way."""
        async with self._sessions.of_everybody() as connection:
            return int(await connection.fetchval(COUNT_PENDING))


async def _attempts(connection: Connection, ids: Sequence[UUID]) -> defaultdict[UUID, list[Attempt]]:
    found: defaultdict[UUID, list[Attempt]] = defaultdict(list)
    for row in await connection.fetch(ATTEMPTS, ids):
        attempt = Attempt(row["number"], row["at"], row["status"], Problem(row["problem"]), row["duration_ms"])
        found[row["delivery_id"]].append(attempt)
    return found


def _delivery(row: asyncpg.Record, attempts: Sequence[Attempt]) -> Delivery:
    state = State(row["state"])
    return Delivery(
        id=row["id"],
        event=_event(row),
        channel_id=row["channel_id"],
        state=state,
        next_attempt_at=row["next_attempt_at"] if state is State.PENDING else None,
        created_at=row["created_at"],
        attempts=tuple(attempts),
    )


def _event(row: asyncpg.Record) -> Event:
    facts = msgspec.json.decode(row["facts"])
    return Event(row["event_id"], row["user_id"], EventKind(row["kind"]), facts, row["occurred_at"])
