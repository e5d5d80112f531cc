"""Table `notification_channels`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from servicekit.clock import LEASES_DIFFER
from servicekit.errors import ErrorReason, NotFound, QuotaExceeded
from servicekit.trust.sealing import CannotOpen, Sealer
from services.usage.notifications.domain.channel import MAX_CHANNELS, Channel, WebhookSecret
from services.usage.notifications.domain.kinds import ChannelKind, Disabled, EventKind
from services.usage.notifications.store.sessions import Sessions

log = structlog.get_logger()

# Two orders of one user at once must not get past the bound together.
LOCK_USER: Final = "SELECT pg_advisory_xact_lock(hashtextextended('notifications:' || $1, 0))"
COUNT_CHANNELS: Final = "SELECT count(*) FROM usage.notification_channels WHERE user_id = $1"
INSERT_CHANNEL: Final = """
INSERT INTO usage.notification_channels
    (id, user_id, kind, name, sealed, disabled, rests_until, leased_until, created_at, maker)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8)
"""
LIST_CHANNELS: Final = """
SELECT id, user_id, kind, name, sealed, disabled, failing_since, created_at, maker, maker_since
FROM usage.notification_channels
WHERE user_id = $1
ORDER BY created_at, id
"""
FIND_CHANNEL: Final = """
SELECT id, user_id, kind, name, sealed, disabled, failing_since, created_at, maker, maker_since
FROM usage.notification_channels
WHERE id = $1 AND user_id = $2
"""
# Held until it is changed: of two who change it, the second changes what the first made of it.
HOLD_CHANNEL: Final = """
SELECT id, user_id, kind, name, sealed, disabled, failing_since, created_at, maker, maker_since
FROM usage.notification_channels
WHERE id = $1 AND user_id = $2
FOR UPDATE
"""
# What was wrong with it is over once its owner changes it. A disabled maker's is another's with its new address.
CHANGE_CHANNEL: Final = """
UPDATE usage.notification_channels
SET name = $3, sealed = $4, disabled = $5, failures = 0, failing_since = NULL, rests_until = $6, maker = $7,
    maker_since = $8, held = held AND maker = $7
