"""Delivers due events at least once, one attempt at a time for each channel; slow receivers delay nobody else.

A channel is leased, not a delivery: however many of its receivers hang, a person's channel takes one of the places, and
rests after each failure. An attempt whose process died is made again when the lease is over, under the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.usage.notifications import metrics
from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Due, Outcome, next_attempt, rest_until
from services.usage.notifications.domain.event import Happening
from services.usage.notifications.domain.kinds import ChannelKind, Disabled, EventKind
from services.usage.notifications.domain.person import Person
from services.usage.notifications.sending.sender import Sender
from services.usage.notifications.settings import NotificationSettings
from services.usage.notifications.store.channels import ChannelStore
from services.usage.notifications.store.deliveries import DeliveryStore
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.people import PeopleStore

log = structlog.get_logger()

# Deliveries of one channel between two looks at what else is due.
BATCH: Final = 10
# Longer than a batch of the slowest attempts takes.
LEASE_S: Final = 300.0


class Delivering:
    """Sends due deliveries."""

    def __init__(
        self,
        channels: ChannelStore,
        deliveries: DeliveryStore,
        events: EventStore,
        people: PeopleStore,
        senders: Mapping[ChannelKind, Sender],
        settings: NotificationSettings,
        *,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._channels = channels
        self._deliveries = deliveries
        self._events = events
        self._people = people
        self._senders = senders
        self._settings = settings
        self._clock = clock
        self._rng = rng

    async def deliver(self) -> None:
        """Take channels for as long as there is a free place and something due; return when all are done.

        Raises:
            Unavailable: PostgreSQL is gone; what was under way is done.
        """
        under_way: set[asyncio.Task[None]] = set()
        away: ServiceError | None = None
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    has_more = away is None and await self._take_more(tasks, under_way)
                except ServiceError as exc:
                    # Raised behind the group, which would cut off what is being sent: it would be sent once more.
                    away, has_more = exc, False
                if not has_more and not under_way:
                    break
                # Not only when one is done: what becomes due while receivers hang does not wait for them.
                _, under_way = await asyncio.wait(
                    under_way, timeout=self._settings.every_s, return_when=asyncio.FIRST_COMPLETED
                )
        if away is not None:
            raise away

    async def count(self) -> None:
        """Export how many wait. A job of its own: where receivers hang, `deliver` goes on for as long as they do.

        Raises:
            Unavailable: PostgreSQL is gone.
        """
        metrics.PENDING.set(await self._deliveries.pending())

    async def _take_more(self, tasks: asyncio.TaskGroup, under_way: set[asyncio.Task[None]]) -> bool:
        free = self._settings.at_once - len(under_way)
        claimed = await self._channels.claim(self._clock.now(), limit=free, for_s=LEASE_S) if free else []
        for channel in claimed:
            under_way.add(tasks.create_task(self._serve(channel), name="notification_channel"))
        return bool(claimed)

    async def _serve(self, channel: Channel) -> None:
        """Send a batch by one channel; whatever becomes of it stays with this channel."""
        try:
            person = await self._people.find(channel.user_id)
            for due in await self._deliveries.due(channel, self._clock.now(), BATCH):
                if not await self._attempt(due, channel, person):
                    break
            await self._channels.release(channel.id, self._clock.now())
        except ServiceError as exc:
            log.warning("usage.notification_channel_postponed", channel_id=str(channel.id), reason=exc.reason.value)
        except Exception:
            log.exception("usage.notification_channel_failed", channel_id=str(channel.id))

    async def _attempt(self, due: Due, channel: Channel, person: Person) -> bool:
        started_s = self._clock.monotonic()
        outcome = await self._senders[channel.kind].send(due.event, channel, person)
        took_s = self._clock.monotonic() - started_s
        now = self._clock.now()
        next_at = next_attempt(due.attempts + 1, outcome, now, self._rng)
        await self._deliveries.note(due.id, outcome, at=now, duration_ms=int(took_s * 1000), next_at=next_at)
        self._count(channel.kind, outcome, is_last=next_at is None, took_s=took_s)
        if outcome.arrived:
            await self._deliveries.channel_works(channel, now)
        else:
            await self._note_failure(channel, outcome)
        return outcome.arrived

    async def _note_failure(self, channel: Channel, outcome: Outcome) -> None:
        now = self._clock.now()
        failures, since = await self._deliveries.channel_fails(channel, now)
        await self._deliveries.rest(channel, rest_until(outcome, failures, now))
        # Where mails or Telegram fail, it is the mail server, Telegram or we: no fault of the channel.
        is_receivers = channel.kind is ChannelKind.WEBHOOK
        has_failed_too_long = is_receivers and now - since >= self._settings.disable_after
        reason = outcome.ends or (Disabled.FAILING if has_failed_too_long else Disabled.NO)
        if reason is Disabled.NO or not await self._deliveries.end(channel, reason):
            return
        metrics.DISABLED.labels(channel.kind.value).inc()
        facts = {
            "channel_id": str(channel.id),
            "channel_kind": channel.kind.value,
            "name": channel.name or channel.kind.value,
            "reason": reason.value,
            "failing_since": since.isoformat(),
        }
        key = f"{channel.id}:{since.isoformat()}"
        notice = Happening(channel.user_id, EventKind.WEBHOOK_DISABLED, key, facts)
        await self._events.add_beside(channel.id, notice, now)

    def _count(self, kind: ChannelKind, outcome: Outcome, *, is_last: bool, took_s: float) -> None:
        word = "delivered" if outcome.arrived else "failed" if is_last else "postponed"
        metrics.ATTEMPTS.labels(kind.value, word).inc()
        metrics.ATTEMPT_SECONDS.labels(kind.value).observe(took_s)
