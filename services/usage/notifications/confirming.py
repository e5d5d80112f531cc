"""Confirms Telegram chats: the user must enter a code sent there, so that nobody can subscribe others."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Final, Protocol
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest, QuotaExceeded, invalid_parameter
from services.usage.notifications.channels import Channels, just_sent
from services.usage.notifications.domain.channel import Channel, new_code, usable
from services.usage.notifications.domain.delivery import Outcome, Problem
from services.usage.notifications.domain.event import NO_RULE, Happening
from services.usage.notifications.domain.kinds import ChannelKind, Disabled, EventKind
from services.usage.notifications.store.channels import ChannelStore
from services.usage.notifications.store.deliveries import DeliveryStore
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.people import PeopleStore

GUESSES: Final = 5
# Codes are no way to fill somebody's chat.
ONE_IN_S: Final = 60


class SendsCodes(Protocol):
    """The Telegram interface that this module needs."""

    async def send_code(self, chat: str, code: str, language: str) -> Outcome:
        """Send a code to a chat and tell what became of it."""
        ...


class Confirming:
    """Creates and confirms Telegram channels."""

    def __init__(
        self,
        channels: Channels,
        store: ChannelStore,
        deliveries: DeliveryStore,
        events: EventStore,
        people: PeopleStore,
        telegram: SendsCodes,
        *,
        clock: Clock,
    ) -> None:
        self._channels = channels
        self._store = store
        self._deliveries = deliveries
        self._events = events
        self._people = people
        self._telegram = telegram
        self._clock = clock

    async def create(self, user_id: str, kind: ChannelKind, name: str, chat: str, maker: str) -> Channel:
        """Send a code to a chat, and make a channel that waits for it.

        Raises:
            InvalidRequest: it is no chat, or the bot cannot write there.
            QuotaExceeded: a code was just sent, or the user has as many channels as one may have.
        """
        now = self._clock.now()
        prepared = self._channels.prepared(user_id, kind, name, chat, maker)
        channel = replace(prepared, secrets=(new_code(now),), disabled=Disabled.UNCONFIRMED)
        slot = f"code|{int(now.timestamp()) // ONE_IN_S}"
        if not await self._events.add_to(NO_RULE, Happening(user_id, EventKind.TEST, slot, {}), now):
            raise just_sent("code", ONE_IN_S, now)
        await self._store.add(channel)
        language = (await self._people.find(user_id)).language
        outcome = await self._telegram.send_code(chat, channel.secrets[0].value, language)
        if not outcome.arrived:
            await self._store.delete(user_id, channel.id)
            raise _not_sent(outcome)
        return channel

    async def confirm(self, user_id: str, channel_id: UUID, code: str) -> Channel:
        """Take the code; the channel is used from now on. A channel that is confirmed stays as it is.

        Raises:
            NotFound: the channel is absent or someone else's.
            InvalidRequest: it is another code, or its hour is over.
            QuotaExceeded: it was guessed too often; make the channel anew.
        """
        channel = await self._store.find(user_id, channel_id)
        if channel.disabled is not Disabled.UNCONFIRMED:
            return channel
        now = self._clock.now()
        # Counted before it is looked at: however many guesses come at once.
        tried, _ = await self._deliveries.channel_fails(channel, now)
        if tried > GUESSES:
            raise QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, "Too many guesses: make the channel anew.")
        expected = [secret.value for secret in usable(channel.secrets, now)]
        if not any(hmac.compare_digest(each.encode(), code.encode()) for each in expected):
            raise invalid_parameter("code", "This is not the code in the chat.")
        return await self._store.change(user_id, channel_id, _confirmed, now)


def _confirmed(channel: Channel) -> Channel:
    # Confirmed by another call at once, it may have been switched off since.
    if channel.disabled is not Disabled.UNCONFIRMED:
        return channel
    return replace(channel, secrets=(), disabled=Disabled.NO, failing_since=None)


def _not_sent(outcome: Outcome) -> InvalidRequest:
    if outcome.problem is Problem.NOT_CONFIGURED:
        message = "This installation has no Telegram bot; choose another kind of channel."
        return invalid_parameter("kind", message)
    message = "The bot cannot write to this chat now: write to it first, or add it to the group."
    return invalid_parameter("chat_id", message)