WHERE id = $1 AND user_id = $2
"""
DELETE_CHANNEL: Final = """
DELETE FROM usage.notification_channels
WHERE id = $1 AND user_id = $2
"""
# Whoever tells of an event holds the rules, in this order, and then the channels.
HOLD_RULES: Final = """
SELECT id
FROM usage.notification_rules
WHERE user_id = $2 AND $1 = ANY(channel_ids)
ORDER BY id
FOR UPDATE
"""
LEAVE_RULES: Final = """
UPDATE usage.notification_rules
SET channel_ids = array_remove(channel_ids, $1)
WHERE user_id = $2 AND $1 = ANY(channel_ids)
"""
# A lease that ends later than one can that is taken now is of a clock that was ahead, also one that it gave back. It is
# cut, not taken: its sender may be at work.
CUT_LEASES: Final = """
UPDATE usage.notification_channels
SET leased_until = $1
WHERE leased_until > $2
"""
# A channel whose sender died is free again when its lease is over. Who has waited longest comes first. What another
# version made (a kind of channel, or of event) is left to it, and of a disabled maker's everything waits. Of a shut
# account's nothing does, but what was raised at the moment when it was shut.
CLAIM_CHANNELS: Final = """
UPDATE usage.notification_channels
SET leased_until = $2
WHERE id IN (
    SELECT id
    FROM usage.notification_channels AS channel
    WHERE disabled = '' AND NOT held AND leased_until <= $1 AND rests_until <= $1 AND kind = ANY($4::text[])
      AND NOT EXISTS (SELECT FROM usage.shut_accounts AS shut WHERE shut.user_id = channel.user_id)
      AND EXISTS (
        SELECT FROM usage.notification_deliveries AS due
        JOIN usage.notification_events AS event ON event.id = due.event_id
        WHERE due.channel_id = channel.id AND due.state = 'pending' AND due.next_attempt_at <= $1
            AND event.kind = ANY($5::text[])
    )
    ORDER BY leased_until
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING id, user_id, kind, name, sealed, disabled, failing_since, created_at, maker, maker_since
"""
RELEASE_CHANNEL: Final = """
UPDATE usage.notification_channels
SET leased_until = $2
WHERE id = $1
"""
UNSUBSCRIBE: Final = """
UPDATE usage.notification_channels
SET disabled = $2
WHERE id = $1 AND kind = 'email' AND disabled = ''
"""
# With whatever switches it off: on again, a channel does not send what was news weeks ago.
CANCEL_PENDING: Final = """
UPDATE usage.notification_deliveries
SET state = 'cancelled'
WHERE channel_id = $1 AND state = 'pending'
"""


class ChannelStore:
    """Channels; addresses and signing secrets are encrypted."""

    def __init__(self, sessions: Sessions, sealer: Sealer) -> None:
        self._sessions = sessions
        self._sealer = sealer

    async def add(self, channel: Channel) -> None:
        """Store a new channel.

        Raises:
            QuotaExceeded: the user has as many as one may have.
        """
        async with self._sessions.of(channel.user_id) as connection:
            await connection.execute(LOCK_USER, channel.user_id)
            if await connection.fetchval(COUNT_CHANNELS, channel.user_id) >= MAX_CHANNELS:
                raise QuotaExceeded(ErrorReason.QUOTA_EXCEEDED, f"A user has {MAX_CHANNELS} channels at most.")
            row = (channel.id, channel.user_id, channel.kind, channel.name, self._seal(channel), channel.disabled)
            await connection.execute(INSERT_CHANNEL, *row, channel.created_at, channel.maker)

    async def list_of(self, user_id: str) -> list[Channel]:
        """Return a user's channels."""
        async with self._sessions.of(user_id) as connection:
            return [self._from_row(row) for row in await connection.fetch(LIST_CHANNELS, user_id)]

    async def find(self, user_id: str, channel_id: UUID) -> Channel:
        """Return one.

        Raises:
            NotFound: it is absent or someone else's.
        """
        async with self._sessions.of(user_id) as connection:
            row = await connection.fetchrow(FIND_CHANNEL, channel_id, user_id)
        if row is None:
            raise no_such_channel()
        return self._from_row(row)

    async def change(
        self, user_id: str, channel_id: UUID, changed: Callable[[Channel], Channel], now: datetime
    ) -> Channel:
        """Store what its owner makes of the channel as it is now, and return it.

        Raises:
            NotFound: it is absent or someone else's.
        """
        async with self._sessions.of(user_id) as connection:
            row = await connection.fetchrow(HOLD_CHANNEL, channel_id, user_id)
            if row is None:
                raise no_such_channel()
            channel = changed(self._from_row(row))
            says = (channel.name, self._seal(channel), channel.disabled)
            await connection.execute(
                CHANGE_CHANNEL, channel.id, user_id, *says, now, channel.maker, channel.maker_since
            )
            if not channel.is_used:
                await connection.execute(CANCEL_PENDING, channel.id)
        return channel

    async def delete(self, user_id: str, channel_id: UUID) -> None:
        """Forget a channel with its history; rules go on without it.

        Raises:
            NotFound: it is absent or someone else's.
        """
        async with self._sessions.of(user_id) as connection:
            # A rule that is changed at this moment does not name the channel afterwards.
            await connection.execute(LOCK_USER, user_id)
            await connection.execute(HOLD_RULES, channel_id, user_id)
            await connection.execute(LEAVE_RULES, channel_id, user_id)
            if await connection.execute(DELETE_CHANNEL, channel_id, user_id) != "DELETE 1":
                raise no_such_channel()

    async def claim(self, now: datetime, *, limit: int, for_s: float) -> list[Channel]:
        """Return channels that have something to be sent now; nobody else gets them for `for_s` seconds."""
        until = now + timedelta(seconds=for_s)
        async with self._sessions.of_everybody() as connection:
            known = (list(ChannelKind), list(EventKind))
            await connection.execute(CUT_LEASES, until, until + LEASES_DIFFER)
            rows = await connection.fetch(CLAIM_CHANNELS, now, until, limit, *known)
        return [channel for row in rows if (channel := self._readable(row)) is not None]

    async def release(self, channel_id: UUID, now: datetime) -> None:
        """Let the next one have the channel."""
        async with self._sessions.of_everybody() as connection:
            await connection.execute(RELEASE_CHANNEL, channel_id, now)

    async def unsubscribe(self, channel_id: UUID) -> None:
        """Stop mails to a channel; one that is gone or stopped is no error."""
        async with self._sessions.of_everybody() as connection:
            if await connection.execute(UNSUBSCRIBE, channel_id, Disabled.UNSUBSCRIBED) == "UPDATE 1":
                await connection.execute(CANCEL_PENDING, channel_id)

    def _seal(self, channel: Channel) -> bytes:
        held: Sequence[tuple[str, datetime | None]] = [(secret.value, secret.until) for secret in channel.secrets]
        return self._sealer.seal(msgspec.json.encode((channel.target, held)), _owner(channel.id))

    def _readable(self, row: asyncpg.Record) -> Channel | None:
        """Return the channel; None when its secret is not among ours: one such must not stop the others."""
        try:
            return self._from_row(row)
        except CannotOpen:
            log.error("usage.notification_channel_unreadable", channel_id=str(row["id"]))
            return None

    def _from_row(self, row: asyncpg.Record) -> Channel:
        opened = self._sealer.open(row["sealed"], _owner(row["id"]))
        target, held = msgspec.json.decode(opened, type=tuple[str, list[tuple[str, datetime | None]]])
        return Channel(
            id=row["id"],
            user_id=row["user_id"],
            kind=ChannelKind(row["kind"]),
            name=row["name"],
            target=target,
            secrets=tuple(WebhookSecret(value, until) for value, until in held),
            disabled=Disabled(row["disabled"]),
            failing_since=row["failing_since"],
            created_at=row["created_at"],
            maker=row["maker"],
            maker_since=row["maker_since"],
        )


def _owner(channel_id: UUID) -> str:
    return f"notification channel {channel_id}"


def no_such_channel() -> NotFound:
    """Return the one refusal of channels that are absent or someone else's."""
    return NotFound(ErrorReason.NOT_FOUND, "There is no such channel.", param="channel_id")
