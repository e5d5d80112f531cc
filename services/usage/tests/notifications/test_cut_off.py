"""What is being sent when PostgreSQL goes away is sent to its end."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.usage.notifications.delivering import Delivering
from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Due, Outcome
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import ChannelKind, Disabled, EventKind
from services.usage.notifications.settings import NotificationSettings

ID = UUID(int=1)


class Stores:
    """One channel with one delivery; away from the second look for channels on."""

    def __init__(self, channel: Channel) -> None:
        self.is_asked_again = asyncio.Event()
        self.noted: list[Outcome] = []
        self._channels = [[channel]]

    async def claim(self, now: datetime, *, limit: int, for_s: float) -> list[Channel]:
        if self._channels:
            return self._channels.pop()
        self.is_asked_again.set()
        raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")

    async def due(self, channel: Channel, now: datetime, limit: int) -> list[Due]:
        return [Due(ID, Event(ID, channel.user_id, EventKind.TEST, {}, now), 0)]

    async def note(self, delivery_id: UUID, outcome: Outcome, **_: Any) -> None:
        self.noted.append(outcome)

    async def channel_works(self, *_: Any) -> None: ...

    async def release(self, *_: Any) -> None: ...

    async def find(self, user_id: str) -> None: ...


class Slow:
    """Arrives once it is told to."""

    def __init__(self) -> None:
        self.may_arrive = asyncio.Event()

    async def send(self, *_: Any) -> Outcome:
        await self.may_arrive.wait()
        return Outcome(status=200)


async def test_what_is_being_sent_arrives_and_is_noted_though_postgresql_goes_away(clock: FakeClock) -> None:
    """It would rest for the five minutes of its lease, and arrive twice."""
    channel = Channel(
        *(ID, "user-1", ChannelKind.WEBHOOK, "hook", "https://example.ru", ()), Disabled.NO, None, clock.now()
    )
    stores, slow = Stores(channel), Slow()
    store: Any = stores
    senders: Any = {ChannelKind.WEBHOOK: slow}
    settings = NotificationSettings(every_s=0.01)
    delivering = Delivering(store, store, store, store, senders, settings, clock=clock, rng=random.Random(1))

    sending = asyncio.create_task(delivering.deliver())
    await stores.is_asked_again.wait()
    slow.may_arrive.set()
    with pytest.raises(Unavailable):
        await sending

    assert [outcome.arrived for outcome in stores.noted] == [True]
