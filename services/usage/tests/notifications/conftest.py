"""Notifications over a fresh database, with a clock that a test moves."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiohttp.abc import AbstractResolver
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.mail.settings import SmtpSettings
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from servicekit.testing.smtp_server import SmtpServer
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.store import ForecastStore
from services.usage.ingest import Ingest
from services.usage.notifications.assembly import Notifications, Surroundings, open_notifications
from services.usage.notifications.forgetting import forgetting_elsewhere
from services.usage.notifications.settings import (
    NotificationOptions,
    NotificationSettings,
    TelegramSettings,
    WebhookSettings,
)
from services.usage.reports.store.forgetting import ending_schedules
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.notifications.receivers import Receiver, receiving
from services.usage.tests.records import record

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
USER = "user-1"
RUB = 1_000_000
# Nobody is given up because the machine stands still, but where a test says so.
LOOPBACK = {"plaintext": True, "trusted_networks": "127.0.0.1/32", "timeout_s": 60}


class House:
    """Notifications as the gateway and other rooms use them; `rpc` calls without a network."""

    def __init__(self, notifications: Notifications) -> None:
        self.events = notifications.events
        self.deliver = notifications.jobs["notifications"][0]
        self.count = notifications.jobs["count_notifications"][0]
        self.forget = notifications.jobs["forget_notifications"][0]
        self._servicer = notifications.servicer

    async def rpc(self, request: Any) -> Any:
        method = type(request).__name__.removesuffix("Request")
        return await getattr(self._servicer, method)(request, None)

    async def webhook(self, url: str, user_id: str = USER) -> pb.CreateChannelResponse:
        order = pb.CreateChannelRequest(user_id=user_id, kind=pb.CHANNEL_KIND_WEBHOOK, name="hook", target=url)
        made: pb.CreateChannelResponse = await self.rpc(order)
        return made

    async def channel(self, kind: pb.ChannelKind.ValueType, target: str = "", user_id: str = USER) -> str:
        order = pb.CreateChannelRequest(user_id=user_id, kind=kind, name="way", target=target)
        return str((await self.rpc(order)).channel.id)

    async def rule(self, kind: str, channels: Sequence[str], user_id: str = USER, **says: Any) -> str:
        rule = pb.NotificationRule(kind=kind, channel_ids=channels, enabled=True, **says)
        return str((await self.rpc(pb.CreateRuleRequest(user_id=user_id, rule=rule))).rule.id)

    async def history(self, channel_id: str, user_id: str = USER) -> list[pb.NotificationDelivery]:
        asked = pb.ListDeliveriesRequest(user_id=user_id, channel_id=channel_id, limit=100)
        return list((await self.rpc(asked)).deliveries)

    async def channels(self, user_id: str = USER) -> list[pb.NotificationChannel]:
        return list((await self.rpc(pb.ListChannelsRequest(user_id=user_id))).channels)

    async def meet(self, user_id: str = USER, **known: Any) -> None:
        """Tell what other services know of somebody, and have everything looked at."""
        models, organizations = known.pop("models", ()), known.pop("organizations", ())
        person = pb.WatchedPerson(
            user_id=user_id, **{"email": "vera@example.ru", "language": "ru", "time_zone": "Europe/Moscow", **known}
        )
        await self.rpc(pb.PutPeopleRequest(people=[person], models=models, organizations=organizations))


StartHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def start_house(pool: Pool, clock: FakeClock) -> AsyncIterator[StartHouse]:
    """Return a starter of notifications; keyword arguments are parts of the settings."""
    async with AsyncExitStack() as stack:

        async def start(resolver: AbstractResolver | None = None, **parts: dict[str, Any]) -> House:
            options = NotificationOptions(
                NotificationSettings(**parts.get("notifications", {})),
                WebhookSettings(**(LOOPBACK | parts.get("webhooks", {}))),
                TelegramSettings(**parts.get("telegram", {})),
                SmtpSettings(**parts.get("mail", {})),
            )
            forecaster = Forecaster(StatisticsStore(pool), FactsStore(pool), ForecastStore(pool), clock=clock)
            around = Surroundings(forecaster.limit_dates, forgetting_elsewhere(pool), ending_schedules(pool))
            opened = open_notifications(
                pool, options, around=around, clock=clock, rng=random.Random(7), resolver=resolver
            )
            return House(await stack.enter_async_context(opened))

        yield start


@pytest.fixture
async def house(start_house: StartHouse) -> House:
    """Return notifications that may call this machine, with the local outbox."""
    return await start_house()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return a receiver of webhooks."""
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    """Return a mail server."""
    async with SmtpServer() as server:
        yield server


class Spending:
    """Books requests of the test's user."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._number = 0

    async def spend(self, rub: float, at: datetime = MIDDAY, **changes: Any) -> None:
        self._number += 1
        made = replace(record(self._number, at), **{"user_id": USER, "cost_micro_rub": int(rub * RUB), **changes})
        outcome = await self._ingest.record([made])
        assert outcome.inserted == 1


@pytest.fixture
def spending(ingest: Ingest) -> Spending:
    """Return what books requests of the test's user."""
    return Spending(ingest)
