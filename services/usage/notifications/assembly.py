"""Composition root of notifications, and their scheduled jobs."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import aiohttp
import asyncpg
from aiohttp.abc import AbstractResolver

from servicekit.clock import Clock
from servicekit.mail.settings import SmtpSettings
from servicekit.mail.smtp import SmtpSender
from servicekit.trust.sealing import Sealer
from services.usage.domain.forgetting import EndSchedules, Forget
from services.usage.notifications.budget_watch import BudgetWatch
from services.usage.notifications.channels import Channels
from services.usage.notifications.confirming import Confirming
from services.usage.notifications.date_watch import DateWatch
from services.usage.notifications.delivering import Delivering
from services.usage.notifications.domain.kinds import ChannelKind
from services.usage.notifications.domain.watch import Foretells
from services.usage.notifications.ending import Ending
from services.usage.notifications.raising import Events
from services.usage.notifications.rpc import NotificationServicer
from services.usage.notifications.rules import Rules
from services.usage.notifications.sending.email import EmailSender, LocalPost, Post, SmtpPost
from services.usage.notifications.sending.sender import Sender
from services.usage.notifications.sending.telegram import TelegramSender
from services.usage.notifications.sending.unsubscribing import Unsubscribing
from services.usage.notifications.sending.webhook import open_webhooks
from services.usage.notifications.settings import NotificationOptions
from services.usage.notifications.store.channels import ChannelStore
from services.usage.notifications.store.deliveries import DeliveryStore
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.makers import MakerStore
from services.usage.notifications.store.people import Outbox, PeopleStore
from services.usage.notifications.store.rules import RuleStore
from services.usage.notifications.store.sessions import Sessions
from services.usage.notifications.store.shut import ShutStore
from services.usage.notifications.store.spending import SpendingReader
from services.usage.notifications.watching import Watching

SEALING_PURPOSE: Final = b"razvilka.usage.notifications"
FORGET_EVERY_S: Final = 3600.0
KEEP_MAILS: Final = timedelta(days=1)
Work = Callable[[], Coroutine[Any, Any, None]]
Job = tuple[Work, float]


@dataclass(frozen=True, slots=True)
class Notifications:
    """What the service needs of notifications.

    Attributes:
        servicer: the RPCs.
        events: what other rooms raise events by.
        channels: what is known of a user's channels, targets opened.
        jobs: what is to be repeated, and how many seconds apart.
    """

    servicer: NotificationServicer
    events: Events
    channels: ChannelStore
    jobs: dict[str, Job]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Functions of other rooms that notifications call.

    Attributes:
        foretell: says when an account will have spent a limit.
        also_forget: forgets what they have of people whose accounts are gone.
        end_schedules: ends schedules with what made them.
    """

    foretell: Foretells
    also_forget: Forget
    end_schedules: EndSchedules


@dataclass(frozen=True, slots=True)
class _Stores:
    channels: ChannelStore
    rules: RuleStore
    makers: MakerStore
    events: EventStore
    deliveries: DeliveryStore
    people: PeopleStore
    shut: ShutStore
    outbox: Outbox
    spending: SpendingReader


@asynccontextmanager
async def open_notifications(
    pool: asyncpg.Pool[asyncpg.Record],
    options: NotificationOptions,
    *,
    around: Surroundings,
    clock: Clock,
    rng: random.Random,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[Notifications]:
    """Yield notifications with their connections to the outside.

    Args:
        around: what other rooms do for this one.
        resolver: looks up the names of webhooks.
    """
    sealer = Sealer(options.notifications.sealing_secrets, SEALING_PURPOSE)
    stores = _stores(pool, sealer)
    unsubscribing = Unsubscribing(sealer, options.notifications.public_url)
    at_once = options.notifications.at_once
    async with (
        open_webhooks(options.webhooks, at_once=at_once, clock=clock, resolver=resolver) as webhooks,
        aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as telegram,
    ):
        bot = TelegramSender(telegram, options.telegram)
        senders: dict[ChannelKind, Sender] = {
            ChannelKind.EMAIL: EmailSender(_post(options.mail, stores.outbox, clock), unsubscribing),
            ChannelKind.WEBHOOK: webhooks,
            ChannelKind.TELEGRAM: bot,
        }
        yield _assembled(stores, senders, bot, unsubscribing, options, around=around, clock=clock, rng=rng)


def _stores(pool: asyncpg.Pool[asyncpg.Record], sealer: Sealer) -> _Stores:
    sessions = Sessions(pool)
    return _Stores(
        channels=ChannelStore(sessions, sealer),
        rules=RuleStore(sessions),
        makers=MakerStore(sessions),
        events=EventStore(sessions, uuid.uuid4),
        deliveries=DeliveryStore(sessions),
        people=PeopleStore(sessions, sealer),
        shut=ShutStore(sessions),
        outbox=Outbox(sessions),
        spending=SpendingReader(sessions),
    )


def _post(settings: SmtpSettings, outbox: Outbox, clock: Clock) -> Post:
    return SmtpPost(SmtpSender(settings, clock=clock)) if settings.host else LocalPost(outbox, clock=clock)


def _assembled(
    stores: _Stores,
    senders: dict[ChannelKind, Sender],
    bot: TelegramSender,
    unsubscribing: Unsubscribing,
    options: NotificationOptions,
    *,
    around: Surroundings,
    clock: Clock,
    rng: random.Random,
) -> Notifications:
    events = Events(stores.events, clock=clock)
    delivering = Delivering(
        stores.channels,
        stores.deliveries,
        stores.events,
        stores.people,
        senders,
        options.notifications,
        clock=clock,
        rng=rng,
    )
    return Notifications(
        _servicer(stores, events, bot, unsubscribing, options, _watching(stores, events, around, clock), clock),
        events,
        stores.channels,
        {
            "notifications": (delivering.deliver, options.notifications.every_s),
            "count_notifications": (delivering.count, options.notifications.every_s),
            "forget_notifications": (_forgetting(stores, options, clock), FORGET_EVERY_S),
        },
    )


def _servicer(
    stores: _Stores,
    events: Events,
    bot: TelegramSender,
    unsubscribing: Unsubscribing,
    options: NotificationOptions,
    watching: Watching,
    clock: Clock,
) -> NotificationServicer:
    channels = Channels(
        stores.channels,
        stores.deliveries,
        stores.events,
        plaintext=options.webhooks.plaintext,
        clock=clock,
        new_id=uuid.uuid4,
    )
    rules = Rules(stores.rules, clock=clock, new_id=uuid.uuid4)
    confirming = Confirming(
        channels, stores.channels, stores.deliveries, stores.events, stores.people, bot, clock=clock
    )
    return NotificationServicer(channels, confirming, rules, watching, unsubscribing, stores.channels, stores.outbox)


def _watching(stores: _Stores, events: Events, around: Surroundings, clock: Clock) -> Watching:
    return Watching(
        stores.people,
        stores.shut,
        stores.rules,
        BudgetWatch(events, stores.events, stores.spending, around.foretell, clock=clock),
        DateWatch(events, stores.events, stores.spending, clock=clock),
        Ending(stores.makers, around.end_schedules),
        around.also_forget,
        clock=clock,
    )


def _forgetting(stores: _Stores, options: NotificationOptions, clock: Clock) -> Work:
    async def forget() -> None:
        now = clock.now()
        await stores.events.forget_before(now - timedelta(days=options.notifications.keep_days))
        await stores.outbox.forget_before(now - KEEP_MAILS)

    return forget
